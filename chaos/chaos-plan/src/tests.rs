//! Schedules keep their budget, replay from their seed, and the check finds those that do not.

use std::time::Duration;

use actors_core::Rng;

use crate::{Budget, BudgetError, FaultKind, Schedule, Severity, Step, Target};

const BUDGET: Budget = Budget {
    until: Duration::from_secs(60),
    servers: 3,
    agents: 3,
    power_cuts: 3,
    recovery: Duration::from_secs(2),
};

fn drawn(seed: u64) -> Schedule {
    Schedule::draw(BUDGET, &mut Rng::from_number(seed))
}

fn step(at_ms: u64, span_ms: u64, fault: FaultKind) -> Step {
    Step { at: Duration::from_millis(at_ms), span: Duration::from_millis(span_ms), fault }
}

#[test]
fn drawn_schedules_keep_their_budget_and_replay() {
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let schedule = drawn(seed);
        assert_eq!(schedule.check(), Ok(()), "seed {seed}");
        assert_eq!(schedule, drawn(seed));
        assert!(schedule.steps.len() >= 25, "seed {seed}: {} steps", schedule.steps.len());
        kinds.extend(schedule.steps.iter().map(|step| step.fault.name()));
    }
    assert_eq!(kinds, FaultKind::NAMES.into(), "every kind is drawn");
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn a_schedule_that_breaks_its_budget_is_refused() {
    let check = |steps: Vec<Step>, expected: Result<(), BudgetError>| {
        assert_eq!(Schedule { budget: BUDGET, steps }.check(), expected);
    };
    let crash = |at, span| step(at, span, FaultKind::Crash(Target::Leader));
    let cut = |at| step(at, 100, FaultKind::PowerCut);
    check(vec![crash(0, 100), crash(100, 100)], Ok(()));
    check(vec![crash(0, 100), crash(99, 1)], Err(BudgetError::NoQuorum { first: 0, second: 1 }));
    check(vec![cut(0), crash(2_000, 1)], Err(BudgetError::NoQuorum { first: 0, second: 1 }));
    check(vec![cut(0), crash(2_100, 1)], Ok(()));
    check(vec![crash(59_990, 20)], Err(BudgetError::TooLate { step: 0 }));
    check(vec![crash(9, 1), crash(1, 1)], Err(BudgetError::OutOfOrder { step: 1 }));
    let cuts = (0..4).map(|number| cut(number * 5_000)).collect();
    check(cuts, Err(BudgetError::PowerCuts { found: 4, allowed: 3 }));
}

#[test]
fn agents_and_clocks_take_nothing_from_the_servers() {
    assert_eq!(FaultKind::Crash(Target::Agent(0)).severity(), Severity::Harmless);
    let jump = FaultKind::ClockJump { target: Target::Leader, by_ms: 5 };
    assert_eq!(jump.severity(), Severity::Harmless);
    assert_eq!(FaultKind::Crash(Target::Leader).severity(), Severity::TakesOne);
    assert_eq!(FaultKind::PowerCut.severity(), Severity::TakesAll);
}
