//! Judges what really runs: of the pods of one fenced Deployment of one replica never two at once.
//!
//! Way in: [`Fences::start`], [`Fences::stop`], [`Fences::freeze`].  What stands still on a paused
//! machine does not run; it does again when the machine goes on, unless its shim's deadline has
//! passed.

use std::collections::{BTreeMap, BTreeSet};

use actors_sim::NodeId;

/// What runs of fenced pods.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    /// By Deployment: machine, pod, containers.
    running: BTreeMap<String, BTreeMap<(NodeId, String), BTreeSet<String>>>,
    frozen: BTreeSet<NodeId>,
    /// What was wrong, until somebody took it.
    wrong: Vec<String>,
    /// How often a pod of such a Deployment came to run on another machine than the one before it.
    pub(crate) moves: u64,
    last: BTreeMap<String, NodeId>,
}

impl Fences {
    pub(crate) fn start(&mut self, app: Option<&str>, (node, uid): (NodeId, &str), id: &str) {
        let Some(app) = app else { return };
        let pods = self.running.entry(app.to_owned()).or_default();
        pods.entry((node, uid.to_owned())).or_default().insert(id.to_owned());
        let before = self.last.insert(app.to_owned(), node);
        self.moves += u64::from(before.is_some_and(|before| before != node));
        self.judge(app.to_owned());
    }

    pub(crate) fn stop(&mut self, app: Option<&str>, (node, uid): (NodeId, &str), id: &str) {
        let Some(pods) = app.and_then(|app| self.running.get_mut(app)) else { return };
        let pod = (node, uid.to_owned());
        if let Some(containers) = pods.get_mut(&pod) {
            containers.remove(id);
            if containers.is_empty() {
                pods.remove(&pod);
            }
        }
    }

    /// A machine stands still, or goes on.
    pub(crate) fn freeze(&mut self, node: NodeId, frozen: bool) {
        if frozen {
            self.frozen.insert(node);
        } else if self.frozen.remove(&node) {
            let apps: Vec<String> = self.running.keys().cloned().collect();
            apps.into_iter().for_each(|app| self.judge(app));
        }
    }

    /// A machine on which such a pod runs now.
    pub(crate) fn home(&self) -> Option<NodeId> {
        self.running.values().flat_map(|pods| pods.keys()).map(|(node, _)| *node).next()
    }

    pub(crate) fn take_wrong(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrong)
    }

    fn judge(&mut self, app: String) {
        let Some(pods) = self.running.get(&app) else { return };
        let awake: Vec<String> = pods
            .keys()
            .filter(|(node, _)| !self.frozen.contains(node))
            .map(|(node, uid)| format!("{uid} on node-{}", node.0))
            .collect();
        if awake.len() > 1 {
            self.wrong.push(format!("two fenced pods of {app} run at once: {}", awake.join(", ")));
        }
    }
}
