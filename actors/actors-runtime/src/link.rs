//! Links: two lives, of actors or of keys, of which a failure of one ends the other.
//!
//! Way in: `Inbox::link`, `KeyInbox::link`.  Owns: what ties two lives.
//! Invariants: 1. a link acts once.  2. what a clean end parts leaves nothing behind with the other one.
//! Spec: Erlang's `link/1` and `unlink/1`; with what does not run there is no link, as `noproc`.

use std::sync::{Arc, Mutex, Weak};

use actors_core::ExitReason;

use crate::{
    driver::Inbox,
    monitor::{Down, Subject, Watchers, Watching},
    slab::KeyInbox,
    system::{OrderError, System},
    task::lock,
};

/// Two lives that are tied. Dropping it leaves them tied: see [`Link::part`].
#[derive(Debug)]
pub struct Link(Arc<Tie>);

/// What both lives know.
#[derive(Debug)]
struct Tie {
    sides: [(Weak<Watchers>, Subject); 2],
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// One of them has ended, or they were parted.
    is_over: bool,
    /// What waits for the end of each.
    waiting: [Option<Watching>; 2],
}

impl Link {
    /// Parts them: neither end means anything to the other one from now on.
    pub fn part(self) {
        drop(self.0.end());
    }

    /// Ties two lives, of which each has a path.
    fn between(
        [one, other]: [(Arc<Watchers>, Subject); 2],
        paths: [&str; 2],
    ) -> Result<Self, OrderError> {
        let known = |(watchers, subject): &(Arc<Watchers>, Subject)| {
            (Arc::downgrade(watchers), subject.clone())
        };
        let sides = [known(&one), known(&other)];
        let tie = Arc::new(Tie { sides, state: Mutex::default() });
        if Arc::ptr_eq(&one.0, &other.0) {
            // Whoever fails takes itself along.
            return Ok(Self(tie));
        }
        for (side, (watchers, subject)) in [one, other].into_iter().enumerate() {
            let told = Arc::clone(&tie);
            match watchers.add(Box::new(move |down| told.ended(side, &down))) {
                Ok(Some(number)) => tie.wait(side, Watching::new(&watchers, number, subject)),
                Ok(None) => {}
                Err(_) => {
                    drop(tie.end());
                    return Err(OrderError::TooMany(paths[side].to_owned()));
                }
            }
        }
        Ok(Self(tie))
    }
}

impl Tie {
    /// Remembers what waits; takes it back if it is over already.
    fn wait(&self, side: usize, watching: Watching) {
        let mut state = lock(&self.state);
        // Dropped outside the lock, whichever it is.
        let _gone = match state.is_over {
            true => Some(watching),
            false => state.waiting[side].replace(watching),
        };
        drop(state);
    }

    /// From now on it does nothing; with what waited for its sides. `None` if it was over already.
    fn end(&self) -> Option<[Option<Watching>; 2]> {
        let mut state = lock(&self.state);
        let was_over = std::mem::replace(&mut state.is_over, true);
        (!was_over).then(|| std::mem::take(&mut state.waiting))
    }

    /// One of them has ended: takes the other one along if that was a failure.
    fn ended(&self, side: usize, down: &Down) {
        let Some(waiting) = self.end() else { return };
        if down.reason.is_clean() {
            return drop(waiting);
        }
        let why = format!("{}, to which it was linked, {}", down.path, down.reason);
        let reason = ExitReason::Lost(why);
        let (watchers, subject) = &self.sides[1 - side];
        match (subject, watchers.upgrade()) {
            (Subject::Actor(life), _) => {
                if let Some(life) = life.upgrade() {
                    life.fail(reason);
                }
            }
            (Subject::Key(slab, key), Some(watchers)) => {
                if let Some(slab) = slab.upgrade() {
                    slab.fail_key(key, &watchers, reason);
                }
            }
            (Subject::Key(..), None) => {}
        }
        // What waits for the other one's end keeps its key known until that comes.
        waiting.into_iter().flatten().for_each(Watching::leave);
    }
}

impl<E: Send + 'static> Inbox<E> {
    /// Ties this life to the one that is current at `path` now, of an actor or of one key of a slab:
    /// when one of them ends by a failure, the other one is ended too, as lost. Clean ends part them,
    /// and so does [`Link::part`]. A key that is tied stays known while it rests.
    ///
    /// # Errors
    /// [`OrderError::TooMany`]; [`OrderError::NotFound`] if nothing runs there.
    pub fn link(&self, system: &System, path: &str) -> Result<Link, OrderError> {
        let other = system.subject_at(path).ok_or_else(|| OrderError::NotFound(path.to_owned()))?;
        Link::between([self.life.subject(), other], [self.path(), path])
    }
}

impl<E: std::fmt::Debug + Send + 'static> KeyInbox<E> {
    /// Ties this life of the key to the one that is current at `path` now, as [`Inbox::link`] does.
    ///
    /// # Errors
    /// [`OrderError::TooMany`]; [`OrderError::NotFound`] if nothing runs there, or this life is over.
    pub fn link(&self, system: &System, path: &str) -> Result<Link, OrderError> {
        let missing = |path: &str| OrderError::NotFound(path.to_owned());
        let own = self.path();
        let other = system.subject_at(path).ok_or_else(|| missing(path))?;
        let one = self.subject().ok_or_else(|| missing(&own))?;
        Link::between([one, other], [&own, path])
    }
}
