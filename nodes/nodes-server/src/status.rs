//! What the edge tells of the process: whether it is ready, and its actors.
//!
//! Way in: [`ServerReadiness`], [`SystemActors`].

use std::sync::atomic::{AtomicBool, Ordering};

use actors_runtime::{Fault, System};
use nodes_api::{ActorsPort, Condition, Readiness};
use serde_json::json;
use store_raft::NodeId;
use store_service::{Health, Store};
use tokio::sync::watch;

/// Ready: the store has a leader and can write, and the first objects are there.
pub(crate) struct ServerReadiness {
    pub(crate) store: Store,
    /// Whether what needs a quorum can be done; none where there is nobody else.
    pub(crate) able: Option<watch::Receiver<bool>>,
    pub(crate) member: NodeId,
    pub(crate) bootstrapped: AtomicBool,
}

impl Readiness for ServerReadiness {
    fn conditions(&self) -> Vec<Condition> {
        let leads = self.store.leadership().borrow().role.leader.is_some();
        let healthy = *self.store.health().borrow() == Health::Good;
        let bootstrapped = self.bootstrapped.load(Ordering::Acquire);
        let mut conditions = vec![
            Condition { name: "store", holds: healthy },
            Condition { name: "bootstrap", holds: bootstrapped },
        ];
        match &self.able {
            None => conditions.insert(0, Condition { name: "leader", holds: leads }),
            Some(able) => {
                let votes = self.store.members().borrow().voters.contains(&self.member);
                // A change of leaders is no loss of the quorum: requests wait for it.
                conditions.insert(0, Condition { name: "quorum", holds: *able.borrow() });
                conditions.push(Condition { name: "voter", holds: votes });
            }
        }
        conditions
    }
}

/// The process's own tree.
pub(crate) struct SystemActors(pub(crate) System);

impl ActorsPort for SystemActors {
    fn tree(&self) -> serde_json::Value {
        let nodes = self.0.tree();
        let told = nodes.iter().map(|node| {
            let mut one = serde_json::to_value(node).unwrap_or_default();
            // Names as the other answers of this API have them.
            let fields =
                [("depth", "mailboxDepth"), ("capacity", "mailboxCapacity"), ("busy_us", "busyUs")];
            for (from, to) in fields {
                if let Some(value) = one.as_object_mut().and_then(|map| map.remove(from)) {
                    one[to] = value;
                }
            }
            one["lastExit"] = json!(node.last_exit.as_ref().map(ToString::to_string));
            one
        });
        json!(told.collect::<Vec<_>>())
    }

    fn inject(&self, path: &str, fault: Fault) -> bool {
        self.0.inject(path, fault).is_ok()
    }
}
