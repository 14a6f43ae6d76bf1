//! Fence leases: for whom a renewal is confirmed, and when a fenced pod has surely ended.
//!
//! Way in: [`renewal`] for who confirms; [`Watch`] inside. The promise is in
//! `actors_controllers::fencing`.

use std::{collections::BTreeMap, time::Duration};

use actors_controller::{Plan, Propagation, Target, World};
use actors_controllers::{
    dead_nodes, fencing,
    kinds::{NODE, POD},
};
use actors_core::{Mono, Now};
use actors_object::{Object, Value, timefmt, value};

/// Why a renewal is not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRenewal {
    /// There is no such node.
    Unknown,
    /// It was declared dead, and that stands.
    Dead,
}

/// Whether a renewal of the fence lease of `node` may be confirmed.
///
/// `world` must be read after a read barrier that was *begun after the renewal arrived*: then every
/// renewal that is confirmed was sent before any death was committed that `world` does not show.
///
/// # Errors
/// If the node is dead or unknown: its fenced pods are to end at their deadline.
pub fn renewal(world: &dyn World, node: &str) -> Result<(), NoRenewal> {
    match world.get(&NODE, "", node) {
        None => Err(NoRenewal::Unknown),
        Some(node) if dead_nodes::is_dead(&node) => Err(NoRenewal::Dead),
        Some(_) => Ok(()),
    }
}

/// Since when nodes give no more renewals, as far as this machine has seen itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    /// By node: which death (the taint's stamp; none for a node that is gone), and when it was
    /// seen first.
    since: BTreeMap<String, (Option<String>, Mono)>,
}

impl Watch {
    /// Looks for nodes that have become dead, vanished or come back. `vanished` are nodes that
    /// pods are bound to and that may not exist.
    pub(super) fn look(&mut self, world: &dyn World, vanished: &[String], now: Now) {
        let nodes = world.list(&NODE, None);
        let dead = nodes.iter().filter_map(|node| Some((node.name(), death_of(node)?)));
        let gone = vanished.iter().map(|name| (name.as_str(), None));
        for (name, death) in dead.map(|(name, stamp)| (name, Some(stamp))).chain(gone) {
            if self.since.get(name).is_none_or(|(known, _)| *known != death) {
                self.since.insert(name.to_owned(), (death, now.mono));
            }
        }
        self.since.retain(|name, _| match renewal(world, name) {
            Ok(()) => false,
            Err(NoRenewal::Dead) => true,
            // A node that is gone, and its pods too, is of no interest any longer.
            Err(NoRenewal::Unknown) => !world.with_field(&POD, "spec.nodeName", name).is_empty(),
        });
    }

    /// Ends the fenced pods of those nodes that are terminating and whose deadline has surely
    /// passed; when to look again, if there are others.
    pub(super) fn end_pods(
        &mut self,
        world: &dyn World,
        now: Now,
        plan: &mut Plan,
    ) -> Option<Mono> {
        let mut next: Option<Mono> = None;
        for (name, (_, since)) in &self.since {
            let pods = world.with_field(&POD, "spec.nodeName", name);
            for pod in pods.iter().filter(|pod| pod.is_terminating()) {
                let Some(fence) = fencing::fence_after(pod) else { continue };
                let due = since.after(fencing::surely_ended_after(fence));
                if due <= now.mono {
                    end(pod, fence, now, plan);
                } else {
                    next = Some(next.map_or(due, |next| next.min(due)));
                }
            }
        }
        next
    }
}

/// Which death of a node this is: the stamp of its taint.
fn death_of(node: &Object) -> Option<String> {
    let mut taints = node.list_at(&["spec", "taints"]).iter();
    let taint = taints.find(|taint| dead_nodes::is_dead_taint(taint))?;
    Some(taint.at("timeAdded").as_str().unwrap_or_default().to_owned())
}

/// The nodes that fenced pods are bound to and that do not exist.
pub(super) fn missing_nodes(world: &dyn World) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for pod in world.list(&POD, None) {
        let node = pod.str_at(&["spec", "nodeName"]).filter(|name| !name.is_empty());
        if let Some(node) = node.filter(|_| fencing::is_fenced(&pod))
            && world.get(&NODE, "", node).is_none()
        {
            names.push(node.to_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Says that the pod has failed, and takes it away: its shim has killed it.
fn end(pod: &Object, fence: Duration, now: Now, plan: &mut Plan) {
    if !matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed")) {
        let mut status = pod.status().clone();
        let mut conditions = pod.list_at(&["status", "conditions"]).to_vec();
        let message =
            format!("The pod's node is dead, and its fence of {} s has fallen.", fence.as_secs());
        conditions.retain(|one| one.at("type").as_str() != Some("DisruptionTarget"));
        conditions.push(value!({
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByFence",
            "message": message,
            "lastTransitionTime": timefmt::seconds(now.wall),
        }));
        status.set_path(&["phase"], "Failed");
        status.set_path(&["conditions"], Value::List(conditions));
        plan.set_status(pod, &status);
    }
    plan.delete_as(Target::of(pod), Propagation::Background, Some(0));
}
