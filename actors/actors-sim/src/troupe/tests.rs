//! A troupe lives, is judged, and each mistake is found.

use std::time::Duration;

use super::{Mistake, Site, Troupe, TroupeConfig};
use crate::{Cut, DiskFaults, Fault, NetFaults, NodeClock, NodeId, Sim, SimTime};

const CONFIG: TroupeConfig = TroupeConfig { nodes: 4, workers: 4, keys: 6, mistake: None };

/// A minute over a bad network and a bad disk, with a crash and a cut that outlasts all patience.
fn run(seed: u64, mistake: Option<Mistake>) -> Sim<Troupe> {
    let mut sim = Sim::new(seed, Troupe::new(TroupeConfig { mistake, ..CONFIG }), 20);
    sim.arm_buggify();
    let secs = |at: u64| SimTime(at * 1_000_000_000);
    for id in 0..CONFIG.nodes {
        let node = sim.add_node(NodeClock { drift_ppm: 50, ..NodeClock::default() });
        let (sync_min, sync_max) = (Duration::from_millis(1), Duration::from_millis(40));
        sim.inject(Fault::Disk {
            node,
            faults: DiskFaults { sync_min, sync_max, ..DiskFaults::default() },
        });
        sim.schedule(secs(5 + u64::from(id)), Fault::Drift { node, ppm: -400_000 });
        sim.schedule(secs(15), Fault::Drift { node, ppm: 0 });
    }
    sim.inject(Fault::Net(NetFaults {
        loss_ppm: 20_000,
        duplicate_ppm: 20_000,
        ..NetFaults::default()
    }));
    sim.schedule(secs(10), Fault::CrashAfter { node: NodeId(1), events: 3 });
    sim.schedule(secs(12), Fault::Start(NodeId(1)));
    sim.schedule(secs(13), Fault::CrashAmid { node: NodeId(2), events: 2 });
    sim.schedule(secs(15), Fault::Start(NodeId(2)));
    let cut = Cut::between("long", vec![NodeId(0)], vec![NodeId(2), NodeId(3)]);
    sim.schedule(secs(20), Fault::Cut(cut));
    sim.schedule(secs(30), Fault::HealAll);
    sim.run_for(Duration::from_secs(60));
    sim
}

fn check(mistake: Mistake, invariant: &str) {
    let found = (1..=10).find_map(|seed| {
        let sim = run(seed, Some(mistake));
        sim.world.breaches().first().map(|breach| breach.invariant)
    });
    assert_eq!(found, Some(invariant), "{mistake:?}");
}

#[test]
fn a_troupe_under_faults_keeps_its_promises_and_comes_to_rest() {
    for seed in 1..=10 {
        let mut sim = run(seed, None);
        assert_eq!(sim.world.breaches(), [], "seed {seed}: {}", sim.report());
        let [told, fired, woken, lives] = sim.world.counts();
        assert!(
            told > 50 && fired > 1_000 && woken > 300 && lives > 30,
            "{told} {fired} {woken} {lives}"
        );
        sim.inject(Fault::Net(NetFaults::default()));
        sim.world.rest();
        let whole = sim.run_until(Duration::from_secs(20), |troupe| troupe.lacks().is_none());
        assert!(whole, "seed {seed}: {:?}", sim.world.lacks());
        assert_eq!(sim.hash(), {
            let mut again = run(seed, None);
            again.inject(Fault::Net(NetFaults::default()));
            again.world.rest();
            again.run_until(Duration::from_secs(20), |troupe| troupe.lacks().is_none());
            again.hash()
        });
    }
}

#[test]
fn every_fault_point_is_reached() {
    let sim = run(1, None);
    let reached: Vec<&str> = sim.coverage().map(|(site, _)| site).collect();
    assert!(Site::ALL.iter().all(|site| reached.contains(&site.name())), "{reached:?}");
}

#[test]
fn a_lost_down_is_found() {
    check(Mistake::LostDown, "down-once");
}

#[test]
fn two_activations_of_one_key_are_found() {
    check(Mistake::TwoActivations, "one-activation");
}

#[test]
fn a_timer_that_outlives_its_actor_is_found() {
    check(Mistake::LateTimer, "timers-die");
}
