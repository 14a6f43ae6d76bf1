//! Takes away pods that no agent will ever end: those bound to a node that is gone or out of
//! service.
//!
//! Way in: [`PodGcController`].  Writes: deletions of pods with grace 0, their phase and
//! `DisruptionTarget` condition.
//! Spec: Kubernetes documentation, "Pod Lifecycle", garbage collection of pods; "Nodes",
//! non-graceful shutdown.

use std::time::Duration;

use actors_controller::{
    Access, Controller, Key, Plan, Primary, Propagation, Relations, Target, World, WriteVerb,
};
use actors_core::Now;
use actors_object::{Object, Value, timefmt};

use crate::{
    conditions::{self, Conditions, Says},
    kinds::{NODE, POD},
    pods::{self, NODE_FIELD},
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct PodGcController;

const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// A young pod may name a node that has not joined yet.
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
            Some(_) => {}
            None => {
                let born = timefmt::parse(pod.creation_timestamp()).unwrap_or(now.wall);
                match QUARANTINE.checked_sub(now.wall.since(born)) {
                    Some(rest) if !rest.is_zero() => plan.requeue(rest),
                    _ => end(pod, "The pod's node is gone.", now, &mut plan),
                }
            }
        }
        plan
    }
}

fn end(pod: &Object, message: &str, now: Now, plan: &mut Plan) {
    if !pods::is_finished(pod) {
        let mut conditions = Conditions::of(pod, now.wall);
        let says = Says { status: "True", reason: "DeletionByPodGC", message };
        conditions.set("DisruptionTarget", says);
        let mut status = pod.status().clone();
        status.set_path(&["phase"], "Failed");
        status.set_path(&["conditions"], conditions.into_value());
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
