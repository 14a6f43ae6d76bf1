//! Carries a schedule of faults out on a simulated cluster, and says which of them were felt.
//!
//! Way in: [`Engine::due`], [`Engine::receipts`].
//! Invariant: a fault counts only if the record shows its effect: a message lost, a sync delayed, a
//! node down.

use std::{collections::BTreeMap, time::Duration};

use actors_core::Mono;
use actors_sim::{Fault, NodeId, Sim};
use chaos_plan::{FaultKind, Roster, Schedule, Step};

use crate::{
    cluster::Cluster,
    config::ClusterConfig,
    event::{Event, Guard},
    record::Record,
    strike::{bends_net, cut_under, disk_under, id_of, net_under},
    wire::Fate,
};

/// Carries out one schedule.
#[derive(Debug)]
pub(crate) struct Engine {
    steps: Vec<Step>,
    /// What is to be done when, by time and order.
    agenda: BTreeMap<(Duration, usize, bool), ()>,
    /// Whom a step hit, once it began.
    begun: BTreeMap<usize, Begun>,
    /// How the network behaves for each step that bends it.
    net: BTreeMap<usize, FaultKind>,
    began_at: Mono,
}

#[derive(Debug, Clone)]
struct Begun {
    hit: Vec<NodeId>,
    since: Mono,
    until: Mono,
    /// Whether beginning it was an effect already: a node that was up went down, a clock jumped.
    felt: bool,
}

impl Engine {
    pub(crate) fn new(schedule: &Schedule, began_at: Mono) -> Self {
        let mut agenda = BTreeMap::new();
        for (number, step) in schedule.steps.iter().enumerate() {
            agenda.insert((step.at, number, false), ());
            agenda.insert((step.end(), number, true), ());
        }
        let (begun, net) = (BTreeMap::new(), BTreeMap::new());
        Self { steps: schedule.steps.clone(), agenda, begun, net, began_at }
    }

    /// When the next fault begins or ends, from the start of the schedule.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.agenda.first_key_value().map(|((at, ..), ())| *at)
    }

    /// Begins or ends the next fault.
    pub(crate) fn advance(&mut self, sim: &mut Sim<Cluster>) {
        let Some(((at, number, ends), ())) = self.agenda.pop_first() else { return };
        let now = self.began_at.after(at);
        if ends {
            self.end(sim, number, now);
        } else {
            self.begin(sim, number, now);
        }
    }

    fn begin(&mut self, sim: &mut Sim<Cluster>, number: usize, now: Mono) {
        let Step { fault, span, .. } = self.steps[number];
        let config = sim.world.shared.config.clone();
        let hit = roster(sim, &config).hit_by(fault);
        let hit: Vec<NodeId> = hit.into_iter().map(|one| id_of(one, config.servers)).collect();
        let mut felt = false;
        for node in &hit {
            felt |= strike(sim, fault, *node, now.after(span));
        }
        // Users' machines hear who is deaf or mute to the others.
        let one_way = matches!(fault, FaultKind::Deaf(_) | FaultKind::Mute(_));
        let clients = config.client_ids().filter(|_| !one_way);
        let all = config.server_ids().chain(config.agent_ids()).chain(clients);
        if let Some(cut) = cut_under(&format!("step {number}"), fault, &hit, all) {
            sim.inject(Fault::Cut(cut));
        }
        if bends_net(fault) {
            self.net.insert(number, fault);
            sim.inject(Fault::Net(net_under(self.net.values())));
        }
        self.begun.insert(number, Begun { hit, since: now, until: now, felt });
    }

    fn end(&mut self, sim: &mut Sim<Cluster>, number: usize, now: Mono) {
        let Some(begun) = self.begun.get_mut(&number) else { return };
        begun.until = now;
        let fault = self.steps[number].fault;
        for node in begun.hit.clone() {
            begun.felt |= release(sim, fault, node);
        }
        sim.inject(Fault::Heal(format!("step {number}")));
        if self.net.remove(&number).is_some() {
            sim.inject(Fault::Net(net_under(self.net.values())));
        }
    }

    /// How many faults of each kind began, and how many were felt.
    pub(crate) fn receipts(&self, record: &Record) -> BTreeMap<&'static str, (u64, u64)> {
        let mut receipts: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
        for (number, begun) in &self.begun {
            let fault = self.steps[*number].fault;
            let (planned, felt) = receipts.entry(fault.name()).or_default();
            *planned += 1;
            *felt += u64::from(is_felt(fault, begun, record));
        }
        receipts
    }
}

