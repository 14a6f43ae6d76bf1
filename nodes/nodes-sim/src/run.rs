//! One run of the whole cluster from one seed: warm-up, faults under load, rest, and judgement.
//!
//! Way in: [`run`].  Safety is judged always; liveness after the faults are over: everything must
//! converge in time.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{Mono, Rng};
use actors_kinds::facts::TableError;
use actors_sim::{Fault, NetFaults, NodeClock, NodeId, Sim};
use chaos_judges::{FinalLog, Verdict, judge_operations, judge_watch};
use chaos_plan::{Budget, Schedule};
use store_mvcc::Revision;

use crate::{
    cluster::Cluster,
    config::{ClusterConfig, Planted},
    convergence::{Converged, check},
    event::{Event, Guard},
    faults::Engine,
    knobs::Knobs,
    record::{Counts, log_entry},
};

/// How a run is made.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The cluster.
    pub cluster: ClusterConfig,
    /// How long it is left alone at first.
    pub warm_up: Duration,
    /// How long it meets with faults.
    pub faults_for: Duration,
    /// How long it may take to converge afterwards.
    pub converge_within: Duration,
    /// How many of a million operations of clients are about what control loops work on; drawn if
    /// not set.
    pub control_ppm: Option<u32>,
    /// The longest sync of a disk without a fault; drawn if not set. Long ones keep more writes on
    /// their way when a fault begins.
    pub sync_max: Option<Duration>,
    /// The longest pause of a client between two operations; drawn if not set.
    pub pause_max: Option<Duration>,
    /// How many lines of what happened are kept for a report; 0 is fastest.
    pub trace_lines: usize,
    /// Which faults it meets with.
    pub faults: Faults,
}

/// Which faults a run meets with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Faults {
    /// Of every kind.
    #[default]
    All,
    /// Only of machines that run pods.
    Agents,
    /// Only the loss of agents' processes, which are soon started again: then nothing may be
    /// replaced.
    Processes,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            cluster: ClusterConfig::usual(),
            warm_up: Duration::from_secs(4),
            faults_for: Duration::from_secs(60),
            converge_within: Duration::from_secs(90),
            control_ppm: None,
            sync_max: None,
            pause_max: None,
            trace_lines: 0,
            faults: Faults::All,
        }
    }
}

impl RunConfig {
    /// A run that meets with these faults.
    #[must_use]
    pub fn meeting(faults: Faults) -> Self {
        let usual = Self { faults, ..Self::default() };
        // Where servers are left alone, clients would get far more done.
        let (pause_max, control_ppm) = (Some(Duration::from_millis(500)), Some(400_000));
        match faults {
            Faults::All => usual,
            Faults::Agents => Self { control_ppm, pause_max, ..usual },
            Faults::Processes => {
                Self { faults_for: Duration::from_secs(30), control_ppm, pause_max, ..usual }
            }
        }
    }

    /// A run with a planted bug, made so that it shows.
    #[must_use]
    pub fn with(planted: Planted) -> Self {
        // A fence falls if the servers are there to see it.
        let faults = match planted {
            Planted::IgnoredDeadline => Faults::Agents,
            _ => Faults::All,
        };
        let cluster = ClusterConfig::usual().with(planted);
        let mut config = Self { cluster, ..Self::meeting(faults) };
        if matches!(planted, Planted::NoFence | Planted::DoubleActivation) {
            // A plan must be on its way when its leader is cut off.
            config.control_ppm = Some(400_000);
            config.sync_max = Some(Duration::from_millis(40));
        }
        if planted == Planted::UnconfirmedRefusal {
            // Only clients that ask one server right after another can be told two things.
            config.pause_max = Some(Duration::from_millis(20));
        }
        config
    }
}

impl Faults {
    /// Those of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::All, Self::Agents, Self::Processes]
            .into_iter()
            .find(|faults| format!("{faults:?}") == name)
    }
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// One number for everything that happened.
    pub hash: u64,
    /// How much virtual time passed.
    pub elapsed: Duration,
    /// How many events were delivered.
    pub events: u64,
    /// By kind, how many faults began and how many were felt.
    pub faults: BTreeMap<&'static str, (u64, u64)>,
    /// How often leadership changed.
    pub leader_changes: u64,
    /// How many different servers led.
    pub leaders: usize,
    /// How many operations and watch events were judged.
    pub judged: usize,
    /// How much of what happened.
    pub counts: Counts,
    /// Fault points in the product's code that were reached, and how often they fired.
    pub coverage: Vec<(&'static str, u64)>,
    /// What must never happen, and did.
    pub violations: Vec<String>,
    /// What is odd.
    pub notes: Vec<String>,
    /// The last things that happened, if lines were kept.
    pub trace: String,
}

impl Report {
    /// A seed counts only if it covers at least this much virtual time,
    pub const ELAPSED_MIN: Duration = Duration::from_secs(60);
    /// this many faults that were felt,
    pub const FELT_MIN: u64 = 20;
    /// and this many changes of leadership.
    pub const LEADER_CHANGES_MIN: u64 = 1;

    /// How many faults were felt.
    #[must_use]
    pub fn felt(&self) -> u64 {
        self.faults.values().map(|(_, felt)| felt).sum()
    }

    /// Whether the seed covers enough to count.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.elapsed >= Self::ELAPSED_MIN
            && self.felt() >= Self::FELT_MIN
            && self.leader_changes >= Self::LEADER_CHANGES_MIN
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }
}

/// How often the run looks whether something is wrong, or everything is done.
const STEP: Duration = Duration::from_millis(500);

