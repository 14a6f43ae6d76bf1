//! One run of the world of actors: the same plans, carried out on a troupe.
//!
//! Way in: [`run`].  Machines are numbered: the servers of the plan, then its agents; the leader is
//! the first, and a follower the one behind it.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use actors_core::Rng;
use actors_sim::{
    DiskFaults, Fault, NetFaults, NodeId, Sim, SimTime,
    troupe::{Breach, Site, Troupe, TroupeConfig},
};
use chaos_plan::{FaultKind, Liveness, Plan, Roster, Schedule, Step};

use crate::{
    config::RunConfig,
    knobs::Knobs,
    record::Counts,
    report::{Invariant, Report, Violation},
    run::{coverage, draw_clock, word_of},
    strike::{bends_net, cut_under, disk_under, id_of, net_under},
};

/// Supervised workers of a machine, and its keyed actors.
const WORKERS: u32 = 8;
const KEYS: u32 = 8;

/// Runs a plan from a seed.
pub(crate) fn run(seed: u64, config: &RunConfig) -> Report {
    let plan = &config.plan;
    let knobs = Knobs::draw(&mut Rng::from_number(seed).derive("knobs")).tuned(&plan.tuning);
    let mut sim = build(seed, config, knobs.disk);
    let schedule = plan.schedule(&mut Rng::from_number(seed).derive("faults"));
    let mut violations = Vec::new();
    if let (Err(error), Liveness::Demanded) = (schedule.check(), plan.liveness) {
        let (invariant, what) = (Invariant::WithinBudget, error.to_string());
        violations.push(Violation { invariant, at: Duration::ZERO, what });
    }
    let begun = arrange(&mut sim, plan, &schedule, knobs.disk);
    let mut notes = Vec::new();
    let driven = catch_unwind(AssertUnwindSafe(|| drive(&mut sim, plan, knobs.disk)));
    violations.extend(sim.world.breaches().iter().map(of_breach));
    let at = Duration::from_nanos(sim.time().0);
    match driven {
        Ok(Some(why)) if plan.liveness == Liveness::Demanded => {
            let within = plan.converge_within.as_secs();
            let what = format!("not within {within} s without faults: {why}");
            violations.push(Violation { invariant: Invariant::Converges, at, what });
        }
        Ok(lacking) => notes.extend(lacking),
        Err(panic) => {
            let what = word_of(panic.as_ref());
            violations.push(Violation { invariant: Invariant::NoPanic, at, what });
        }
    }
    let [told, fired, woken, lives] = sim.world.counts();
    notes.push(format!(
        "{told} ends told, {fired} timers fired, {woken} keys woken, {lives} lives began"
    ));
    Report {
        seed,
        plan: plan.name.clone(),
        hash: sim.hash(),
        elapsed: at,
        events: sim.delivered(),
        faults: begun.into_iter().map(|(name, begun)| (name, (begun, 0))).collect(),
        leader_changes: 0,
        leaders: 0,
        judged: usize::try_from(told + fired + woken).unwrap_or(usize::MAX),
        counts: Counts::default(),
        disks: sim.disks(),
        coverage: coverage(Site::ALL.iter().map(|site| site.name()), sim.coverage()),
        violations,
        notes,
        lines: sim.lines().map(str::to_owned).collect(),
    }
}

fn of_breach(breach: &Breach) -> Violation {
    // A judge that names what is on no list breaks something all the same.
    let invariant = Invariant::named(breach.invariant).unwrap_or(Invariant::NoPanic);
    Violation { invariant, at: Duration::from_nanos(breach.at.0), what: breach.what.clone() }
}

fn build(seed: u64, config: &RunConfig, disk: DiskFaults) -> Sim<Troupe> {
    let plan = &config.plan;
    let nodes = u32::from(plan.servers) + u32::from(plan.agents);
    let mistake = config.planted.iter().find_map(|planted| planted.mistake());
    let troupe = Troupe::new(TroupeConfig { nodes, workers: WORKERS, keys: KEYS, mistake });
    let mut sim = Sim::new(seed, troupe, config.lines);
    if plan.fault_points {
        sim.arm_buggify();
    }
    let mut rng = Rng::from_number(seed).derive("clocks");
    for _ in 0..nodes {
        let node = sim.add_node(draw_clock(plan, &mut rng));
        sim.inject(Fault::Disk { node, faults: disk });
    }
    sim
}

