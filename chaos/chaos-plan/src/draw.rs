//! Draws a schedule from a seed: one track of faults that take servers, one of those that only
//! disturb, one of those that take machines which run pods.
//!
//! Way in: [`Schedule::draw`], [`Schedule::draw_agents`],
//! [`Schedule::draw_processes`].

use std::time::Duration;

use actors_core::Rng;

use crate::{Budget, FaultKind, Rhythm, Schedule, Step, Target, Way};

impl Schedule {
    /// A schedule within `budget`; the same stream of randomness gives the same one.
    #[must_use]
    pub fn draw(budget: Budget, rng: &mut Rng) -> Self {
        let mut steps = Vec::new();
        let mut cuts = 0;
        track(
            budget,
            (150, 1_200),
            &mut steps,
            |steps_rng| {
                let (fault, span) = server_fault(budget, cuts, steps_rng);
                cuts += u8::from(fault == FaultKind::PowerCut);
                (fault, span)
            },
            rng,
        );
        track(budget, (300, 3_000), &mut steps, |steps_rng| disturbance(budget, steps_rng), rng);
        track(budget, (200, 2_500), &mut steps, |steps_rng| agent_fault(budget, steps_rng), rng);
        steps.sort_by_key(|step| step.at);
        Self { budget, steps }
    }

    /// A schedule in which servers are left alone: only machines that run pods meet with faults.
    #[must_use]
    pub fn draw_agents(budget: Budget, rng: &mut Rng) -> Self {
        let mut steps = Vec::new();
        track(budget, (200, 2_500), &mut steps, |rng| agent_fault(budget, rng), rng);
        Self { budget, steps }
    }

    /// A schedule in which nothing happens but that agents' processes are killed and soon started
    /// again.
    #[must_use]
    pub fn draw_processes(budget: Budget, rng: &mut Rng) -> Self {
        let mut steps = Vec::new();
        let lose =
            |rng: &mut Rng| (FaultKind::LoseProcess(agent(budget, rng)), millis(rng, 50, 1_000));
        track(budget, (100, 1_500), &mut steps, lose, rng);
        Self { budget, steps }
    }
}

/// Draws faults one behind the other, with pauses between them.
fn track(
    budget: Budget,
    (pause_min, pause_max): (u64, u64),
    steps: &mut Vec<Step>,
    mut draw: impl FnMut(&mut Rng) -> (FaultKind, Duration),
    rng: &mut Rng,
) {
    let mut at = millis(rng, pause_min, pause_max);
    loop {
        let (fault, span) = draw(rng);
        let step = Step { at, span, fault };
        if step.end() > budget.until {
            return;
        }
        steps.push(step);
        let recovery = if fault == FaultKind::PowerCut { budget.recovery } else { Duration::ZERO };
        at = step.end() + recovery + millis(rng, pause_min, pause_max);
    }
}

fn server_fault(budget: Budget, cuts: u8, rng: &mut Rng) -> (FaultKind, Duration) {
    let target = server(budget, rng);
    match rng.below(100) {
        0..16 => (FaultKind::Crash(target), millis(rng, 100, 1_500)),
        16..22 => {
            let events = u32::try_from(rng.between(1, 60)).unwrap_or(1);
            (FaultKind::CrashAfter { target, events }, millis(rng, 100, 1_500))
        }
        22..28 => {
            let events = u32::try_from(rng.between(1, 20)).unwrap_or(1);
            (FaultKind::CrashAmid { target, events }, millis(rng, 100, 1_500))
        }
        28..36 if cuts < budget.power_cuts => (FaultKind::PowerCut, millis(rng, 100, 800)),
        28..52 => (FaultKind::Isolate(target), millis(rng, 400, 2_000)),
        52..58 => (FaultKind::Deaf(target), millis(rng, 400, 2_000)),
        58..62 => (unlink(rng), millis(rng, 400, 2_500)),
        62..66 => (FaultKind::Flap(target), millis(rng, 800, 2_000)),
        66..70 => (FaultKind::Mute(target), millis(rng, 400, 2_000)),
        70..75 => (FaultKind::Pause(target), millis(rng, 200, 4_000)),
        75..80 => (FaultKind::SlowDisk(target), millis(rng, 500, 2_000)),
        80..90 => (FaultKind::StallDisk(target), millis(rng, 1_000, 2_500)),
        90..95 => (FaultKind::FullDisk(target), millis(rng, 200, 1_000)),
        _ => (FaultKind::FailDisk(target), millis(rng, 300, 1_000)),
    }
}

