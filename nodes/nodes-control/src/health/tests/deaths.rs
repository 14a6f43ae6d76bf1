//! Which words have consequences, when, and how they end.

use std::time::Duration;

use actors_controllers::kinds::NODE;
use actors_core::Wall;
use mesh_member::{LinkStanding, MemberInfo, MemberState, MemberView, Opinion};
use mesh_wire::Role;

use super::{DEAD, Stage, seconds, set_and_pod};
use crate::health::{HealthEvent, NodeWord, Words};

#[test]
fn an_agent_that_is_lost_and_a_suspect_change_nothing_but_are_told() {
    let [set, pod] = set_and_pod(None);
    let mut stage = Stage::new(3).with(set).with(pod);
    stage.say(&["n1"], NodeWord::AgentLost);
    stage.say(&["n1"], NodeWord::Suspect);
    stage.pass(seconds(600));
    assert_eq!(stage.node("n1"), "True");
    assert_eq!(stage.pods(), ["old n1"]);
    assert_eq!(stage.told(), ["n1 AgentLost", "n1 NodeSuspect"]);
}

#[test]
fn a_dead_node_is_marked_at_once_and_its_pods_are_replaced_at_once() {
    let [set, pod] = set_and_pod(None);
    let mut stage = Stage::new(3).with(set).with(pod);
    stage.say(&["n1"], NodeWord::Dead);
    assert_eq!(stage.node("n1"), DEAD);
    assert_eq!(stage.pods(), ["old n1 ending", "new -"]);
    let node = stage.scene.get(&NODE, "n1").expect("the node");
    for condition in node.list_at(&["status", "conditions"]) {
        assert_eq!(condition.str_at(&["reason"]), Some("NodeStatusUnknown"));
    }
}

#[test]
fn a_node_is_back_when_it_is_alive_and_its_agent_has_reported() {
    let mut stage = Stage::new(3);
    stage.say(&["n1"], NodeWord::Dead);
    stage.say(&["n1"], NodeWord::Alive);
    stage.pass(seconds(60));
    assert_eq!(stage.node("n1"), DEAD, "the agent has not reported");
    stage.report("n1");
    assert_eq!(stage.node("n1"), "True");
    assert_eq!(stage.told(), ["n1 NodeBack", "n1 NodeDead"]);
}

#[test]
fn a_dead_node_that_can_still_write_is_not_believed() {
    let mut stage = Stage::new(3);
    stage.say(&["n1"], NodeWord::Dead);
    stage.report("n1");
    assert_eq!(stage.node("n1"), DEAD);
}

#[test]
fn a_view_of_membership_becomes_words() {
    let view = |node: &str, state| MemberView {
        info: std::sync::Arc::new(MemberInfo::new(node, Role::Server, Wall(0))),
        state,
        heard: None,
        heard_ago: Duration::ZERO,
        rejoined: 0,
        damped: None,
        links: LinkStanding::None,
    };
    let opinion = Opinion {
        by: "s2".into(),
        at: Wall(0),
        silence_ms: 3_100,
        was_heard: true,
        link: LinkStanding::Up,
    };
    let evidence = vec![opinion];
    let mut views = vec![
        view("n1", MemberState::Dead { since: Wall(0), evidence: evidence.clone() }),
        view("s1", MemberState::Alive),
    ];
    let words = Words::of("s1", &views);
    assert!(words.majority);
    assert_eq!(words.nodes["n1"].word, NodeWord::Dead);
    assert_eq!(words.nodes["n1"].evidence, "s2 heard it 3.1 s before, its link is up");
    views[1].state = MemberState::Suspect { since: Wall(0), evidence };
    assert!(!Words::of("s1", &views).majority, "who does not hear enough others suspects itself");
    assert!(!Words::of("s3", &views).majority);
}

#[test]
fn without_a_majority_in_view_nobody_is_dead() {
    let mut stage = Stage::new(3);
    stage.words.majority = false;
    stage.say(&["n1"], NodeWord::Dead);
    stage.pass(seconds(60));
    assert_eq!(stage.node("n1"), "True");
    stage.words.majority = true;
    stage.speak();
    assert_eq!(stage.node("n1"), DEAD);
}

#[test]
fn who_does_not_lead_does_nothing() {
    let mut stage = Stage::new(3);
    stage.tell(HealthEvent::Leading(false));
    stage.say(&["n1"], NodeWord::Dead);
    assert_eq!(stage.node("n1"), "True");
    stage.tell(HealthEvent::Leading(true));
    stage.rest();
    assert_eq!(stage.node("n1"), DEAD);
}

