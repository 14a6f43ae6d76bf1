//! What the actors of one group and the users of its store share.
//!
//! Way in: [`Shared`].  Invariant: each field has one writer, named at the field; readers never
//! wait for a disk.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, RwLock},
};

use actors_core::{
    Correlation,
    ports::{LogStore, StateStore},
};
use store_catalog::{Catalog, Opener, Snapshot};
use store_mvcc::{Epoch, Position, Reader};
use store_raft::{Members, Proposed, RoleView};
use tokio::sync::{Notify, Semaphore, watch};

use crate::{
    Disks, StoreConfig, Transport,
    agreement::Samples,
    apply::ApplyOp,
    interest::Interest,
    locks::{lock, write},
    log::LogOp,
    outbox::Outbox,
    queue::Queue,
    room::Part,
    trees::Trees,
    waiting::{Reply, Waiting},
};

/// Images that may come in at once: from the present leader, and from one that was it.
const IMAGES_MAX: usize = 2;

/// How far this replica is. Written by the apply actor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Log index, revision and hash of what is applied and published.
    pub position: Position,
    /// The epoch under which all shards were granted last.
    pub epoch: Epoch,
}

/// This member's role, and what it holds by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leadership {
    /// Role, term and leader. Written by the peer actor.
    pub role: RoleView,
    /// The epoch under which this member holds all shards; `None` unless it leads and the grant is
    /// applied. Written by the control actor; taken away by the peer actor.
    pub epoch: Option<Epoch>,
}

/// Whether the store can work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing is known to be wrong.
    #[default]
    Good,
    /// There is no room for the log or the state: nothing is written until there is. What was
    /// written can be read.
    DiskFull {
        /// What is full, for people: a folder.
        place: String,
    },
    /// A part failed and is started again; the text says why.
    Failed(String),
    /// This member was removed from its group. It serves nothing more; its disks are worth nothing.
    Removed,
    /// The state of this replica is not that of the others. It serves nothing more; it is removed,
    /// and comes again with another number and empty disks.
    Differs {
        /// The log index where that was found.
        index: u64,
    },
}

impl Health {
    /// Whether nothing can be written for want of room.
    #[must_use]
    pub const fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }

    /// Whether this is the end: nothing but an operator's act helps.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Removed | Self::Differs { .. })
    }
}

/// Where the present life of a thread takes its work from, if it is ready.
#[derive(Debug)]
pub(crate) struct Port<T>(watch::Sender<Option<Arc<Queue<T>>>>);

impl<T> Default for Port<T> {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl<T> Port<T> {
    /// Shows the queue of one life, for as long as the result lives.
    pub(crate) fn open<'a>(&'a self, queue: &'a Arc<Queue<T>>) -> OpenPort<'a, T> {
        self.0.send_replace(Some(Arc::clone(queue)));
        OpenPort { port: self, queue }
    }

    pub(crate) fn queue(&self) -> Option<Arc<Queue<T>>> {
        self.0.borrow().clone()
    }

    /// The queue, as soon as there is one.
    pub(crate) async fn ready(&self) -> Option<Arc<Queue<T>>> {
        let mut port = self.0.subscribe();
        let ready = port.wait_for(Option::is_some).await;
        ready.ok().and_then(|queue| queue.clone())
    }
}

/// Takes the queue of a life away when that life ends, however it does.
pub(crate) struct OpenPort<'a, T> {
    port: &'a Port<T>,
    queue: &'a Arc<Queue<T>>,
}

impl<T> Drop for OpenPort<'_, T> {
    fn drop(&mut self) {
        self.port.0.send_if_modified(|port| {
            let ours = port.as_ref().is_some_and(|port| Arc::ptr_eq(port, self.queue));
            ours.then(|| *port = None).is_some()
        });
    }
}

pub(crate) struct Shared {
    pub(crate) config: StoreConfig,
    pub(crate) disks: Arc<dyn Disks>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) opener: Option<Arc<dyn Opener>>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) intake: Intake,
    /// Proposals for the member that leads.
    pub(crate) outbox: Outbox,
    /// Written by the log actor.
    pub(crate) log: Port<LogOp>,
    /// Written by the apply actor.
    pub(crate) apply: Port<ApplyOp>,
    /// Written by the apply actor.
    pub(crate) catalog: RwLock<Catalog>,
    /// The catalog's snapshot, apart, so that readers never wait for watchers. Written by the apply
    /// actor.
    pub(crate) latest: RwLock<Snapshot>,
    /// Reads the history on disk. Written by the apply actor.
    pub(crate) reader: RwLock<Option<Reader>>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) leadership: watch::Sender<Leadership>,
    /// Written by the peer actor.
    pub(crate) members: watch::Sender<Members>,
    pub(crate) health: watch::Sender<Health>,
    /// What has no room. Written by the log and apply actors.
    full: Mutex<BTreeSet<Part>>,
    /// Whether a leader is known that hears from most voters. Written by the peer actor.
    pub(crate) quorum: watch::Sender<bool>,
    /// What the state was lately. Written by the apply actor.
    pub(crate) samples: Mutex<Samples>,
    /// How many images may come in at once.
    pub(crate) images: Arc<Semaphore>,
    pub(crate) interest: Interest,
    /// Written by who proposes.
    pub(crate) trees: Arc<Trees>,
    /// Stays open from one life of the apply actor to the next, unless it failed: what is in memory
    /// is good.
    pub(crate) state: Mutex<Option<Arc<dyn StateStore>>>,
    /// The log that was opened to be looked at, for the first life of the log actor.
    pub(crate) opened_log: Mutex<Option<Box<dyn LogStore>>>,
}

