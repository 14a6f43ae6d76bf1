//! Deployments and `ReplicaSet`s.

use actors_object::Map;

use super::{inner, pod};

/// A Deployment: one pod, replaced a quarter at a time, ten revisions kept, ten minutes to make progress.
pub(super) fn default_deployment(root: &mut Map) {
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
pub(super) fn default_replica_set(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("replicas", 1);
    default_template(spec);
}

fn default_template(spec: &mut Map) {
    if let Some(pod) = inner(spec, "template").and_then(|template| inner(template, "spec")) {
        pod::default_spec(pod);
    }
}
