//! Everything that is resident, as it was at one revision.
//!
//! Way in: [`Snapshot::get`], [`Snapshot::list`].  Invariant: it never changes, and a clone is a
//! few counters.

use std::{borrow::Borrow, cmp::Ordering, ops::Bound, sync::Arc};

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use store_mvcc::{Key, Residents, Revision, Stored};

use crate::Item;

/// An immutable view of all objects at one revision.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) revision: Revision,
    pub(crate) compacted: Revision,
    pub(crate) level: u16,
    by_key: RedBlackTreeSetSync<ByKey>,
    by_uid: RedBlackTreeSetSync<ByUid>,
    /// Per owner's uid, what it owns.
    by_owner: Sets,
    /// Per mark, what has it.
    by_mark: Sets,
}

/// An item in the order of keys.
#[derive(Debug, Clone)]
struct ByKey(Arc<Item>);

/// An item by its uid, in an order that is found without a look at the items: first by a hash.
#[derive(Debug, Clone)]
struct ByUid(u64, Arc<Item>);

/// What an item is looked up with by its uid.
trait Uid {
    /// The hash, and the uid itself.
    fn parts(&self) -> (u64, &str);
}

/// FNV-1a; uids are random, and an order that is bad for some is still an order.
fn hash(uid: &str) -> u64 {
    let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    uid.bytes().fold(0xcbf2_9ce4_8422_2325, add)
}

impl Uid for ByUid {
    fn parts(&self) -> (u64, &str) {
        (self.0, self.1.uid())
    }
}

impl Uid for (u64, &str) {
    fn parts(&self) -> (u64, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Uid + 'a> for ByUid {
    fn borrow(&self) -> &(dyn Uid + 'a) {
        self
    }
}

impl Ord for dyn Uid + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().0.cmp(&other.parts().0).then_with(|| self.parts().1.cmp(other.parts().1))
    }
}

impl PartialOrd for dyn Uid + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Uid + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for dyn Uid + '_ {}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            revision: Revision::default(),
            compacted: Revision::default(),
            level: 1,
            by_key: RedBlackTreeSetSync::new_sync(),
            by_uid: RedBlackTreeSetSync::new_sync(),
            by_owner: RedBlackTreeMapSync::new_sync(),
            by_mark: RedBlackTreeMapSync::new_sync(),
        }
    }
}

impl Snapshot {
    /// The revision that this is the state at.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The oldest revision that a watch can resume from.
    #[must_use]
    pub fn compacted(&self) -> Revision {
        self.compacted
    }

    /// The feature level that all replicas agreed on by then.
    #[must_use]
    pub fn level(&self) -> u16 {
        self.level
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.size()
    }

