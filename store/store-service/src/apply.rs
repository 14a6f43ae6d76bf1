//! The apply actor: turns committed entries into state, snapshots and events.
//!
//! Way in: [`child`].  Owns: the state, the catalog.  Never: an entry that is not committed and on
//! this disk.
//! Time and order: a batch of entries is committed to the state, then published, then its proposers
//! are answered, then the peer is told; watchers are woken by another actor (`herald.rs`), off this
//! path. A restart reads the state again and publishes nothing older than what was published
//! before.

mod image;
mod publish;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use actors_core::{
    Correlation, Mono,
    ports::{DiskError, StateStore},
};
use actors_runtime::{Child, Clock, Failure, Inbox};
use store_catalog::Tree;
use store_mvcc::{ApplyError, Change, EntryError, Mvcc, Outcome, Proposal, Revision};
use store_raft::{Bootstrap, Committed, NodeId, RaftEvent};
use tokio::sync::oneshot;

use crate::{
    error::DiskFailure,
    image::Spool,
    locks::{lock, read, write},
    queue::{Queue, Taken},
    room::{Full, Part, with_room},
    shared::{Health, Shared},
    worker::{WorkerEvent, worker},
};

/// Most operations that wait.
const QUEUE_MAX: usize = 131_072;
/// Without work, and with nothing to flush, the thread looks up this rarely.
const IDLE: Duration = Duration::from_secs(3_600);
/// What is due to be flushed is looked at this often at most: it may wait for the peer.
const FLUSH_PAUSE: Duration = Duration::from_secs(1);
/// Entries that are committed to the state and answered together, at most.
const BATCH: u64 = 64;
/// Compacted revisions that are swept at once, when there is nothing else to do.
const SWEEP: usize = 512;

/// What the apply actor is asked to do.
pub(crate) enum ApplyOp {
    /// Say how far the state is, and tell `owner` of all progress from now on.
    Begin {
        owner: Inbox<RaftEvent>,
        reply: oneshot::Sender<u64>,
    },
    Entries(Vec<Committed>),
    /// Send an image to another member.
    Export {
        to: NodeId,
        frame: Vec<u8>,
    },
    /// An image came; it is kept until the peer says that it is wanted.
    Image(Spool),
    /// Make the image the state.
    Install {
        number: u64,
        index: u64,
    },
}

