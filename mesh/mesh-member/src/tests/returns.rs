//! Coming back: before a verdict, after one, and again and again.

use std::time::Duration;

use actors_core::Rng;
use actors_sim::{Fault, NetFaults};

use super::cell::{BAD, EPOCH, Event, Field, Plan, set};
use crate::{MemberEvent, MemberInfo, Timing};

const SEEDS: u64 = 30;

#[test]
fn a_process_that_is_back_before_a_verdict_has_lost_nothing() {
    for seed in 0..SEEDS {
        let mut field = Field::settled(seed, Plan::new(3, 2), BAD);
        let before = field.view("server-1", "agent-1").info.started;
        let since = field.now();
        field.crash("agent-1");
        let mut rng = Rng::from_number(seed).derive("return");
        field.run(Duration::from_millis(rng.between(50, 1_500)));
        field.restart("agent-1");
        field.run(Duration::from_secs(10));
        assert_eq!(field.verdicts_since(since), [], "{}", field.sim.report());
        field.assert_all_alive("back");
        let view = field.view("server-1", "agent-1");
        assert!(view.info.started > before);
        assert_eq!(view.rejoined, 0);
    }
}

#[test]
fn a_reset_link_is_an_agent_lost_until_the_new_process_is_heard() {
    let mut field = Field::settled(1, Plan::new(3, 2), NetFaults::default());
    let change = crate::LinkChange::Down { why: crate::LinkEnd::Reset };
    let event = MemberEvent::Link { peer: "agent-1".into(), change };
    field.tell("server-1", Event::Member(event));
    field.run(Duration::ZERO);
    assert_eq!(field.word("server-1", "agent-1"), "agent-lost");
    let evidence = field.view("server-1", "agent-1").state.evidence()[0].to_string();
    assert!(evidence.ends_with("its link was reset by a new process in its place"), "{evidence}");
    field.run(Duration::from_secs(2));
    assert_eq!(field.word("server-1", "agent-1"), "alive");
}

#[test]
fn an_agent_that_stays_lost_is_dead() {
    let mut field = Field::settled(1, Plan::new(3, 2), NetFaults::default());
    field.crash("agent-1");
    for by in ["server-1", "server-2", "server-3", "agent-2"] {
        let change = crate::LinkChange::Down { why: crate::LinkEnd::Closed };
        let event = MemberEvent::Link { peer: "agent-1".into(), change };
        field.tell(by, Event::Member(event));
    }
    field.run(Duration::from_millis(100));
    assert_eq!(field.word("server-1", "agent-1"), "agent-lost");
    assert_eq!(field.word("agent-2", "agent-1"), "agent-lost");
    field.run(Duration::from_millis(3_400));
    for by in ["server-1", "server-2", "server-3", "agent-2"] {
        assert_eq!(field.word(by, "agent-1"), "dead", "{by}\n{}", field.sim.report());
    }
    let view = field.view("server-1", "agent-1");
    let by = view.state.evidence().iter().map(|opinion| opinion.by.clone()).collect();
    let judges = set(&["server-1", "server-2", "server-3"]);
    assert!(judges.is_superset(&by) && by.len() >= 2, "{by:?}");
}

#[test]
fn a_paused_member_judges_nobody_when_it_goes_on() {
    for seed in 0..SEEDS {
        let plan = if seed % 2 == 0 { Plan::new(3, 2) } else { Plan::new(1, 3) };
        let mut field = Field::settled(seed, plan, BAD);
        field.tell("server-1", Event::Pause);
        field.run(Duration::from_secs(10));
        let since = field.now();
        field.tell("server-1", Event::Resume);
        field.run(Duration::from_secs(10));
        let said = field.verdicts_since(since);
        let dead: Vec<_> =
            said.iter().filter(|(_, node, dead)| *dead && node != "server-1").collect();
        assert!(dead.is_empty(), "{dead:?}\n{}", field.sim.report());
        field.assert_all_alive("resumed");
    }
}

#[test]
fn a_flapper_waits_longer_each_time() {
    for seed in 0..10 {
        let mut field = Field::settled(seed, Plan::new(3, 2), NetFaults::default());
        let victim = vec!["agent-1".to_owned()];
        let others = field.others(&victim);
        let mut waits = Vec::new();
        for round in 0..9 {
            field.cut("flap", &victim, &others, false);
            field.run(Duration::from_secs(5));
            assert_eq!(field.word("server-2", "agent-1"), "dead", "{}", field.sim.report());
            field.sim.inject(Fault::Heal("flap".into()));
            let healed = field.now();
            let back = field.sim.run_until(Duration::from_secs(120), |cell| {
                cell.views["server-2"]
                    .iter()
                    .any(|view| view.info.node == "agent-1" && view.rejoined == round + 1)
            });
            assert!(back, "it never came back\n{}", field.sim.report());
            waits.push(field.now().since(healed).as_millis());
        }
        let expected = [0, 2, 4, 8, 16, 32, 60, 60, 60].map(|secs| secs * 1_000);
        for (wait, expected) in waits.iter().zip(expected) {
            // Up to a heartbeat until it is heard.
            assert!((expected..expected + 1_100).contains(wait), "{waits:?}");
        }
        field.run(Duration::from_millis(10));
        let view = field.view("agent-2", "agent-1");
        assert_eq!((view.state.word(), view.rejoined), ("alive", 9));
    }
}

