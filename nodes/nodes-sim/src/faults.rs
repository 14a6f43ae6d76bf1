//! Carries a schedule of faults out on a simulated cluster, and says which of them were felt.
//!
//! Way in: [`Engine::due`], [`Engine::receipts`].
//! Invariant: a fault counts only if the record shows its effect: a message lost, a sync delayed, a
//! node down.

use std::{collections::BTreeMap, time::Duration};

use actors_core::Mono;
use actors_sim::{Cut, DiskFaults, Fault, Flap, NetFaults, NodeId, Sim};
use chaos_plan::{FaultKind, Schedule, Step, Target};

use crate::{
    cluster::Cluster,
    config::ClusterConfig,
    event::{Event, Guard},
    record::Record,
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
        let fault = self.steps[number].fault;
        let config = sim.world.shared.config.clone();
        let hit = resolve(sim, &config, fault);
        let mut felt = false;
        let everybody = || (0..config.nodes()).map(NodeId).collect::<Vec<_>>();
        let others = |node: NodeId| everybody().into_iter().filter(move |id| *id != node).collect();
        let name = format!("step {number}");
        for node in &hit {
            let node = *node;
            let disk = |faults| Fault::Disk { node, faults };
            match fault {
                FaultKind::Crash(_) | FaultKind::PowerCut => {
                    felt |= sim.is_up(node);
                    sim.inject(Fault::Crash(node));
                }
                FaultKind::Isolate(_) => {
                    sim.inject(Fault::Cut(Cut::between(name.clone(), vec![node], others(node))));
                }
                FaultKind::Deaf(_) => {
                    sim.inject(one_way(&name, members_but(&config, node), vec![node]));
                }
                FaultKind::Mute(_) => {
                    sim.inject(one_way(&name, vec![node], members_but(&config, node)));
                }
                FaultKind::Pause(_) => {
                    felt |= sim.is_up(node);
                    let until = now.after(self.steps[number].span);
                    sim.world.freeze(node, until);
                }
                FaultKind::LoseProcess(_) => {
                    felt |= sim.world.has_process(node);
                    sim.tell(sim.time(), node, Event::Guard(Guard::Lost));
                }
                FaultKind::Flap(_) => {
                    let mut cut = Cut::between(name.clone(), vec![node], others(node));
                    let (off, on) = (Duration::from_millis(120), Duration::from_millis(180));
                    cut.flap = Some(Flap { cut: off, open: on });
                    sim.inject(Fault::Cut(cut));
                }
                FaultKind::ClockJump { by_ms, .. } => {
                    felt |= sim.is_up(node);
                    sim.inject(Fault::WallJump { node, by_ns: by_ms * 1_000_000 });
                }
                FaultKind::SlowDisk(_) => sim.inject(disk(slow_disk())),
                FaultKind::StallDisk(_) => sim.inject(disk(stalling_disk())),
                FaultKind::FullDisk(_) => {
                    sim.inject(disk(DiskFaults { is_full: true, ..sim.world.shared.knobs.disk }));
                }
                FaultKind::FailDisk(_) => {
                    sim.inject(disk(DiskFaults {
                        sync_error_ppm: 250_000,
                        ..sim.world.shared.knobs.disk
                    }));
                }
                FaultKind::Loss { .. } | FaultKind::Jumble { .. } | FaultKind::SlowNet { .. } => {}
            }
        }
        if matches!(
            fault,
            FaultKind::Loss { .. } | FaultKind::Jumble { .. } | FaultKind::SlowNet { .. }
        ) {
            self.net.insert(number, fault);
            self.bend_net(sim);
        }
        self.begun.insert(number, Begun { hit, since: now, until: now, felt });
    }

    fn end(&mut self, sim: &mut Sim<Cluster>, number: usize, now: Mono) {
        let Some(begun) = self.begun.get_mut(&number) else { return };
        begun.until = now;
        let hit = begun.hit.clone();
        let fault = self.steps[number].fault;
        for node in hit {
            match fault {
                FaultKind::Crash(_) | FaultKind::PowerCut => sim.inject(Fault::Start(node)),
                FaultKind::LoseProcess(_) => {
                    sim.tell(sim.time(), node, Event::Guard(Guard::Start));
                }
                FaultKind::Isolate(_)
                | FaultKind::Deaf(_)
                | FaultKind::Mute(_)
                | FaultKind::Flap(_) => {
                    sim.inject(Fault::Heal(format!("step {number}")));
                }
                FaultKind::ClockJump { by_ms, .. } => {
                    sim.inject(Fault::WallJump { node, by_ns: -by_ms * 1_000_000 });
                }
                FaultKind::SlowDisk(_)
                | FaultKind::StallDisk(_)
                | FaultKind::FullDisk(_)
                | FaultKind::FailDisk(_) => {
                    sim.inject(Fault::Disk { node, faults: sim.world.shared.knobs.disk });
                }
                // A pause ends by itself.
                FaultKind::Pause(_)
                | FaultKind::Loss { .. }
                | FaultKind::Jumble { .. }
                | FaultKind::SlowNet { .. } => {}
            }
        }
        if self.net.remove(&number).is_some() {
            self.bend_net(sim);
        }
    }

    /// Lets the network behave as all faults that bend it say together.
    fn bend_net(&self, sim: &mut Sim<Cluster>) {
        let mut faults = NetFaults::default();
        for fault in self.net.values() {
            match fault {
                FaultKind::Loss { per_million } => faults.loss_ppm = *per_million,
                FaultKind::Jumble { per_million } => {
                    faults.duplicate_ppm = *per_million;
                    faults.reorder_ppm = *per_million;
                }
                FaultKind::SlowNet { latency_max } => faults.latency_max = *latency_max,
                _ => {}
            }
        }
        sim.inject(Fault::Net(faults));
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
        | FaultKind::PowerCut
        | FaultKind::Pause(_)
        | FaultKind::LoseProcess(_)
        | FaultKind::ClockJump { .. } => begun.felt,
        FaultKind::Isolate(_) | FaultKind::Flap(_) => {
            fate(&|from, to| hit(from) || hit(to)).lost > 0
        }
        FaultKind::Deaf(_) => fate(&|_, to| hit(to)).lost > 0,
        FaultKind::Mute(_) => fate(&|from, _| hit(from)).lost > 0,
        FaultKind::Loss { .. } => fate(&|_, _| true).lost > 0,
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

fn slow_disk() -> DiskFaults {
    let (sync_min, sync_max) = (Duration::from_millis(20), Duration::from_millis(150));
    DiskFaults { sync_min, sync_max, ..DiskFaults::default() }
}

fn stalling_disk() -> DiskFaults {
    let stall = Duration::from_millis(1_400);
    DiskFaults { stall_ppm: 200_000, stall, ..DiskFaults::default() }
}

fn one_way(name: &str, from: Vec<NodeId>, to: Vec<NodeId>) -> Fault {
    let mut cut = Cut::between(name.to_owned(), from, to);
    cut.is_one_way = true;
    Fault::Cut(cut)
}

fn members_but(config: &ClusterConfig, node: NodeId) -> Vec<NodeId> {
    config.server_ids().chain(config.agent_ids()).filter(|id| *id != node).collect()
}

fn servers_but(config: &ClusterConfig, node: NodeId) -> Vec<NodeId> {
    config.server_ids().filter(|id| *id != node).collect()
}

/// Whom a fault hits now.
fn resolve(sim: &Sim<Cluster>, config: &ClusterConfig, fault: FaultKind) -> Vec<NodeId> {
    let target = match fault {
        FaultKind::PowerCut => return config.server_ids().collect(),
        FaultKind::Loss { .. } | FaultKind::Jumble { .. } | FaultKind::SlowNet { .. } => {
            return Vec::new();
        }
        FaultKind::Crash(target)
        | FaultKind::Isolate(target)
        | FaultKind::Deaf(target)
        | FaultKind::Mute(target)
        | FaultKind::Pause(target)
        | FaultKind::LoseProcess(target)
        | FaultKind::Flap(target)
        | FaultKind::SlowDisk(target)
        | FaultKind::StallDisk(target)
        | FaultKind::FullDisk(target)
        | FaultKind::FailDisk(target)
        | FaultKind::ClockJump { target, .. } => target,
    };
    let leader = sim.world.leader().unwrap_or(NodeId(0));
    let hit = match target {
        Target::Leader => Some(leader),
        Target::Follower(place) => servers_but(config, leader).get(usize::from(place)).copied(),
        Target::Agent(place) => config.agent_ids().nth(usize::from(place)),
        Target::Fenced => sim.world.record.fences.home().or_else(|| {
            let agents = usize::from(config.agents.max(1));
            let place = usize::try_from(sim.time().0 / 1_000_000).unwrap_or(0) % agents;
            config.agent_ids().nth(place)
        }),
    };
    hit.into_iter().collect()
}
