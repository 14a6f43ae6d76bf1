//! The one shape of everything that decides: events in, effects out.
//!
//! Way in: [`Machine::handle`].  Never: `.await`, a channel, or a handle inside an event or an effect.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Now, Rng};

/// A state machine with no memory but its fields and no senses but its arguments.
///
/// The same state, turn and event always give the same state and effects: a run can be hashed, recorded,
/// replayed, or moved to another machine. A host delivers events one at a time and submits the effects; the end
/// of an effect comes back as an event (`Persisted`, `Failed`), never as a return value.
pub trait Machine {
    /// What can happen to it: a closed enum of plain data.
    type Event: Clone + std::fmt::Debug + Serialize + DeserializeOwned;
    /// What it wants done: a closed enum of plain data.
    type Effect: Clone + std::fmt::Debug + Serialize + DeserializeOwned;
    /// What it may read besides its own state: an immutable snapshot of the local replica, or `()`.
    type View: ?Sized;

    /// Takes one event, changes the state, and pushes effects in the order in which they must be submitted.
    fn handle(
        &mut self,
        turn: Turn<'_, Self::View>,
        event: Self::Event,
        out: &mut Effects<Self::Effect>,
    );

    /// Panics if the state is impossible. Hosts call it after every event in simulation and debug builds.
    fn assert_invariants(&self) {}
}

/// What a host lends a machine for the length of one event.
#[derive(Debug)]
pub struct Turn<'a, V: ?Sized = ()> {
    /// When the event is handled.
    pub now: Now,
    /// The machine's own stream of randomness.
    pub rng: &'a mut Rng,
    /// The snapshot that the machine may read.
    pub view: &'a V,
}

/// Effects of one event, in order.
///
/// Invariant: never more than [`Effects::LEN_MAX`]; a machine that wants more work does it in another turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects<E> {
    items: Vec<E>,
}

impl<E> Default for Effects<E> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<E> Effects<E> {
    /// Most effects that one event may cause. A machine that passes it has a loop, which is a bug.
    pub const LEN_MAX: usize = 65_536;

    /// Adds one effect behind the others.
    pub fn push(&mut self, effect: E) {
        assert!(
            self.items.len() < Self::LEN_MAX,
            "one event caused more than {} effects",
            Self::LEN_MAX
        );
        self.items.push(effect);
    }

    /// Takes all effects out, oldest first.
    pub fn drain(&mut self) -> std::vec::Drain<'_, E> {
        self.items.drain(..)
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many effects wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Reads the effects without taking them.
    #[must_use]
    pub fn as_slice(&self) -> &[E] {
        &self.items
    }

    /// Moves all effects of `inner` behind these, each through `wrap`: how a machine embeds another.
    pub fn absorb<I>(&mut self, inner: &mut Effects<I>, wrap: impl FnMut(I) -> E) {
        for effect in inner.drain().map(wrap) {
            self.push(effect);
        }
    }
}

/// Ties a reply to the request that asked for it; unique within the machine that made it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Correlation(pub u64);

impl Correlation {
    /// Returns this number and advances to the next one.
    pub fn take(&mut self) -> Self {
        let taken = *self;
        self.0 += 1;
        taken
    }
}