#[test]
fn a_member_that_waits_says_so() {
    let mut field = Field::settled(3, Plan::new(3, 2), NetFaults::default());
    for _ in 0..2 {
        field.crash("agent-1");
        field.run(Duration::from_secs(5));
        field.restart("agent-1");
        field.run(Duration::from_millis(1_500));
    }
    let view = field.view("server-1", "agent-1");
    assert_eq!((view.state.word(), view.damped), ("dead", Some(Duration::from_secs(2))));
    field.run(Duration::from_secs(2));
    let view = field.view("server-1", "agent-1");
    assert_eq!((view.state.word(), view.damped, view.rejoined), ("alive", None, 2));
}

#[test]
fn after_a_power_cut_those_who_come_late_are_waited_for() {
    let nothing = NetFaults { loss_ppm: 1_000_000, ..NetFaults::default() };
    let mut field = Field::new(5, Plan::new(3, 1), nothing);
    let known = || -> Vec<MemberInfo> {
        let plan = Plan::new(3, 1);
        plan.nodes.iter().map(|(node, role)| MemberInfo::new(node, *role, EPOCH)).collect()
    };
    field.crash("server-3");
    field.crash("agent-1");
    field.sim.inject(Fault::Net(NetFaults::default()));
    for node in ["server-1", "server-2"] {
        let infos = known().into_iter().filter(|info| info.node != node).collect();
        field.tell(node, Event::Member(MemberEvent::Known(infos)));
    }
    field.run(Duration::from_secs(10));
    assert_eq!(field.word("server-1", "agent-1"), "suspect");
    field.restart("server-3");
    let infos = known().into_iter().filter(|info| info.node != "server-3").collect();
    field.tell("server-3", Event::Member(MemberEvent::Known(infos)));
    field.run(Duration::from_secs(2));
    assert_eq!(field.word("server-1", "server-3"), "alive");
    field.run(Duration::from_secs(5));
    assert_eq!(field.word("server-1", "agent-1"), "dead");
    assert!(!field.view("server-1", "agent-1").state.evidence()[0].was_heard);
    assert_eq!(field.word("server-3", "agent-1"), "dead", "told by those who waited");
}

#[test]
fn who_leaves_and_who_is_forgotten_has_left_until_a_later_life() {
    let mut field = Field::settled(2, Plan::new(3, 2), NetFaults::default());
    field.tell("agent-1", Event::Member(MemberEvent::Leave));
    field.tell("server-2", Event::Member(MemberEvent::Forget { node: "agent-2".into() }));
    let since = field.now();
    field.run(Duration::from_secs(10));
    for by in ["server-1", "server-2", "server-3"] {
        assert_eq!(field.word(by, "agent-1"), "left", "{by}\n{}", field.sim.report());
        assert_eq!(field.word(by, "agent-2"), "left", "{by}\n{}", field.sim.report());
    }
    assert_eq!(field.word("agent-2", "agent-2"), "left", "it was told");
    assert_eq!(field.verdicts_since(since), []);
    for node in ["agent-1", "agent-2"] {
        field.crash(node);
        field.restart(node);
    }
    field.run(Duration::from_secs(5));
    field.assert_all_alive("later lives");
    field.crash("agent-1");
    field.run(Timing::MEMORY + Duration::from_secs(10));
    assert!(field.sim.world.views["server-1"].iter().all(|view| view.info.node != "agent-1"));
    field.restart("agent-1");
    field.run(Duration::from_secs(5));
    field.assert_all_alive("remembered again");
}

#[test]
fn a_clock_that_was_set_back_makes_no_dead_life() {
    let mut field = Field::settled(4, Plan::new(3, 2), NetFaults::default());
    field.crash("agent-1");
    let node = field.id("agent-1");
    field.sim.inject(Fault::WallJump { node, by_ns: -3_600_000_000_000 });
    field.run(Duration::from_secs(1));
    field.restart("agent-1");
    let since = field.now();
    field.run(Duration::from_secs(10));
    assert_eq!(field.verdicts_since(since), [], "{}", field.sim.report());
    field.assert_all_alive("set back");
}
