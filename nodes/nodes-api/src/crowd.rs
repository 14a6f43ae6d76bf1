//! How many watches one edge serves, and how long each rests between two writes.
//!
//! Way in: [`Crowd::join`].  Time and order: the first event after a pause is written at once; what follows within
//! the rest is written together, so that many watchers of a busy collection cost writes by the second, not by the
//! change. Alone, a watcher does not rest noticeably. A change wakes all who watch at the same time: the first rest of
//! each is another part of a whole one, so that what they cost afterwards is spread over time, and nobody else waits for
//! all of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// All watches of one edge.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crowd(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    present: AtomicU32,
    /// How many ever came.
    joined: AtomicU32,
}

/// One watch's place; left when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Arc<Counts>,
    /// Which part of a rest its first one is, of [`PARTS`].
    part: u32,
}

/// Into how many parts a rest is divided.
const PARTS: u32 = 1_000;

/// So far are the parts of those who come one after the other from one another: however many come, they are spread
/// evenly (the golden section).
const APART: u32 = 618;

/// What a watcher adds to everybody's rest: all of them together then write at most 25,000 times a second.
const REST_EACH: Duration = Duration::from_micros(40);

/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(400);

impl Crowd {
    /// A place among the watches.
    pub(crate) fn join(&self) -> Place {
        self.0.present.fetch_add(1, Ordering::Relaxed);
        let number = self.0.joined.fetch_add(1, Ordering::Relaxed);
        Place { crowd: Arc::clone(&self.0), part: (number % PARTS + 1) * APART % PARTS }
    }
}

impl Place {
    /// How long a watch rests after it wrote what had come during its rest.
    pub(crate) fn rest(&self) -> Duration {
        REST_MAX.min(REST_EACH * self.crowd.present.load(Ordering::Relaxed))
    }

    /// How long it rests after it wrote what it had waited for.
    pub(crate) fn first_rest(&self) -> Duration {
        self.rest() * self.part / PARTS
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.present.fetch_sub(1, Ordering::Relaxed);
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

    #[test]
    fn first_rests_are_spread_over_a_whole_one() {
        let crowd = Crowd::default();
        let places: Vec<Place> = (0..10_000).map(|_| crowd.join()).collect();
        let mut tenths = [0; 10];
        for place in &places {
            let part = place.first_rest().as_micros() * 10 / place.rest().as_micros();
            tenths[usize::try_from(part).expect("less than ten")] += 1;
        }
        assert!(tenths.iter().all(|count| (900..1_100).contains(count)), "{tenths:?}");
    }
}
