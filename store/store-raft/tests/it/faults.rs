//! Seeds: partitions, crashes, pauses, torn writes, stalls, loss, transfers, members that come and
//! go, under load; then peace.

use store_raft::{MemberChange, NodeId, RaftEvent};

use crate::{
    disk::Disk,
    world::{MS, World},
};

/// How long faults are made, in virtual time.
const TROUBLE: u64 = 2_500 * MS;

fn cause_trouble(world: &mut World) {
    let ids: Vec<NodeId> = world.nodes.keys().copied().collect();
    let victim = *world.rng.pick(&ids).unwrap();
    let other = *world.rng.pick(&ids).unwrap();
    match world.rng.below(10) {
        0 => world.isolate(victim),
        1 => {
            world.cut.insert((victim, other));
        }
        2 | 3 => world.heal(),
        4 | 5 => {
            let down = world.rng.between(20, 600) * MS;
            world.crash(victim, down);
        }
        6 => {
            let span = world.rng.between(50, 1_400) * MS;
            world.stall(victim, span);
        }
        7 => {
            let span = world.rng.between(50, 1_500) * MS;
            world.pause(victim, span);
        }
        8 => world.tell(victim, RaftEvent::Transfer { to: other }),
        _ => world.loss_per_million = u32::try_from(world.rng.below(300_000)).unwrap(),
    }
}

/// What one seed came to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// Of all effects.
    hash: u64,
    acknowledged: usize,
    elections: usize,
    snapshots: u64,
    interrupted: u64,
}

fn run(seed: u64) -> Outcome {
    let mut world = World::new(seed, 3);
    world.run_for(700 * MS);
    let mut next_trouble = world.now;
    let end = world.now + TROUBLE;
    while world.now < end {
        let half_replaced = world.nodes.iter().find(|(_, node)| node.installing);
        if let Some(victim) = half_replaced.map(|(id, _)| *id)
            && world.rng.chance(200_000)
        {
            world.crash(victim, 30 * MS);
        }
        if world.now >= next_trouble {
            cause_trouble(&mut world);
            next_trouble = world.now + world.rng.between(50, 350) * MS;
        }
        let to = world.leader().unwrap_or(NodeId(1));
        let count = world.rng.between(1, 3);
        world.propose(to, count);
        let at = NodeId(world.rng.between(1, 3));
        world.read(at);
        let pause = world.rng.between(5, 25) * MS;
        world.run_for(pause);
    }
    world.heal();
    world.run_until(5_000 * MS, "everybody up", |world| {
        world.nodes.values().all(|node| node.machine.is_some())
    });
    // A disk may stall for a while longer; then there must be a leader that works.
    world.run_until(8_000 * MS, "a leader", |world| world.leader().is_some());
    world.run_for(3_000 * MS);
    let leader = world.leader().expect("no leader in peace");
    let before = world.acknowledged.len();
    world.propose(leader, 1);
    world.run_until(500 * MS, "an acknowledgement", |world| world.acknowledged.len() > before);
    let applied = world.nodes[&leader].state.applied;
    world.run_until(2_000 * MS, "everybody to catch up", |world| {
        world.nodes.values().all(|node| node.state.applied >= applied)
    });
    world.assert_nothing_lost();
    Outcome {
        hash: world.hash,
        acknowledged: world.acknowledged.len(),
        elections: world.terms(),
        snapshots: world.snapshots,
        interrupted: world.interrupted,
    }
}

#[test]
fn nothing_acknowledged_is_lost_in_200_seeds() {
    let (mut acknowledged, mut elections, mut snapshots, mut interrupted) = (0, 0, 0, 0);
    for seed in 0..200 {
        let outcome = std::panic::catch_unwind(|| run(seed));
        let Ok(outcome) = outcome else { panic!("seed {seed} failed; its reason stands above") };
        acknowledged += outcome.acknowledged;
        elections += outcome.elections;
        snapshots += outcome.snapshots;
        interrupted += outcome.interrupted;
    }
    assert!(acknowledged > 200 * 50, "only {acknowledged} acknowledged: the seeds prove little");
    assert!(elections > 200 * 2 && snapshots > 200, "the seeds do not reach far");
    assert!(interrupted > 5, "no image was interrupted");
}

