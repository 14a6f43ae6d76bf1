//! Which nodes a pod can be placed on, and why not on the others.
//!
//! Way in: [`Prepared::new`], [`Prepared::refusals`].
//! Order: the first filter that refuses a node gives its reasons, as in the default profile:
//! unschedulable, name, taints, node affinity, ports, resources, spreading, inter-pod affinity.
//! Spec: Kubernetes documentation, "Scheduler Configuration", scheduling plugins.

mod affinity;
mod spread;

pub(crate) use self::{affinity::Neighbours, spread::Spreading};
use crate::{
    cluster::Cluster,
    node::{NodeFacts, NodeState},
    pod::PodFacts,
    rules::Taint,
};

/// One pod, and what the whole cluster means for it; good for as long as no pod is placed.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) pod: &'a PodFacts,
    pub(crate) spreading: Spreading<'a>,
    pub(crate) neighbours: Neighbours<'a>,
}

impl<'a> Prepared<'a> {
    /// Counts what the rules of `pod` about other pods need.
    #[must_use]
    pub(crate) fn new(pod: &'a PodFacts, cluster: &'a Cluster) -> Self {
        Self {
            pod,
            spreading: Spreading::new(pod, cluster),
            neighbours: Neighbours::new(pod, cluster),
        }
    }

    /// Why the pod cannot be placed on this node, in the words of the summary; nothing if it can.
    #[must_use]
    pub(crate) fn refusals(&self, facts: &NodeFacts, state: &NodeState) -> Vec<String> {
        let one = |text: &str| vec![text.to_owned()];
        if is_cordoned(self.pod, facts) {
            return one("node(s) are cordoned");
        }
        if self.pod.node.as_ref().is_some_and(|name| *name != facts.name) {
            return one("node(s) are not the one that the pod names");
        }
        if let Some(taint) = unborne(self.pod, facts) {
            let Taint { key, value, .. } = taint;
            return vec![format!("node(s) had untolerated taint {{{key}: {value}}}")];
        }
        if !self.pod.node_rules.allow(&facts.name, &facts.labels) {
            return one("node(s) do not meet the pod's node selector or affinity");
        }
        if has_port_conflict(self.pod, state) {
            return one("node(s) have a wanted host port in use");
        }
        let lacking = lacking(self.pod, facts, state);
        if !lacking.is_empty() {
            return lacking;
        }
        if let Some(refusal) = self.spreading.refusal(&facts.labels) {
            return one(refusal);
        }
        self.neighbours.refusal(&facts.labels).map(one).unwrap_or_default()
    }
}

fn is_cordoned(pod: &PodFacts, node: &NodeFacts) -> bool {
    let cordon = || Taint {
        key: "node.kubernetes.io/unschedulable".to_owned(),
        value: String::new(),
        effect: "NoSchedule".to_owned(),
    };
    node.unschedulable && !pod.bears(&cordon())
}

/// The first taint that keeps the pod away.
pub(crate) fn unborne<'a>(pod: &PodFacts, node: &'a NodeFacts) -> Option<&'a Taint> {
    node.taints.iter().find(|taint| taint.forbids() && !pod.bears(taint))
}

fn has_port_conflict(pod: &PodFacts, node: &NodeState) -> bool {
    pod.ports.iter().any(|port| node.ports.keys().any(|taken| taken.conflicts(port)))
}

fn lacking(pod: &PodFacts, node: &NodeFacts, state: &NodeState) -> Vec<String> {
    let mut reasons = Vec::new();
    if state.pods >= node.pods_max {
        reasons.push("Insufficient pods".to_owned());
    }
    let names = pod.requests.asked.lacking(&state.taken, &node.allocatable);
    reasons.extend(names.into_iter().map(|name| format!("Insufficient {name}")));
    reasons
}

#[cfg(test)]
mod tests;