/// Lets everything happen, up to the first breach; what is lacking when the time to converge is
/// over.
fn drive(sim: &mut Sim<Troupe>, plan: &Plan, disk: DiskFaults) -> Option<String> {
    let broken = |troupe: &Troupe| !troupe.breaches().is_empty();
    if sim.run_until(plan.warm_up + plan.faults_for, broken) {
        return None;
    }
    sim.inject(Fault::HealAll);
    sim.inject(Fault::Net(NetFaults::default()));
    for node in nodes(plan) {
        sim.inject(Fault::CrashAfter { node, events: 0 });
        sim.inject(Fault::CrashAmid { node, events: 0 });
        sim.inject(Fault::Disk { node, faults: disk });
        sim.inject(Fault::Start(node));
    }
    sim.world.rest();
    let whole = |troupe: &Troupe| broken(troupe) || troupe.lacks().is_none();
    if sim.run_until(plan.converge_within, whole) { None } else { sim.world.lacks() }
}

fn nodes(plan: &Plan) -> impl Iterator<Item = NodeId> + use<> {
    (0..u32::from(plan.servers) + u32::from(plan.agents)).map(NodeId)
}

/// Puts all faults on the simulator's agenda; how many there are of each kind.
fn arrange(
    sim: &mut Sim<Troupe>,
    plan: &Plan,
    schedule: &Schedule,
    disk: DiskFaults,
) -> BTreeMap<&'static str, u64> {
    let mut begun = BTreeMap::new();
    let time = |at: Duration| SimTime::default().after(plan.warm_up + at);
    for (number, step) in schedule.steps.iter().enumerate() {
        let faults = faults_of(sim, plan, (number, step), disk);
        if !faults.is_empty() || bends_net(step.fault) {
            *begun.entry(step.fault.name()).or_default() += 1;
        }
        for (begins, ends) in faults {
            sim.schedule(time(step.at), begins);
            if let Some(ends) = ends {
                sim.schedule(time(step.end()), ends);
            }
        }
    }
    let bent: Vec<&Step> = schedule.steps.iter().filter(|step| bends_net(step.fault)).collect();
    for at in bent.iter().flat_map(|step| [step.at, step.end()]) {
        let lasting = bent.iter().filter(|step| step.at <= at && at < step.end());
        sim.schedule(time(at), Fault::Net(net_under(lasting.map(|step| &step.fault))));
    }
    begun
}

type Pair = (Fault, Option<Fault>);

/// What begins and what ends with a step; nothing for what this world does not know: machines that
/// stand still, and processes apart from their machine.
fn faults_of(
    sim: &Sim<Troupe>,
    plan: &Plan,
    (number, step): (usize, &Step),
    disk: DiskFaults,
) -> Vec<Pair> {
    let name = format!("step {number}");
    let hit = roster(plan).hit_by(step.fault);
    let hit: Vec<NodeId> = hit.into_iter().map(|one| id_of(one, plan.servers)).collect();
    if let Some(cut) = cut_under(&name, step.fault, &hit, nodes(plan)) {
        return vec![(Fault::Cut(cut), Some(Fault::Heal(name)))];
    }
    let on = |node: NodeId| -> Vec<Pair> {
        if let Some(faults) = disk_under(step.fault, disk) {
            let ends = Fault::Disk { node, faults: disk };
            return vec![(Fault::Disk { node, faults }, Some(ends))];
        }
        match step.fault {
            FaultKind::Crash(_) | FaultKind::PowerCut => {
                vec![(Fault::Crash(node), Some(Fault::Start(node)))]
            }
            FaultKind::CrashAfter { events, .. } => {
                let ends = Fault::CrashAfter { node, events: 0 };
                // It is up when this begins, so that starting it does nothing then.
                let starts = (Fault::Start(node), Some(Fault::Start(node)));
                vec![(Fault::CrashAfter { node, events }, Some(ends)), starts]
            }
            FaultKind::CrashAmid { events, .. } => {
                let ends = Fault::CrashAmid { node, events: 0 };
                let starts = (Fault::Start(node), Some(Fault::Start(node)));
                vec![(Fault::CrashAmid { node, events }, Some(ends)), starts]
            }
            FaultKind::ClockJump { by_ms, .. } => {
                let jump = |by_ms: i64| Fault::WallJump { node, by_ns: by_ms * 1_000_000 };
                vec![(jump(by_ms), Some(jump(-by_ms)))]
            }
            FaultKind::ClockSkew { ppm, .. } => {
                let usual = sim.clock(node).drift_ppm;
                let drift = |ppm| Fault::Drift { node, ppm };
                vec![(drift(usual.saturating_add(ppm)), Some(drift(usual)))]
            }
            _ => Vec::new(),
        }
    };
    hit.iter().flat_map(|node| on(*node)).collect()
}

/// The machines of a plan as faults name them: nobody leads here, so the first one stands for the
/// leader.
fn roster(plan: &Plan) -> Roster {
    Roster { servers: plan.servers, agents: plan.agents, leader: 0, fenced: 0 }
}
