//! What a server tells of itself beside its requests: objects, the store's group, refusals, actors.
//!
//! Way in: [`Figures`], a port of `/metrics`.  Never: a figure of its own; everything is counted where it happens.
//! Bounds: objects by the kinds that are served; refusals by the tables that keep them; actors by their places in the
//! tree, without the keys of slabs and without watches, which are as many as there are pods and clients.

use std::{collections::BTreeMap, sync::Arc};

use actors_kinds::Registry;
use actors_runtime::{Node, NodeKind, NodeState, System};
use nodes_api::{Family, FiguresPort};
use store_mvcc::Key;
use store_service::{Health, Store};

use crate::{NodeId, operators::Operators};

/// All that is told.
pub(crate) struct Figures {
    pub(crate) store: Store,
    pub(crate) member: NodeId,
    pub(crate) registry: Arc<Registry>,
    pub(crate) system: System,
    pub(crate) operators: Option<Arc<Operators>>,
}

impl FiguresPort for Figures {
    fn figures(&self) -> Vec<Family> {
        let mut all = self.objects();
        all.extend(self.group());
        all.extend(self.operators.iter().flat_map(|operators| operators.figures()));
        all.extend(actors(&self.system.tree()));
        all.push(self.dead_letters());
        all
    }
}

impl Figures {
    /// How many objects there are of each kind. Walks over all of them once.
    fn objects(&self) -> Vec<Family> {
        let places: BTreeMap<Key, (String, String)> = self
            .registry
            .kinds()
            .filter(|kind| kind.is_stored())
            .map(|kind| (kind.storage.group.clone(), kind.storage.resource.clone()))
            .map(|(group, plural)| (Key::prefix(&group, &plural, None), (group, plural)))
            .collect();
        let snapshot = self.store.snapshot();
        let mut old = Family::gauge(
            "apiserver_storage_objects",
            "Number of stored objects at the time of last check split by kind.",
        );
        let mut new = Family::gauge(
            "apiserver_resource_objects",
            "Number of stored objects at the time of last check split by kind.",
        );
        for (prefix, (group, plural)) in &places {
            let count = number(snapshot.list(prefix, None, usize::MAX).count());
            let full = if group.is_empty() { plural.clone() } else { format!("{plural}.{group}") };
            old = old.with(vec![("resource", full)], count);
            new = new.with(vec![("group", group.clone()), ("resource", plural.clone())], count);
        }
        vec![old, new]
    }

    /// The store's group as this member sees it.
    fn group(&self) -> Vec<Family> {
        let (leadership, members) = (self.store.leadership(), self.store.members());
        let (leadership, members) = (*leadership.borrow(), members.borrow().clone());
        let position = self.store.progress().borrow().position;
        let health = self.store.health().borrow().clone();
        let leads = leadership.role.leader == Some(self.member);
        let one = |name, help, value: f64| Family::gauge(name, help).with(Vec::new(), value);
        vec![
            one(
                "starling_raft_term",
                "The present term of the store's group; each election raises it.",
                large(leadership.role.term),
            ),
            one("starling_raft_is_leader", "Whether this server leads the group.", truth(leads)),
            one(
                "starling_raft_leader",
                "The number of the member that leads; 0 while none is known.",
                leadership.role.leader.map_or(0.0, |leader| large(leader.0)),
            ),
            one("starling_raft_voters", "Members that vote.", number(members.voters.len())),
            one("starling_raft_learners", "Members that do not.", number(members.learners.len())),
            one("starling_raft_applied_index", "Entries applied here.", large(position.index)),
            one("starling_store_revision", "The newest revision here.", large(position.revision.0)),
            one(
                "starling_store_compacted_revision",
                "The oldest revision that can be read.",
                large(position.compacted.0),
            ),
            one(
                "starling_store_healthy",
                "Whether nothing is known to be wrong.",
                truth(health == Health::Good),
            ),
        ]
    }

    fn dead_letters(&self) -> Family {
        let counts = self.system.dead_letters().counts;
        let help = "Messages that nobody handled, by the reason.";
        let family = Family::counter("starling_dead_letters_total", help);
        counts.into_iter().fold(family, |family, (reason, count)| {
            let reason = format!("{reason:?}").to_lowercase();
            family.with(vec![("reason", reason)], large(count))
        })
    }
}

/// Restarts, mailboxes and work of all lasting places of the tree.
fn actors(tree: &[Node]) -> Vec<Family> {
    let mut restarts = Family::counter(
        "starling_actor_restarts_total",
        "How often an actor was started again, by its path.",
    );
    let mut depths = Family::gauge("starling_actor_mailbox_depth", "Messages that wait.");
    let mut most = Family::gauge("starling_actor_mailbox_capacity", "Most that may wait.");
    let mut refused = Family::counter(
        "starling_actor_mailbox_refused_total",
        "Messages that found the mailbox full, in this life of the actor.",
    );
    let mut busy = Family::counter(
        "starling_actor_busy_seconds_total",
        "Time at work in this life of the actor.",
    );
    let mut states = BTreeMap::<&str, usize>::new();
    for node in tree {
        *states.entry(word(node.state)).or_default() += 1;
        if matches!(node.kind, NodeKind::Keyed | NodeKind::Part) {
            continue;
        }
        let path = || vec![("path", node.path.clone())];
        restarts = restarts.with(path(), large(node.restarts));
        if node.capacity > 0 {
            depths = depths.with(path(), large(node.depth));
            most = most.with(path(), large(node.capacity));
            refused = refused.with(path(), large(node.refused));
        }
        busy = busy.with(path(), large(node.busy_us) / 1e6);
    }
    let help = "How many actors, awake keys, watches and streams there are, by their state.";
    let all = states.into_iter().fold(Family::gauge("starling_actors", help), |all, (word, n)| {
        all.with(vec![("state", word.to_owned())], number(n))
    });
    vec![restarts, depths, most, refused, busy, all]
}

fn word(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "starting",
        NodeState::Running => "running",
        NodeState::Waiting => "waiting",
        NodeState::Stopping => "stopping",
        NodeState::Parked => "parked",
        NodeState::Suspended => "suspended",
        NodeState::Ended => "ended",
    }
}

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn number(count: usize) -> f64 {
    large(u64::try_from(count).unwrap_or(u64::MAX))
}

/// Counts as Prometheus has all numbers: exact up to 2^53.
pub(crate) fn large(count: u64) -> f64 {
    let part = |part: u64| u32::try_from(part).map_or(0.0, f64::from);
    part(count >> 32) * 4_294_967_296.0 + part(count & u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_stay_exact() {
        for count in [0, 1, 4_294_967_295, 4_294_967_296, 1 << 53] {
            assert_eq!(format!("{}", large(count)), count.to_string());
        }
    }
}
