//! One server's group in a folder of its own, on disks that can be told to fail.

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_core::{
    Intensity, OnLimit, Rng, Wall,
    ports::{DiskError, KeyRange, LogRecord, LogStore, Pair, StateStore, Write},
};
use actors_runtime::{Root, System, Tree};
use store_mvcc::{
    Columns, Expect, GroupId, Key, Op, OpResult, Outcome, Proposal, Revision, Token, Writer,
};
use store_raft::NodeId;
use store_service::{
    Alone, DiskFailure, Disks, Group, Ports, ProposeError, RocksDisks, Store, StoreConfig,
    Transport,
};
use tempfile::TempDir;

pub(crate) const SOON: Duration = Duration::from_secs(20);

static NEXT: AtomicU64 = AtomicU64::new(1);

pub(crate) fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A folder that is deleted at the end.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("starling-store-").tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// What the disks are to do wrong next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The next batch of the state panics.
    PanicInBatch,
    /// The next batch of the state fails.
    FailBatch,
    /// The next sync of the log fails.
    FailSync,
    /// The log has no room until the fault is taken back.
    LogFull,
    /// The state has no room until the fault is taken back.
    StateFull,
    /// Every sync of the log takes this many milliseconds longer until the fault is taken back.
    SlowSync(u64),
    /// Values of the state change a bit on their way from the disk, until the fault is taken back.
    RotInState,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Option<Fault>>>);

impl Faults {
    pub(crate) fn set(&self, fault: Option<Fault>) {
        *self.0.lock().unwrap() = fault;
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }

    fn take(&self, fault: Fault) -> bool {
        self.0.lock().unwrap().take_if(|set| *set == fault).is_some()
    }

    fn holds(&self, fault: Fault) -> bool {
        *self.0.lock().unwrap() == Some(fault)
    }
}

/// Real disks with faults in front of them.
struct BadDisks {
    disks: RocksDisks,
    faults: Faults,
}

impl Disks for BadDisks {
    fn open_log(&self) -> Result<Box<dyn LogStore>, DiskFailure> {
        Ok(Box::new(BadLog { log: self.disks.open_log()?, faults: self.faults.clone() }))
    }

    fn open_state(&self) -> Result<Arc<dyn StateStore>, DiskFailure> {
        Ok(Arc::new(BadState { state: self.disks.open_state()?, faults: self.faults.clone() }))
    }

    fn place(&self) -> String {
        self.disks.place()
    }

    fn spool(&self) -> Result<File, DiskFailure> {
        self.disks.spool()
    }
}

struct BadLog {
    log: Box<dyn LogStore>,
    faults: Faults,
}

impl LogStore for BadLog {
    fn append(&mut self, records: &[LogRecord]) -> Result<(), DiskError> {
        if self.faults.holds(Fault::LogFull) {
            return Err(DiskError::Full("a test".to_owned()));
        }
        self.log.append(records)
    }

    fn set_head(&mut self, head: &[u8]) -> Result<(), DiskError> {
        self.log.set_head(head)
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        if self.faults.take(Fault::FailSync) {
            return Err(DiskError::Other("a test".to_owned()));
        }
        let fault = *self.faults.0.lock().unwrap();
        if let Some(Fault::SlowSync(ms)) = fault {
            // A thread of its own does nothing but this; it is parked, as by a slow disk.
            std::thread::park_timeout(Duration::from_millis(ms));
        }
        self.log.sync()
    }

    fn truncate_below(&mut self, first: u64) -> Result<(), DiskError> {
        self.log.truncate_below(first)
    }

    fn head(&self) -> Result<Option<Vec<u8>>, DiskError> {
        self.log.head()
    }

    fn read_from(&self, first: u64, limit: usize) -> Result<Vec<LogRecord>, DiskError> {
        self.log.read_from(first, limit)
    }
}

struct BadState {
    state: Arc<dyn StateStore>,
    faults: Faults,
}

impl BadState {
    fn check_room(&self) -> Result<(), DiskError> {
        let is_full = self.faults.holds(Fault::StateFull);
        if is_full { Err(DiskError::Full("a test".to_owned())) } else { Ok(()) }
    }
}

impl StateStore for BadState {
    fn batch(&self, writes: Vec<Write>) -> Result<(), DiskError> {
        assert!(!self.faults.take(Fault::PanicInBatch), "a test");
        if self.faults.take(Fault::FailBatch) {
            return Err(DiskError::Other("a test".to_owned()));
        }
        self.check_room()?;
        self.state.batch(writes)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.state.get(key)
    }

