//! A simulated log: records by index, and the small record beside them.
//!
//! Way in: [`SimLog`].  Invariant: a crash may leave the first records of an append, never the last
//! without them.

use std::{collections::BTreeMap, sync::Arc};

use actors_core::{
    Rng,
    ports::{DiskError, LogRecord, LogStore},
};

use super::{Disk, File, Image, SimDisk};

#[derive(Debug, Default)]
pub(super) struct LogImage {
    head: Option<Arc<[u8]>>,
    records: BTreeMap<u64, Arc<[u8]>>,
}

#[derive(Debug, Clone)]
pub(super) enum LogOp {
    Append(Vec<(u64, Arc<[u8]>)>),
    Head(Arc<[u8]>),
    TruncateBelow(u64),
}

#[derive(Debug)]
pub(super) enum LogUndo {
    /// From where on there is something else, and what stood there.
    Append(Option<u64>, BTreeMap<u64, Arc<[u8]>>),
    Head(Option<Arc<[u8]>>),
    /// What stood before the first record.
    Truncate(BTreeMap<u64, Arc<[u8]>>),
}

impl Image for LogImage {
    type Op = LogOp;
    type Undo = LogUndo;

    fn apply(&mut self, op: &LogOp) -> LogUndo {
        match op {
            LogOp::Append(records) => {
                let first = records.first().map(|(first, _)| *first);
                // Nearly always what is appended comes behind the last.
                let replaces = |first: &u64| {
                    self.records.last_key_value().is_some_and(|(last, _)| last >= first)
                };
                let replaced = first.filter(replaces).map(|first| self.records.split_off(&first));
                self.records.extend(records.iter().cloned());
                LogUndo::Append(first, replaced.unwrap_or_default())
            }
            LogOp::Head(head) => LogUndo::Head(self.head.replace(Arc::clone(head))),
            LogOp::TruncateBelow(first) => {
                let kept = self.records.split_off(first);
                LogUndo::Truncate(std::mem::replace(&mut self.records, kept))
            }
        }
    }

    fn revert(&mut self, undo: LogUndo) {
        match undo {
            LogUndo::Append(None, _) => {}
            LogUndo::Append(Some(first), mut replaced) => {
                self.records.split_off(&first);
                self.records.append(&mut replaced);
            }
            LogUndo::Head(head) => self.head = head,
            LogUndo::Truncate(mut gone) => self.records.append(&mut gone),
        }
    }

    fn torn(op: &LogOp, rng: &mut Rng) -> Option<LogOp> {
        let LogOp::Append(records) = op else { return None };
        let kept = usize::try_from(rng.below(records.len() as u64)).unwrap_or(0);
        (kept > 0).then(|| LogOp::Append(records[..kept].to_vec()))
    }
}

/// A log on a simulated disk.
#[derive(Debug)]
pub struct SimLog {
    pub(super) disk: SimDisk,
    pub(super) boot: u64,
    pub(super) name: Arc<str>,
}

impl SimLog {
    fn with<T>(&self, work: impl FnOnce(&mut Disk, &Arc<str>) -> T) -> Result<T, DiskError> {
        Ok(work(&mut *self.disk.open(self.boot)?, &self.name))
    }

    fn write(&self, op: LogOp) -> Result<(), DiskError> {
        self.with(|disk, name| {
            disk.check_room()?;
            file(disk, name).write(op);
            Ok(())
        })?
    }
}

/// The file was made when the log was opened, and files are never removed.
fn file<'a>(disk: &'a mut Disk, name: &Arc<str>) -> &'a mut File<LogImage> {
    disk.logs.entry(Arc::clone(name)).or_default()
}

impl LogStore for SimLog {
    fn append(&mut self, records: &[LogRecord]) -> Result<(), DiskError> {
        let copy = |record: &LogRecord| (record.index, record.data.as_slice().into());
        self.write(LogOp::Append(records.iter().map(copy).collect()))
    }

    fn set_head(&mut self, head: &[u8]) -> Result<(), DiskError> {
        self.write(LogOp::Head(head.into()))
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.with(|disk, name| {
            disk.draw_sync_error()?;
            let file = file(disk, name);
            file.sync_to(file.issued);
            Ok(())
        })?
    }

    fn truncate_below(&mut self, first: u64) -> Result<(), DiskError> {
        // Needs no room: it makes some.
        self.with(|disk, name| file(disk, name).write(LogOp::TruncateBelow(first)))
    }

    fn head(&self) -> Result<Option<Vec<u8>>, DiskError> {
        self.with(|disk, name| file(disk, name).image.head.as_deref().map(<[u8]>::to_vec))
    }

    fn read_from(&self, first: u64, limit: usize) -> Result<Vec<LogRecord>, DiskError> {
        self.with(|disk, name| {
            let records = file(disk, name).image.records.range(first..).take(limit);
            let copy = |(index, data): (&u64, &Arc<[u8]>)| LogRecord {
                index: *index,
                data: data.to_vec(),
            };
            records.map(copy).collect()
        })
    }
}
