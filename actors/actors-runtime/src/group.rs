//! Groups under one name, and words to all who belong to them: publish and subscribe.
//!
//! Way in: `System::group`, `Inbox::join`, `KeyInbox::join`, [`Group::subscribe`].  Owns: who belongs
//! to which group.
//! Invariants: 1. whose life ends has left.  2. who publishes never waits: a full mailbox sheds or
//! refuses, and is counted.  3. there are no more groups, and members of one, than are allowed.
//! Time and order: what one sender publishes arrives at each member in that order.
//! Spec: Erlang's `pg`, with bounds.

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    fmt::{self, Debug},
    sync::{Arc, Mutex, Weak},
};

use tokio::sync::Notify;

use crate::{
    driver::Inbox,
    mailbox::Refusal,
    monitor::{Subject, Watchers, Watching},
    slab::KeyInbox,
    system::System,
    task::lock,
};

/// Why somebody does not belong to a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Other words are published there: a mistake in the program.
    #[error("group {0}: words of another type are published there")]
    WrongType(String),
    /// There are as many groups as a system may have.
    #[error("group {name}: there are {max} groups already, and no more are allowed")]
    TooMany {
        /// The one that is refused.
        name: String,
        /// The bound.
        max: usize,
    },
    /// It has as many members as a group may have.
    #[error("group {name}: {max} belong to it already, and no more are allowed")]
    Full {
        /// The group.
        name: String,
        /// The bound.
        max: usize,
    },
    /// The life that is to belong to it is over, or too many watch it.
    #[error("{0}: it has ended, or too many watch it")]
    Ended(String),
}

/// What became of one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    /// How many members took it.
    pub told: usize,
    /// How many had no room for it, or were just ending.
    pub refused: usize,
}

/// A group of one system, for all who know its name and the type of its words.
pub struct Group<E>(Arc<Members<E>>);

impl<E> Clone for Group<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.0.name)
    }
}

/// Belongs to a group until it is dropped, or its life ends.
pub struct Membership {
    group: Arc<dyn Leave>,
    number: u64,
    /// Of the life that belongs to it.
    _watching: Option<Watching>,
}

impl Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Membership({})", self.number)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.leave(self.number);
    }
}

/// What is published while nobody who could be told by a message listens: a bounded row, which loses
/// its oldest word for a new one.
#[derive(Debug)]
pub struct Subscription<E> {
    row: Arc<Row<E>>,
    _membership: Membership,
}

impl<E> Subscription<E> {
    /// The next word.
    pub async fn next(&mut self) -> E {
        loop {
            if let Some(word) = lock(&self.row.words).0.pop_front() {
                return word;
            }
            // Whoever pushes leaves a permit, if nobody waits yet.
            self.row.told.notified().await;
        }
    }

    /// How many words were lost, because there was no room for them.
    #[must_use]
    pub fn missed(&self) -> u64 {
        lock(&self.row.words).1
    }
}

#[derive(Debug)]
struct Row<E> {
    /// The words that wait, and how many were lost.
    words: Mutex<(VecDeque<E>, u64)>,
    told: Notify,
    len_max: usize,
}

impl<E> Row<E> {
    fn push(&self, word: E) {
        let mut words = lock(&self.words);
        if words.0.len() >= self.len_max {
            words.0.pop_front();
            words.1 += 1;
        }
        words.0.push_back(word);
        drop(words);
        self.told.notify_one();
    }
}

type Deliver<E> = Arc<dyn Fn(E) -> Result<(), Refusal> + Send + Sync>;

struct Members<E> {
    name: String,
    state: Mutex<State<E>>,
}

struct State<E> {
    next: u64,
    members: BTreeMap<u64, (String, Deliver<E>)>,
}

trait Leave: Send + Sync {
    fn leave(&self, number: u64);
}

impl<E: Send + 'static> Leave for Members<E> {
    fn leave(&self, number: u64) {
        // Dropped outside the lock: it may hold anything.
        let gone = lock(&self.state).members.remove(&number);
        drop(gone);
    }
}

/// All groups of a system. Who has none of its handles and members is forgotten.
#[derive(Default)]
pub(crate) struct Groups(Mutex<BTreeMap<String, Weak<dyn Any + Send + Sync>>>);

impl Groups {
    /// Most groups of one system.
    const LEN_MAX: usize = 65_536;

    fn find<E: Send + 'static>(&self, name: &str) -> Result<Arc<Members<E>>, GroupError> {
        let mut groups = lock(&self.0);
        if let Some(known) = groups.get(name).and_then(Weak::upgrade) {
            return known.downcast().map_err(|_| GroupError::WrongType(name.to_owned()));
        }
        if groups.len() >= Self::LEN_MAX {
            groups.retain(|_, group| group.strong_count() > 0);
        }
        if groups.len() >= Self::LEN_MAX {
            return Err(GroupError::TooMany { name: name.to_owned(), max: Self::LEN_MAX });
        }
        let state = State { next: 0, members: BTreeMap::new() };
        let members = Arc::new(Members { name: name.to_owned(), state: Mutex::new(state) });
        let known: Arc<dyn Any + Send + Sync> = Arc::<Members<E>>::clone(&members);
        groups.insert(name.to_owned(), Arc::downgrade(&known));
        Ok(members)
    }
}

