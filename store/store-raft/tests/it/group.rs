//! A group without random faults: elections, replication, reads, partitions, restarts, stalls,
//! catching up.

use store_raft::{NodeId, RaftEvent, RaftNotice, Refusal};

use crate::world::{MS, World};

fn led(seed: u64, voters: u64) -> (World, NodeId) {
    let mut world = World::new(seed, voters);
    world.run_until(3_000 * MS, "a leader", |world| world.leader().is_some());
    let leader = world.leader().unwrap();
    world.run_for(100 * MS);
    assert_eq!(world.leader(), Some(leader));
    (world, leader)
}

fn acknowledge(world: &mut World, to: NodeId, count: u64) {
    let before = world.acknowledged.len();
    world.propose(to, count);
    let wanted = before + usize::try_from(count).unwrap();
    world.run_until(500 * MS, "acknowledgements", |world| world.acknowledged.len() == wanted);
}

#[test]
fn a_sole_voter_leads_at_once_and_acknowledges_after_its_own_write() {
    let mut world = World::new(1, 1);
    world.run_until(70 * MS, "a leader", |world| world.leader().is_some());
    acknowledge(&mut world, NodeId(1), 3);
    world.read(NodeId(1));
    assert_eq!(world.reads_done, 1);
    world.crash(NodeId(1), 10 * MS);
    world.run_until(100 * MS, "a leader", |world| world.leader().is_some());
    acknowledge(&mut world, NodeId(1), 1);
    world.assert_nothing_lost();
}

