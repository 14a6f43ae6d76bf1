//! Simulated disks: writes are volatile until they are synced, and a crash keeps a torn prefix of
//! the rest.
//!
//! Way in: [`SimDisk`].  Owns: the files of one node.
//! Invariants: 1. what was synced survives every crash.  2. of the rest, each file keeps a prefix
//! of its own, drawn from the seed: files are not synced in order with each other.  3. a handle
//! from before a crash only fails.

mod log;
mod state;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actors_core::{Rng, ports::DiskError};
use serde::{Deserialize, Serialize};

use self::{log::LogImage, state::StateImage};
pub use self::{log::SimLog, state::SimState};

/// How a disk behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFaults {
    /// The shortest sync.
    pub sync_min: Duration,
    /// The longest sync that does not stall.
    pub sync_max: Duration,
    /// How many of a million syncs stall.
    pub stall_ppm: u32,
    /// How long a stall is.
    pub stall: Duration,
    /// How many of a million syncs fail: nothing more is durable, the node should stop serving.
    pub sync_error_ppm: u32,
    /// Whether writes are refused for want of room.
    pub is_full: bool,
}

impl Default for DiskFaults {
    /// A good disk without faults: 50 to 200 microseconds for a sync.
    fn default() -> Self {
        Self {
            sync_min: Duration::from_micros(50),
            sync_max: Duration::from_micros(200),
            stall_ppm: 0,
            stall: Duration::ZERO,
            sync_error_ppm: 0,
            is_full: false,
        }
    }
}

/// The disk of one node. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    rng: Rng,
    faults: DiskFaults,
    /// Rises with every crash; handles of an older boot fail.
    boot: u64,
    logs: BTreeMap<String, File<LogImage>>,
    states: BTreeMap<String, File<StateImage>>,
}

/// What a file holds, and how a write changes it.
trait Image: Clone + Default {
    type Op: Clone;
    fn apply(&mut self, op: &Self::Op);
    /// What a crash in the middle of this write may leave of it.
    fn torn(op: &Self::Op, rng: &mut Rng) -> Option<Self::Op>;
}

#[derive(Debug)]
struct File<I: Image> {
    durable: I,
    volatile: I,
    pending: VecDeque<I::Op>,
    /// How many writes there were, and how many of them are durable.
    issued: u64,
    synced: u64,
}

/// How far each file of a disk was written at some moment: what a sync that begins then makes
/// durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    logs: BTreeMap<String, u64>,
    states: BTreeMap<String, u64>,
}

impl<I: Image> Default for File<I> {
    fn default() -> Self {
        Self {
            durable: I::default(),
            volatile: I::default(),
            pending: VecDeque::new(),
            issued: 0,
            synced: 0,
        }
    }
}

impl<I: Image> File<I> {
    fn write(&mut self, op: I::Op) {
        self.volatile.apply(&op);
        self.pending.push_back(op);
        self.issued += 1;
    }

    fn sync_to(&mut self, mark: u64) {
        while self.synced < mark {
            let Some(op) = self.pending.pop_front() else { break };
            self.durable.apply(&op);
            self.synced += 1;
        }
    }

    fn crash(&mut self, rng: &mut Rng) {
        let kept = rng.below(self.pending.len() as u64 + 1);
        self.sync_to(self.synced + kept);
        if let Some(torn) = self.pending.front().and_then(|op| I::torn(op, rng)) {
            self.durable.apply(&torn);
        }
        self.pending.clear();
        self.volatile = self.durable.clone();
        self.synced = self.issued;
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        let faults = DiskFaults::default();
        let (logs, states) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(Disk { rng, faults, boot: 0, logs, states })))
    }

    /// Opens a log, empty if it is new.
    #[must_use]
    pub fn log(&self, name: impl Into<String>) -> SimLog {
        let name = name.into();
        let mut disk = self.lock();
        disk.logs.entry(name.clone()).or_default();
        SimLog { disk: self.clone(), boot: disk.boot, name }
    }

    /// Opens an ordered map, empty if it is new.
    #[must_use]
    pub fn state(&self, name: impl Into<String>) -> SimState {
        let name = name.into();
        let mut disk = self.lock();
        disk.states.entry(name.clone()).or_default();
        SimState { disk: self.clone(), boot: disk.boot, name }
    }

    /// Loses what was not synced, but for a prefix of each file; all handles must be opened again.
    pub fn crash(&self) {
        let mut disk = self.lock();
        let disk = &mut *disk;
        disk.boot += 1;
        disk.logs.values_mut().for_each(|file| file.crash(&mut disk.rng));
        disk.states.values_mut().for_each(|file| file.crash(&mut disk.rng));
    }

    /// Changes how the disk behaves from now on.
    pub fn set_faults(&self, faults: DiskFaults) {
        self.lock().faults = faults;
    }

    /// How far everything is written now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let disk = self.lock();
        Mark {
            logs: disk.logs.iter().map(|(name, file)| (name.clone(), file.issued)).collect(),
            states: disk.states.iter().map(|(name, file)| (name.clone(), file.issued)).collect(),
        }
    }

    /// Makes durable what was written before `mark` was taken: the end of a sync that began then.
    ///
    /// # Errors
    /// As often as [`DiskFaults::sync_error_ppm`] says.
    pub fn sync_to(&self, mark: &Mark) -> Result<(), DiskError> {
        let mut disk = self.lock();
        disk.draw_sync_error()?;
        for (name, until) in &mark.logs {
            if let Some(file) = disk.logs.get_mut(name) {
                file.sync_to(*until);
            }
        }
        for (name, until) in &mark.states {
            if let Some(file) = disk.states.get_mut(name) {
                file.sync_to(*until);
            }
        }
        Ok(())
    }

    /// How long a sync that begins now takes; the host lets that much virtual time pass.
    #[must_use]
    pub fn sync_delay(&self) -> Duration {
        let mut disk = self.lock();
        let faults = disk.faults;
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX / 4);
        let plain = disk.rng.between(nanos(faults.sync_min), nanos(faults.sync_max));
        let stalls = faults.stall_ppm > 0 && disk.rng.chance(faults.stall_ppm);
        let stall = if stalls { faults.stall } else { Duration::ZERO };
        stall + Duration::from_nanos(plain)
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk, if this handle was opened since the last crash.
    fn open(&self, boot: u64) -> Result<MutexGuard<'_, Disk>, DiskError> {
        let disk = self.lock();
        if disk.boot == boot {
            Ok(disk)
        } else {
            Err(DiskError::Other("the machine crashed since this was opened".to_owned()))
        }
    }
}

impl Disk {
    fn draw_sync_error(&mut self) -> Result<(), DiskError> {
        let ppm = self.faults.sync_error_ppm;
        if ppm > 0 && self.rng.chance(ppm) {
            return Err(DiskError::Other("the device reported an error".to_owned()));
        }
        Ok(())
    }

    fn check_room(&self) -> Result<(), DiskError> {
        if self.faults.is_full {
            return Err(DiskError::Full("simulated disk".to_owned()));
        }
        Ok(())
    }
}
