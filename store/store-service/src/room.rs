//! Waits for room on a full disk, so that nothing that works is ended by it.
//!
//! Way in: [`with_room`].  Never: an end of what is in memory; readers go on.

use std::{error::Error, time::Duration};

use actors_core::ports::DiskError;
use store_mvcc::ApplyError;

use crate::{DiskFailure, queue::Queue, shared::Shared};

/// How long a full disk is left alone before it is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// What a disk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Log,
    State,
}

/// Errors that may mean that a disk is full.
pub(crate) trait Full {
    fn is_full(&self) -> bool;
}

impl Full for DiskError {
    fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl Full for ApplyError {
    fn is_full(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_full())
    }
}

impl Full for DiskFailure {
    fn is_full(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(self.as_ref());
        while let Some(error) = cause {
            if error.downcast_ref().is_some_and(DiskError::is_full) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// Does something, again and again while the disk is full, until the thread of `queue` should end.
///
/// # Errors
/// Those of `work`; that the disk is full only if the thread should end.
pub(crate) fn with_room<T, R, E: Full>(
    (shared, part): (&Shared, Part),
    queue: &Queue<T>,
    mut work: impl FnMut() -> Result<R, E>,
) -> Result<R, E> {
    loop {
        let done = work();
        let full = done.as_ref().is_err_and(Full::is_full);
        if full || done.is_ok() {
            shared.set_full(part, full);
        }
        if !full || queue.wait_for_end(PAUSE) {
            return done;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open")]
    struct Opening(#[source] DiskError);

    #[test]
    fn a_full_disk_is_known_behind_other_words() {
        let check = |failure: DiskFailure, expected| assert_eq!(failure.is_full(), expected);
        check(Box::new(DiskError::Full(String::new())), true);
        check(Box::new(Opening(DiskError::Full(String::new()))), true);
        check(Box::new(Opening(DiskError::Other(String::new()))), false);
        check("full".into(), false);
    }
}
