//! How many watches one edge serves, and how long each rests between two writes.
//!
//! Way in: [`Crowd::join`].  Time and order: the first event after a pause is written at once; what follows within
//! the rest is written together, so that many watchers of a busy collection cost writes by the second, not by the
//! change. Alone, a watcher does not rest noticeably.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// All watches of one edge.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crowd(Arc<AtomicU32>);

/// One watch's place; left when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicU32>);

/// What a watcher adds to everybody's rest: all of them together then write at most 25,000 times a second.
const REST_EACH: Duration = Duration::from_micros(40);

/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(400);

impl Crowd {
    /// A place among the watches.
    pub(crate) fn join(&self) -> Place {
        self.0.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(&self.0))
    }
}

impl Place {
    /// How long a watch rests after it wrote.
    pub(crate) fn rest(&self) -> Duration {
        REST_MAX.min(REST_EACH * self.0.load(Ordering::Relaxed))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_there_are_the_longer_they_rest() {
        let crowd = Crowd::default();
        let mut places: Vec<Place> = (0..1_000).map(|_| crowd.join()).collect();
        assert_eq!(places[0].rest(), Duration::from_millis(40));
        places.extend((0..99_000).map(|_| crowd.join()));
        assert_eq!(places[0].rest(), REST_MAX);
        places.truncate(1);
        assert_eq!(places[0].rest(), REST_EACH);
    }
}
