//! Bugs that are planted are found: judges that find nothing prove nothing.

use std::{panic, sync::Once, thread};

use nodes_sim::{Invariant, RunConfig};
use tests_sim::one;

use crate::replayed;

/// Runs seeds until one finds the bug as a breach of what it breaks, then runs the command that is
/// printed.
fn check(planted: &str, broken: &[Invariant]) {
    quietly(|| search(planted, broken)).unwrap_or_else(|why| panic!("{why}"));
}

/// Does something whose panics are expected, are caught and are judged: they are not printed.
fn quietly<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    const NAME: &str = "expected to panic";
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            if thread::current().name() != Some(NAME) {
                usual(what);
            }
        }));
    });
    thread::scope(|scope| {
        let named = thread::Builder::new().name(NAME.to_owned());
        named.spawn_scoped(scope, work).expect("a thread").join().expect("seeds are searched")
    })
}

fn search(planted: &str, broken: &[Invariant]) -> Result<(), String> {
    const SEEDS_MAX: u64 = 40;
    let plan = format!("planted/{planted}");
    let config = RunConfig::named(&plan).expect("a plan of ours");
    let mut seen = Vec::new();
    for seed in 1..=SEEDS_MAX {
        let report = one(seed, &config);
        let named = report.violations.iter().find(|what| broken.contains(&what.invariant));
        if let Some(what) = named {
            println!("{planted} is found by seed {seed}: {what}");
            println!("    run it again: {}", report.command());
            let again = replayed(&report.command());
            return match (again.hash, &again.violations) == (report.hash, &report.violations) {
                true => Ok(()),
                false => {
                    Err(format!("{} ends otherwise: {:?}", report.command(), again.violations))
                }
            };
        }
        seen.extend(report.violations);
    }
    Err(format!("{planted} is not found by {SEEDS_MAX} seeds; they found {seen:#?}"))
}

#[test]
fn an_acknowledgement_before_fsync_is_found() {
    check(
        "ack-before-sync",
        // A panic is that of a follower that is told of what it has confirmed and lost.
        &[
            Invariant::Linearizable,
            Invariant::ReplicasAgree,
            Invariant::DiskHolds,
            Invariant::NoPanic,
        ],
    );
}

#[test]
fn a_lost_watch_event_is_found() {
    check("lost-watch-event", &[Invariant::WatchesComplete]);
}

#[test]
fn a_duplicate_pod_after_a_stale_read_is_found() {
    check("stale-read-duplicate", &[Invariant::PodsAsWanted]);
}

#[test]
fn a_refusal_by_a_server_that_lags_is_found() {
    check("unconfirmed-refusal", &[Invariant::Linearizable]);
}

#[test]
fn a_control_loop_that_outlives_its_epoch_is_found() {
    check("no-fence", &[Invariant::PodsAsWanted]);
}

#[test]
fn two_activations_that_both_act_are_found() {
    check("double-activation", &[Invariant::PodsAsWanted]);
}

#[test]
fn a_shim_that_lets_its_pod_outlive_the_fence_is_found() {
    check("ignored-deadline", &[Invariant::FencedOnce]);
}

#[test]
fn a_lost_down_is_found() {
    check("lost-down", &[Invariant::DownOnce]);
}

#[test]
fn two_activations_of_one_key_are_found() {
    check("two-activations", &[Invariant::OneActivation]);
}

#[test]
fn a_timer_that_outlives_its_actor_is_found() {
    check("late-timer", &[Invariant::TimersDie]);
}
