//! Volumes and how containers mount them.
//!
//! Spec: documentation, "volumes", "projected volumes", "configure a pod to use a volume".

use actors_object::{FieldError, Quantity};

use super::environment;
use crate::validate::{Errors, Spot, text};

/// Fields of the pod that can be in a file.
const FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
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

/// All volumes of a pod: unique names, each with one source.
pub(super) fn validate_all(spec: &Spot<'_>, out: &mut Errors) {
    for volume in spec.each("volumes") {
        out.check_required(&volume.field("name"), text::dns_label);
        validate_source(&volume, out);
    }
    out.unique(spec, "volumes", "name");
}

fn validate_source(volume: &Spot<'_>, out: &mut Errors) {
    let fields = volume.value.as_map();
    let mut count = 0;
    for (name, value) in fields.into_iter().flat_map(|map| map.iter()) {
        if &**name == "name" || value.is_null() {
            continue;
        }
        let source = volume.field(name);
        count += 1;
        if count > 1 {
            out.forbidden(&source, "a volume has one source, and there is one already");
        } else {
            validate_one_source(name, &source, out);
        }
    }
    if count == 0 {
        out.required(volume, "must have a source");
    }
}

fn validate_one_source(name: &str, source: &Spot<'_>, out: &mut Errors) {
    match name {
        "emptyDir" => {
            let limit = source.field("sizeLimit");
            let amount = Quantity::from_value(limit.value).ok();
            if limit.is_set() && amount.is_none_or(|amount| amount.is_negative()) {
                out.invalid(&limit, "must be a quantity that is not negative");
            }
        }
        "hostPath" => {
            let path = source.field("path");
            if path.is_empty() {
                out.required(&path, "");
            } else if path.text().split('/').any(|part| part == "..") {
                out.invalid(&path, "must not contain '..'");
            }
            out.one_of(&source.field("type"), &HOST_PATH_TYPES);
        }
        "configMap" => {
            out.check_required(&source.field("name"), text::dns_subdomain);
            validate_files(source, out);
        }
        "secret" => {
            out.check_required(&source.field("secretName"), text::dns_subdomain);
            validate_files(source, out);
        }
        "downwardAPI" => {
            out.between(&source.field("defaultMode"), 0, 0o777);
            validate_downward(source, out);
        }
        "projected" => validate_projected(source, out),
        "persistentVolumeClaim" => {
            out.check_required(&source.field("claimName"), text::dns_subdomain);
        }
        other => super::source::validate(other, source, out),
    }
}

/// Files made from keys.
fn validate_files(source: &Spot<'_>, out: &mut Errors) {
    out.between(&source.field("defaultMode"), 0, 0o777);
    for item in source.each("items") {
        let key = item.field("key");
        if key.is_empty() {
            out.required(&key, "");
        }
        out.check_required(&item.field("path"), text::local_path);
        out.between(&item.field("mode"), 0, 0o777);
    }
}

/// Files made from the pod's own fields.
fn validate_downward(source: &Spot<'_>, out: &mut Errors) {
    for item in source.each("items") {
        out.check_required(&item.field("path"), text::local_path);
        out.between(&item.field("mode"), 0, 0o777);
        let (field, resource) = (item.field("fieldRef"), item.field("resourceFieldRef"));
        match (field.is_set(), resource.is_set()) {
            (true, true) => {
                out.invalid(&item, "takes either fieldRef or resourceFieldRef, not both");
            }
            (true, false) => environment::validate_field(&field, &FIELDS, out),
            (false, true) => {
                let container = resource.field("containerName");
                if container.is_empty() {
                    out.required(&container, "");
                }
                environment::validate_resource(&resource, out);
            }
            (false, false) => {
                out.required(&item.field("fieldRef"), "fieldRef or resourceFieldRef must be given");
            }
        }
    }
}

/// Several sources in one folder.
fn validate_projected(source: &Spot<'_>, out: &mut Errors) {
    out.between(&source.field("defaultMode"), 0, 0o777);
    for projection in source.each("sources") {
        let names = [
            "clusterTrustBundle",
            "configMap",
            "downwardAPI",
            "podCertificate",
            "secret",
            "serviceAccountToken",
        ];
        let set: Vec<&str> =
            names.into_iter().filter(|name| projection.field(name).is_set()).collect();
        match set.as_slice() {
            [] => out.required(&projection, "must name one source"),
            [one] => validate_projection(one, &projection.field(one), out),
            [_, more @ ..] => more.iter().for_each(|name| {
                out.forbidden(
                    &projection.field(name),
                    "a volume has one source, and there is one already",
                );
            }),
        }
    }
}

