//! A bounded queue between an actor that must not wait and a thread that may.
//!
//! Way in: [`Queue`].  Invariant: never more than its capacity; what does not fit is refused.
//! Time and order: the thread takes everything that waits at once, so that it can be done as one
//! batch.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex},
    time::Duration,
};

use crate::locks::lock;

/// Work for one life of one thread.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What waits is still done, then the thread ends in order.
    Finishing,
    /// What waits is dropped.
    Closed,
}

/// What a thread is given to do.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    /// Everything that waited, oldest first; empty if the time was over.
    Work(VecDeque<T>),
    /// There is nothing more to do: end in order.
    Finished,
    /// End at once.
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { items: VecDeque::new(), phase: Phase::Open };
        Self { state: Mutex::new(state), changed: Condvar::new(), capacity }
    }

    /// Adds work; false if the queue is full or its thread ends.
    pub(crate) fn push(&self, item: T) -> bool {
        let mut state = lock(&self.state);
        if state.phase != Phase::Open || state.items.len() >= self.capacity {
            return false;
        }
        state.items.push_back(item);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Waits for work, at most for `within`.
    pub(crate) fn take_all(&self, within: Duration) -> Taken<T> {
        let state = lock(&self.state);
        let idle = |state: &mut State<T>| state.items.is_empty() && state.phase == Phase::Open;
        let waited = self.changed.wait_timeout_while(state, within, idle);
        let (mut state, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        match state.phase {
            Phase::Closed => Taken::Closed,
            Phase::Finishing if state.items.is_empty() => Taken::Finished,
            _ => Taken::Work(std::mem::take(&mut state.items)),
        }
    }

    /// Waits for `within`, or until the thread should end; true if it should.
    pub(crate) fn wait_for_end(&self, within: Duration) -> bool {
        let state = lock(&self.state);
        let open = |state: &mut State<T>| state.phase == Phase::Open;
        let waited = self.changed.wait_timeout_while(state, within, open);
        waited.unwrap_or_else(std::sync::PoisonError::into_inner).0.phase != Phase::Open
    }

    /// Lets the thread do what waits, and then end.
    pub(crate) fn finish(&self) {
        let mut state = lock(&self.state);
        if state.phase == Phase::Open {
            state.phase = Phase::Finishing;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Ends the thread after what it does now; unless it was to finish.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        if state.phase == Phase::Open {
            state.phase = Phase::Closed;
        }
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: Duration = Duration::ZERO;

    #[test]
    fn everything_that_waits_is_taken_at_once_and_the_bound_holds() {
        let queue = Queue::new(2);
        assert!(queue.push(1) && queue.push(2) && !queue.push(3));
        assert!(matches!(queue.take_all(NO_TIME), Taken::Work(items) if items == [1, 2]));
        assert!(matches!(queue.take_all(NO_TIME), Taken::Work(items) if items.is_empty()));
    }

    #[test]
    fn a_finished_queue_is_emptied_and_a_closed_one_is_not() {
        let queue = Queue::new(2);
        assert!(queue.push(1));
        queue.finish();
        queue.close();
        assert!(!queue.push(2));
        assert!(matches!(queue.take_all(NO_TIME), Taken::Work(items) if items == [1]));
        assert!(matches!(queue.take_all(NO_TIME), Taken::Finished));
        let queue = Queue::new(2);
        assert!(queue.push(1));
        queue.close();
        assert!(matches!(queue.take_all(NO_TIME), Taken::Closed));
        assert!(queue.wait_for_end(NO_TIME));
    }
}
