//! Takes away pods that no agent will ever end: those bound to a node that is gone or out of
//! service.
//!
//! Way in: [`PodGcController`].  Writes: deletions of pods with grace 0, their phase and
//! `DisruptionTarget` condition, whose stamp is when the node was first missed.
//! Never: the end of a fenced pod whose node is merely gone; it may still run, until
//! `nodes-control`'s health knows that it does not. (Who declares a node out of service vouches
//! for all that ran there.)
//! Spec: Kubernetes documentation, "Pod Lifecycle", garbage collection of pods; "Nodes",
//! non-graceful shutdown.

use std::time::Duration;

use actors_controller::{
    Access, Controller, Key, Plan, Primary, Propagation, Relations, Target, World, WriteVerb,
};
use actors_core::{Now, Wall};
use actors_object::{Object, Value, timefmt};

use crate::{
    conditions::{self, Conditions, Says},
    dead_nodes::OUT_OF_SERVICE,
    fencing,
    kinds::{NODE, POD},
    pods::{self, NODE_FIELD},
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct PodGcController;

const TARGET: &str = "DisruptionTarget";
const GC: &str = "DeletionByPodGC";
/// A node may join after a pod that names it, or be registered again.
const QUARANTINE: Duration = Duration::from_secs(40);

impl Controller for PodGcController {
    fn name(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn primary(&self) -> Primary {
        Primary::Of(POD)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches(&NODE, pods_to_look_at)
    }

    fn access(&self) -> Access {
        Access::reads(&[&POD, &NODE])
            .writes(&POD, WriteVerb::Delete, &[])
            .writes(&POD, WriteVerb::Status, &["status.phase"])
            .writes(&POD, WriteVerb::Status, &["status.conditions[DisruptionTarget]"])
    }

    fn reconcile(&self, pod: &Object, world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        let Some(name) = pods::node(pod) else {
            if pod.is_terminating() {
                plan.delete_as(Target::of(pod), Propagation::Background, Some(0));
            }
            return plan;
        };
        match world.get(&NODE, "", name) {
            Some(node) if pod.is_terminating() && is_out_of_service(&node) => {
                end(pod, "The pod's node was declared out of service.", now, &mut plan);
            }
            Some(_) => forgive(pod, now, &mut plan),
            None => match missed_since(pod) {
                None => {
                    plan.set_status_exactly(pod, &mark(pod, "The pod's node is gone.", now));
                    plan.requeue(QUARANTINE);
                }
                Some(since) => match QUARANTINE.checked_sub(now.wall.since(since)) {
                    Some(rest) if !rest.is_zero() => plan.requeue(rest),
                    _ if fencing::is_fenced(pod) && !pods::is_finished(pod) => {}
                    _ => end(pod, "The pod's node is gone.", now, &mut plan),
                },
            },
        }
        plan
    }
}

/// Since when the pod's node has been missed.
fn missed_since(pod: &Object) -> Option<Wall> {
    let mark = conditions::find(pod, TARGET).filter(|mark| mark.at("reason").as_str() == Some(GC));
    mark.and_then(|mark| mark.at("lastTransitionTime").as_str()).and_then(timefmt::parse)
}

/// The node is back before the pod was taken away.
fn forgive(pod: &Object, now: Now, plan: &mut Plan) {
    if !pod.is_terminating() && missed_since(pod).is_some() {
        let mut conditions = Conditions::of(pod, now.wall);
        conditions.remove(TARGET);
        let mut status = pod.status().clone();
        status.set_path(&["conditions"], conditions.into_value());
        plan.set_status_exactly(pod, &status);
    }
}

fn mark(pod: &Object, message: &str, now: Now) -> Value {
    let mut conditions = Conditions::of(pod, now.wall);
    conditions.set(TARGET, Says { status: "True", reason: GC, message });
    let mut status = pod.status().clone();
    status.set_path(&["conditions"], conditions.into_value());
    status
}

fn end(pod: &Object, message: &str, now: Now, plan: &mut Plan) {
    if !pods::is_finished(pod) {
        let mut status = mark(pod, message, now);
        status.set_path(&["phase"], "Failed");
        plan.set_status(pod, &status);
    }
    plan.delete_as(Target::of(pod), Propagation::Background, Some(0));
}

fn is_out_of_service(node: &Object) -> bool {
    let marked = |taint: &Value| taint.at("key").as_str() == Some(OUT_OF_SERVICE);
    !conditions::is(node, "Ready", "True") && node.list_at(&["spec", "taints"]).iter().any(marked)
}

/// The pods of a node that is gone or out of service.
fn pods_to_look_at(node: &Object, world: &dyn World) -> Vec<Key> {
    let known = world.get(&NODE, "", node.name());
    if known.is_some_and(|node| !is_out_of_service(&node)) {
        return Vec::new();
    }
    let pods = world.with_field(&POD, NODE_FIELD, node.name());
    pods.iter().map(|pod| Key::of(pod)).collect()
}

#[cfg(test)]
mod tests;
