//! When a slab's other keys go on elsewhere, and when a slow handler is named: a decision without a clock.
//!
//! Way in: [`Watch::look`].  Invariant: one event is named at most once.

use std::time::Duration;

use actors_core::Mono;

use crate::watchdog::BUDGET;

/// How long one event may be handled, from the first look at it, before the other keys that wait go on
/// elsewhere.
pub(super) const PATIENCE: Duration = Duration::from_millis(2);

/// What a look shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) now: Mono,
    /// The number of the event that whoever runs the slab handles now.
    pub(super) event: Option<u64>,
    /// Whether somebody runs the slab, or will in a moment.
    pub(super) is_run: bool,
    /// Whether anything could be done for other keys.
    pub(super) work_waits: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// The event that is handled has taken this long: who handles it is named.
    Name(Duration),
    /// Whoever runs the slab keeps its one event; another one goes on with everything else.
    Relieve,
    /// Nobody runs the slab, though there is work.
    Call,
}

/// What earlier looks showed.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The event that is handled, and when it was seen first.
    handled: Option<(u64, Mono)>,
    is_named: bool,
}

impl Watch {
    /// What to do after a look. After [`Step::Relieve`] the event is another one's: see
    /// [`Watch::is_over_budget`].
    pub(super) fn look(&mut self, seen: Seen) -> Step {
        let Some(event) = seen.event else {
            self.handled = None;
            return if seen.work_waits && !seen.is_run { Step::Call } else { Step::Nothing };
        };
        let since = match self.handled {
            Some((known, since)) if known == event => since,
            _ => {
                (self.handled, self.is_named) = (Some((event, seen.now)), false);
                return Step::Nothing;
            }
        };
        let taken = seen.now.since(since);
        if taken >= PATIENCE && seen.work_waits {
            self.handled = None;
            return Step::Relieve;
        }
        if is_over_budget(taken) && !self.is_named {
            self.is_named = true;
            return Step::Name(taken);
        }
        Step::Nothing
    }
}

/// Whether a handler that took so long, or has so far, is named.
pub(super) fn is_over_budget(taken: Duration) -> bool {
    taken >= BUDGET
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn seen(now_ms: u64, event: Option<u64>, work_waits: bool) -> Seen {
        Seen { now: Mono(now_ms * MS), event, is_run: event.is_some(), work_waits }
    }

    /// The steps at looks every 2 ms, up to `until_ms`, while one event is handled.
    fn steps(watch: &mut Watch, until_ms: u64, waits_from_ms: u64) -> Vec<(u64, Step)> {
        let looks = (0..=until_ms).step_by(2);
        let look = |now| (now, watch.look(seen(now, Some(1), now >= waits_from_ms)));
        looks.map(look).filter(|(_, step)| *step != Step::Nothing).collect()
    }

    #[test]
    fn other_keys_go_on_elsewhere_within_a_few_milliseconds() {
        assert_eq!(steps(&mut Watch::default(), 2, 0), [(2, Step::Relieve)]);
        // Nobody waits until then.
        assert_eq!(steps(&mut Watch::default(), 6, 6), [(6, Step::Relieve)]);
    }

    #[test]
    fn who_takes_too_long_is_named_once_even_if_nobody_waits() {
        let named = Step::Name(Duration::from_millis(10));
        assert_eq!(steps(&mut Watch::default(), 40, 100), [(10, named)]);
        assert_eq!(steps(&mut Watch::default(), 16, 14), [(10, named), (14, Step::Relieve)]);
    }

    #[test]
    fn many_quick_events_are_no_slow_one() {
        let mut watch = Watch::default();
        for now in 0..1_000 {
            assert_eq!(watch.look(seen(now, Some(now), true)), Step::Nothing);
        }
    }

    #[test]
    fn work_that_nobody_does_is_somebodys_and_no_work_is_nobodys() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(seen(0, None, true)), Step::Call);
        assert_eq!(watch.look(seen(2, None, false)), Step::Nothing);
        let is_run = Seen { is_run: true, ..seen(4, None, true) };
        assert_eq!(watch.look(is_run), Step::Nothing);
    }
}
