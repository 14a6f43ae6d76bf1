//! Plans of ours are good; a plan that is wrong is refused with the field and the reason.

use std::time::Duration;

use actors_core::Rng;

use crate::{Drawn, FaultKind, Liveness, Plan, Rhythm, Step, Subject, Target, Way};

fn check(text: &str, refusal: &str) {
    let refused = Plan::read("test", text).expect_err(text);
    assert_eq!(refused.to_string(), refusal, "{text}");
}

#[test]
fn every_plan_of_ours_reads_and_says_what_it_is_for() {
    for name in Plan::names() {
        let plan = Plan::named(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(plan.name, name);
        assert!(plan.about.ends_with('.'), "{name}: {:?}", plan.about);
        assert_eq!(name.starts_with("planted/"), !plan.planted.is_empty(), "{name}");
        let schedule = plan.schedule(&mut Rng::from_number(1));
        assert!(!schedule.steps.is_empty(), "{name}");
        let kept = plan.liveness == Liveness::NotPromised || schedule.check().is_ok();
        assert!(kept, "{name}: {:?}", schedule.check());
    }
    let missing = Plan::named("unusual").expect_err("no such plan").to_string();
    assert!(missing.starts_with("plan: there is no \"unusual\"; there are usual, agents"));
}

#[test]
fn a_file_says_it_all_in_yaml_or_json() {
    let yaml = "
about: A test.
world: actors
servers: 5
agents: 2
clients: 1
warmUp: 1s
faultsFor: 2m
convergeWithin: 30s
budget: { powerCuts: 1, recovery: 500ms, liveness: none }
drawn: nothing
workload: { pauseMax: 250us, controlPerMillion: 7 }
disks: { syncMax: 9ms }
clocks: { driftPpmMax: 12 }
faultPoints: false
planted: [one]
faults:
  - { at: 1s, for: 4s, fault: unlink, from: leader, to: server-4, way: one, flap: { cut: 1s } }
  - { at: 2s, for: 1s, fault: clock-jump, of: agent-1, by: -90s }
";
    let plan = Plan::read("test", yaml).expect("a plan");
    let secs = Duration::from_secs;
    let rhythm = Some(Rhythm { cut: secs(1), open: Rhythm::USUAL.open });
    let (from, to, way) = (Target::Leader, Target::Server(4), Way::One);
    let faults = vec![
        Step { at: secs(1), span: secs(4), fault: FaultKind::Unlink { from, to, way, rhythm } },
        Step {
            at: secs(2),
            span: secs(1),
            fault: FaultKind::ClockJump { target: Target::Agent(1), by_ms: -90_000 },
        },
    ];
    assert_eq!((plan.world, plan.drawn, plan.servers), (Subject::Actors, Drawn::Nothing, 5));
    assert_eq!((plan.faults_for, plan.liveness), (secs(120), Liveness::NotPromised));
    assert_eq!(plan.tuning.pause_max, Some(Duration::from_micros(250)));
    assert_eq!((plan.drift_ppm_max, plan.fault_points), (12, false));
    assert_eq!(plan.faults, faults);
    let json = r#"{"drawn": "agents", "faultsFor": "9s"}"#;
    let plan = Plan::read("test", json).expect("a plan");
    assert_eq!((plan.drawn, plan.faults_for, plan.servers), (Drawn::Agents, secs(9), 3));
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    check("[]", "plan: must be an object, is array");
    check("servers: 0", "servers: must be a whole number from 1 to 7, is 0");
    check("warmUp: 4", "warmUp: must be a span like 250us, 120ms, 4s or 2m, is 4");
    check("drawn: some", "drawn: must be one of all, agents, processes, nothing, is \"some\"");
    check(
        "budget: { powercuts: 1 }",
        "budget.powercuts: is no field here; there are liveness, powerCuts, recovery",
    );
    check("servers: 3\nservers: 5", "servers: stands there twice");
    check("planted: [1]", "planted[0]: must be a name");
    let fault = |text: &str, refusal: &str| check(&format!("faults: [{{ {text} }}]"), refusal);
    fault("for: 1s, fault: crash, of: leader", "faults[0].at: is missing");
    fault("at: 1s, for: 0s, fault: power-cut", "faults[0].for: must be longer than nothing");
    fault("at: 1s, for: 1s, fault: loss", "faults[0].perMillion: is missing");
    fault(
        "at: 1s, for: 1s, fault: crash, of: agent-20",
        "faults[0].of: must be one of leader, fenced, server-0 to server-2, follower-0 to \
         follower-1, agent-0 to agent-19, is \"agent-20\"",
    );
    fault(
        "at: 1s, for: 1s, fault: full-disk, of: agent-1",
        "faults[0].of: must be a server: only those keep a log",
    );
    fault(
        "at: 1s, for: 1s, fault: crash, of: leader, ppm: 7",
        "faults[0].ppm: is no field here; there are at, fault, for, of",
    );
    fault(
        "at: 59s, for: 2s, fault: crash, of: leader",
        "faults[0].for: step 0 lasts beyond the end of the budget",
    );
}

#[test]
fn a_plan_that_takes_a_quorum_must_say_so() {
    let faults = "faults:
  - { at: 1s, for: 2s, fault: crash, of: server-0 }
  - { at: 2s, for: 2s, fault: isolate, of: server-1 }
";
    check(
        faults,
        "faults[1]: steps 0 and 1 take too many servers at once; without `budget.liveness: none` \
         it must not",
    );
    let plan = Plan::read("test", &format!("budget: {{ liveness: none }}\n{faults}"));
    assert_eq!(plan.map(|plan| plan.liveness), Ok(Liveness::NotPromised));
}

#[test]
fn what_is_drawn_beside_what_is_listed_keeps_the_budget() {
    let text = "faults:
  - { at: 10s, for: 30s, fault: isolate, of: leader }
";
    let plan = Plan::read("test", text).expect("a plan");
    for seed in 0..20 {
        let schedule = plan.schedule(&mut Rng::from_number(seed));
        assert_eq!(schedule.check(), Ok(()), "seed {seed}");
        assert!(schedule.steps.contains(&plan.faults[0]) && schedule.steps.len() > 10);
    }
}
