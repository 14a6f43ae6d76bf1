//! The handle of membership: what other crates call.
//!
//! Way in: [`Membership::new`], [`Membership::tree`].

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_core::{ChildSpec, Intensity, MailboxPolicy, OnLimit, Strategy};
use actors_runtime::{Child, Clock, Tree};
use mesh_member::{MemberEvent, MemberInfo, MemberView, Verdict};
use mesh_quic::{Mesh, PeerAddress};
use tokio::sync::{broadcast, watch};

use crate::{
    book::{self, Book},
    carrier::{ChitchatCarrier, GossipSettings},
    driver, links,
    shared::{MachineSlot, MeshWire, Shared, Wanted, lock},
};

/// Who is alive, as this process sees it. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Membership(Arc<Shared>);

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Membership({})", self.0.mesh.me())
    }
}

impl Membership {
    /// Membership of the process that `mesh` belongs to. `info` is what it says of itself; node,
    /// role and site are taken from the mesh. `seeds` are peers to begin with, by node.
    ///
    /// `info.started` is this process's incarnation: the time of its start. It is raised if the
    /// file of peers knows a later one, as after a clock was set back.
    #[must_use]
    pub fn new(mesh: Mesh, info: MemberInfo, seeds: BTreeMap<String, PeerAddress>) -> Self {
        Self::with_settings(mesh, info, seeds, GossipSettings::default())
    }

    /// The same, with gossip of another rhythm.
    #[must_use]
    pub fn with_settings(
        mesh: Mesh,
        info: MemberInfo,
        seeds: BTreeMap<String, PeerAddress>,
        settings: GossipSettings,
    ) -> Self {
        let me = mesh.me().clone();
        let machine = Arc::new(MachineSlot::default());
        let hearer = Arc::clone(&machine);
        let carrier = ChitchatCarrier::new(
            (me.cluster, me.node.clone()),
            seeds.keys().cloned().collect(),
            settings,
            Arc::new(MeshWire(mesh.clone())),
            Arc::new(move |event| hearer.tell(MemberEvent::Carrier(event))),
        );
        let info = MemberInfo { node: me.node, role: me.role, site: me.site, ..info };
        Self(Arc::new(Shared {
            mesh,
            seeds,
            carrier,
            view: watch::Sender::new(Arc::default()),
            verdicts: broadcast::Sender::new(256),
            heard: Mutex::default(),
            wanted: Mutex::new(Wanted { info, voters: None }),
            peers_file: Mutex::new(None),
            book: Mutex::default(),
            machine,
        }))
    }

    /// Keeps the known peers in this file, and begins with those that it holds: so a cluster whose
    /// every process was killed finds itself again. Before [`Membership::tree`]. A file that cannot
    /// be read is reported, and replaced.
    #[must_use]
    pub fn with_peers_file(self, path: PathBuf) -> Self {
        match Book::read(&path) {
            Ok(mut read) => {
                read.started.0 = match read.started.0 {
                    0 => 0,
                    earlier => earlier.saturating_add(1),
                };
                *lock(&self.0.book) = read;
            }
            Err(error) => tracing::warn!(%error, "membership begins with its seeds alone"),
        }
        *lock(&self.0.peers_file) = Some(path);
        self
    }

    /// What runs it, for a supervisor; beside [`Mesh::tree`] of the same mesh.
    #[must_use]
    pub fn tree(&self, name: &str) -> Tree {
        driver::serve(&self.0);
        let intensity = Intensity { restarts: 10, period: Duration::from_secs(30) };
        let machine = ChildSpec::permanent("members").mailbox(MailboxPolicy::refuse(4_096));
        // Whoever tells the machine of links begins anew with it; gossip may fail alone.
        Tree::new(name, intensity, OnLimit::Escalate)
            .strategy(Strategy::RestForOne)
            .child(machine, driver::child(&self.0))
            .child(ChildSpec::permanent("links"), links::child(&self.0))
            .child(ChildSpec::permanent("book"), book::child(&self.0))
            .child(ChildSpec::permanent("gossip"), self.gossip())
    }

    fn gossip(&self) -> Child {
        self.0.carrier.child()
    }

    /// What is believed of all members, this one among them, ordered by node. Changes when a state,
    /// an info or a link does; how long ago members were heard is as of then. Empty until
    /// membership runs.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<Arc<Vec<MemberView>>> {
        self.0.view.subscribe()
    }

    /// The same, with `heard` and `heard_ago` as of now.
    #[must_use]
    pub fn members(&self) -> Vec<MemberView> {
        let now = Clock.mono();
        let heard = lock(&self.0.heard);
        let mut members = self.0.view.borrow().as_ref().clone();
        for member in &mut members {
            if member.info.node == self.0.mesh.me().node {
                member.heard = Some(now);
                continue;
            }
            member.heard = heard.get(&member.info.node).copied();
            member.heard_ago = member.heard.map(|at| now.since(at)).unwrap_or_default();
        }
        members
    }

    /// Verdicts from now on, reached here or elsewhere, and their ends. Whoever lags behind looks
    /// at [`Membership::view`].
    #[must_use]
    pub fn verdicts(&self) -> broadcast::Receiver<Verdict> {
        self.0.verdicts.subscribe()
    }

    /// Says something new of this process. Node, role and incarnation stay as they are.
    pub fn set_info(&self, info: MemberInfo) {
        let kept = {
            let mut wanted = lock(&self.0.wanted);
            let MemberInfo { node, role, site, started, .. } = wanted.info.clone();
            wanted.info = MemberInfo { node, role, site, started, ..info };
            wanted.info.clone()
        };
        self.0.machine.tell(MemberEvent::Info(kept));
    }

    /// The nodes that vote in the store's Raft group: they are the judges. Servers say it here;
    /// agents learn it from servers.
    pub fn set_voters(&self, voters: Vec<String>) {
        lock(&self.0.wanted).voters = Some(voters.clone());
        self.0.machine.tell(MemberEvent::Voters(voters));
    }

    /// This node is gone for good: it counts as having left, everywhere, until a later life of it
    /// joins. Only what runs now can be told: nothing happens while membership does not run, or to
    /// a node that it does not know.
    pub fn forget(&self, node: &str) {
        self.0.machine.tell(MemberEvent::Forget { node: node.to_owned() });
    }

    /// This process leaves for good, and says so to all. Whoever ends the process gives the word a
    /// moment to go out.
    pub fn leave(&self) {
        self.0.machine.tell(MemberEvent::Leave);
    }
}
