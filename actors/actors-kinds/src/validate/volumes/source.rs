//! What a persistent volume consists of: one source, with what it cannot be without.

use actors_object::Value;

use crate::validate::{Errors, Spot, storage, text};

/// Each source of volumes, and its fields that must be filled in.
const SOURCES: &[(&str, &[&str])] = &[
    ("awsElasticBlockStore", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("azureFile", &["secretName", "shareName"]),
    ("cephfs", &["monitors"]),
    ("cinder", &["volumeID"]),
    ("csi", &["volumeHandle"]),
    ("fc", &[]),
    ("flexVolume", &["driver"]),
    ("flocker", &["datasetName"]),
    ("gcePersistentDisk", &["pdName"]),
    ("glusterfs", &["endpoints", "path"]),
    ("hostPath", &["path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("local", &["path"]),
    ("nfs", &["server", "path"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("quobyte", &["registry", "volume"]),
    ("rbd", &["monitors", "image"]),
    ("scaleIO", &["gateway", "system", "secretRef"]),
    ("storageos", &["volumeName"]),
    ("vsphereVolume", &["volumePath"]),
];
const HOST_PATH_TYPES: [&str; 7] = [
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];
/// The references of a CSI volume to Secrets.
const SECRETS: [&str; 5] = [
    "controllerExpandSecretRef",
    "controllerPublishSecretRef",
    "nodeExpandSecretRef",
    "nodePublishSecretRef",
    "nodeStageSecretRef",
];

/// Exactly one source.
pub(super) fn validate(spec: &Spot<'_>, out: &mut Errors) {
    let mut count = 0;
    for (name, fields) in SOURCES {
        let source = spec.field(name);
        if !source.is_set() {
            continue;
        }
        count += 1;
        if count > 1 {
            out.forbidden(&source, "may not specify more than 1 volume type");
            continue;
        }
        fields.iter().for_each(|field| out.filled(&source.field(field)));
        validate_one(name, &source, spec, out);
    }
    if count == 0 {
        out.required(spec, "must specify a volume type");
    }
}

fn validate_one(name: &str, source: &Spot<'_>, spec: &Spot<'_>, out: &mut Errors) {
    let path = source.field("path");
    match name {
        "csi" => validate_csi(source, out),
        "hostPath" => {
            validate_no_way_up(&path, out);
            out.one_of(&source.field("type"), &HOST_PATH_TYPES);
            let policy = spec.field("persistentVolumeReclaimPolicy");
            if path.text() == "/" && policy.text() == "Recycle" {
                out.forbidden(&policy, "may not be 'recycle' for a hostPath mount of '/'");
            }
        }
        "local" => {
            validate_no_way_up(&path, out);
            if !spec.field("nodeAffinity").field("required").is_set() {
                out.required(&spec.field("nodeAffinity"), "Local volume requires node affinity");
            }
        }
        "nfs" if !path.is_empty() && !path.text().starts_with('/') => {
            out.invalid(&path, "must be an absolute path");
        }
        _ => {}
    }
}

fn validate_no_way_up(path: &Spot<'_>, out: &mut Errors) {
    if path.text().split('/').any(|part| part == "..") {
        out.invalid(path, "must not contain '..'");
    }
}

fn validate_csi(source: &Spot<'_>, out: &mut Errors) {
    storage::validate_driver_name(&source.field("driver"), out);
    for name in SECRETS {
        let secret = source.field(name);
        if secret.is_set() {
            out.check_required(&secret.field("name"), text::dns_subdomain);
            out.check_required(&secret.field("namespace"), text::dns_label);
        }
    }
}

/// Whether two volumes consist of the same; how a CSI volume grows may be said later.
pub(super) fn is_kept(new: &Spot<'_>, old: &Spot<'_>) -> bool {
    SOURCES.iter().all(|(name, _)| {
        let (one, other) = (new.value.at(name), old.value.at(name));
        one == other || (*name == "csi" && is_said_later(one, other))
    })
}

fn is_said_later(new: &Value, old: &Value) -> bool {
    const GROWS: &str = "controllerExpandSecretRef";
    let mut new = new.clone();
    if old.at(GROWS).is_null() {
        new.remove_path(&[GROWS]);
    }
    new == *old
}