    fn range(&self, range: KeyRange<'_>) -> Result<Vec<(Vec<u8>, Vec<u8>)>, DiskError> {
        let mut rows = self.state.range(range)?;
        if self.faults.holds(Fault::RotInState) {
            for (_, value) in rows.iter_mut().filter(|(_, value)| value.len() > 300) {
                // Somewhere in the value of a version: padding that nobody checks.
                let at = value.len() / 2;
                value[at] ^= 1;
            }
        }
        Ok(rows)
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        page: &mut dyn FnMut(Vec<Pair>) -> bool,
    ) -> Result<(), DiskError> {
        self.state.scan(range, page)
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.check_room()?;
        self.state.flush()
    }
}

/// A group that runs.
pub(crate) struct Server {
    pub(crate) store: Store,
    pub(crate) system: System,
    pub(crate) faults: Faults,
    root: Root,
}

pub(crate) fn config(node: u64, voters: u64) -> StoreConfig {
    StoreConfig {
        leader_within: Duration::from_secs(2),
        ..StoreConfig::new(NodeId(node), [5; 16], (1..=voters).map(NodeId).collect())
    }
}

impl Server {
    /// A sole voter, leading.
    pub(crate) async fn start(folder: &Folder) -> Self {
        let server = Self::start_with(folder.path(), config(1, 1), Arc::new(Alone)).await;
        server.lead().await;
        server
    }

    pub(crate) async fn start_with(
        dir: &Path,
        config: StoreConfig,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self::start_faulty((dir, Faults::default()), config, transport).await
    }

    pub(crate) async fn start_faulty(
        (dir, faults): (&Path, Faults),
        config: StoreConfig,
        transport: Arc<dyn Transport>,
    ) -> Self {
        let disks = BadDisks { disks: RocksDisks::new(dir, &config), faults: faults.clone() };
        let system = System::new(Rng::from_number(config.node.0));
        let group = Group::open(config, Ports { disks: Arc::new(disks), transport, opener: None });
        let group = group.unwrap();
        let intensity = Intensity { restarts: 3, period: Duration::from_secs(30) };
        let (spec, child) = group.child();
        let tree = Tree::new("store", intensity, OnLimit::Escalate).child(spec, child);
        let root = system.run(tree).await.unwrap();
        Self { store: group.store(&system), system, faults, root }
    }

    /// Waits until it leads and holds all shards.
    pub(crate) async fn lead(&self) {
        let mut leadership = self.store.leadership();
        let leads = leadership.wait_for(|leadership| leadership.epoch.is_some());
        tokio::time::timeout(SOON, leads).await.expect("nobody leads").unwrap();
    }

    pub(crate) async fn stop(self) {
        let Self { root, .. } = self;
        root.shutdown().await;
    }

    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let item = self.store.snapshot().get(&key(name))?;
        Some(String::from_utf8(item.stored().value.to_vec()).unwrap())
    }
}

pub(crate) fn key(name: &str) -> Key {
    Key::object("", "configmaps", Some("default"), name)
}

pub(crate) fn put(name: &str, value: &str) -> Proposal {
    let columns = Columns { rv_at: 1, ..Columns::default() };
    let value = value.to_owned().into();
    let (expect, lease) = (Expect::Any, None);
    proposal(vec![Op::Put { key: key(name), value, columns, expect, lease }])
}

pub(crate) fn proposal(ops: Vec<Op>) -> Proposal {
    Proposal {
        group: GroupId::MAIN,
        writer: Writer::unplaced("test"),
        token: Token(u128::from(next()).to_be_bytes()),
        feature_level: 1,
        at: Wall(0),
        atomic: false,
        ops,
    }
}

/// The revision of a put that was done.
pub(crate) fn revision(outcome: &Outcome) -> Revision {
    match outcome.results.as_slice() {
        [OpResult::Done { revision, .. }] => *revision,
        other => panic!("not done: {other:?}"),
    }
}

/// Proposes until it is done for certain: what users of the store must do themselves, under one
/// token.
pub(crate) async fn insist(store: &Store, proposal: Proposal) -> Outcome {
    let attempts = async {
        loop {
            match store.propose(proposal.clone()).await {
                Ok(outcome) => return outcome,
                Err(ProposeError::Refused(error)) => panic!("{error}"),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(SOON, attempts).await.expect("it was never done")
}
