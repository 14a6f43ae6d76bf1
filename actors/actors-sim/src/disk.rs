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
    fmt::Debug,
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

/// How often a disk did what disks do to those who trust them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskTally {
    /// Writes that were not synced and that a crash lost.
    pub lost: u64,
    /// Crashes that tore what a sync would have made durable together: they kept the beginning of a
    /// file's writes, or of one append, and lost the rest.
    pub torn: u64,
    /// Syncs that stalled.
    pub stalled: u64,
    /// Syncs that failed.
    pub failed: u64,
    /// Writes that were refused for want of room.
    pub refused: u64,
}

impl DiskTally {
    /// Each count with what a table calls it.
    #[must_use]
    pub fn rows(&self) -> [(&'static str, u64); 5] {
        [
            ("unsynced writes lost", self.lost),
            ("torn batches", self.torn),
            ("stalled syncs", self.stalled),
            ("failed syncs", self.failed),
            ("writes without room", self.refused),
        ]
    }

    /// Adds what another disk did.
    pub fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.torn += other.torn;
        self.stalled += other.stalled;
        self.failed += other.failed;
        self.refused += other.refused;
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
    logs: BTreeMap<Arc<str>, File<LogImage>>,
    states: BTreeMap<Arc<str>, File<StateImage>>,
    tally: DiskTally,
}

/// What a file holds, and how a write changes it.
trait Image: Default {
    type Op;
    /// What a write took away.
    type Undo: Debug;
    fn apply(&mut self, op: &Self::Op) -> Self::Undo;
    /// Takes the last write back.
    fn revert(&mut self, undo: Self::Undo);
    /// What a crash in the middle of this write may leave of it.
    fn torn(op: &Self::Op, rng: &mut Rng) -> Option<Self::Op>;
}

#[derive(Debug)]
struct File<I: Image> {
    /// With all writes.
    image: I,
    /// Those that are not durable, oldest first.
    pending: VecDeque<(I::Op, I::Undo)>,
    /// How many writes there were, and how many of them are durable.
    issued: u64,
    synced: u64,
}

/// How far each file of a disk was written at some moment: what a sync that begins then makes
/// durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    logs: BTreeMap<Arc<str>, u64>,
    states: BTreeMap<Arc<str>, u64>,
}

impl<I: Image> Default for File<I> {
    fn default() -> Self {
        Self { image: I::default(), pending: VecDeque::new(), issued: 0, synced: 0 }
    }
}

impl<I: Image> File<I> {
    fn write(&mut self, op: I::Op) {
        let undo = self.image.apply(&op);
        self.pending.push_back((op, undo));
        self.issued += 1;
    }

    fn sync_to(&mut self, mark: u64) {
        while self.synced < mark && self.pending.pop_front().is_some() {
            self.synced += 1;
        }
    }

    fn crash(&mut self, rng: &mut Rng, tally: &mut DiskTally) {
        let kept = rng.below(self.pending.len() as u64 + 1);
        self.sync_to(self.synced + kept);
        let lost = self.pending.len() as u64;
        let torn = self.pending.front().and_then(|(op, _)| I::torn(op, rng));
        while let Some((_, undo)) = self.pending.pop_back() {
            self.image.revert(undo);
        }
        tally.lost += lost;
        tally.torn += u64::from(lost > 0 && (kept > 0 || torn.is_some()));
        if let Some(torn) = torn {
            self.image.apply(&torn);
        }
        self.synced = self.issued;
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        let faults = DiskFaults::default();
        let (logs, states) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(Disk {
            rng,
            faults,
            boot: 0,
            logs,
            states,
            tally: DiskTally::default(),
        })))
    }

    /// Opens a log, empty if it is new.
    #[must_use]
    pub fn log(&self, name: impl Into<Arc<str>>) -> SimLog {
        let name: Arc<str> = name.into();
        let mut disk = self.lock();
        disk.logs.entry(Arc::clone(&name)).or_default();
        SimLog { disk: self.clone(), boot: disk.boot, name }
    }

    /// Opens an ordered map, empty if it is new.
    #[must_use]
    pub fn state(&self, name: impl Into<Arc<str>>) -> SimState {
        let name: Arc<str> = name.into();
        let mut disk = self.lock();
        disk.states.entry(Arc::clone(&name)).or_default();
        SimState { disk: self.clone(), boot: disk.boot, name }
    }

    /// Loses what was not synced, but for a prefix of each file; all handles must be opened again.
    pub fn crash(&self) {
        let mut disk = self.lock();
        let disk = &mut *disk;
        disk.boot += 1;
        let (rng, tally) = (&mut disk.rng, &mut disk.tally);
        disk.logs.values_mut().for_each(|file| file.crash(rng, tally));
        disk.states.values_mut().for_each(|file| file.crash(rng, tally));
    }

    /// What it did so far.
    #[must_use]
    pub fn tally(&self) -> DiskTally {
        self.lock().tally
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
            logs: disk.logs.iter().map(|(name, file)| (Arc::clone(name), file.issued)).collect(),
            states: disk
                .states
                .iter()
                .map(|(name, file)| (Arc::clone(name), file.issued))
                .collect(),
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
        disk.tally.stalled += u64::from(stalls);
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
            self.tally.failed += 1;
            return Err(DiskError::Other("the device reported an error".to_owned()));
        }
        Ok(())
    }

    fn check_room(&mut self) -> Result<(), DiskError> {
        if self.faults.is_full {
            self.tally.refused += 1;
            return Err(DiskError::Full("simulated disk".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
