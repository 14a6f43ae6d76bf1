//! Which of too many pods go first.
//!
//! Way in: [`first_to_delete_first`].  Spec: Kubernetes documentation, "ReplicaSet", scaling down:
//! unassigned before assigned, pending before running, not ready before ready, lower
//! `pod-deletion-cost`, more siblings on the same node, shorter ready, more restarts, younger. Ages
//! are compared by their magnitude (powers of two), then by uid.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use actors_controller::World;
use actors_core::{Now, Wall};
use actors_object::{Object, timefmt};

use crate::{
    kinds::{POD, REPLICA_SET},
    pods,
};

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The active pods of `set`, the most dispensable one first.
pub(super) fn first_to_delete_first(
    set: &Object,
    active: &[Arc<Object>],
    world: &dyn World,
    now: Now,
) -> Vec<Arc<Object>> {
    let siblings = siblings_by_node(set, active, world);
    let mut ranked: Vec<Arc<Object>> = active.to_vec();
    ranked.sort_by_cached_key(|pod| {
        let doubled = pods::node(pod).and_then(|node| siblings.get(node)).copied().unwrap_or(0);
        (
            pods::node(pod).is_some(),
            phase_rank(pods::phase(pod)),
            pods::is_ready(pod),
            pod.annotation(DELETION_COST).and_then(|cost| cost.parse::<i32>().ok()).unwrap_or(0),
            Reverse(doubled),
            magnitude(pods::ready_since(pod), now.wall),
            Reverse(restarts(pod)),
            magnitude(timefmt::parse(pod.creation_timestamp()), now.wall),
            pod.uid().to_owned(),
        )
    });
    ranked
}

fn phase_rank(phase: &str) -> u8 {
    match phase {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

/// How many active pods of all sets of the same owner (an older revision's too) run on each node.
fn siblings_by_node(
    set: &Object,
    active: &[Arc<Object>],
    world: &dyn World,
) -> BTreeMap<String, u32> {
    let mut all = active.to_vec();
    if let Some(owner) = set.controller_of() {
        let others = world.owned_by(&owner.uid).into_iter();
        for other in
            others.filter(|other| REPLICA_SET.is_kind_of(other) && other.uid() != set.uid())
        {
            all.extend(world.owned_by(other.uid()).into_iter().filter(|pod| POD.is_kind_of(pod)));
        }
    }
    let mut counts = BTreeMap::new();
    for pod in all.iter().filter(|pod| pods::is_active(pod)) {
        if let Some(node) = pods::node(pod) {
            *counts.entry(node.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The age's power of two in seconds; 0 for what is new or has no stamp.
fn magnitude(since: Option<Wall>, now: Wall) -> u32 {
    since.map_or(0, |since| u64::BITS - now.since(since).as_secs().leading_zeros())
}

fn restarts(pod: &Object) -> i64 {
    let containers = pod.list_at(&["status", "containerStatuses"]).iter();
    containers.filter_map(|one| one.at("restartCount").as_i64()).max().unwrap_or(0)
}
