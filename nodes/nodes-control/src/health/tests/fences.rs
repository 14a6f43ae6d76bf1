//! When fenced pods are ended, and for whom leases are renewed.

use std::time::Duration;

use actors_controllers::kinds::{NODE, POD};

use super::{Stage, seconds, set_and_pod};
use crate::health::{HealthEvent, HealthMachine, NoRenewal, NodeWord, renewal};

/// 30 s, one in a hundred, and 2 s.
const SURELY: Duration = Duration::from_millis(32_300);
const TICK: Duration = Duration::from_millis(1);

fn fenced() -> Stage {
    let [set, pod] = set_and_pod(Some("30s"));
    Stage::new(4).with(set).with(pod)
}

#[test]
fn a_fenced_pod_is_replaced_when_its_deadline_has_surely_passed() {
    let mut stage = fenced();
    stage.say(&["n1"], NodeWord::Dead);
    assert_eq!(stage.pods(), ["old n1 ending"]);
    stage.pass(SURELY - TICK);
    assert_eq!(stage.pods(), ["old n1 ending"]);
    stage.pass(TICK);
    assert_eq!(stage.pods(), ["new -"]);
}

#[test]
fn a_new_leader_goes_on_counting_as_far_as_it_has_seen_itself() {
    let mut stage = fenced();
    stage.say(&["n1"], NodeWord::Dead);
    stage.pass(seconds(30));
    stage.tell(HealthEvent::Leading(false));
    stage.pass(SURELY - TICK - seconds(30));
    stage.tell(HealthEvent::Leading(true));
    assert_eq!(stage.pods(), ["old n1 ending"]);
    stage.pass(TICK);
    assert_eq!(stage.pods(), ["new -"]);

    let mut stage = fenced();
    stage.say(&["n1"], NodeWord::Dead);
    stage.pass(seconds(30));
    stage.machine = HealthMachine::default();
    stage.tell(HealthEvent::Leading(true));
    stage.speak();
    stage.pass(SURELY - TICK);
    assert_eq!(stage.pods(), ["old n1 ending"]);
    stage.pass(TICK);
    assert_eq!(stage.pods(), ["new -"]);
}

#[test]
fn a_node_that_is_back_in_time_ends_its_pod_itself() {
    let mut stage = fenced();
    stage.say(&["n1"], NodeWord::Dead);
    stage.pass(seconds(30));
    stage.say(&["n1"], NodeWord::Alive);
    stage.report("n1");
    stage.pass(seconds(600));
    assert_eq!(stage.pods(), ["old n1 ending"], "only the agent knows when it has ended");
    stage.remove(&POD, "d", "old");
    assert_eq!(stage.pods(), ["new -"]);
}

#[test]
fn a_fenced_pod_of_a_node_that_was_deleted_waits_as_long() {
    let mut stage = fenced();
    stage.scene.change(&POD, "d/old", |pod| pod.set_deletion_timestamp("2026-01-01T00:00:00Z"));
    stage.remove(&NODE, "", "n1");
    stage.pass(SURELY - TICK);
    assert_eq!(stage.pods(), ["old n1 ending"]);
    stage.pass(TICK);
    assert_eq!(stage.pods(), ["new -"]);
}

#[test]
fn a_fence_that_is_not_understood_keeps_the_pods_place() {
    let [set, pod] = set_and_pod(Some("soon"));
    let mut stage = Stage::new(4).with(set).with(pod);
    stage.say(&["n1"], NodeWord::Dead);
    stage.pass(seconds(3_600));
    assert_eq!(stage.pods(), ["old n1 ending"]);
}

#[test]
fn leases_are_renewed_for_living_nodes_only() {
    let mut stage = fenced();
    assert_eq!(renewal(&stage.scene.world, "n1"), Ok(()));
    stage.say(&["n1"], NodeWord::Suspect);
    assert_eq!(renewal(&stage.scene.world, "n1"), Ok(()));
    stage.say(&["n1"], NodeWord::Dead);
    assert_eq!(renewal(&stage.scene.world, "n1"), Err(NoRenewal::Dead));
    stage.say(&["n1"], NodeWord::Alive);
    assert_eq!(renewal(&stage.scene.world, "n1"), Err(NoRenewal::Dead));
    stage.report("n1");
    assert_eq!(renewal(&stage.scene.world, "n1"), Ok(()));
    assert_eq!(renewal(&stage.scene.world, "n9"), Err(NoRenewal::Unknown));
}
