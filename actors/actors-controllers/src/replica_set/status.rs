//! What the status of a ReplicaSet or a ReplicationController says about its pods.
//!
//! Way in: [`plan_status`].  Writes: `status` but for the failure that [`super`] sets when pods are
//! refused.

use std::sync::Arc;

use actors_controller::Plan;
use actors_core::Now;
use actors_object::{LabelSelector, Object, Value, value};

use super::{REPLICA_FAILURE, replicas};
use crate::{
    conditions::Conditions,
    kinds::REPLICA_SET,
    pods::{self, Availability},
};

/// Counts the pods that the set owns; asks for another look when one of them will become available
/// by time alone.
pub(super) fn plan_status(set: &Object, owned: &[Arc<Object>], now: Now, plan: &mut Plan) {
    let min_ready = set.spec().at("minReadySeconds").as_i64().unwrap_or(0);
    let labels = LabelSelector::from_map(set.map_at(&["spec", "template", "metadata", "labels"]));
    let (mut active, mut labelled, mut ready, mut available, mut terminating) = (0, 0, 0, 0, 0);
    for pod in owned {
        if pods::is_finished(pod) {
            continue;
        }
        if pod.is_terminating() {
            terminating += 1;
            continue;
        }
        active += 1;
        labelled += i64::from(labels.matches(&**pod));
        ready += i64::from(pods::is_ready(pod));
        match pods::availability(pod, min_ready, now.wall) {
            Availability::Now => available += 1,
            Availability::In(rest) => plan.requeue(rest),
            Availability::Unknown => {}
        }
    }
    let mut conditions = Conditions::of(set, now.wall);
    if active == replicas(set) {
        conditions.remove(REPLICA_FAILURE);
    }
    // The older form does not count them.
    let terminating = if REPLICA_SET.is_kind_of(set) { terminating } else { 0 };
    let status = value!({
        "replicas": active,
        "fullyLabeledReplicas": unless_zero(labelled),
        "readyReplicas": unless_zero(ready),
        "availableReplicas": unless_zero(available),
        "terminatingReplicas": unless_zero(terminating),
        "observedGeneration": set.generation(),
        "conditions": conditions.into_value(),
    });
    plan.set_status(set, &status);
}

/// Counts that are zero are left out, as upstream's API does.
pub(crate) fn unless_zero(count: i64) -> Value {
    if count == 0 { Value::Null } else { Value::Int(count) }
}