#[test]
fn an_agent_and_the_leader_that_die_together_are_healed_in_one_verdict_time() {
    let [set, pod] = set_and_pod(None);
    let mut stage = Stage::new(3).with(set).with(pod);
    // Another server leads; this one hears the same words.
    stage.tell(HealthEvent::Leading(false));
    stage.say(&["n1"], NodeWord::Suspect);
    stage.pass(seconds(1));
    stage.say(&["n1"], NodeWord::Dead);
    assert_eq!(stage.node("n1"), "True", "the leader is dead too, and this one does not lead yet");
    stage.tell(HealthEvent::Leading(true));
    stage.rest();
    assert_eq!(stage.node("n1"), DEAD, "no clock begins anew");
    assert_eq!(stage.pods(), ["old n1 ending", "new -"]);
}

#[test]
fn a_new_leader_goes_on_counting_the_silence_that_it_heard_of_before() {
    let mut stage = Stage::new(4);
    stage.words.nodes.remove("n2");
    stage.say(&["n1"], NodeWord::Left);
    stage.tell(HealthEvent::Leading(false));
    stage.pass(seconds(4));
    stage.tell(HealthEvent::Leading(true));
    stage.pass(Duration::from_millis(999));
    assert_eq!(stage.node("n1"), "True");
    stage.pass(Duration::from_millis(1));
    assert_eq!(stage.node("n1"), DEAD, "5 s in all");
    stage.tell(HealthEvent::Leading(false));
    stage.pass(seconds(9));
    stage.tell(HealthEvent::Leading(true));
    stage.pass(Duration::from_millis(999));
    assert_eq!(stage.node("n2"), "True");
    stage.pass(Duration::from_millis(1));
    assert_eq!(stage.node("n2"), DEAD, "15 s in all");
}

#[test]
fn a_new_leader_tells_of_a_suspect_that_the_old_one_may_not_have_told_of() {
    let mut stage = Stage::new(3);
    stage.tell(HealthEvent::Leading(false));
    stage.say(&["n1"], NodeWord::Suspect);
    assert_eq!(stage.told(), Vec::<String>::new());
    stage.tell(HealthEvent::Leading(true));
    stage.rest();
    assert_eq!(stage.told(), ["n1 NodeSuspect"]);
}

#[test]
fn a_node_that_left_or_was_never_heard_is_dead_after_a_while() {
    let mut stage = Stage::new(4);
    stage.words.nodes.remove("n2");
    stage.say(&["n1"], NodeWord::Left);
    stage.pass(Duration::from_millis(4_999));
    assert_eq!(stage.node("n1"), "True");
    stage.pass(seconds(1));
    assert_eq!(stage.node("n1"), DEAD);
    assert_eq!(stage.node("n2"), "True");
    stage.pass(seconds(10));
    assert_eq!(stage.node("n2"), DEAD);
}

#[test]
fn a_node_that_is_no_member_and_none_of_ours_is_left_to_others() {
    let mut stage = Stage::new(3);
    stage.words.nodes.remove("n2");
    stage.scene.change(&NODE, "n2", |node| {
        node.set_path(&["status", "nodeInfo", "containerRuntimeVersion"], "fake://1");
    });
    stage.speak();
    stage.pass(seconds(600));
    assert_eq!(stage.node("n2"), "True");
}

#[test]
fn when_most_nodes_are_silent_at_once_nothing_is_evicted_and_that_is_said() {
    let [set, pod] = set_and_pod(None);
    let mut stage = Stage::new(5).with(set).with(pod);
    stage.say(&["n1", "n2", "n3"], NodeWord::Suspect);
    stage.say(&["n1"], NodeWord::Dead);
    stage.say(&["n2", "n3"], NodeWord::Dead);
    stage.pass(seconds(600));
    let silent = "Unknown unreachable:NoSchedule";
    assert_eq!([stage.node("n1"), stage.node("n2"), stage.node("n3")], [silent; 3]);
    assert_eq!(stage.pods(), ["old n1"]);
    assert!(stage.told().contains(&"n1 EvictionPaused".to_owned()), "{:?}", stage.told());
    // Two come back, one does not; it has a while to do as they did.
    stage.say(&["n2", "n3"], NodeWord::Alive);
    ["n2", "n3"].iter().for_each(|name| stage.report(name));
    stage.pass(seconds(9));
    assert_eq!(stage.pods(), ["old n1"]);
    stage.pass(seconds(1));
    assert!(stage.node("n1").contains("node-dead:NoExecute"), "{}", stage.node("n1"));
    assert_eq!(stage.pods(), ["old n1 ending", "new -"]);
}

#[test]
fn many_deaths_pass_one_after_the_other() {
    let mut stage = Stage::new(30);
    let names: Vec<String> = (1..=10).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    stage.say(&names, NodeWord::Dead);
    let tainted =
        |stage: &Stage| names.iter().filter(|name| stage.node(name).contains("node-dead")).count();
    assert_eq!(tainted(&stage), 4);
    stage.pass(seconds(1));
    assert_eq!(tainted(&stage), 5);
    stage.pass(seconds(5));
    assert_eq!(tainted(&stage), 10);
}