fn disturbance(budget: Budget, rng: &mut Rng) -> (FaultKind, Duration) {
    let agent = agent(budget, rng);
    let per_million = u32::try_from(rng.between(1_000, 30_000)).unwrap_or(1_000);
    match rng.below(100) {
        0..20 => (FaultKind::Loss { per_million }, millis(rng, 500, 2_500)),
        20..25 => (FaultKind::Duplicate { per_million }, millis(rng, 500, 2_500)),
        25..40 => (FaultKind::Jumble { per_million }, millis(rng, 500, 2_500)),
        40..52 => {
            let latency_max = millis(rng, 5, 60);
            (FaultKind::SlowNet { latency_max }, millis(rng, 500, 2_500))
        }
        52..56 => {
            // What a daemon that corrects a clock may do to it (ntpd slews by up to 500 ppm).
            let ppm = i32::try_from(rng.below(1_001)).unwrap_or(0) - 500;
            let target = if rng.chance(500_000) { server(budget, rng) } else { Target::Fenced };
            (FaultKind::ClockSkew { target, ppm }, millis(rng, 2_000, 15_000))
        }
        56..68 => {
            let by = i64::try_from(rng.between(500, 90_000)).unwrap_or(0);
            let by_ms = if rng.chance(500_000) { by } else { -by };
            (FaultKind::ClockJump { target: server(budget, rng), by_ms }, millis(rng, 500, 3_000))
        }
        68..86 => (FaultKind::Crash(agent), millis(rng, 200, 3_000)),
        _ => (FaultKind::Isolate(agent), millis(rng, 500, 4_000)),
    }
}

/// Half of what happens to machines that run pods lasts long enough for a verdict.
fn agent_fault(budget: Budget, rng: &mut Rng) -> (FaultKind, Duration) {
    let agent = if rng.chance(400_000) { Target::Fenced } else { agent(budget, rng) };
    match rng.below(100) {
        0..23 => (FaultKind::Crash(agent), millis(rng, 300, 9_000)),
        23..42 => (FaultKind::Isolate(agent), millis(rng, 500, 9_000)),
        42..52 => (FaultKind::Deaf(agent), millis(rng, 500, 6_000)),
        52..62 => (FaultKind::Mute(agent), millis(rng, 500, 6_000)),
        62..78 => (FaultKind::LoseProcess(agent), millis(rng, 50, 2_500)),
        78..88 => (FaultKind::Pause(agent), millis(rng, 500, 6_000)),
        // Longer than a verdict and a fence.
        88..94 => (FaultKind::Isolate(Target::Fenced), millis(rng, 19_000, 28_000)),
        _ => (FaultKind::Pause(Target::Fenced), millis(rng, 19_000, 28_000)),
    }
}

fn agent(budget: Budget, rng: &mut Rng) -> Target {
    let agents = u64::from(budget.agents.max(1));
    Target::Agent(u8::try_from(rng.below(agents)).unwrap_or(0))
}

/// The link between the leader and another server, one way or both, steadily or in a rhythm.
fn unlink(rng: &mut Rng) -> FaultKind {
    let other = Target::Follower(u8::from(rng.chance(500_000)));
    let (from, to) =
        if rng.chance(500_000) { (Target::Leader, other) } else { (other, Target::Leader) };
    let way = if rng.chance(650_000) { Way::One } else { Way::Both };
    let rhythm = rng.chance(300_000).then_some(Rhythm::USUAL);
    FaultKind::Unlink { from, to, way, rhythm }
}

/// The leader half of the time: most of what can go wrong goes wrong around it.
fn server(budget: Budget, rng: &mut Rng) -> Target {
    if rng.chance(500_000) {
        return Target::Leader;
    }
    let others = u64::from(budget.servers.saturating_sub(1).max(1));
    Target::Follower(u8::try_from(rng.below(others)).unwrap_or(0))
}

fn millis(rng: &mut Rng, low: u64, high: u64) -> Duration {
    Duration::from_millis(rng.between(low, high))
}
