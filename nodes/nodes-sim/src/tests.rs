//! The cluster comes up and replays; what watches the network sees what became of messages. The
//! seeds themselves are run by `tests-sim`.

use std::time::Duration;

use actors_core::Mono;
use actors_sim::NodeId;

use crate::{RunConfig, run, wire::Wire};

#[test]
fn a_short_run_is_sound_and_replays() {
    let config = RunConfig { faults_for: Duration::from_secs(4), ..RunConfig::default() };
    let report = run(3, &config).expect("tables of kinds");
    assert!(report.is_sound(), "{:#?}", report.violations);
    assert!(!report.counts(), "four seconds cover too little to count");
    assert!(report.counts.passed > 100 && report.judged > 100, "{:?}", report.counts);
    assert_eq!(report.hash, run(3, &config).expect("tables of kinds").hash);
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