/// Runs the cluster from a seed.
///
/// # Errors
/// If the tables of kinds cannot be read.
pub fn run(seed: u64, config: &RunConfig) -> Result<Report, TableError> {
    let mut sim = build(seed, config)?;
    sim.run_for(config.warm_up);
    let budget = Budget {
        until: config.faults_for,
        servers: config.cluster.servers,
        agents: config.cluster.agents,
        power_cuts: 4,
        recovery: Duration::from_millis(2_500),
    };
    let mut rng = Rng::from_number(seed).derive("faults");
    let schedule = match config.faults {
        Faults::All => Schedule::draw(budget, &mut rng),
        Faults::Agents => Schedule::draw_agents(budget, &mut rng),
        Faults::Processes => Schedule::draw_processes(budget, &mut rng),
    };
    if let Err(error) = schedule.check() {
        sim.world.record.violation(format!("the schedule of faults breaks its budget: {error}"));
    }
    let began_at = Mono(sim.time().0);
    let mut engine = Engine::new(&schedule, began_at);
    while let Some(due) = engine.next_due().filter(|_| sound(&sim)) {
        let passed = Mono(sim.time().0).since(began_at);
        sim.run_for(due.saturating_sub(passed));
        engine.advance(&mut sim);
    }
    let rest = config.faults_for.saturating_sub(Mono(sim.time().0).since(began_at));
    if sound(&sim) {
        sim.run_for(rest);
    }
    settle(&mut sim, config);
    if config.faults == Faults::Processes && sim.world.record.counts.deaths > 0 {
        let deaths = sim.world.record.counts.deaths;
        sim.world.record.violation(format!("{deaths} nodes died of the loss of a process"));
    }
    judge(&mut sim);
    Ok(report(seed, &sim, &engine))
}

fn sound(sim: &Sim<Cluster>) -> bool {
    sim.world.record.violations.is_empty()
}

fn build(seed: u64, config: &RunConfig) -> Result<Sim<Cluster>, TableError> {
    let mut rng = Rng::from_number(seed).derive("clocks");
    let clock = |rng: &mut Rng| NodeClock {
        mono_zero: rng.below(1_000_000_000_000),
        wall_zero: NodeClock::default().wall_zero
            + i64::try_from(rng.below(400_000_000)).unwrap_or(0),
        drift_ppm: i32::try_from(rng.below(200)).unwrap_or(0) - 100,
    };
    let clocks: BTreeMap<NodeId, NodeClock> =
        (0..config.cluster.nodes()).map(|id| (NodeId(id), clock(&mut rng))).collect();
    let mut knobs = Knobs::draw(&mut Rng::from_number(seed).derive("knobs"));
    knobs.pause_max = config.pause_max.unwrap_or(knobs.pause_max);
    knobs.control_ppm = config.control_ppm.unwrap_or(knobs.control_ppm);
    if let Some(sync_max) = config.sync_max {
        (knobs.disk.sync_min, knobs.disk.sync_max) = (sync_max / 3, sync_max);
    }
    let world = Cluster::new(config.cluster.clone(), clocks.clone(), knobs)?;
    let mut sim = Sim::new(seed, world, config.trace_lines);
    sim.arm_buggify();
    for clock in clocks.into_values() {
        let node = sim.add_node(clock);
        sim.inject(Fault::Disk { node, faults: knobs.disk });
    }
    Ok(sim)
}

/// Mends everything, lets clients rest, and waits until the cluster is what it should be.
fn settle(sim: &mut Sim<Cluster>, config: &RunConfig) {
    sim.inject(Fault::HealAll);
    sim.inject(Fault::Net(NetFaults::default()));
    for id in 0..config.cluster.nodes() {
        let node = NodeId(id);
        sim.inject(Fault::Disk { node, faults: sim.world.shared.knobs.disk });
        sim.inject(Fault::Start(node));
        sim.tell(sim.time(), node, Event::Guard(Guard::Start));
    }
    sim.world.rest();
    let deadline = sim.time().after(config.converge_within);
    let mut quiet_at = None;
    while sound(sim) {
        sim.run_for(STEP);
        let why = match check(&sim.world, &mut quiet_at) {
            Converged::Yes => return,
            Converged::NotYet(why) => why,
        };
        if sim.time() >= deadline {
            let within = config.converge_within.as_secs();
            let recent: Vec<String> =
                sim.world.servers().flat_map(|(_, server)| server.recent()).collect();
            sim.world.record.notes.extend(recent);
            return sim
                .world
                .record
                .violation(format!("not within {within} s without faults: {why}"));
        }
    }
}

/// Lets the judges look at everything that was seen.
fn judge(sim: &mut Sim<Cluster>) {
    let Some(log) = final_log(&sim.world) else {
        return sim.world.record.violation("no server has the log at the end");
    };
    let record = &mut sim.world.record;
    let mut verdict = judge_operations(&record.operations, &log);
    let operations = std::mem::take(&mut verdict);
    let watches = record.watches.iter().map(|watch| judge_watch(watch, &log));
    let mut watched = Verdict::default();
    watches.for_each(|other| watched.merge(other));
    record.judged = operations.judged + watched.judged;
    for violation in operations.violations {
        let text = format!("operations: {violation}{}", record.describe(&violation));
        record.violation(text);
    }
    for violation in watched.violations {
        record.violation(format!("watches: {violation}"));
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

fn report(seed: u64, sim: &Sim<Cluster>, engine: &Engine) -> Report {
    let record = &sim.world.record;
    Report {
        seed,
        hash: sim.hash(),
        elapsed: Duration::from_nanos(sim.time().0),
        events: sim.delivered(),
        faults: engine.receipts(record),
        leader_changes: record.leader_changes(),
        leaders: record.leaders(),
        judged: record.judged,
        counts: record.counts.clone(),
        coverage: sim.coverage().collect(),
        violations: record.violations.clone(),
        notes: record.notes.clone(),
        trace: sim.report(),
    }
}
