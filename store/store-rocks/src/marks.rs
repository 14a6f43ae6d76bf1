//! A small file that knows how far each group's log was synced.
//!
//! Way in: [`Marks::raise`] after a sync, [`Marks::lower`] before records are replaced,
//! [`Marks::get`] at a start.
//!
//! RocksDB opens a log whose end is damaged as one that is shorter. A voter that forgot what it
//! acknowledged can elect a leader without it; so a log that is shorter than its mark must not be
//! used.
//! Invariant: a mark is never above what was synced. That is why raising it needs no sync of its
//! own (a mark that is too low misses some damage), and lowering it does (a mark that is too high
//! would cry wolf).

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

/// The highest record of a group that was synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Its index.
    pub(crate) index: u64,
    /// The [`fingerprint`] of its bytes; 0 if they are not known.
    pub(crate) fingerprint: u64,
}

/// The marks of all groups of a log database.
#[derive(Debug)]
pub(crate) struct Marks {
    file: File,
    /// Where each group's mark is in the file, and what it says.
    slots: BTreeMap<u16, (u64, Mark)>,
    /// Slots in the file.
    len: u64,
}

/// Bytes of a slot: a group, an index, a fingerprint, a checksum; 8 each. It never crosses a disk's
/// sector.
const SLOT_LEN: usize = 32;

impl Marks {
    /// Reads the file, or begins it. A slot that was torn by a power failure is passed over.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut slots = BTreeMap::new();
        for (position, slot) in (0_u64..).zip(bytes.chunks_exact(SLOT_LEN)) {
            match decode(slot) {
                Some((group, mark)) => {
                    slots.insert(group, (position, mark));
                }
                None => {
                    tracing::warn!(path = %path.display(), position, "a torn mark is passed over")
                }
            }
        }
        Ok(Self { file, slots, len: (bytes.len() / SLOT_LEN) as u64 })
    }

    /// How far a group's log was synced at least.
    pub(crate) fn get(&self, group: u16) -> Option<Mark> {
        self.slots.get(&group).map(|(_, mark)| *mark)
    }

    /// Notes that everything up to `mark` was synced.
    pub(crate) fn raise(&mut self, group: u16, mark: Mark) -> io::Result<()> {
        let known = self.slots.get(&group).copied();
        if known.is_some_and(|(_, known)| known == mark) {
            return Ok(());
        }
        let position = known.map_or(self.len, |(position, _)| position);
        self.file.write_all_at(&encode(group, mark), position * SLOT_LEN as u64)?;
        self.len = self.len.max(position + 1);
        self.slots.insert(group, (position, mark));
        Ok(())
    }

    /// Notes, durably, that records behind `index` are about to be replaced.
    pub(crate) fn lower(&mut self, group: u16, index: u64) -> io::Result<()> {
        if self.get(group).is_some_and(|mark| mark.index > index) {
            self.raise(group, Mark { index, fingerprint: 0 })?;
            self.file.sync_data()?;
        }
        Ok(())
    }
}

fn encode(group: u16, mark: Mark) -> [u8; SLOT_LEN] {
    let mut slot = [0; SLOT_LEN];
    let words = [u64::from(group), mark.index, mark.fingerprint];
    for (part, word) in slot.chunks_exact_mut(8).zip(words) {
        part.copy_from_slice(&word.to_be_bytes());
    }
    let (body, check) = slot.split_at_mut(SLOT_LEN - 8);
    check.copy_from_slice(&fingerprint(body).to_be_bytes());
    slot
}

fn decode(slot: &[u8]) -> Option<(u16, Mark)> {
    let (body, check) = slot.split_at_checked(SLOT_LEN - 8)?;
    let word = |at: usize| body.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    let sound = check == fingerprint(body).to_be_bytes();
    let mark = Mark { index: word(8)?, fingerprint: word(16)? };
    Some((u16::try_from(word(0)?).ok()?, mark)).filter(|_| sound)
}

/// FNV-1a, 64 bits: tells damage from soundness; no defence against malice, and none is needed
/// here.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash =
        bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    hash.max(1)
}
