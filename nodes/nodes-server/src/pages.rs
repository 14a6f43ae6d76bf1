//! Snapshots that the pages of lists still need, and what is read of the past for others.
//!
//! Way in: [`Pages::keep`], [`Pages::find`], [`read_past`].
//! Bounds: [`Pages::WHOLE_MAX`] snapshots that share all they can with the present, [`Pages::READ_MAX`] that were
//! read from the disk, each for [`Pages::KEPT_FOR`].

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actors_core::{Mono, Now};
use nodes_door::Door;
use store_catalog::Snapshot;
use store_mvcc::{Key, Revision};
use store_service::Store;

/// Which snapshot: its revision, and of which prefix it is, if it was read from the disk.
type Place = (Revision, Option<Key>);

/// The kept snapshots.
#[derive(Default)]
pub(crate) struct Pages(Mutex<BTreeMap<Place, (Mono, Snapshot)>>);

impl Pages {
    /// How long a list's snapshot is kept for its next pages.
    const KEPT_FOR: Duration = Duration::from_secs(300);

    /// Most snapshots of everything.
    const WHOLE_MAX: usize = 64;

    /// Most snapshots that were read from the disk: they share nothing.
    const READ_MAX: usize = 4;

    /// What was below a prefix at a revision, if that is kept.
    pub(crate) fn find(&self, revision: Revision, prefix: &Key) -> Option<(Snapshot, bool)> {
        let pages = self.locked();
        let whole = pages.get(&(revision, None)).map(|(_, snapshot)| (snapshot.clone(), false));
        whole.or_else(|| {
            let read = pages.get(&(revision, Some(prefix.clone())));
            read.map(|(_, snapshot)| (snapshot.clone(), true))
        })
    }

    /// Keeps a snapshot; `read_of` is the prefix if it was read from the disk.
    pub(crate) fn keep(&self, snapshot: Snapshot, read_of: Option<Key>, now: Now) {
        let mut pages = self.locked();
        pages.retain(|_, (kept, _)| now.mono.since(*kept) < Self::KEPT_FOR);
        let is_read = read_of.is_some();
        let max = if is_read { Self::READ_MAX } else { Self::WHOLE_MAX };
        let alike = |place: &&Place| place.1.is_some() == is_read;
        while pages.keys().filter(alike).count() >= max {
            let Some(oldest) = pages.keys().find(alike).cloned() else { break };
            pages.remove(&oldest);
        }
        pages.insert((snapshot.revision(), read_of), (now.mono, snapshot));
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Place, (Mono, Snapshot)>> {
        // All changes are single calls; a panic between them leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the history on disk says was below a prefix; `None` if it is not kept any more or cannot be read: the door
/// then says that the revision has expired.
pub(crate) async fn read_past(
    (store, door): (&Store, &Door),
    revision: Revision,
    prefix: Key,
) -> Option<Snapshot> {
    let (reader, opener) = (store.reader()?, door.opener());
    let read = move || Snapshot::read_past(&reader, &prefix, revision, opener.as_ref());
    tokio::task::spawn_blocking(read).await.ok()?.ok()
}
