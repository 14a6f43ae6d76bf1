//! The cluster comes up and replays; verdicts name what is broken and how to see it again; what
//! watches the network sees what became of messages. The seeds themselves are run by `tests-sim`.

use std::time::Duration;

use actors_core::Mono;
use actors_sim::NodeId;
use chaos_plan::{Drawn, Plan, Subject};

use crate::{Invariant, RunConfig, Violation, command, run, wire::Wire};

/// A plan of a few seconds.
fn short(plan: Plan) -> RunConfig {
    let faults_for = Duration::from_secs(4);
    RunConfig::of(Plan { name: "short".to_owned(), faults_for, ..plan }).expect("a plan")
}

#[test]
fn a_short_run_is_sound_and_replays() {
    let config = short(Plan::default());
    let report = run(3, &config).expect("tables of kinds");
    assert!(report.is_sound(), "{:#?}", report.violations);
    assert!(!report.counts(), "four seconds cover too little to count");
    assert!(report.counts.passed > 100 && report.judged > 100, "{:?}", report.counts);
    assert_eq!(report.hash, run(3, &config).expect("tables of kinds").hash);
    let shown = run(3, &RunConfig { lines: 5, ..config }).expect("tables of kinds");
    assert_eq!((shown.hash, shown.lines.len()), (report.hash, 5), "looking changes nothing");
}

#[test]
fn a_run_ends_at_the_event_that_breaks_an_invariant() {
    let plan = Plan::named("planted/two-activations").expect("a plan of ours");
    let config = RunConfig { lines: 3, ..RunConfig::of(plan).expect("a plan of ours") };
    let found = (1..=20).map(|seed| run(seed, &config).expect("no tables are needed"));
    let report = found.into_iter().find(|report| !report.is_sound()).expect("it is found");
    let Violation { invariant, at, .. } = &report.violations[0];
    assert_eq!((*invariant, *at), (Invariant::OneActivation, report.elapsed));
    assert_eq!(report.violations[0].to_string().find("one-activation is violated at "), Some(0));
    assert_eq!(report.lines.len(), 3);
    let seed = report.seed;
    let replay = format!("starling sim run --seed {seed} --plan planted/two-activations");
    assert_eq!(report.command(), replay);
}

#[test]
fn a_bug_that_there_is_not_in_a_world_is_refused() {
    let refused = |world, name: &str| {
        let plan = Plan { world, planted: vec![name.to_owned()], ..Plan::default() };
        RunConfig::of(plan).expect_err(name).to_string()
    };
    assert_eq!(
        refused(Subject::Actors, "no-fence"),
        "planted[0]: must be one of lost-down, two-activations, late-timer, is \"no-fence\""
    );
    assert!(refused(Subject::Cluster, "lost-down").contains("must be one of ack-before-sync, "));
}

#[test]
fn a_world_that_meets_with_no_fault_is_sound() {
    let plan = Plan { drawn: Drawn::Nothing, world: Subject::Actors, ..Plan::default() };
    let report = run(1, &short(plan)).expect("no tables are needed");
    assert!(report.is_sound() && report.faults.is_empty(), "{:#?}", report.violations);
}

#[test]
fn a_command_quotes_what_a_shell_would_read() {
    assert_eq!(command(1, "a plan's.yaml"), r"starling sim run --seed 1 --plan 'a plan'\''s.yaml'");
}

#[test]
fn messages_that_are_lost_doubled_or_overtaken_are_noticed() {
    let (a, b) = (NodeId(0), NodeId(1));
    let mut wire = Wire::default();
    let numbers: Vec<u32> = (0..4).map(|at| wire.send(a, b, Mono(at))).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    for (number, first) in [(0, true), (3, true), (1, true), (1, false)] {
        assert_eq!(wire.receive(a, b, number, Mono(10)), first, "message {number}");
    }
    let fate = |since, until| wire.fate((Mono(since), Mono(until)), |from, _| from == a);
    let all = fate(0, 3);
    assert_eq!((all.lost, all.twice, all.late, all.slow), (1, 1, 1, 0));
    assert_eq!(fate(0, 0).lost, 0);
    assert_eq!(wire.fate((Mono(0), Mono(3)), |from, _| from == b), Default::default());
}
