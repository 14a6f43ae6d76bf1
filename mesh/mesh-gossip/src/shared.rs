//! What the parts of one process's membership share: what is wanted, what is known, where the
//! machine is.
//!
//! Way in: [`Shared`].

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actors_core::Mono;
use actors_runtime::Exact;
use bytes::Bytes;
use mesh_member::{MemberEvent, MemberInfo, MemberView, Verdict};
use mesh_quic::{Lane, Mesh, PeerAddress, Service};
use tokio::sync::{broadcast, watch};

use crate::{book::Book, carrier::ChitchatCarrier, carrier::Wire};

/// Everything of one membership that outlives a life of its actors.
pub(crate) struct Shared {
    pub(crate) mesh: Mesh,
    pub(crate) seeds: BTreeMap<String, PeerAddress>,
    pub(crate) carrier: ChitchatCarrier,
    pub(crate) view: watch::Sender<Arc<Vec<MemberView>>>,
    pub(crate) verdicts: broadcast::Sender<Verdict>,
    /// When each member was heard last.
    pub(crate) heard: Mutex<BTreeMap<String, Mono>>,
    /// What this process should say of itself, and who judges: told again to each life.
    pub(crate) wanted: Mutex<Wanted>,
    pub(crate) peers_file: Mutex<Option<PathBuf>>,
    pub(crate) book: Mutex<Book>,
    /// The present life of the machine.
    pub(crate) machine: Arc<MachineSlot>,
}

/// What was asked of membership.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) info: MemberInfo,
    pub(crate) voters: Option<Vec<String>>,
}

/// Where the machine's present life is.
#[derive(Debug, Default)]
pub(crate) struct MachineSlot(Mutex<Option<Exact<MemberEvent>>>);

impl MachineSlot {
    pub(crate) fn set(&self, machine: Exact<MemberEvent>) {
        *lock(&self.0) = Some(machine);
    }

    /// Tells the machine; never waits. Lost if it does not run or is too busy: what must not be
    /// lost is kept in [`Wanted`].
    pub(crate) fn tell(&self, event: MemberEvent) {
        let machine = lock(&self.0).clone();
        if machine.is_none_or(|machine| machine.try_tell(event).is_err()) {
            tracing::debug!("membership does not run, or is too busy");
        }
    }
}

/// Gossip over the mesh's control lane.
pub(crate) struct MeshWire(pub(crate) Mesh);

impl Wire for MeshWire {
    fn send(&self, to: &str, frame: Bytes) {
        if let Err(error) = self.0.tell(to, Lane::Control, Service::GOSSIP, frame) {
            tracing::trace!(%error, "gossip was not sent");
        }
    }
}

/// Nothing that is guarded here is left half-done by a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