/// Why the apply actor ended.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("entry {index} cannot be read")]
    Entry { index: u64, source: EntryError },
    #[error("the state cannot be changed")]
    Apply(#[from] ApplyError),
    #[error("the state cannot be read")]
    Read(#[from] store_mvcc::ReadError),
    #[error("the state cannot be opened")]
    Open(#[source] DiskFailure),
    #[error("an image of the state cannot be read")]
    Image(#[source] DiskFailure),
    #[error("an image at {index} was announced and did not come")]
    NoImage { index: u64 },
}

impl From<DiskError> for Fault {
    fn from(error: DiskError) -> Self {
        Self::Apply(ApplyError::Disk(error))
    }
}

/// The apply actor of a group.
pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    worker(QUEUE_MAX, move |queue, inbox| {
        if let Err(fault) = run(&shared, queue, inbox) {
            // The next life opens the state anew: nothing may be assumed of it.
            shared.close_state();
            let failure = Failure::from(fault);
            shared.set_health(Health::Failed(failure.to_string()));
            return Err(failure);
        }
        Ok(())
    })
}

fn run(
    shared: &Arc<Shared>,
    queue: &Arc<Queue<ApplyOp>>,
    inbox: &Inbox<WorkerEvent>,
) -> Result<(), Fault> {
    let store = open_state(shared, queue)?;
    let mvcc = Mvcc::open(Arc::clone(&store), shared.config.group)?;
    let flushed = mvcc.position().index;
    let compacted = mvcc.position().compacted;
    let mut applier = Applier {
        shared,
        queue,
        inbox,
        mvcc,
        store,
        owner: Owner(None),
        image: None,
        behind: None,
        batch: Batch::default(),
        flushed,
        flushed_at: Clock.mono(),
        sweeping: compacted > Revision::default(),
    };
    lock(&shared.samples).restart(applier.mvcc.position());
    applier.publish_all()?;
    let _open = shared.apply.open(queue);
    applier.serve()
}

/// The state that the last life left open, or the one on disk.
fn open_state(shared: &Shared, queue: &Queue<ApplyOp>) -> Result<Arc<dyn StateStore>, Fault> {
    let mut state = lock(&shared.state);
    if let Some(store) = state.as_ref() {
        return Ok(Arc::clone(store));
    }
    let opened = with_room((shared, Part::State), queue, || shared.disks.open_state());
    let store = opened.map_err(Fault::Open)?;
    *state = Some(Arc::clone(&store));
    Ok(store)
}

/// Whom progress is reported to; told also of this life's end, however it comes.
struct Owner(Option<Inbox<RaftEvent>>);

impl Owner {
    fn send(&self, event: RaftEvent) {
        if let Some(owner) = &self.0 {
            owner.send(event);
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let error = DiskError::Other("the apply actor ended".to_owned());
        self.send(RaftEvent::PersistFailed { number: 0, error });
    }
}

/// Entries that are staged, and what they led to.
#[derive(Default)]
struct Batch {
    entries: u64,
    changes: Vec<Arc<Change>>,
    /// The trees of some of these changes.
    trees: Vec<(Revision, Tree)>,
    outcomes: Vec<(Correlation, Outcome)>,
}

struct Applier<'a> {
    shared: &'a Arc<Shared>,
    queue: &'a Arc<Queue<ApplyOp>>,
    inbox: &'a Inbox<WorkerEvent>,
    mvcc: Mvcc,
    store: Arc<dyn StateStore>,
    owner: Owner,
    /// The newest image that came.
    image: Option<Spool>,
    /// What was published already; the state was lost back to before it and is being applied again.
    behind: Option<Revision>,
    batch: Batch,
    /// The last index whose flush was begun.
    flushed: u64,
    flushed_at: Mono,
    sweeping: bool,
}

impl Applier<'_> {
    fn serve(&mut self) -> Result<(), Fault> {
        loop {
            match self.queue.take_all(self.spare_time()) {
                Taken::Work(ops) if ops.is_empty() => self.use_spare_time()?,
                Taken::Work(ops) => self.work(ops)?,
                Taken::Closed => return Ok(()),
                Taken::Finished => {
                    self.owner.0 = None;
                    match self.mvcc.flush() {
                        // What is not durable here is in the log.
                        Err(error) if error.is_full() => {
                            tracing::warn!(%error, "the state was not flushed");
                        }
                        flushed => drop(flushed?),
                    }
                    self.shared.close_state();
                    return Ok(());
                }
            }
            self.flush_if_due();
        }
    }

    /// How long it may wait for work.
    fn spare_time(&self) -> Duration {
        if self.sweeping {
            return Duration::ZERO;
        }
        match self.mvcc.position().index == self.flushed {
            true => IDLE,
            false => {
                let due = self.flushed_at.after(self.shared.config.flush_every);
                due.since(Clock.mono()).max(FLUSH_PAUSE)
            }
        }
    }

    fn work(&mut self, ops: VecDeque<ApplyOp>) -> Result<(), Fault> {
        for op in ops {
            match op {
                ApplyOp::Entries(entries) => self.stage(entries)?,
                ApplyOp::Begin { owner, reply } => {
                    self.end_batch()?;
                    self.owner.0 = Some(owner);
                    if reply.send(self.mvcc.position().index).is_err() {
                        tracing::debug!("the peer ended before it knew how far the state is");
                    }
                }
                ApplyOp::Export { to, frame } => {
                    self.end_batch()?;
                    self.send_image(to, frame);
                }
                ApplyOp::Image(image) => self.keep_image(image),
                ApplyOp::Install { number, index } => {
                    self.end_batch()?;
                    self.install(number, index)?;
                }
            }
        }
        self.end_batch()
    }

    fn stage(&mut self, entries: Vec<Committed>) -> Result<(), Fault> {
        for entry in entries {
            let Committed { index, term, id, data } = entry;
            let at = self.mvcc.position().index;
            if index <= at {
                continue;
            }
            let begin = Bootstrap::BEGIN;
            if at == 0 && index == begin.index + 1 {
                // A new group's log begins with a mark that is no entry.
                self.mvcc.begin(begin.index, begin.term)?;
            }
            if data.is_empty() {
                self.mvcc.skip(index, term)?;
                lock(&self.shared.samples).note(self.mvcc.position());
            } else {
                let proposal =
                    Proposal::decode(&data).map_err(|source| Fault::Entry { index, source })?;
                let applied = self.mvcc.apply(index, term, &proposal)?;
                lock(&self.shared.samples).note(self.mvcc.position());
                if let Some(tree) = self.shared.trees.take(proposal.token) {
                    let own = applied.changes.iter().find(|change| change.key == tree.key);
                    self.batch.trees.extend(own.map(|change| (change.revision, tree)));
                }
                self.batch.changes.extend(applied.changes);
                self.batch.outcomes.extend(id.map(|id| (id, applied.outcome)));
            }
            self.batch.entries += 1;
            if self.batch.entries == BATCH {
                self.end_batch()?;
            }
        }
        Ok(())
    }

    /// Commits what is staged, shows it, answers, and reports.
    fn end_batch(&mut self) -> Result<(), Fault> {
        if self.batch.entries == 0 {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let is_full = match self.mvcc.commit() {
            Err(error) if error.is_full() => true,
            committed => {
                committed?;
                false
            }
        };
        // The log has it, so it may be shown before the state's disk has room: reads go on. What is
        // read from that disk to be shown has to wait.
        let reads_disk = self.behind.is_some() || batch.changes.is_empty();
        if is_full && reads_disk {
            self.commit_with_room()?;
        }
        self.publish(&batch.changes, &batch.trees)?;
        self.answer(batch.outcomes);
        self.owner.send(RaftEvent::Applied { index: self.mvcc.position().index });
        if is_full && !reads_disk { self.commit_with_room() } else { Ok(()) }
    }

    fn commit_with_room(&mut self) -> Result<(), Fault> {
        let part = (self.shared.as_ref(), Part::State);
        Ok(with_room(part, self.queue, || self.mvcc.commit())?)
    }

    /// Makes the state durable from time to time, on another thread: entries are applied meanwhile.
    fn flush_if_due(&mut self) {
        let index = self.mvcc.position().index;
        let now = Clock.mono();
        let config = &self.shared.config;
        let due = now.since(self.flushed_at) >= config.flush_every
            || index - self.flushed >= config.flush_entries;
        if index == self.flushed || !due {
            return;
        }
        (self.flushed, self.flushed_at) = (index, now);
        let Some(owner) = self.owner.0.clone() else { return };
        let (store, queue) = (Arc::clone(&self.store), Arc::clone(self.queue));
        let shared = Arc::clone(self.shared);
        self.inbox.spawn_blocking(move || {
            match with_room((&shared, Part::State), &queue, || store.flush()) {
                Ok(()) => {
                    owner.send(RaftEvent::Flushed { index });
                    WorkerEvent::Done
                }
                // The actor ends anyhow; the log has what is not flushed.
                Err(error) if error.is_full() => WorkerEvent::Done,
                Err(error) => {
                    WorkerEvent::Ended(Some(format!("the state cannot be flushed: {error}")))
                }
            }
        });
    }

    fn use_spare_time(&mut self) -> Result<(), Fault> {
        if self.sweeping {
            self.sweeping = match self.mvcc.sweep(SWEEP) {
                // What is left over is swept after the next compaction.
                Err(error) if error.is_full() => false,
                swept => !swept?.done,
            };
        }
        Ok(())
    }
}