#[test]
fn the_same_seed_gives_the_same_effects() {
    for seed in [3, 14, 159] {
        assert_eq!(run(seed), run(seed), "seed {seed} does not replay");
    }
    assert_ne!(run(3), run(14));
}

/// Members that come and go, under the same faults. What came of it: acknowledged, joined, removed.
fn churn(seed: u64) -> (usize, u64, usize) {
    let mut world = World::new(seed, 3);
    world.run_for(1_000 * MS);
    let (mut newest, mut next_trouble, mut next_change) = (3, world.now, world.now);
    let end = world.now + 2 * TROUBLE;
    while world.now < end {
        if world.now >= next_trouble {
            cause_trouble(&mut world);
            next_trouble = world.now + world.rng.between(100, 500) * MS;
        }
        let to = world.leader().unwrap_or(NodeId(1));
        if world.now >= next_change {
            change_something(&mut world, to, &mut newest);
            next_change = world.now + world.rng.between(100, 600) * MS;
        }
        let count = world.rng.between(1, 3);
        world.propose(to, count);
        let ids: Vec<NodeId> = world.nodes.keys().copied().collect();
        let at = *world.rng.pick(&ids).unwrap();
        world.read(at);
        let pause = world.rng.between(5, 25) * MS;
        world.run_for(pause);
    }
    world.heal();
    world.run_until(12_000 * MS, "a leader", |world| world.leader().is_some());
    // Who joins is promoted, who was removed learns it.
    world.run_for(6_000 * MS);
    let leader = world.leader().expect("no leader in peace");
    let before = world.acknowledged.len();
    world.propose(leader, 1);
    world.run_until(800 * MS, "an acknowledgement", |world| world.acknowledged.len() > before);
    world.run_for(1_000 * MS);
    let members = world.nodes[&leader].machine.as_ref().unwrap().status().members;
    assert!(members.joining.is_empty(), "{members:?}");
    let applied = world.nodes[&leader].state.applied;
    for (id, node) in &world.nodes {
        if members.contains(*id) {
            assert!(node.state.applied >= applied, "{id:?} did not catch up");
        } else if let Some(machine) = &node.machine {
            // If it knows somebody who is still there, it was told.
            let known = machine.status().members;
            let can_hear =
                known.contains(*id) && known.voters.iter().any(|it| members.contains(*it));
            assert!(!can_hear || world.removed.contains(id), "{id:?} does not know its removal");
        }
    }
    world.assert_nothing_lost();
    let joined = members.all().iter().filter(|id| id.0 > 3).count() as u64;
    (world.acknowledged.len(), joined, world.removed.len())
}

/// One member joins, or another one is removed.
fn change_something(world: &mut World, leader: NodeId, newest: &mut u64) {
    let members = world.members.get(&leader).cloned().unwrap_or_default();
    let id = world.correlation();
    if members.voters.len() > 3 || (*newest > 5 && members.voters.len() > 2) {
        let voters: Vec<NodeId> = members.voters.into_iter().collect();
        let gone = *world.rng.pick(&voters).unwrap();
        let changes = vec![MemberChange::Remove(gone)];
        world.tell(leader, RaftEvent::ConfChange { id, changes });
    } else if *newest <= 5 {
        *newest += 1;
        let node = NodeId(*newest);
        world.add(node, Disk::default());
        let context = format!("node {newest}").into_bytes();
        world.tell(
            leader,
            RaftEvent::ConfChange { id, changes: vec![MemberChange::Join { node, context }] },
        );
    }
}

#[test]
fn members_come_and_go_under_faults_in_100_seeds() {
    let (mut acknowledged, mut joined, mut removed) = (0, 0, 0);
    for seed in 1_000..1_100 {
        let outcome = std::panic::catch_unwind(|| churn(seed));
        let Ok(outcome) = outcome else { panic!("seed {seed} failed; its reason stands above") };
        acknowledged += outcome.0;
        joined += outcome.1;
        removed += outcome.2;
    }
    assert!(acknowledged > 100 * 50, "only {acknowledged} acknowledged: the seeds prove little");
    assert!(joined > 80 && removed > 100, "{joined} joined, {removed} removed");
}
