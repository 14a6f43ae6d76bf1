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
