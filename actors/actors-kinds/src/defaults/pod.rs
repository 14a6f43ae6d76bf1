//! Pods and pod templates.

use actors_object::{Map, Object, Quantity, Value};

use super::{container, each, inner};

/// A pod: what its template would say, and what only a pod says.
pub(super) fn default_pod(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("enableServiceLinks", true);
    default_spec(spec);
    for list in ["containers", "initContainers"] {
        each(spec, list).for_each(request_limits);
    }
}

/// The spec of a pod or of a template.
pub(super) fn default_spec(spec: &mut Map) {
    each(spec, "volumes").for_each(default_volume);
    let on_host = spec.get("hostNetwork").and_then(Value::as_bool) == Some(true);
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        each(spec, list).for_each(|one| container::default_container(one, on_host));
    }
    spec.set_default("restartPolicy", "Always");
    spec.set_default("terminationGracePeriodSeconds", 30);
    spec.set_default("dnsPolicy", "ClusterFirst");
    default_account(spec);
    spec.set_default("securityContext", Map::new());
    spec.set_default("schedulerName", "default-scheduler");
}

/// `serviceAccount` is the old name of `serviceAccountName`: both say the same, the new one wins.
fn default_account(spec: &mut Map) {
    let text = |name: &str| spec.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(account) = text("serviceAccountName").or_else(|| text("serviceAccount")) {
        let account = account.to_owned();
        spec.insert("serviceAccountName", account.as_str());
        spec.insert("serviceAccount", account);
    }
}

/// A container that has limits asks for as much, unless it says otherwise.
fn request_limits(container: &mut Map) {
    let Some(resources) = inner(container, "resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_map).cloned() else { return };
    if limits.is_empty() {
        return;
    }
    let requests = resources.entry_or_map("requests");
    for (name, amount) in limits {
        requests.set_default(name, amount);
    }
}

fn default_volume(volume: &mut Map) {
    let has_source = volume.iter().any(|(name, source)| &**name != "name" && !source.is_null());
    if !has_source {
        volume.insert("emptyDir", Map::new());
    }
    for name in ["configMap", "downwardAPI", "secret"] {
        if let Some(source) = inner(volume, name) {
            source.set_default("defaultMode", 0o644);
            default_items(source);
        }
    }
    if let Some(path) = inner(volume, "hostPath") {
        path.set_default("type", "");
    }
    if let Some(image) = inner(volume, "image") {
        let reference = image.get("reference").and_then(Value::as_str).unwrap_or_default();
        let policy = container::pull_policy(reference);
        image.set_default("pullPolicy", policy);
    }
    default_disks(volume);
    if let Some(claim) = volume.get_mut("ephemeral") {
        let spec = claim.path_mut(&["volumeClaimTemplate", "spec"]).and_then(Value::as_map_mut);
        spec.into_iter().for_each(|spec| {
            spec.set_default("volumeMode", "Filesystem");
        });
    }
    let Some(projected) = inner(volume, "projected") else { return };
    projected.set_default("defaultMode", 0o644);
    for source in each(projected, "sources") {
        if let Some(downward) = inner(source, "downwardAPI") {
            default_items(downward);
        }
        if let Some(token) = inner(source, "serviceAccountToken") {
            token.set_default("expirationSeconds", 3_600);
        }
    }
}

/// Disks of other systems, each with what its driver assumes.
fn default_disks(volume: &mut Map) {
    if let Some(disk) = inner(volume, "iscsi") {
        disk.set_default("iscsiInterface", "default");
    }
    if let Some(disk) = inner(volume, "rbd") {
        for (name, text) in [("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")] {
            disk.set_default(name, text);
        }
    }
    if let Some(disk) = inner(volume, "azureDisk") {
        for (name, text) in [("cachingMode", "ReadWrite"), ("fsType", "ext4"), ("kind", "Shared")] {
            disk.set_default(name, text);
        }
        disk.set_default("readOnly", false);
    }
    if let Some(disk) = inner(volume, "scaleIO") {
        disk.set_default("storageMode", "ThinProvisioned");
        disk.set_default("fsType", "xfs");
    }
}

/// Fields of the pod in files are fields of `v1`.
fn default_items(source: &mut Map) {
    for item in each(source, "items") {
        if let Some(field) = inner(item, "fieldRef") {
            field.set_default("apiVersion", "v1");
        }
    }
}

/// How safe a pod's resources are: `Guaranteed`, `Burstable` or `BestEffort`.
///
/// Spec: documentation, "pod quality of service classes". Only cpu and memory count; what is said for the pod as a
/// whole stands for what its containers say.
#[must_use]
pub fn qos_class(pod: &Object) -> &'static str {
    let whole = pod.path(&["spec", "resources"]);
    let whole =
        whole.filter(|it| !it.at("limits").is_empty_value() || !it.at("requests").is_empty_value());
    let resources: Vec<&Value> = match whole {
        Some(whole) => vec![whole],
        None => ["containers", "initContainers"]
            .into_iter()
            .flat_map(|list| pod.list_at(&["spec", list]))
            .map(|container| container.at("resources"))
            .collect(),
    };
    let mut asks = false;
    let mut is_guaranteed = true;
    for one in resources {
        for name in ["cpu", "memory"] {
            let nanos = |list: &str| {
                let amount = Quantity::from_value(one.path(&[list, name])?).ok()?;
                Some(amount.nanos()).filter(|nanos| *nanos != 0)
            };
            let (request, limit) = (nanos("requests"), nanos("limits"));
            asks |= request.is_some() || limit.is_some();
            is_guaranteed &= limit.is_some() && request.or(limit) == limit;
        }
    }
    match (asks, is_guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
