//! What the edge tells of the process: whether it is ready.
//!
//! Way in: [`ServerReadiness`].

use std::sync::atomic::{AtomicBool, Ordering};

use nodes_api::{Condition, Readiness};
use store_raft::NodeId;
use store_service::{Health, Store};
use tokio::sync::watch;

/// Ready: the store has a leader and works, and the first objects are there. A full disk makes a server that is not
/// alone unready: others can do more; the only one is still good for reads.
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
        let health = self.store.health().borrow().clone();
        let healthy = health == Health::Good || health.is_disk_full();
        let is_sole = self.store.members().borrow().is_sole_voter(self.member);
        let room = Condition { name: "disk", holds: !health.is_disk_full(), needed: !is_sole };
        let bootstrapped = self.bootstrapped.load(Ordering::Acquire);
        let mut conditions = vec![
            Condition { name: "store", holds: healthy, needed: true },
            room,
            Condition { name: "bootstrap", holds: bootstrapped, needed: true },
        ];
        match &self.able {
            None => conditions.insert(0, Condition { name: "leader", holds: leads, needed: true }),
            Some(able) => {
                let votes = self.store.members().borrow().voters.contains(&self.member);
                // A change of leaders is no loss of the quorum: requests wait for it.
                conditions
                    .insert(0, Condition { name: "quorum", holds: *able.borrow(), needed: true });
                conditions.push(Condition { name: "voter", holds: votes, needed: true });
            }
        }
        conditions
    }
}
