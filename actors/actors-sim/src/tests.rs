//! A world of nodes that pass numbers on and write them down, and everything that can happen to it.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{
    Effects, Turn,
    ports::{LogRecord, LogStore, StateStore},
};
use serde::{Deserialize, Serialize};

use crate::{
    Cut, DiskFaults, Fault, Flap, Host, NetFaults, NodeClock, NodeId, Sim, SimDisk, SimTime, World,
    suite,
};

/// Every node writes each number it hears to its log, and passes it on to the next when it is
/// durable.
#[derive(Default)]
struct Ring {
    nodes: u32,
    lives: BTreeMap<NodeId, Life>,
    heard: Vec<(NodeId, u64)>,
}

#[derive(Default)]
struct Life {
    next: u64,
    ticks: u64,
    boot: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Event {
    Number(u64),
    Durable(u64),
    Lost,
    Tick,
    /// So many are passed on at once.
    Burst {
        first: u64,
        count: u64,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Effect {
    Write(u64),
    PassOn(u64),
    Tick,
}

impl World for Ring {
    type Event = Event;
    type Effect = Effect;

    fn start(&mut self, node: NodeId, host: &mut Host<'_, Event>) {
        let records = host.disk().log("ring").read_from(0, usize::MAX).expect("a disk");
        let next = records.last().map_or(1, |record| record.index + 1);
        self.lives.insert(node, Life { next, ticks: 0, boot: host.boot() });
        let at = host.now().mono.after(Duration::from_millis(10));
        host.at(at, Event::Tick);
    }

    fn crash(&mut self, node: NodeId) {
        self.lives.remove(&node);
    }

    fn deliver(&mut self, node: NodeId, event: Event, turn: Turn<'_>, out: &mut Effects<Effect>) {
        let life = self.lives.get_mut(&node).expect("only nodes that are up hear events");
        match event {
            Event::Number(number) => {
                self.heard.push((node, number));
                out.push(Effect::Write(number));
            }
            Event::Durable(number) => out.push(Effect::PassOn(number + turn.rng.below(2))),
            Event::Lost => {}
            Event::Burst { first, count } => {
                (first..first + count).for_each(|number| out.push(Effect::PassOn(number)));
            }
            Event::Tick => {
                life.ticks += 1;
                out.push(Effect::Tick);
            }
        }
    }

    fn carry_out(&mut self, node: NodeId, effect: Effect, host: &mut Host<'_, Event>) {
        let life = self.lives.get_mut(&node).expect("it is up");
        match effect {
            Effect::Write(number) => {
                let record = LogRecord { index: life.next, data: number.to_le_bytes().to_vec() };
                life.next += 1;
                host.disk().log("ring").append(&[record]).expect("room");
                host.sync(Event::Durable(number), Event::Lost);
            }
            Effect::PassOn(number) => {
                host.send(NodeId((node.0 + 1) % self.nodes), Event::Number(number));
            }
            Effect::Tick => {
                let slow = host.buggify().at("ring.tick.slow");
                let at = host.now().mono.after(Duration::from_millis(if slow { 30 } else { 10 }));
                host.at(at, Event::Tick);
            }
        }
    }
}

fn ring(seed: u64, nodes: u32) -> Sim<Ring> {
    let mut sim = Sim::new(seed, Ring { nodes, ..Ring::default() }, 50);
    sim.arm_buggify();
    for _ in 0..nodes {
        sim.add_node(NodeClock::default());
    }
    sim
}

const SECOND: Duration = Duration::from_secs(1);
const NASTY: NetFaults = NetFaults {
    latency_min: Duration::from_micros(50),
    latency_max: Duration::from_millis(2),
    loss_ppm: 1_000,
    duplicate_ppm: 20_000,
    reorder_ppm: 50_000,
};

fn nasty_run(seed: u64) -> Sim<Ring> {
    let mut sim = ring(seed, 3);
    sim.inject(Fault::Net(NASTY));
    for number in 0..10 {
        sim.tell(SimTime(number * 1_000_000), NodeId(0), Event::Number(number));
    }
    sim.schedule(SimTime(300_000_000), Fault::Crash(NodeId(1)));
    sim.schedule(SimTime(400_000_000), Fault::Start(NodeId(1)));
    sim.run_for(SECOND);
    sim
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let (one, again, other) = (nasty_run(1), nasty_run(1), nasty_run(2));
    assert_eq!(one.report(), again.report());
    assert_eq!(one.hash(), again.hash());
    assert_ne!(one.hash(), other.hash());
    assert!(one.delivered() > 1_000, "{}", one.report());
    assert!(one.coverage().any(|(site, _)| site == "ring.tick.slow"));
}

#[test]
fn what_is_synced_survives_every_crash_and_the_rest_keeps_a_prefix() {
    let mut lengths = BTreeMap::new();
    for seed in 0..200 {
        let disk = SimDisk::new(actors_core::Rng::from_number(seed));
        let (mut log, state) = (disk.log("l"), disk.state("s"));
        let record = |index| LogRecord { index, data: vec![1] };
        log.append(&[record(1), record(2)]).unwrap();
        log.sync().unwrap();
        state.batch(vec![(b"kept".to_vec(), Some(vec![1]))]).unwrap();
        state.flush().unwrap();
        log.append(&[record(3), record(4)]).unwrap();
        log.append(&[record(5)]).unwrap();
        let both = vec![(b"x".to_vec(), Some(vec![1])), (b"y".to_vec(), Some(vec![1]))];
        state.batch(both).unwrap();
        disk.crash();
        assert!(log.read_from(0, 9).is_err(), "a handle from before the crash fails");
        let indexes: Vec<_> =
            disk.log("l").read_from(0, 9).unwrap().iter().map(|record| record.index).collect();
        assert_eq!(indexes, (1..=indexes.len() as u64).collect::<Vec<_>>());
        let state = disk.state("s");
        assert!(state.get(b"kept").unwrap().is_some());
        assert_eq!(state.get(b"x").unwrap(), state.get(b"y").unwrap(), "batches are atomic");
        *lengths.entry(indexes.len()).or_insert(0) += 1;
    }
    assert_eq!(lengths.keys().copied().collect::<Vec<_>>(), [2, 3, 4, 5], "{lengths:?}");
}

#[test]
fn a_crash_before_the_sync_is_over_loses_the_write_and_its_end() {
    let mut sim = ring(7, 1);
    let slow = DiskFaults { stall_ppm: 1_000_000, stall: SECOND, ..DiskFaults::default() };
    sim.inject(Fault::Disk { node: NodeId(0), faults: slow });
    sim.tell(SimTime(0), NodeId(0), Event::Number(1));
    sim.run_for(SECOND / 2);
    sim.inject(Fault::Crash(NodeId(0)));
    sim.inject(Fault::Start(NodeId(0)));
    sim.run_for(SECOND * 2);
    assert_eq!(sim.world.heard.len(), 1, "the end of the write died with its life");
    assert_eq!(sim.world.lives[&NodeId(0)].boot, 2);
}

#[test]
fn a_sync_that_fails_is_told_and_a_full_disk_refuses() {
    let mut sim = ring(7, 1);
    let failing = DiskFaults { sync_error_ppm: 1_000_000, ..DiskFaults::default() };
    sim.inject(Fault::Disk { node: NodeId(0), faults: failing });
    sim.tell(SimTime(0), NodeId(0), Event::Number(1));
    sim.run_for(SECOND / 10);
    assert!(sim.report().contains("n0 < Lost"), "{}", sim.report());
    let full = DiskFaults { is_full: true, ..DiskFaults::default() };
    sim.inject(Fault::Disk { node: NodeId(0), faults: full });
    let refused = sim.disk(NodeId(0)).log("ring").append(&[]).unwrap_err();
    assert_eq!(refused.to_string(), "no space left on the device: simulated disk");
}

fn heard(sim: &Sim<Ring>, node: u32) -> usize {
    sim.world.heard.iter().filter(|(who, _)| *who == NodeId(node)).count()
}

#[test]
fn a_partition_cuts_both_ways_or_one_until_it_heals() {
    let mut sim = ring(3, 2);
    let (a, b) = (vec![NodeId(0)], vec![NodeId(1)]);
    sim.inject(Fault::Cut(Cut::between("split", a.clone(), b.clone())));
    sim.tell(SimTime(0), NodeId(0), Event::Number(1));
    sim.run_for(SECOND);
    assert_eq!((heard(&sim, 0), heard(&sim, 1)), (1, 0));
    let one_way = Cut { is_one_way: true, ..Cut::between("split", b, a) };
    sim.inject(Fault::Cut(one_way));
    sim.tell(sim.time(), NodeId(0), Event::Number(1));
    sim.run_for(SECOND);
    assert_eq!((heard(&sim, 0), heard(&sim, 1)), (2, 1), "there, but not back");
    sim.inject(Fault::Heal("split".into()));
    sim.tell(sim.time(), NodeId(0), Event::Number(1));
    assert!(sim.run_until(SECOND, |ring| ring.heard.len() > 10), "{}", sim.report());
}

#[test]
fn a_crash_amid_effects_keeps_some_of_them_and_loses_the_others() {
    let mut kept = BTreeMap::new();
    for seed in 0..40 {
        let mut sim = ring(seed, 2);
        // The first one has a single effect, and cannot be cut.
        sim.inject(Fault::CrashAmid { node: NodeId(0), events: 2 });
        sim.tell(SimTime(0), NodeId(0), Event::Number(1));
        for first in [10, 20, 30] {
            sim.tell(SimTime(0), NodeId(0), Event::Burst { first, count: 4 });
        }
        sim.run_for(SECOND);
        assert!(!sim.is_up(NodeId(0)), "{}", sim.report());
        let cut_off = sim.cut_off(NodeId(0));
        assert!((1..4).contains(&cut_off));
        // Four of the first, some of the second, and nothing of the third one.
        let passed = heard(&sim, 1) as u64;
        assert_eq!(passed + cut_off, 8, "{}", sim.report());
        *kept.entry(cut_off).or_insert(0) += 1;
    }
    assert_eq!(kept.len(), 3, "{kept:?}");
    let mut sim = ring(1, 2);
    sim.inject(Fault::CrashAmid { node: NodeId(0), events: 1 });
    sim.inject(Fault::CrashAmid { node: NodeId(0), events: 0 });
    sim.tell(SimTime(0), NodeId(0), Event::Burst { first: 1, count: 4 });
    sim.run_for(SECOND);
    assert!(sim.is_up(NodeId(0)) && sim.cut_off(NodeId(0)) == 0);
}

#[test]
fn a_flapping_cut_comes_and_goes() {
    let mut sim = ring(3, 2);
    let ms = Duration::from_millis;
    let flap = Some(Flap { cut: ms(100), open: ms(50) });
    let cut = Cut { flap, ..Cut::between("flap", vec![NodeId(0)], vec![NodeId(1)]) };
    sim.inject(Fault::Cut(cut));
    for at in 0..15 {
        sim.tell(SimTime(at * 10_000_000), NodeId(0), Event::Number(at));
    }
    sim.run_for(ms(99));
    assert_eq!(heard(&sim, 1), 0);
    sim.run_for(ms(50));
    assert!(heard(&sim, 1) >= 4, "{}", sim.report());
}

#[test]
fn clocks_drift_and_jump_and_timers_follow_their_own() {
    let mut sim: Sim<Ring> = Sim::new(1, Ring { nodes: 2, ..Ring::default() }, 0);
    let exact = sim.add_node(NodeClock::default());
    let fast = sim.add_node(NodeClock { drift_ppm: 100_000, ..NodeClock::default() });
    // A little longer, for a timer is never early.
    sim.run_for(SECOND + Duration::from_millis(5));
    let ticks = |sim: &Sim<Ring>, node| sim.world.lives[&node].ticks;
    assert_eq!((ticks(&sim, exact), ticks(&sim, fast)), (100, 110));
    let before = sim.now(exact);
    sim.inject(Fault::WallJump { node: exact, by_ns: -5_000_000_000 });
    let after = sim.now(exact);
    assert_eq!(after.mono, before.mono);
    assert_eq!(after.wall.0, before.wall.0 - 5_000_000_000);
}

#[test]
fn the_simulated_disks_pass_the_suites() {
    let disk = SimDisk::new(actors_core::Rng::from_number(1));
    assert_eq!(suite::check_log(|| disk.log("log")), Ok(()));
    assert_eq!(suite::check_state(|| disk.state("state")), Ok(()));
    // What was synced is there after a crash as well.
    let crashed = SimDisk::new(actors_core::Rng::from_number(2));
    let reopen = || {
        crashed.crash();
        crashed.clone()
    };
    assert_eq!(suite::check_log(|| reopen().log("log")), Ok(()));
    assert_eq!(suite::check_state(|| reopen().state("state")), Ok(()));
}