    /// Whether there is no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The object at a key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<Item>> {
        self.by_key.get(key).map(|found| Arc::clone(&found.0))
    }

    /// The object with a uid.
    #[must_use]
    pub fn by_uid(&self, uid: &str) -> Option<Arc<Item>> {
        let found = self.by_uid.get(&(hash(uid), uid) as &dyn Uid);
        found.map(|found| Arc::clone(&found.1))
    }

    /// The objects that name `uid` as an owner, by key.
    pub fn by_owner<'a>(&'a self, uid: &str) -> impl Iterator<Item = &'a Arc<Item>> + use<'a> {
        self.by_owner.get(uid).into_iter().flat_map(RedBlackTreeSetSync::iter).map(|found| &found.0)
    }

    /// The objects that have a mark, by key. See [`crate::Opener::marks`].
    pub fn by_mark<'a>(&'a self, mark: &str) -> impl Iterator<Item = &'a Arc<Item>> + use<'a> {
        self.by_mark.get(mark).into_iter().flat_map(RedBlackTreeSetSync::iter).map(|found| &found.0)
    }

    /// The objects whose keys begin with `prefix`, behind `after` if there is one, by key, at most
    /// `limit`.
    pub fn list<'a>(
        &'a self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> impl Iterator<Item = &'a Arc<Item>> + use<'a> {
        let start =
            after.filter(|after| *after >= prefix).map_or(Bound::Included(prefix), Bound::Excluded);
        let end = prefix.prefix_end();
        // The key comes from a client: one from behind the prefix is the end of the list, not a
        // mistake of ours.
        let behind = matches!((start, &end), (Bound::Excluded(after), Some(end)) if after >= end);
        let bounds = (start.cloned(), end.map_or(Bound::Unbounded, Bound::Excluded));
        let found = (!behind).then(|| self.by_key.range::<Key, _>(bounds));
        found.into_iter().flatten().map(|found| &found.0).take(limit)
    }

    /// Puts an item at its key, in place of the version before.
    pub(crate) fn insert(&mut self, item: &Arc<Item>) {
        let takes_place = |before: Arc<Item>| {
            before.uid() == item.uid()
                && before.stored().columns.owners == item.stored().columns.owners
        };
        // What is found by the same as before is not taken out of every order to be put in again.
        if !self.get(item.key()).is_some_and(takes_place) {
            self.remove(item.key());
        }
        self.by_key.insert_mut(ByKey(Arc::clone(item)));
        if !item.uid().is_empty() {
            self.by_uid.insert_mut(ByUid(hash(item.uid()), Arc::clone(item)));
        }
        for owner in &item.stored().columns.owners {
            enter(&mut self.by_owner, owner, item);
        }
    }

    /// Finds an item by these marks from now on.
    pub(crate) fn mark(&mut self, item: &Arc<Item>, marks: &[String]) {
        marks.iter().for_each(|mark| enter(&mut self.by_mark, mark, item));
    }

    /// Finds an item by these marks no longer.
    pub(crate) fn unmark(&mut self, key: &Key, marks: &[String]) {
        marks.iter().for_each(|mark| leave(&mut self.by_mark, mark, key));
    }

    /// Takes an item out of everything.
    pub(crate) fn remove(&mut self, key: &Key) {
        let Some(item) = self.get(key) else { return };
        self.by_key.remove_mut(key);
        // Two keys with one uid are a bug elsewhere; the index then keeps the one that was written
        // last.
        if self.by_uid(item.uid()).is_some_and(|found| found.key() == key) {
            self.by_uid.remove_mut(&(hash(item.uid()), item.uid()) as &dyn Uid);
        }
        for owner in &item.stored().columns.owners {
            leave(&mut self.by_owner, owner, key);
        }
    }
}

/// Sets of items, each under a name.
type Sets = RedBlackTreeMapSync<String, RedBlackTreeSetSync<ByKey>>;

fn enter(sets: &mut Sets, name: &str, item: &Arc<Item>) {
    let mut set = sets.get(name).cloned().unwrap_or_else(RedBlackTreeSetSync::new_sync);
    set.insert_mut(ByKey(Arc::clone(item)));
    sets.insert_mut(name.to_owned(), set);
}

fn leave(sets: &mut Sets, name: &str, key: &Key) {
    let Some(mut set) = sets.get(name).cloned() else { return };
    set.remove_mut(key);
    if set.is_empty() {
        sets.remove_mut(name);
    } else {
        sets.insert_mut(name.to_owned(), set);
    }
}

impl Residents for Snapshot {
    fn newest(&self, key: &Key) -> Option<Arc<Stored>> {
        self.by_key.get(key).map(|found| Arc::clone(found.0.stored()))
    }
}

impl Borrow<Key> for ByKey {
    fn borrow(&self) -> &Key {
        self.0.key()
    }
}

impl Ord for ByKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key().cmp(other.0.key())
    }
}

impl Ord for ByUid {
    fn cmp(&self, other: &Self) -> Ordering {
        let (own, others): (&dyn Uid, &dyn Uid) = (self, other);
        own.cmp(others)
    }
}

impl PartialOrd for ByKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialOrd for ByUid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl PartialEq for ByUid {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ByKey {}

impl Eq for ByUid {}
