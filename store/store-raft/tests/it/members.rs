//! Members come and go while the group works.

use store_raft::{MemberChange, Members, NodeId, RaftEvent, Refusal};

use crate::{
    disk::Disk,
    world::{MS, World},
};

fn change(world: &mut World, changes: &[MemberChange], expected: &Members) {
    world.run_until(2_000 * MS, "a leader", |world| world.leader().is_some());
    let leader = world.leader().unwrap();
    let id = world.correlation();
    world.tell(leader, RaftEvent::ConfChange { id, changes: changes.to_vec() });
    let done = |world: &World| world.members.get(&leader) == Some(expected);
    world.run_until(1_000 * MS, "the change", done);
    world.propose(leader, 3);
    world.run_for(300 * MS);
}

#[test]
fn a_new_member_learns_then_votes_and_an_old_one_leaves() {
    let mut world = World::new(21, 3);
    world.run_for(1_000 * MS);
    world.add(NodeId(4), Disk::default());
    let mut members = Members::voters([1, 2, 3].map(NodeId));
    members.learners.insert(NodeId(4));
    change(&mut world, &[MemberChange::AddLearner(NodeId(4))], &members);
    let applied = world.nodes[&NodeId(1)].state.applied;
    assert_eq!(world.nodes[&NodeId(4)].state.applied, applied, "the learner did not catch up");
    assert!(world.snapshots > 0, "a new member must be sent a snapshot");
    let members = Members::voters([1, 2, 3, 4].map(NodeId));
    change(&mut world, &[MemberChange::AddVoter(NodeId(4))], &members);
    world.crash(NodeId(4), 50 * MS);
    world.run_for(200 * MS);
    let leader = world.leader().unwrap();
    let gone = world.followers().into_iter().find(|id| *id != NodeId(4)).unwrap();
    let left = [1, 2, 3, 4].map(NodeId).into_iter().filter(|id| *id != gone);
    change(&mut world, &[MemberChange::Remove(gone)], &Members::voters(left));
    assert_eq!(world.leader(), Some(leader), "a removed member disturbed the others");
    world.assert_nothing_lost();
}

#[test]
fn several_changes_at_once_go_through_a_joint_configuration() {
    let mut world = World::new(22, 3);
    world.run_until(3_000 * MS, "a leader", |world| world.leader().is_some());
    world.run_for(100 * MS);
    world.add(NodeId(4), Disk::default());
    let gone = world.followers().into_iter().find(|id| *id != NodeId(4)).unwrap();
    let left = [1, 2, 3, 4].map(NodeId).into_iter().filter(|id| *id != gone);
    let swap = [MemberChange::AddVoter(NodeId(4)), MemberChange::Remove(gone)];
    change(&mut world, &swap, &Members::voters(left));
    world.run_for(500 * MS);
    world.assert_nothing_lost();
}

#[test]
fn a_change_that_makes_no_sense_is_refused_and_one_at_a_time_is_taken() {
    let mut world = World::new(23, 3);
    world.run_until(3_000 * MS, "a leader", |world| world.leader().is_some());
    world.run_for(100 * MS);
    let leader = world.leader().unwrap();
    let ids = [0; 3].map(|_| world.correlation());
    let everybody = [1, 2, 3].map(|id| MemberChange::Remove(NodeId(id))).to_vec();
    world.tell(leader, RaftEvent::ConfChange { id: ids[0], changes: Vec::new() });
    world.tell(leader, RaftEvent::ConfChange { id: ids[1], changes: everybody.clone() });
    world.tell(leader, RaftEvent::ConfChange { id: ids[2], changes: everybody });
    world.run_for(200 * MS);
    let mut refused = world.refused.clone();
    refused.sort_by_key(|(id, _)| *id);
    let expected = [Refusal::BadChange, Refusal::BadChange, Refusal::Busy];
    assert_eq!(refused, ids.into_iter().zip(expected).collect::<Vec<_>>());
}

#[test]
fn a_learner_that_joins_is_promoted_when_it_has_caught_up_and_not_before() {
    let mut world = World::new(24, 1);
    world.run_until(500 * MS, "a leader", |world| world.leader().is_some());
    let leader = NodeId(1);
    for _ in 0..40 {
        world.propose(leader, 3);
        world.run_for(20 * MS);
    }
    let (id, node, context) = (world.correlation(), NodeId(2), b"second".to_vec());
    let changes = vec![MemberChange::Join { node, context: context.clone() }];
    // It is not there yet: it must not vote, or nothing could be decided any more.
    world.tell(leader, RaftEvent::ConfChange { id, changes });
    world.run_for(3_000 * MS);
    let members = world.members[&leader].clone();
    assert!(members.joining.contains(&node) && members.is_sole_voter(leader));
    world.add(node, Disk::default());
    let promoted = |world: &World| world.members[&leader].voters.contains(&node);
    world.run_until(2_000 * MS, "the promotion", promoted);
    assert!(world.members[&leader].joining.is_empty());
    world.run_for(300 * MS);
    assert_eq!(world.members[&node].contexts[&node], context);
    // What was said of it survives its restart, and everybody's.
    world.crash(leader, 20 * MS);
    world.crash(node, 20 * MS);
    world.run_for(2_000 * MS);
    let leader = world.leader().unwrap();
    let status = world.nodes[&leader].machine.as_ref().unwrap().status();
    assert_eq!(status.members.contexts[&node], context);
    world.assert_nothing_lost();
}

#[test]
fn who_was_removed_while_it_was_away_learns_it_and_disturbs_nobody() {
    let mut world = World::new(25, 3);
    world.run_until(3_000 * MS, "a leader", |world| world.leader().is_some());
    world.run_for(300 * MS);
    let leader = world.leader().unwrap();
    let gone = world.followers()[0];
    world.isolate(gone);
    let left = [1, 2, 3].map(NodeId).into_iter().filter(|id| *id != gone);
    change(&mut world, &[MemberChange::Remove(gone)], &Members::voters(left));
    assert!(!world.removed.contains(&gone));
    world.heal();
    world.run_until(2_000 * MS, "it to learn it", |world| world.removed.contains(&gone));
    assert_eq!((world.leader(), world.terms()), (Some(leader), 1));
}
