//! Workloads that keep pods: Deployments, `ReplicaSet`s, `StatefulSet`s, `DaemonSet`s, replication controllers.

use actors_object::{Map, Value, value};

use super::{Row, each, inner, pod};

/// The defaults of these kinds.
pub(super) const DEFAULTS: &[Row] = &[
    ("apps", "Deployment", default_deployment),
    ("apps", "ReplicaSet", default_replica_set),
    ("apps", "StatefulSet", default_stateful_set),
    ("apps", "DaemonSet", default_daemon_set),
    ("", "ReplicationController", default_replication_controller),
];

/// A Deployment: one pod, replaced a quarter at a time, ten revisions kept, ten minutes to make progress.
fn default_deployment(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("replicas", 1);
    default_template(spec);
    let strategy = spec.entry_or_map("strategy");
    strategy.set_default("type", "RollingUpdate");
    let is_rolling =
        strategy.get("type").is_some_and(|sort| sort.as_str() == Some("RollingUpdate"));
    if is_rolling {
        let rolling = strategy.entry_or_map("rollingUpdate");
        rolling.set_default("maxUnavailable", "25%");
        rolling.set_default("maxSurge", "25%");
    }
    spec.set_default("revisionHistoryLimit", 10);
    spec.set_default("progressDeadlineSeconds", 600);
}

/// A `ReplicaSet`: one pod.
fn default_replica_set(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("replicas", 1);
    default_template(spec);
}

/// A `StatefulSet`: one pod at a time, in order; claims are kept.
fn default_stateful_set(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("podManagementPolicy", "OrderedReady");
    if let Some(rolling) = default_update(spec) {
        rolling.set_default("partition", 0);
        rolling.set_default("maxUnavailable", 1);
    }
    let retention = spec.entry_or_map("persistentVolumeClaimRetentionPolicy");
    retention.set_default("whenDeleted", "Retain");
    retention.set_default("whenScaled", "Retain");
    spec.set_default("replicas", 1);
    spec.set_default("revisionHistoryLimit", 10);
    default_template(spec);
    for claim in each(spec, "volumeClaimTemplates") {
        claim.insert("kind", "PersistentVolumeClaim");
        claim.insert("apiVersion", "v1");
        claim.entry_or_map("spec").set_default("volumeMode", "Filesystem");
        claim.set_default("status", value!({ "phase": "Pending" }));
    }
}

/// A `DaemonSet`: on one machine after the other, none twice.
fn default_daemon_set(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    if let Some(rolling) = default_update(spec) {
        rolling.set_default("maxUnavailable", 1);
        rolling.set_default("maxSurge", 0);
    }
    spec.set_default("revisionHistoryLimit", 10);
    default_template(spec);
}

/// How pods are replaced, if it is one after the other.
fn default_update(spec: &mut Map) -> Option<&mut Map> {
    let update = spec.entry_or_map("updateStrategy");
    update.set_default("type", "RollingUpdate");
    let is_rolling = update.get("type").and_then(Value::as_str) == Some("RollingUpdate");
    is_rolling.then(|| update.entry_or_map("rollingUpdate"))
}

/// A replication controller: one pod; it selects the labels of its template, and has them, too.
fn default_replication_controller(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("replicas", 1);
    default_template(spec);
    let labels = spec.get("template").and_then(|template| template.path(&["metadata", "labels"]));
    let Some(labels) = labels.filter(|labels| !labels.is_empty_value()).cloned() else { return };
    if spec.get("selector").is_none_or(Value::is_empty_value) {
        spec.insert("selector", labels.clone());
    }
    take_labels(root, labels);
}

/// Without labels of its own, an object has those of its pods.
pub(super) fn take_labels(root: &mut Map, labels: Value) {
    let metadata = root.entry_or_map("metadata");
    if metadata.get("labels").is_none_or(Value::is_empty_value) {
        metadata.insert("labels", labels);
    }
}

fn default_template(spec: &mut Map) {
    if let Some(pod) = inner(spec, "template").and_then(|template| inner(template, "spec")) {
        pod::default_spec(pod);
    }
}