impl System {
    /// The group of this name, which begins with whoever asks first.
    ///
    /// # Errors
    /// [`GroupError::WrongType`]; [`GroupError::TooMany`]: 65,536 are in use.
    pub fn group<E: Clone + Send + 'static>(&self, name: &str) -> Result<Group<E>, GroupError> {
        self.groups().find(name).map(Group)
    }
}

impl<E: Clone + Send + 'static> Group<E> {
    /// Most that may belong to one group.
    pub const LEN_MAX: usize = 65_536;

    /// Tells all who belong to it now, and waits for none: a full mailbox sheds its oldest message or
    /// refuses, as its policy says; one whose senders wait refuses.
    pub fn publish(&self, word: E) -> Published {
        // Copied, so that whoever is told may join and leave.
        let members: Vec<_> = {
            let state = lock(&self.0.state);
            state.members.values().map(|(_, deliver)| Arc::clone(deliver)).collect()
        };
        let mut published = Published::default();
        for deliver in members {
            match deliver(word.clone()) {
                Ok(()) => published.told += 1,
                Err(_) => published.refused += 1,
            }
        }
        published
    }

    /// The paths of those who belong to it now, in the order in which they joined; subscriptions are
    /// of nobody and have none.
    #[must_use]
    pub fn members(&self) -> Vec<String> {
        let state = lock(&self.0.state);
        let paths = state.members.values().map(|(path, _)| path);
        paths.filter(|path| !path.is_empty()).cloned().collect()
    }

    /// Keeps at most `len_max` words for whoever reads them; at least one.
    ///
    /// # Errors
    /// [`GroupError::Full`].
    pub fn subscribe(&self, len_max: usize) -> Result<Subscription<E>, GroupError> {
        let (words, told) = (Mutex::new((VecDeque::new(), 0)), Notify::new());
        let row = Arc::new(Row { words, told, len_max: len_max.max(1) });
        let pushed = Arc::clone(&row);
        let deliver = move |word| {
            pushed.push(word);
            Ok(())
        };
        let number = self.add(String::new(), Arc::new(deliver))?;
        let group: Arc<dyn Leave> = Arc::<Members<E>>::clone(&self.0);
        Ok(Subscription { row, _membership: Membership { group, number, _watching: None } })
    }

    fn add(&self, path: String, deliver: Deliver<E>) -> Result<u64, GroupError> {
        let mut state = lock(&self.0.state);
        if state.members.len() >= Self::LEN_MAX {
            return Err(GroupError::Full { name: self.0.name.clone(), max: Self::LEN_MAX });
        }
        state.next += 1;
        let number = state.next;
        state.members.insert(number, (path, deliver));
        Ok(number)
    }

    /// Whose life ends has left.
    fn join(
        &self,
        path: &str,
        (watchers, subject): (Arc<Watchers>, Subject),
        deliver: Deliver<E>,
    ) -> Result<Membership, GroupError> {
        let number = self.add(path.to_owned(), deliver)?;
        let group: Arc<dyn Leave> = Arc::<Members<E>>::clone(&self.0);
        let left = Arc::downgrade(&self.0);
        let leave = move |_| {
            if let Some(group) = left.upgrade() {
                group.leave(number);
            }
        };
        let ended = || GroupError::Ended(path.to_owned());
        let waits = watchers.add(Box::new(leave)).ok().flatten();
        let watching = waits.map(|waits| Watching::new(&watchers, waits, subject));
        let is_in = watching.is_some();
        let membership = Membership { group, number, _watching: watching };
        is_in.then_some(membership).ok_or_else(ended)
    }
}

impl<E: Send + 'static> Inbox<E> {
    /// Belongs to `group` until this life ends or the result is dropped: what `wrap` makes of each word
    /// comes as a message of others, within the bound of the mailbox.
    ///
    /// # Errors
    /// [`GroupError::Full`], [`GroupError::Ended`].
    pub fn join<W: Clone + Send + 'static>(
        &self,
        group: &Group<W>,
        wrap: impl Fn(W) -> E + Send + Sync + 'static,
    ) -> Result<Membership, GroupError> {
        let mailbox = Arc::downgrade(&self.mailbox);
        let deliver = move |word| {
            let mailbox = mailbox.upgrade().ok_or(Refusal::Ended)?;
            mailbox.try_tell(wrap(word)).map_err(|error| error.refusal)
        };
        group.join(self.path(), self.life.subject(), Arc::new(deliver))
    }
}

impl<E: Debug + Send + 'static> KeyInbox<E> {
    /// Belongs to `group` until this life of the key ends or the result is dropped. It stays known
    /// while it rests, and each word wakes it.
    ///
    /// # Errors
    /// [`GroupError::Full`], [`GroupError::Ended`].
    pub fn join<W: Clone + Send + 'static>(
        &self,
        group: &Group<W>,
        wrap: impl Fn(W) -> E + Send + Sync + 'static,
    ) -> Result<Membership, GroupError> {
        let path = self.path();
        let subject = self.subject().ok_or_else(|| GroupError::Ended(path.clone()))?;
        let inbox = self.clone();
        let deliver = move |word| inbox.try_tell(wrap(word));
        group.join(&path, subject, Arc::new(deliver))
    }
}