impl Shared {
    pub(crate) fn new(
        config: StoreConfig,
        disks: Arc<dyn Disks>,
        transport: Arc<dyn Transport>,
        opener: Option<Arc<dyn Opener>>,
    ) -> Self {
        Self {
            catalog: RwLock::new(Catalog::new(config.ring, opener.clone())),
            config,
            disks,
            transport,
            opener,
            waiting: Arc::default(),
            intake: Intake::default(),
            outbox: Outbox::default(),
            log: Port::default(),
            apply: Port::default(),
            latest: RwLock::default(),
            reader: RwLock::default(),
            progress: watch::Sender::default(),
            leadership: watch::Sender::default(),
            members: watch::Sender::default(),
            health: watch::Sender::default(),
            full: Mutex::default(),
            quorum: watch::Sender::default(),
            samples: Mutex::default(),
            images: Arc::new(Semaphore::new(IMAGES_MAX)),
            interest: Interest::default(),
            trees: Arc::default(),
            state: Mutex::default(),
            opened_log: Mutex::default(),
        }
    }

    /// The path of one of this group's actors, as an address.
    pub(crate) fn address(&self, part: &str) -> actors_core::Address {
        actors_core::Address::new("store", format!("{}/{part}", self.config.name))
    }

    pub(crate) fn set_health(&self, health: Health) {
        self.health.send_if_modified(|present| {
            // A part that runs again has no more room for that.
            let health = match health {
                Health::Good if !lock(&self.full).is_empty() => {
                    Health::DiskFull { place: self.disks.place() }
                }
                other => other,
            };
            let changed = *present != health && !present.is_final();
            if changed {
                *present = health;
            }
            changed
        });
    }

    /// Notes whether there is room for a part; told once, not with each attempt.
    pub(crate) fn set_full(&self, part: Part, is_full: bool) {
        let mut full = lock(&self.full);
        let changed = if is_full { full.insert(part) } else { full.remove(&part) };
        drop(full);
        if !changed {
            return;
        }
        let place = self.disks.place();
        match is_full {
            true => tracing::warn!(?part, %place, "the disk is full"),
            false => tracing::info!(?part, %place, "the disk has room again"),
        }
        self.set_health(Health::Good);
    }

    /// The full disk for whose sake nothing can be written here, if nobody else could write it: one
    /// of several voters leaves the lead to another.
    pub(crate) fn lacks_room(&self) -> Option<String> {
        match &*self.health.borrow() {
            Health::DiskFull { place } if self.members.borrow().is_sole_voter(self.config.node) => {
                Some(place.clone())
            }
            _ => None,
        }
    }

    /// Whether this replica must not serve any more.
    pub(crate) fn is_out(&self) -> bool {
        self.health.borrow().is_final()
    }

    /// Lets go of the state, so that it can be opened again.
    pub(crate) fn close_state(&self) {
        *write(&self.reader) = None;
        *lock(&self.state) = None;
    }

    /// Nobody can answer any more: proposals that were not handed on were not done, of the others
    /// nobody knows.
    pub(crate) fn abandon_questions(&self) {
        for item in self.intake.take(usize::MAX) {
            self.waiting.answer(item.id, Reply::Unavailable);
        }
        self.waiting.abandon();
    }
}

/// Proposals that the peer actor has not been told of: gathered, so that many become one event.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    state: Mutex<Gathered>,
    pub(crate) filled: Notify,
}

#[derive(Debug, Default)]
struct Gathered {
    items: Vec<Proposed>,
    /// Whether somebody takes them.
    is_open: bool,
}

/// Why a proposal was not gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotGathered {
    /// Too many wait.
    Full,
    /// Nobody takes them.
    Closed,
}

impl Intake {
    const LEN_MAX: usize = 65_536;

    pub(crate) fn add(&self, id: Correlation, data: Vec<u8>) -> Result<(), NotGathered> {
        let mut state = lock(&self.state);
        if !state.is_open {
            return Err(NotGathered::Closed);
        }
        if state.items.len() >= Self::LEN_MAX {
            return Err(NotGathered::Full);
        }
        state.items.push(Proposed { id, data });
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes the oldest items, at most `limit`.
    pub(crate) fn take(&self, limit: usize) -> Vec<Proposed> {
        let mut state = lock(&self.state);
        if state.items.len() <= limit {
            return std::mem::take(&mut state.items);
        }
        let later = state.items.split_off(limit);
        std::mem::replace(&mut state.items, later)
    }

    /// Whether somebody takes proposals.
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.state).is_open
    }

    pub(crate) fn set_open(&self, is_open: bool) {
        lock(&self.state).is_open = is_open;
    }
}
