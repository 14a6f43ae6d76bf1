//! The log actor: appends and syncs, one sync for everything that waits.
//!
//! Way in: [`child`].  Owns: the log store.  Never: a decision about what is written.
//! Time and order: operations are done in order; a write is reported when a sync behind it has
//! ended. A full disk is waited for; any other failure ends this life, and the peer's with it: what
//! is on disk is then found out by opening the log again.

use std::{sync::Arc, time::Duration};

use actors_core::ports::{DiskError, LogRecord, LogStore};
use actors_runtime::{Child, Failure, Inbox};
use store_raft::RaftEvent;
use tokio::sync::oneshot;

use crate::{
    locks::lock,
    queue::{Queue, Taken},
    room::{Part, with_room},
    shared::{Health, Shared},
    worker::worker,
};

/// Most operations that wait; the group has far fewer under way.
const QUEUE_MAX: usize = 131_072;
/// Without work the thread looks up this rarely.
const IDLE: Duration = Duration::from_secs(3_600);
/// Records that are read at once.
const PAGE: usize = 4_096;

/// What the log actor is asked to do.
pub(crate) enum LogOp {
    /// Read everything, and tell `owner` of all writes from now on.
    Load {
        owner: Inbox<RaftEvent>,
        reply: oneshot::Sender<Contents>,
    },
    Write(Write),
    Truncate {
        below: u64,
    },
}

/// One write of a member.
pub(crate) struct Write {
    pub(crate) number: u64,
    pub(crate) records: Vec<LogRecord>,
    pub(crate) head: Option<Vec<u8>>,
}

/// Everything that a log holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) head: Option<Vec<u8>>,
    pub(crate) records: Vec<LogRecord>,
}

/// The log actor of a group.
pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    worker(QUEUE_MAX, move |queue, _inbox| run(&shared, queue))
}

fn run(shared: &Shared, queue: &Arc<Queue<LogOp>>) -> Result<(), Failure> {
    let opened = lock(&shared.opened_log).take();
    let reopen = || with_room((shared, Part::Log), queue, || shared.disks.open_log());
    let mut store = opened.map_or_else(reopen, Ok)?;
    let mut writer = Writer { shared, queue, store: store.as_mut(), owner: Owner(None) };
    let _open = shared.log.open(queue);
    let ended = writer.serve();
    if let Err(error) = &ended {
        shared.set_health(Health::Failed(error.to_string()));
    }
    Ok(ended?)
}

/// Reads a whole log.
pub(crate) fn load(store: &dyn LogStore) -> Result<Contents, DiskError> {
    let mut records: Vec<LogRecord> = Vec::new();
    loop {
        let next = records.last().map_or(0, |last| last.index + 1);
        let page = store.read_from(next, PAGE)?;
        if page.is_empty() {
            return Ok(Contents { head: store.head()?, records });
        }
        records.extend(page);
    }
}

/// Whom the ends of writes are reported to; told also of this life's end, however it comes.
struct Owner(Option<Inbox<RaftEvent>>);

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(owner) = self.0.take() {
            let error = DiskError::Other("the log actor ended".to_owned());
            owner.send(RaftEvent::PersistFailed { number: 0, error });
        }
    }
}

struct Writer<'a> {
    shared: &'a Shared,
    queue: &'a Queue<LogOp>,
    store: &'a mut dyn LogStore,
    owner: Owner,
}

/// Consecutive writes, gathered.
#[derive(Default)]
struct Batch {
    records: Vec<LogRecord>,
    head: Option<Vec<u8>>,
    last: Option<u64>,
}

impl Writer<'_> {
    fn serve(&mut self) -> Result<(), DiskError> {
        loop {
            let ops = match self.queue.take_all(IDLE) {
                Taken::Work(ops) => ops,
                Taken::Closed => return Ok(()),
                Taken::Finished => {
                    // In order: nobody is to take this for a failure.
                    self.owner.0 = None;
                    return Ok(());
                }
            };
            let mut batch = Batch::default();
            for op in ops {
                match op {
                    LogOp::Write(write) if batch.takes(&write) => batch.add(write),
                    LogOp::Write(write) => {
                        self.put(&mut batch)?;
                        batch.add(write);
                    }
                    LogOp::Truncate { below } => {
                        self.put(&mut batch)?;
                        self.with_room(|store| store.truncate_below(below))?;
                    }
                    LogOp::Load { owner, reply } => {
                        self.end(&mut batch)?;
                        let contents = load(self.store)?;
                        self.owner.0 = Some(owner);
                        // The peer that asked may have ended: the next one asks again.
                        drop(reply.send(contents));
                    }
                }
            }
            self.end(&mut batch)?;
        }
    }

    /// Writes a batch, without a sync.
    fn put(&mut self, batch: &mut Batch) -> Result<(), DiskError> {
        let records = std::mem::take(&mut batch.records);
        let head = batch.head.take();
        self.with_room(|store| {
            store.append(&records)?;
            head.as_ref().map_or(Ok(()), |head| store.set_head(head))
        })
    }

    /// Writes a batch, makes it durable, and says so.
    fn end(&mut self, batch: &mut Batch) -> Result<(), DiskError> {
        self.put(batch)?;
        let Some(number) = batch.last.take() else { return Ok(()) };
        self.with_room(|store| store.sync())?;
        if let Some(owner) = &self.owner.0 {
            owner.send(RaftEvent::Persisted { number });
        }
        Ok(())
    }

    /// Tries again while the disk is full; the member notices by itself that its disk does not
    /// answer.
    fn with_room(
        &mut self,
        mut work: impl FnMut(&mut dyn LogStore) -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        with_room((self.shared, Part::Log), self.queue, || work(self.store))
    }
}

impl Batch {
    fn takes(&self, write: &Write) -> bool {
        match (self.records.last(), write.records.first()) {
            (Some(last), Some(first)) => first.index == last.index + 1,
            _ => true,
        }
    }

    fn add(&mut self, write: Write) {
        self.records.extend(write.records);
        self.head = write.head.or(self.head.take());
        self.last = Some(write.number);
    }
}
