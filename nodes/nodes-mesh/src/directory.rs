//! Which node is which member of the store's group.
//!
//! Way in: [`Directory::node_of`].  Owns: what it was told at the start and has seen since; what membership says now
//! comes first. Never: a task; it looks when it is asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use mesh_member::MemberView;
use store_raft::NodeId;
use tokio::sync::watch;

/// Everybody that membership knows of, as it changes.
pub type View = watch::Receiver<Arc<Vec<MemberView>>>;

/// Node names of members, and members of node names. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    view: View,
    seen: Arc<RwLock<BTreeMap<NodeId, String>>>,
}

impl Directory {
    /// A directory that looks into `view`, and knows `known` until that says otherwise.
    #[must_use]
    pub fn new(view: View, known: impl IntoIterator<Item = (NodeId, String)>) -> Self {
        Self { view, seen: Arc::new(RwLock::new(known.into_iter().collect())) }
    }

    /// The node on which a member is.
    #[must_use]
    pub fn node_of(&self, member: NodeId) -> Option<String> {
        let now = self
            .view
            .borrow()
            .iter()
            .find_map(|one| (one.info.member == Some(member.0)).then(|| one.info.node.clone()));
        match now {
            Some(node) => {
                self.learn(member, &node);
                Some(node)
            }
            None => self.seen.read().unwrap_or_else(PoisonError::into_inner).get(&member).cloned(),
        }
    }

    /// The member that is on a node.
    #[must_use]
    pub fn member_of(&self, node: &str) -> Option<NodeId> {
        let view = self.view.borrow();
        if let Some(known) = view.iter().find(|one| one.info.node == node) {
            return known.info.member.map(NodeId);
        }
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.iter().find(|(_, known)| *known == node).map(|(member, _)| *member)
    }

    /// Remembers where a member is: by its own word, before membership has heard of it.
    pub fn learn(&self, member: NodeId, node: &str) {
        let known = self.seen.read().unwrap_or_else(PoisonError::into_inner).get(&member).cloned();
        if known.as_deref() != Some(node) {
            let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
            seen.insert(member, node.to_owned());
        }
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}
