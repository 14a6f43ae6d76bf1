//! One group as a supervised subtree: `store/NAME` with its six actors.
//!
//! Way in: [`Group::open`].  Owns: what the actors share.
//! Time and order: log, apply, peer, intake, herald, control are started in this order and stopped
//! in the reverse one: nothing is proposed any more, then nothing is handed out, then the state is
//! flushed, then the log ends.

use std::{sync::Arc, time::Duration};

use actors_core::{Backoff, ChildSpec, Intensity, MailboxPolicy, OnLimit};
use actors_runtime::{Child, System, Tree};
use store_catalog::Opener;
use store_mvcc::Mvcc;
use store_raft::{RaftMachine, Stored};

use crate::{
    Disks, OpenError, Store, StoreConfig, Transport, apply, control, herald, intake,
    locks::lock,
    log::{self, Contents},
    outbox, peer,
    shared::Shared,
};

/// A member of a group that is ready to be started.
pub struct Group {
    shared: Arc<Shared>,
}

/// What a member uses of the world.
pub struct Ports {
    /// Its disks.
    pub disks: Arc<dyn Disks>,
    /// Its way to other members.
    pub transport: Arc<dyn Transport>,
    /// Reads sealed values for the catalog's users; without one they are not decoded.
    pub opener: Option<Arc<dyn Opener>>,
}

impl Group {
    /// Opens the disks and looks whether they can be trusted, so that a damaged log, or one of
    /// another cluster, is refused before anything runs. Blocks on the disk.
    ///
    /// # Errors
    /// [`OpenError`]; trying again does not help.
    pub fn open(config: StoreConfig, ports: Ports) -> Result<Self, OpenError> {
        let group = || config.name.clone();
        let log = ports.disks.open_log();
        let log = log.map_err(|source| OpenError::Log { group: group(), source })?;
        let contents = log::load(log.as_ref());
        let Contents { head, records } =
            contents.map_err(|error| OpenError::Log { group: group(), source: error.into() })?;
        let state = ports.disks.open_state();
        let state = state.map_err(|source| OpenError::State { group: group(), source })?;
        let mvcc = Mvcc::open(Arc::clone(&state), config.group)
            .map_err(|source| OpenError::Apply { group: group(), source })?;
        let applied = mvcc.position().index;
        drop(mvcc);
        RaftMachine::recover(config.raft(), &Stored { head, records, applied })
            .map_err(|source| OpenError::Recover { group: group(), source })?;
        let Ports { disks, transport, opener } = ports;
        let shared = Shared::new(config, disks, transport, opener);
        *lock(&shared.opened_log) = Some(log);
        *lock(&shared.state) = Some(state);
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The handle for users of the store in this system. Works before the group is started: it says
    /// that nothing runs.
    #[must_use]
    pub fn store(&self, system: &System) -> Store {
        Store::new(&self.shared, system)
    }

    /// The subtree, named like the group, for a supervisor that is named `store`.
    ///
    /// A part that fails is started again; parts that fail too often end the subtree with their
    /// reason.
    #[must_use]
    pub fn child(&self) -> (ChildSpec, Child) {
        let intensity = Intensity { restarts: 20, period: Duration::from_secs(30) };
        let shared = &self.shared;
        let tree = Tree::new(shared.config.name.clone(), intensity, OnLimit::Escalate)
            .child(disk_part("log"), log::child(shared))
            .child(disk_part("apply"), apply::child(shared))
            .child(peer_part(), peer::child(shared))
            .child(ChildSpec::permanent("intake"), intake::child(shared))
            .child(ChildSpec::permanent("outbox"), outbox::child(shared))
            .child(ChildSpec::permanent("herald"), herald::child(shared))
            .child(ChildSpec::permanent("control"), control::child(shared));
        let shutdown = Duration::from_secs(60);
        let spec = ChildSpec::permanent(shared.config.name.clone()).shutdown(shutdown);
        (spec, Child::supervisor(tree))
    }
}

/// A part that may have to finish its work with the disk. It is back before the peer looks for it.
fn disk_part(name: &str) -> ChildSpec {
    let backoff = Backoff {
        initial: Duration::from_millis(10),
        max: Duration::from_secs(5),
        jitter_percent: 20,
    };
    ChildSpec::permanent(name).shutdown(Duration::from_secs(20)).backoff(backoff)
}

fn peer_part() -> ChildSpec {
    let backoff = Backoff {
        initial: Duration::from_millis(100),
        max: Duration::from_secs(5),
        jitter_percent: 20,
    };
    ChildSpec::permanent("peer").mailbox(MailboxPolicy::wait(4_096)).backoff(backoff)
}