#[test]
fn three_voters_elect_one_leader_and_agree() {
    let (mut world, leader) = led(2, 3);
    for _ in 0..20 {
        acknowledge(&mut world, leader, 5);
    }
    world.run_for(200 * MS);
    world.assert_nothing_lost();
    let states: Vec<_> = world.nodes.values().map(|node| &node.state).collect();
    assert!(states.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(states[0].entries.len(), 100);
    assert_eq!(world.terms(), 1, "an election without a fault");
}

#[test]
fn a_follower_refuses_proposals_and_names_the_leader() {
    let (mut world, leader) = led(3, 3);
    let follower = world.followers()[0];
    world.propose(follower, 1);
    let expected = Refusal::NotLeader { leader: Some(leader) };
    assert_eq!(world.refused.last().map(|(_, refusal)| *refusal), Some(expected));
}

#[test]
fn followers_answer_reads_with_the_leaders_index() {
    let (mut world, leader) = led(4, 3);
    acknowledge(&mut world, leader, 3);
    for id in [1, 2, 3] {
        for _ in 0..10 {
            world.read(NodeId(id));
        }
    }
    world.run_until(300 * MS, "all reads", |world| world.reads_done == 30);
}

#[test]
fn a_leader_cut_off_steps_down_and_what_it_took_alone_is_superseded() {
    let (mut world, old) = led(5, 3);
    acknowledge(&mut world, old, 3);
    world.isolate(old);
    world.propose(old, 2);
    world.read(old);
    world.run_until(2_000 * MS, "another leader", |world| {
        world.leader().is_some_and(|leader| leader != old)
    });
    let new = world.leader().unwrap();
    acknowledge(&mut world, new, 3);
    assert_eq!(world.reads_done, 0, "a leader without a quorum answered a read");
    world.heal();
    world.run_until(1_000 * MS, "the old one's proposals to be refused", |world| {
        let lost = world.refused.iter().filter(|(_, refusal)| *refusal == Refusal::Superseded);
        lost.count() == 2
    });
    world.run_for(300 * MS);
    world.assert_nothing_lost();
}

#[test]
fn a_follower_that_was_away_for_long_gets_a_snapshot() {
    let (mut world, leader) = led(6, 3);
    let away = world.followers()[0];
    world.isolate(away);
    for _ in 0..100 {
        acknowledge(&mut world, leader, 3);
    }
    world.heal();
    let applied = world.nodes[&leader].state.applied;
    world
        .run_until(2_000 * MS, "the follower", |world| world.nodes[&away].state.applied >= applied);
    assert!(world.snapshots > 0, "it caught up without a snapshot");
    world.crash(away, 10 * MS);
    acknowledge(&mut world, leader, 3);
    world.run_for(500 * MS);
    world.assert_nothing_lost();
    assert!(world.nodes.values().all(|node| node.disk.log_len() < 100), "the log is not truncated");
}

#[test]
fn a_follower_whose_state_is_half_replaced_votes_for_nobody_until_it_has_a_snapshot() {
    let (mut world, leader) = led(10, 3);
    let [away, other] = world.followers()[..] else { panic!("two followers") };
    for part in 0..2 {
        for _ in 0..100 {
            acknowledge(&mut world, leader, 3);
        }
        world.run_for(300 * MS);
        if part == 0 {
            world.isolate(away);
        }
    }
    world.heal();
    world.run_until(2_000 * MS, "an image", |world| world.nodes[&away].installing);
    world.crash(away, 10 * MS);
    assert_eq!(world.interrupted, 1);
    world.cut.insert((leader, away));
    world.crash(leader, 2_000 * MS);
    world.run_for(1_900 * MS);
    assert_eq!(world.leader(), None, "{other:?} was elected by a member without a memory");
    world.heal();
    world.run_for(2_000 * MS);
    let leader = world.leader().unwrap();
    acknowledge(&mut world, leader, 1);
    let applied = world.nodes[&leader].state.applied;
    let caught_up = |world: &World| world.nodes[&away].state.applied >= applied;
    world.run_until(2_000 * MS, "the follower", caught_up);
    world.assert_nothing_lost();
}

#[test]
fn a_leader_whose_disk_stalls_steps_down() {
    let (mut world, leader) = led(7, 3);
    world.stall(leader, 4_000 * MS);
    world.propose(leader, 1);
    world.run_until(3_500 * MS, "another leader", |world| {
        world.leader().is_some_and(|new| new != leader)
    });
    assert!(world.notices.contains(&RaftNotice::DiskStalled));
    world.run_for(3_000 * MS);
    world.assert_nothing_lost();
}

#[test]
fn a_sole_voter_whose_disk_stalls_leads_on_and_acknowledges_when_it_answers() {
    let mut world = World::new(8, 1);
    world.run_until(100 * MS, "a leader", |world| world.leader().is_some());
    world.run_for(50 * MS);
    world.stall(NodeId(1), 3_000 * MS);
    world.propose(NodeId(1), 1);
    world.run_for(2_500 * MS);
    world.propose(NodeId(1), 1);
    assert_eq!(world.leader(), Some(NodeId(1)), "nobody else could lead");
    assert!(world.refused.is_empty() && world.acknowledged.is_empty());
    world.run_until(2_000 * MS, "both proposals", |world| world.acknowledged.len() == 2);
    world.assert_nothing_lost();
}

#[test]
fn leadership_goes_where_it_is_sent() {
    let (mut world, leader) = led(9, 3);
    let heir = world.followers()[1];
    world.tell(leader, RaftEvent::Transfer { to: heir });
    world.run_until(300 * MS, "the heir", |world| world.leader() == Some(heir));
    acknowledge(&mut world, heir, 2);
    world.assert_nothing_lost();
}

/// A stopped process (`SIGSTOP`) that goes on believes for a moment that it still leads.
#[test]
fn a_leader_that_was_paused_answers_no_read_and_acknowledges_nothing() {
    for seed in 30..60 {
        let (mut world, old) = led(seed, 3);
        acknowledge(&mut world, old, 3);
        world.pause(old, 3_000 * MS);
        world.run_until(2_000 * MS, "another leader", |world| {
            world.leader().is_some_and(|leader| leader != old)
        });
        let new = world.leader().unwrap();
        acknowledge(&mut world, new, 3);
        // Asked while it sleeps, and when it wakes: the world looks whether a read misses what was
        // acknowledged.
        world.read(old);
        world.propose(old, 1);
        world.run_until(3_000 * MS, "its return", |world| !world.is_paused(old));
        for _ in 0..5 {
            world.read(old);
            world.propose(old, 1);
            world.run_for(20 * MS);
        }
        world.run_for(1_000 * MS);
        assert_eq!(world.leader(), Some(new), "its return led to an election");
        world.assert_nothing_lost();
    }
}

#[test]
fn starved_processes_elect_nobody() {
    for seed in 60..80 {
        let (mut world, leader) = led(seed, 3);
        for _ in 0..100 {
            for id in [1, 2, 3] {
                let span = world.rng.between(0, 250) * MS;
                world.pause(NodeId(id), span);
            }
            world.propose(leader, 2);
            world.run_for(300 * MS);
        }
        world.run_for(1_000 * MS);
        assert_eq!((world.leader(), world.terms()), (Some(leader), 1), "seed {seed}");
        world.assert_nothing_lost();
    }
}

#[test]
fn followers_with_slow_disks_keep_their_leader() {
    let (mut world, leader) = led(11, 3);
    for follower in world.followers() {
        world.stall(follower, 5_000 * MS);
    }
    world.propose(leader, 3);
    world.run_for(4_000 * MS);
    assert_eq!((world.leader(), world.terms()), (Some(leader), 1));
    world.run_until(3_000 * MS, "acknowledgements", |world| world.acknowledged.len() == 3);
    world.assert_nothing_lost();
}

#[test]
fn a_leader_that_lost_its_majority_steps_down_within_a_second() {
    for seed in 80..110 {
        let (mut world, leader) = led(seed, 3);
        world.isolate(leader);
        world.run_until(900 * MS, "it to step down", |world| {
            world.nodes[&leader].machine.as_ref().unwrap().role().leader.is_none()
        });
    }
}

#[test]
fn a_member_that_was_cut_off_returns_without_an_election() {
    let (mut world, leader) = led(12, 3);
    let away = world.followers()[0];
    world.isolate(away);
    for _ in 0..20 {
        acknowledge(&mut world, leader, 2);
        world.run_for(100 * MS);
    }
    world.heal();
    world.run_for(2_000 * MS);
    assert_eq!((world.leader(), world.terms()), (Some(leader), 1));
    let applied = |id| world.nodes[&id].state.applied;
    assert_eq!(applied(away), applied(leader));
}

#[test]
fn a_leader_whose_process_ended_is_replaced_at_once() {
    for seed in 110..140 {
        let (mut world, leader) = led(seed, 3);
        world.crash(leader, 5_000 * MS);
        for follower in world.followers() {
            world.tell(follower, RaftEvent::Gone { peer: leader });
        }
        world.run_until(350 * MS, "another leader", |world| {
            world.leader().is_some_and(|new| new != leader)
        });
        // A mistake disturbs nobody.
        let leader = world.leader().unwrap();
        let other = *world.followers().iter().find(|id| world.nodes[id].machine.is_some()).unwrap();
        let terms = world.terms();
        world.tell(other, RaftEvent::Gone { peer: leader });
        world.run_for(500 * MS);
        assert!(world.terms() <= terms + 1);
        let leader = world.leader().unwrap();
        acknowledge(&mut world, leader, 1);
    }
}
