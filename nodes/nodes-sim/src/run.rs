//! One run of the whole cluster from one seed: warm-up, faults under load, rest, and judgement.
//!
//! Way in: [`run`].  Safety is judged always, and ends a run at the event that breaks it; liveness
//! after the faults are over, if the plan demands it: everything must converge in time.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use actors_core::{Mono, Rng};
use actors_kinds::facts::TableError;
use actors_sim::{Fault, NetFaults, NodeClock, NodeId, Sim};
use chaos_judges::{FinalLog, Verdict, judge_operations, judge_watch};
use chaos_plan::{Drawn, Liveness, Plan, Subject};
use store_mvcc::Revision;

use crate::{
    actors,
    cluster::Cluster,
    config::RunConfig,
    convergence::{Converged, check},
    event::{Event, Guard},
    faults::Engine,
    knobs::Knobs,
    record::log_entry,
    report::{Coverage, Invariant, Report},
    sites::Point,
};

/// How often the run looks whether everything is done.
const STEP: Duration = Duration::from_millis(500);

/// Runs a plan from a seed. A machine that panics breaks an invariant like any other.
///
/// # Errors
/// If the tables of kinds cannot be read.
pub fn run(seed: u64, config: &RunConfig) -> Result<Report, TableError> {
    if config.plan.world == Subject::Actors {
        return Ok(actors::run(seed, config));
    }
    let mut sim = build(seed, config)?;
    let schedule = config.plan.schedule(&mut Rng::from_number(seed).derive("faults"));
    if let (Err(error), Liveness::Demanded) = (schedule.check(), config.plan.liveness) {
        sim.world.record.violation(Invariant::WithinBudget, error.to_string());
    }
    let began_at = Mono(sim.time().0).after(config.plan.warm_up);
    let mut engine = Engine::new(&schedule, began_at);
    let driven = catch_unwind(AssertUnwindSafe(|| {
        drive(&mut sim, &mut engine, &config.plan);
        judge(&mut sim);
    }));
    if let Err(panic) = driven {
        sim.world.record.violation(Invariant::NoPanic, word_of(panic.as_ref()));
    }
    Ok(report(seed, config, &sim, &engine))
}

/// What somebody who panicked said.
pub(crate) fn word_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "without a word".to_owned())
}

/// Lets everything happen, up to the first thing that is wrong.
fn drive(sim: &mut Sim<Cluster>, engine: &mut Engine, plan: &Plan) {
    let began_at = Mono(sim.time().0).after(plan.warm_up);
    advance(sim, plan.warm_up);
    while let Some(due) = engine.next_due().filter(|_| sound(sim)) {
        let passed = Mono(sim.time().0).since(began_at);
        advance(sim, due.saturating_sub(passed));
        if sound(sim) {
            engine.advance(sim);
        }
    }
    advance(sim, plan.faults_for.saturating_sub(Mono(sim.time().0).since(began_at)));
    settle(sim, plan);
    let deaths = sim.world.record.counts.deaths;
    if plan.drawn == Drawn::Processes && plan.faults.is_empty() && deaths > 0 {
        let what = format!("{deaths} nodes died of the loss of a process");
        sim.world.record.violation(Invariant::NothingReplaced, what);
    }
}

fn sound(sim: &Sim<Cluster>) -> bool {
    sim.world.record.violations.is_empty()
}

/// Lets time pass, up to the first thing that is wrong.
fn advance(sim: &mut Sim<Cluster>, span: Duration) {
    if sound(sim) {
        sim.run_until(span, |world| !world.record.violations.is_empty());
    }
}

/// The clocks of one node: far from zero, far from each other, each at its own rate.
pub(crate) fn draw_clock(plan: &Plan, rng: &mut Rng) -> NodeClock {
    let usual = NodeClock::default();
    let drift = i64::from(plan.drift_ppm_max);
    let drawn = i64::try_from(rng.below(2 * u64::from(plan.drift_ppm_max) + 1)).unwrap_or(drift);
    NodeClock {
        mono_zero: rng.below(1_000_000_000_000),
        wall_zero: usual.wall_zero + i64::try_from(rng.below(400_000_000)).unwrap_or(0),
        drift_ppm: i32::try_from(drawn - drift).unwrap_or(0),
        ..usual
    }
}

fn build(seed: u64, config: &RunConfig) -> Result<Sim<Cluster>, TableError> {
    let plan = &config.plan;
    let knobs = Knobs::draw(&mut Rng::from_number(seed).derive("knobs")).tuned(&plan.tuning);
    let cluster = config.cluster();
    let nodes = cluster.nodes();
    let mut sim = Sim::new(seed, Cluster::new(cluster, knobs)?, config.lines);
    if plan.fault_points {
        sim.arm_buggify();
    }
    let mut rng = Rng::from_number(seed).derive("clocks");
    for _ in 0..nodes {
        let node = sim.add_node(draw_clock(plan, &mut rng));
        sim.inject(Fault::Disk { node, faults: knobs.disk });
    }
    Ok(sim)
}