fn is_felt(fault: FaultKind, begun: &Begun, record: &Record) -> bool {
    let span = (begun.since, begun.until);
    let hit = |node: NodeId| begun.hit.contains(&node);
    let fate =
        |concerns: &dyn Fn(NodeId, NodeId) -> bool| -> Fate { record.wire.fate(span, concerns) };
    let within = |spans: &Vec<(Mono, Mono)>| {
        spans.iter().any(|(began, ended)| *began <= begun.until && begun.since <= *ended)
    };
    let disk = |notes: fn(&crate::record::DiskNotes) -> &Vec<(Mono, Mono)>| {
        begun.hit.iter().filter_map(|node| record.disk.get(node)).any(|own| within(notes(own)))
    };
    match fault {
        FaultKind::Crash(_)
        | FaultKind::CrashAfter { .. }
        | FaultKind::CrashAmid { .. }
        | FaultKind::PowerCut
        | FaultKind::Pause(_)
        | FaultKind::LoseProcess(_)
        | FaultKind::ClockJump { .. }
        | FaultKind::ClockSkew { .. } => begun.felt,
        FaultKind::Isolate(_) | FaultKind::Flap(_) => {
            fate(&|from, to| hit(from) || hit(to)).lost > 0
        }
        FaultKind::Deaf(_) => fate(&|_, to| hit(to)).lost > 0,
        FaultKind::Mute(_) => fate(&|from, _| hit(from)).lost > 0,
        FaultKind::Unlink { .. } => fate(&|from, to| hit(from) && hit(to)).lost > 0,
        FaultKind::Loss { .. } => fate(&|_, _| true).lost > 0,
        FaultKind::Duplicate { .. } => fate(&|_, _| true).twice > 0,
        FaultKind::Jumble { .. } => {
            let fate = fate(&|_, _| true);
            fate.twice > 0 || fate.late > 0
        }
        FaultKind::SlowNet { .. } => fate(&|_, _| true).slow > 0,
        FaultKind::SlowDisk(_) | FaultKind::StallDisk(_) => disk(|notes| &notes.slow),
        FaultKind::FullDisk(_) => disk(|notes| &notes.full),
        FaultKind::FailDisk(_) => disk(|notes| &notes.failed),
    }
}

/// Lets a fault begin on one machine; whether that alone is felt: it was up, or a clock changed.
fn strike(sim: &mut Sim<Cluster>, fault: FaultKind, node: NodeId, until: Mono) -> bool {
    match fault {
        FaultKind::Crash(_) | FaultKind::PowerCut => {
            let was_up = sim.is_up(node);
            sim.inject(Fault::Crash(node));
            was_up
        }
        FaultKind::CrashAfter { events, .. } => {
            sim.inject(Fault::CrashAfter { node, events });
            false
        }
        FaultKind::CrashAmid { events, .. } => {
            sim.inject(Fault::CrashAmid { node, events });
            false
        }
        FaultKind::Pause(_) => {
            sim.world.freeze(node, until);
            sim.is_up(node)
        }
        FaultKind::LoseProcess(_) => {
            sim.tell(sim.time(), node, Event::Guard(Guard::Lost));
            sim.world.has_process(node)
        }
        FaultKind::ClockJump { by_ms, .. } => {
            sim.inject(Fault::WallJump { node, by_ns: by_ms * 1_000_000 });
            sim.is_up(node)
        }
        FaultKind::ClockSkew { ppm, .. } => {
            skew(sim, node, ppm);
            sim.is_up(node)
        }
        _ => {
            if let Some(faults) = disk_under(fault, sim.world.shared.knobs.disk) {
                sim.inject(Fault::Disk { node, faults });
            }
            false
        }
    }
}

/// Lets a fault end on one machine; whether it is known only now that it was felt.
fn release(sim: &mut Sim<Cluster>, fault: FaultKind, node: NodeId) -> bool {
    let usual = sim.world.shared.knobs.disk;
    match fault {
        FaultKind::Crash(_) | FaultKind::PowerCut => sim.inject(Fault::Start(node)),
        FaultKind::CrashAfter { .. } | FaultKind::CrashAmid { .. } => {
            let has_crashed = !sim.is_up(node);
            sim.inject(Fault::CrashAfter { node, events: 0 });
            sim.inject(Fault::CrashAmid { node, events: 0 });
            sim.inject(Fault::Start(node));
            return has_crashed;
        }
        FaultKind::LoseProcess(_) => sim.tell(sim.time(), node, Event::Guard(Guard::Start)),
        FaultKind::ClockJump { by_ms, .. } => {
            sim.inject(Fault::WallJump { node, by_ns: -by_ms * 1_000_000 });
        }
        FaultKind::ClockSkew { ppm, .. } => skew(sim, node, -ppm),
        _ if disk_under(fault, usual).is_some() => {
            sim.inject(Fault::Disk { node, faults: usual });
        }
        // A pause ends by itself, a cut by its name.
        _ => {}
    }
    false
}

/// Lets a node's clocks run faster than they do.
fn skew(sim: &mut Sim<Cluster>, node: NodeId, by_ppm: i32) {
    let ppm = sim.clock(node).drift_ppm.saturating_add(by_ppm);
    sim.inject(Fault::Drift { node, ppm });
}

/// Who is what now.
fn roster(sim: &Sim<Cluster>, config: &ClusterConfig) -> Roster {
    let number = |id: NodeId, first: u32| u8::try_from(id.0.saturating_sub(first)).ok();
    let home = sim.world.record.fences.home();
    let fenced = home.and_then(|id| number(id, u32::from(config.servers))).unwrap_or_else(|| {
        let any = sim.time().0 / 1_000_000 % u64::from(config.agents.max(1));
        u8::try_from(any).unwrap_or(0)
    });
    let leader = sim.world.leader().and_then(|id| number(id, 0)).unwrap_or(0);
    Roster { servers: config.servers, agents: config.agents, leader, fenced }
}
