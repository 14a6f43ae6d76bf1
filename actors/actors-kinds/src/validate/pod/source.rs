//! Sources of volumes that are another system's: what each cannot be without.
//!
//! Spec: documentation, "volumes", "ephemeral volumes"; API reference of `Volume`, source by source.

use crate::validate::{Errors, Spot, metadata, selector, storage, text, volumes};

/// Each of them, and its fields that must be filled in.
const REQUIRED: &[(&str, &[&str])] = &[
    ("awsElasticBlockStore", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("azureFile", &["secretName", "shareName"]),
    ("cephfs", &["monitors"]),
    ("cinder", &["volumeID"]),
    ("flexVolume", &["driver"]),
    ("gcePersistentDisk", &["pdName"]),
    ("gitRepo", &["repository"]),
    ("glusterfs", &["endpoints", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("nfs", &["server", "path"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("quobyte", &["registry", "volume"]),
    ("rbd", &["monitors", "image"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("storageos", &["volumeName"]),
    ("vsphereVolume", &["volumePath"]),
];

/// A source by its name.
pub(super) fn validate(name: &str, source: &Spot<'_>, out: &mut Errors) {
    if let Some((_, fields)) = REQUIRED.iter().find(|(known, _)| *known == name) {
        fields.iter().for_each(|field| out.filled(&source.field(field)));
    }
    match name {
        "awsElasticBlockStore" | "gcePersistentDisk" => {
            out.between(&source.field("partition"), 0, 255);
        }
        "azureDisk" => {
            out.one_of(&source.field("cachingMode"), &["None", "ReadOnly", "ReadWrite"]);
            out.one_of(&source.field("kind"), &["Dedicated", "Managed", "Shared"]);
        }
        "csi" => validate_driver(source, out),
        "ephemeral" => validate_claim(source, out),
        "fc" => validate_channel(source, out),
        "flocker" => {
            let (name, uuid) = (source.field("datasetName"), source.field("datasetUUID"));
            if name.is_empty() == uuid.is_empty() {
                out.required(source, "needs one of datasetName and datasetUUID");
            }
        }
        "gitRepo" => out.check(&source.field("directory"), text::local_path),
        "image" => validate_image(source, out),
        "iscsi" => {
            out.between(&source.field("lun"), 0, 255);
            if source.field("chapAuthSession").is_true() && !source.field("secretRef").is_set() {
                out.required(&source.field("secretRef"), "authentication needs a Secret");
            }
        }
        "nfs" if !source.field("path").is_empty() => {
            let path = source.field("path");
            if !path.text().starts_with('/') {
                out.invalid(&path, "must be an absolute path");
            }
        }
        "scaleIO" if !source.field("secretRef").is_set() => {
            out.required(&source.field("secretRef"), "");
        }
        "storageos" => out.check(&source.field("volumeName"), text::dns_label),
        _ => {}
    }
}

/// A volume of a driver, as long as the pod lives.
fn validate_driver(source: &Spot<'_>, out: &mut Errors) {
    storage::validate_driver_name(&source.field("driver"), out);
    let secret = source.field("nodePublishSecretRef");
    if secret.is_set() {
        out.filled(&secret.field("name"));
    }
}

/// A claim that is made with the pod, and goes with it.
fn validate_claim(source: &Spot<'_>, out: &mut Errors) {
    let template = source.field("volumeClaimTemplate");
    if !template.is_set() {
        out.required(&template, "");
        return;
    }
    let head = template.field("metadata");
    selector::validate_labels(&head, "labels", out);
    metadata::validate_annotations(&head, out);
    volumes::validate_claim_spec(&template.field("spec"), out);
}

/// A disk behind a fibre channel: a target and its unit, or a world-wide identifier.
fn validate_channel(source: &Spot<'_>, out: &mut Errors) {
    let (targets, ids) = (source.field("targetWWNs"), source.field("wwids"));
    match (targets.is_empty(), ids.is_empty()) {
        (true, true) => out.required(source, "needs targetWWNs or wwids"),
        (false, false) => out.invalid(source, "takes targetWWNs or wwids, not both"),
        (false, true) => {
            let unit = source.field("lun");
            if unit.is_set() {
                out.between(&unit, 0, 255);
            } else {
                out.required(&unit, "is needed with targetWWNs");
            }
        }
        (true, false) => {}
    }
}

/// The files of an image.
fn validate_image(source: &Spot<'_>, out: &mut Errors) {
    let reference = source.field("reference");
    if reference.is_empty() {
        out.required(&reference, "");
    }
    out.one_of(&source.field("pullPolicy"), &["Always", "IfNotPresent", "Never"]);
}

/// A bundle of trust: by its name, or by its signer and labels.
pub(super) fn validate_trust(source: &Spot<'_>, out: &mut Errors) {
    let (name, signer) = (source.field("name"), source.field("signerName"));
    match (name.is_set(), signer.is_set()) {
        (true, true) => out.invalid(source, "takes name or signerName, not both"),
        (false, false) => out.required(source, "needs name or signerName"),
        _ => {}
    }
    let labels = source.field("labelSelector");
    if name.is_set() && labels.is_set() {
        out.invalid(&labels, "belongs to signerName");
    }
    selector::validate(&labels, out);
    out.check_required(&source.field("path"), text::local_path);
}

/// A certificate for the pod: who signs it, which key, how long, and where it lies.
pub(super) fn validate_certificate(source: &Spot<'_>, out: &mut Errors) {
    const KEYS: [&str; 6] =
        ["ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096"];
    out.check_required(&source.field("signerName"), crate::validate::domain::prefixed_path);
    out.one_of_required(&source.field("keyType"), &KEYS);
    // From an hour to 91 days.
    out.between(&source.field("maxExpirationSeconds"), 3_600, 7_862_400);
    let paths = ["credentialBundlePath", "keyPath", "certificateChainPath"];
    if paths.iter().all(|path| source.field(path).is_empty()) {
        out.required(source, "needs a path, such as credentialBundlePath");
    }
    paths.iter().for_each(|path| out.check(&source.field(path), text::local_path));
}