/// Mends everything, lets clients rest, and waits until the cluster is what it should be.
fn settle(sim: &mut Sim<Cluster>, plan: &Plan) {
    sim.inject(Fault::HealAll);
    sim.inject(Fault::Net(NetFaults::default()));
    for id in 0..sim.world.shared.config.nodes() {
        let node = NodeId(id);
        sim.inject(Fault::CrashAfter { node, events: 0 });
        sim.inject(Fault::CrashAmid { node, events: 0 });
        sim.inject(Fault::Disk { node, faults: sim.world.shared.knobs.disk });
        sim.inject(Fault::Start(node));
        sim.tell(sim.time(), node, Event::Guard(Guard::Start));
    }
    sim.world.rest();
    let deadline = sim.time().after(plan.converge_within);
    let mut quiet_at = None;
    while sound(sim) {
        advance(sim, STEP);
        let why = match check(&sim.world, &mut quiet_at) {
            Converged::Yes => return,
            Converged::NotYet(why) => why,
        };
        if sim.time() >= deadline {
            return give_up(sim, plan, &why);
        }
    }
}

/// It did not converge: a violation, if the plan demands that it does.
fn give_up(sim: &mut Sim<Cluster>, plan: &Plan, why: &str) {
    let what = format!("not within {} s without faults: {why}", plan.converge_within.as_secs());
    let recent: Vec<String> = sim.world.servers().flat_map(|(_, server)| server.recent()).collect();
    let record = &mut sim.world.record;
    record.notes.extend(recent);
    match plan.liveness {
        Liveness::Demanded => record.violation(Invariant::Converges, what),
        Liveness::NotPromised => record.notes.push(what),
    }
}

/// Lets the judges look at everything that was seen, unless something is wrong already.
fn judge(sim: &mut Sim<Cluster>) {
    let Some(log) = final_log(&sim.world) else {
        if sound(sim) {
            let what = "no server has the log at the end";
            sim.world.record.violation(Invariant::DiskHolds, what);
        }
        return;
    };
    let record = &mut sim.world.record;
    let mut verdict = judge_operations(&record.operations, &log);
    let operations = std::mem::take(&mut verdict);
    let watches = record.watches.iter().map(|watch| judge_watch(watch, &log));
    let mut watched = Verdict::default();
    watches.for_each(|other| watched.merge(other));
    record.judged = operations.judged + watched.judged;
    for violation in operations.violations {
        let what = format!("{violation}{}", record.describe(&violation));
        record.violation(Invariant::Linearizable, what);
    }
    for violation in watched.violations {
        record.violation(Invariant::WatchesComplete, violation.to_string());
    }
}

/// Everything that was ever changed, as the server that is furthest has it; what it compacted, as
/// it was applied.
fn final_log(cluster: &Cluster) -> Option<FinalLog> {
    let (_, server) =
        cluster.servers().max_by_key(|(_, server)| server.replica().mvcc().position().index)?;
    let reader = server.replica().mvcc().reader();
    let compacted = server.replica().mvcc().position().compacted.0;
    let mut log = FinalLog::default();
    log.entries.extend(cluster.record.changes.range(..=compacted).map(|(_, entry)| entry.clone()));
    loop {
        let changes = reader.changes_after(Revision(log.last()), 1_024).ok()?;
        if changes.is_empty() {
            return Some(log);
        }
        log.entries.extend(changes.iter().map(|change| log_entry(change)));
    }
}

/// What became of the fault points of a world.
pub(crate) fn coverage(
    all: impl Iterator<Item = &'static str>,
    reached: impl Iterator<Item = (&'static str, u64)>,
) -> Vec<Coverage> {
    let reached: Vec<_> = reached.collect();
    let of = |site: &'static str| {
        let seen = reached.iter().find(|(name, _)| *name == site);
        Coverage { site, is_reached: seen.is_some(), fired: seen.map_or(0, |(_, fired)| *fired) }
    };
    all.map(of).collect()
}

fn report(seed: u64, config: &RunConfig, sim: &Sim<Cluster>, engine: &Engine) -> Report {
    let record = &sim.world.record;
    Report {
        seed,
        plan: config.plan.name.clone(),
        hash: sim.hash(),
        elapsed: Duration::from_nanos(sim.time().0),
        events: sim.delivered(),
        faults: engine.receipts(record),
        leader_changes: record.leader_changes(),
        leaders: record.leaders(),
        judged: record.judged,
        counts: record.counts.clone(),
        disks: sim.disks(),
        coverage: coverage(Point::ALL.iter().map(|site| site.name()), sim.coverage()),
        violations: record.violations.clone(),
        notes: record.notes.clone(),
        lines: sim.lines().map(str::to_owned).collect(),
    }
}
