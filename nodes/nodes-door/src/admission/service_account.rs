//! ServiceAccount: every pod runs as an account, and finds the account's token in a volume.

use actors_object::{ApiError, Object, Value, names, value};
use store_mvcc::Key;

use crate::visit::Visit;

/// Where the token is found in every container.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What the names of token volumes begin with.
const VOLUME_PREFIX: &str = "kube-api-access-";

/// How long a token lives: an hour and seven seconds, so that it can be told from one that was
/// asked for.
pub(crate) const TOKEN_SECONDS: i64 = 3_607;

/// Marks the image of a pod that the agent runs without the API's help.
pub(super) const MIRROR: &str = "kubernetes.io/config.mirror";

/// Gives a new pod its account and its token.
pub(super) fn admit(visit: &mut Visit<'_>, pod: &mut Object) -> Result<(), ApiError> {
    if pod.annotation(MIRROR).is_some() {
        return Ok(());
    }
    let spec = pod.0.make_map().entry_or_map("spec");
    let old_name = spec.get("serviceAccount").and_then(Value::as_str).unwrap_or_default();
    let name = spec.get("serviceAccountName").and_then(Value::as_str).unwrap_or(old_name);
    let name = if name.is_empty() { "default".to_owned() } else { name.to_owned() };
    spec.insert("serviceAccountName", &name);
    spec.insert("serviceAccount", &name);
    let namespace = visit.namespace();
    let key = Key::object("", "serviceaccounts", Some(namespace), &name);
    let Some(account) = visit.snapshot.get(&key) else {
        let why = format!("service account {:?} not found", format!("{namespace}/{name}"));
        return Err(ApiError::forbidden(&visit.resource(), pod.name(), why));
    };
    let account = account.object();
    let spec = pod.0.make_map().entry_or_map("spec");
    if spec.get("imagePullSecrets").is_none_or(Value::is_empty_value)
        && let Some(secrets) = account.get("imagePullSecrets")
    {
        spec.insert("imagePullSecrets", secrets);
    }
    let says = |value: &Value| value.at("automountServiceAccountToken").as_bool();
    if says(pod.spec()).or_else(|| says(&account)).unwrap_or(true) {
        let suffix = names::suffix(visit.rng);
        mount(pod, &format!("{VOLUME_PREFIX}{suffix}"));
    }
    Ok(())
}

/// Adds the token volume, and mounts it wherever nothing stands in its place.
fn mount(pod: &mut Object, fresh: &str) {
    // A client that sends what it read back as a new pod brings the volume along.
    let volumes = pod.list_at(&["spec", "volumes"]).iter();
    let known = volumes
        .filter_map(|volume| volume.at("name").as_str())
        .find(|name| name.starts_with(VOLUME_PREFIX));
    let name = known.unwrap_or(fresh).to_owned();
    let is_new = known.is_none();
    let mut mounted = false;
    for list in ["containers", "initContainers"] {
        for container in pod.list_at_mut(&["spec", list]).into_iter().flatten() {
            let mounts = container.list_at(&["volumeMounts"]);
            if mounts.iter().any(|mount| mount.at("mountPath").as_str() == Some(MOUNT_PATH)) {
                continue;
            }
            let Some(container) = container.as_map_mut() else { continue };
            let mounts = container.entry("volumeMounts", || value!([])).make_list();
            mounts.push(value!({ "name": &name, "readOnly": true, "mountPath": MOUNT_PATH }));
            mounted = true;
        }
    }
    if mounted && is_new {
        let spec = pod.0.make_map().entry_or_map("spec");
        spec.entry("volumes", || value!([])).make_list().push(volume(&name));
    }
}

/// The volume: a token that is renewed, the cluster's certificate, the pod's namespace.
fn volume(name: &str) -> Value {
    value!({
        "name": name,
        "projected": {
            "sources": [
                { "serviceAccountToken": { "expirationSeconds": TOKEN_SECONDS, "path": "token" } },
                {
                    "configMap": {
                        "name": "kube-root-ca.crt",
                        "items": [{ "key": "ca.crt", "path": "ca.crt" }],
                    },
                },
                {
                    "downwardAPI": {
                        "items": [{
                            "path": "namespace",
                            "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" },
                        }],
                    },
                },
            ],
            "defaultMode": 420,
        },
    })
}