fn validate_projection(name: &str, source: &Spot<'_>, out: &mut Errors) {
    match name {
        "configMap" | "secret" => {
            out.check_required(&source.field("name"), text::dns_subdomain);
            validate_files(source, out);
        }
        "downwardAPI" => validate_downward(source, out),
        "serviceAccountToken" => {
            let expiration = source.field("expirationSeconds");
            // Ten minutes: a token must outlive the agent's period of renewal.
            if expiration.int().is_some_and(|seconds| seconds < 600) {
                out.invalid(&expiration, "must be 600 (10 minutes) or more");
            }
            out.check_required(&source.field("path"), text::local_path);
        }
        "clusterTrustBundle" => super::source::validate_trust(source, out),
        "podCertificate" => super::source::validate_certificate(source, out),
        _ => {}
    }
}

/// The mounts of one container: they name volumes of the pod, each at a place of its own.
pub(super) fn validate_mounts(container: &Spot<'_>, spec: &Spot<'_>, out: &mut Errors) {
    for mount in container.each("volumeMounts") {
        let name = mount.field("name");
        if name.is_empty() {
            out.required(&name, "");
        } else if !spec.each("volumes").any(|volume| volume.field("name").text() == name.text()) {
            out.not_found(&name);
        }
        let path = mount.field("mountPath");
        if path.is_empty() {
            out.required(&path, "");
        }
        validate_sub_path(&mount, out);
        out.one_of(&mount.field("mountPropagation"), &["Bidirectional", "HostToContainer", "None"]);
        validate_sharing(&mount, container, out);
    }
    let mounts = container.value.at("volumeMounts").as_list().unwrap_or_default();
    for (index, mount) in container.each("volumeMounts").enumerate() {
        let path = mount.field("mountPath");
        let before = mounts.get(..index).unwrap_or_default();
        if !path.is_empty() && before.iter().any(|other| other.at("mountPath") == path.value) {
            out.push(FieldError::invalid(&path.path(), path.value.clone(), "must be unique"));
        }
    }
}

/// Mounts that show on the machine are for privileged containers; read-only all the way down means read-only here.
fn validate_sharing(mount: &Spot<'_>, container: &Spot<'_>, out: &mut Errors) {
    let (spread, depth) = (mount.field("mountPropagation"), mount.field("recursiveReadOnly"));
    let context = container.field("securityContext");
    if spread.text() == "Bidirectional" && !context.field("privileged").is_true() {
        out.forbidden(&spread, "Bidirectional is for privileged containers");
    }
    out.one_of(&depth, &["Disabled", "Enabled", "IfPossible"]);
    if !matches!(depth.text(), "Enabled" | "IfPossible") {
        return;
    }
    if !mount.field("readOnly").is_true() {
        out.forbidden(&depth, "needs `readOnly: true`");
    }
    if !matches!(spread.text(), "" | "None") {
        out.forbidden(&depth, "needs the mountPropagation None, or none");
    }
}

/// The raw devices of one container: claims of the pod, each at a place of its own.
pub(super) fn validate_devices(container: &Spot<'_>, spec: &Spot<'_>, out: &mut Errors) {
    let mounts = container.value.at("volumeMounts").as_list().unwrap_or_default();
    for device in container.each("volumeDevices") {
        let (name, path) = (device.field("name"), device.field("devicePath"));
        let volume = spec.each("volumes").find(|volume| volume.field("name").value == name.value);
        match volume {
            _ if name.is_empty() => out.required(&name, ""),
            None => out.not_found(&name),
            Some(volume) => {
                let sources = ["ephemeral", "persistentVolumeClaim"];
                if !sources.iter().any(|source| volume.field(source).is_set()) {
                    out.invalid(&name, "only claims can be devices");
                }
            }
        }
        if mounts.iter().any(|mount| mount.at("name") == name.value) {
            out.invalid(&name, "is mounted by the container already");
        }
        out.filled(&path);
        if path.text().split('/').any(|part| part == "..") {
            out.invalid(&path, "must not contain '..'");
        }
        if mounts.iter().any(|mount| mount.at("mountPath") == path.value) {
            out.invalid(&path, "is the place of a mount already");
        }
    }
    out.unique(container, "volumeDevices", "name");
    out.unique(container, "volumeDevices", "devicePath");
}

fn validate_sub_path(mount: &Spot<'_>, out: &mut Errors) {
    let (path, expression) = (mount.field("subPath"), mount.field("subPathExpr"));
    out.check(&path, text::local_path);
    out.check(&expression, text::local_path);
    if !path.is_empty() && !expression.is_empty() {
        out.invalid(&expression, "cannot stand beside subPath");
    }
}
