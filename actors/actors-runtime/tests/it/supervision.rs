//! Restarts, escalation, parking, kills, and the order of a shutdown.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{
    Address, AutoShutdown, ChildSpec, ExitReason, Intensity, MailboxPolicy, OnLimit, SpecError,
    Strategy, SupervisorNotice, TreeSpec,
};
use actors_runtime::{Child, NodeKind, NodeState, OrderError, Refusal, Tree};

use crate::{Event, World, brief, ended, spec, spec as spec_of, tree};

fn panic_boom() -> ExitReason {
    ExitReason::Panic("boom".into())
}

#[tokio::test]
async fn a_panic_restarts_only_the_actor_that_panicked() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let tree = tree("root", 5, OnLimit::Escalate)
        .child(spec("a"), world.probe("a"))
        .child(spec("b"), world.probe("b"));
    let root = world.run(tree).await;
    world.expect(&["a#1 up", "b#1 up"]).await;
    world.tell("root/a", Event::Boom).await;
    world.expect(&["a#2 up"]).await;
    let notice = notices.next().await.unwrap();
    assert_eq!(notice.path, "root/a");
    assert!(matches!(
        notice.notice,
        SupervisorNotice::Restarting { reason, .. } if reason == panic_boom()
    ));
    world.tell("root/b", Event::Note(7)).await;
    world.expect(&["b: 7"]).await;
    assert_eq!(brief(world.node("root/b")), Some((NodeState::Running, 1, None)));
    assert_eq!(world.node("root/a").unwrap().last_exit, Some(panic_boom()));
    assert_eq!(root.shutdown().await, ExitReason::Shutdown);
}

#[tokio::test]
async fn an_error_is_a_failure_and_a_normal_end_of_a_transient_child_is_none() {
    let mut world = World::new();
    let mut transient = spec("t");
    transient.restart = actors_core::Restart::Transient;
    let tree = tree("root", 5, OnLimit::Escalate)
        .child(transient, world.probe("t"))
        .child(spec("stays"), world.probe("stays"));
    let _root = world.run(tree).await;
    world.expect(&["t#1 up", "stays#1 up"]).await;
    world.tell("root/t", Event::Fail).await;
    world.expect(&["t#2 up"]).await;
    world.tell("root/stays", Event::Fail).await;
    world.expect(&["stays#2 up"]).await;
    world.tell("root/t", Event::End).await;
    // The supervisor handles ends in their order: when `stays` is up again, `t` was dealt with.
    let t = world.system.actor::<Event>("root/t");
    while t.exact().is_ok() {
        tokio::task::yield_now().await;
    }
    world.tell("root/stays", Event::Fail).await;
    world.expect(&["stays#3 up"]).await;
    assert_eq!(world.node("root/t"), None);
}

#[tokio::test]
async fn failures_escalate_up_to_the_root_whose_end_is_told() {
    let mut world = World::new();
    let group = tree("group", 0, OnLimit::Escalate).child(spec("x"), world.probe("x"));
    let tree = tree("root", 1, OnLimit::Escalate).child(spec("group"), Child::supervisor(group));
    let root = world.run(tree).await;
    world.expect(&["x#1 up"]).await;
    world.tell("root/group/x", Event::Boom).await;
    world.expect(&["x#1 up"]).await;
    assert_eq!(world.node("root/group").unwrap().incarnation.0, 2);
    world.tell("root/group/x", Event::Boom).await;
    assert_eq!(ended(&root).await, ExitReason::Error("group failed too often".into()));
}

#[tokio::test]
async fn a_child_that_fails_too_often_is_parked_until_it_is_unparked() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let tree = tree("root", 1, OnLimit::Park)
        .child(spec("a"), world.probe("a"))
        .child(spec("b"), world.probe("b"));
    let _root = world.run(tree).await;
    world.expect(&["a#1 up", "b#1 up"]).await;
    world.tell("root/a", Event::Boom).await;
    world.expect(&["a#2 up"]).await;
    world.tell("root/a", Event::Boom).await;
    assert!(matches!(notices.next().await.unwrap().notice, SupervisorNotice::Restarting { .. }));
    let parked = notices.next().await.unwrap().notice;
    assert_eq!(parked, SupervisorNotice::Parked { name: "a".into(), reason: panic_boom() });
    assert_eq!(world.node("root/a").unwrap().state, NodeState::Parked);
    let refused = world.system.actor::<Event>("root/a").tell(Event::Note(1)).await.unwrap_err();
    assert_eq!(refused.refusal, Refusal::NotFound);
    world.tell("root/b", Event::Note(2)).await;
    world.expect(&["b: 2"]).await;
    world.system.unpark("root/a").unwrap();
    world.expect(&["a#3 up"]).await;
}

#[tokio::test]
async fn a_killed_actor_comes_back_and_is_not_counted() {
    let mut world = World::new();
    let tree = tree("root", 0, OnLimit::Escalate).child(spec("a"), world.probe("a"));
    let _root = world.run(tree).await;
    world.expect(&["a#1 up"]).await;
    for life in 2..5 {
        // A reference finds the actor only once it runs.
        let actor = world.system.actor::<Event>("root/a");
        actor.tell(Event::Note(life)).await.unwrap();
        world.expect(&[&format!("a: {life}")]).await;
        world.system.kill("root/a").unwrap();
        world.expect(&[&format!("a#{life} up")]).await;
    }
    assert_eq!(world.node("root/a").unwrap().last_exit, Some(ExitReason::Killed));
    let missing = OrderError::NotFound("root/none".into());
    assert_eq!(world.system.kill("root/none"), Err(missing));
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_children_along_and_brings_them_back() {
    let mut world = World::new();
    let group = tree("group", 0, OnLimit::Escalate)
        .child(spec("x"), world.probe("x"))
        .child(spec("y"), world.probe("y"));
    let tree = tree("root", 0, OnLimit::Escalate).child(spec("group"), Child::supervisor(group));
    let root = world.run(tree).await;
    world.expect(&["x#1 up", "y#1 up"]).await;
    world.system.kill("root/group").unwrap();
    world.expect(&["x#1 up", "y#1 up"]).await;
    assert_eq!(brief(world.node("root/group")).unwrap().1, 2);
    world.system.kill("root").unwrap();
    assert_eq!(ended(&root).await, ExitReason::Killed);
}

#[tokio::test]
async fn children_stop_in_reverse_order_and_a_deaf_one_is_killed() {
    let mut world = World::new();
    let orderly = |name: &'static str| {
        let said = world.said.clone();
        Child::service(move |service| {
            let said = said.clone();
            async move {
                said.say(format!("{name} up"));
                service.stopping().await;
                said.say(format!("{name} down"));
                Ok(())
            }
        })
    };
    let said = world.said.clone();
    let deaf = Child::service(move |_| {
        said.say("deaf up".into());
        async { std::future::pending().await }
    });
    let group = tree("group", 1, OnLimit::Escalate)
        .child(spec("x"), orderly("x"))
        .child(spec("y"), orderly("y"));
    let tree = tree("root", 1, OnLimit::Escalate)
        .child(spec("a"), orderly("a"))
        .child(spec("group"), Child::supervisor(group))
        .child(spec("deaf").shutdown(Duration::from_millis(20)), deaf)
        .child(spec("z"), orderly("z"));
    let root = world.run(tree).await;
    let mut ups = Vec::new();
    for _ in 0..5 {
        ups.push(world.hear().await);
    }
    ups.sort();
    assert_eq!(ups, ["a up", "deaf up", "x up", "y up", "z up"]);
    assert_eq!(root.shutdown().await, ExitReason::Shutdown);
    world.expect(&["z down", "y down", "x down", "a down"]).await;
}

#[tokio::test]
async fn children_can_be_added_and_removed_while_it_runs() {
    let mut world = World::new();
    let _root = world.run(tree("root", 3, OnLimit::Park)).await;
    let supervisor = world.system.supervisor("root").unwrap();
    let address = Address::new("container", "web-0/app");
    let child = world.probe("late").at(address.clone());
    supervisor.add(spec("late"), child.clone()).await.unwrap();
    world.expect(&["late#1 up"]).await;
    let twin = supervisor.add(spec("late"), child).await.unwrap_err();
    assert_eq!(twin.to_string(), "root/late: a child of this name exists");
    let by_address = world.system.actor_at::<Event>(&address);
    by_address.ready().await.unwrap();
    by_address.tell(Event::Note(3)).await.unwrap();
    world.expect(&["late: 3"]).await;
    assert_eq!(world.node("root/late").unwrap().kind, NodeKind::Dedicated);
    supervisor.remove("late").await.unwrap();
    while world.node("root/late").is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(by_address.tell(Event::Note(4)).await.unwrap_err().refusal, Refusal::NotFound);
}

#[tokio::test]
async fn a_wrong_tree_is_refused_with_the_path_of_what_is_wrong() {
    let world = World::new();
    let twins = tree("group", 0, OnLimit::Park)
        .child(spec("a"), world.probe("a"))
        .child(spec("a"), world.probe("a"));
    let tree = tree("root", 0, OnLimit::Park)
        .child(ChildSpec::permanent("group"), Child::supervisor(twins));
    let refused = world.system.run(tree).await.map(drop).unwrap_err();
    assert_eq!(refused, SpecError::Duplicate { path: "root/group/a".into() });
}

#[tokio::test]
async fn a_tree_with_a_zero_bound_an_unknown_child_or_room_for_a_storm_is_refused() {
    let world = World::new();
    let refused =
        async |tree: Tree| world.system.run(tree).await.map(drop).unwrap_err().to_string();
    let nested = |spec, child| {
        let group = tree("group", 0, OnLimit::Park).child(spec, child);
        tree("root", 0, OnLimit::Park).child(spec_of("group"), Child::supervisor(group))
    };
    let zero = spec_of("x").mailbox(MailboxPolicy::wait(0));
    let text = "root/group/x: mailbox.capacity must be greater than zero";
    assert_eq!(refused(nested(zero, world.probe("x"))).await, text);

    let data = TreeSpec {
        name: "group".into(),
        intensity: Intensity { restarts: 1, period: Duration::from_secs(1) },
        on_limit: OnLimit::Escalate,
        children: vec![spec_of("x")],
        strategy: Strategy::OneForAll,
        auto_shutdown: AutoShutdown::Never,
    };
    let unknown = Tree::of(data.clone(), BTreeMap::new());
    let text = "group/x: nothing is known that could be started for this child";
    assert_eq!(refused(unknown).await, text);
    let more = BTreeMap::from([("x".into(), world.probe("x")), ("y".into(), world.probe("y"))]);
    let text = "group/y: no child of this name is specified";
    assert_eq!(refused(Tree::of(data, more)).await, text);

    let mut storm = tree("tree", 999, OnLimit::Escalate);
    for _ in 0..2 {
        storm =
            tree("tree", 999, OnLimit::Escalate).child(spec_of("tree"), Child::supervisor(storm));
    }
    let text = "tree/tree/tree: its supervisors allow 1000000000 restarts before the root gives up, \
                at most 1000000";
    assert_eq!(refused(storm).await, text);

    let mut deep = tree("tree", 0, OnLimit::Escalate);
    for _ in 0..16 {
        deep = tree("tree", 0, OnLimit::Escalate).child(spec_of("tree"), Child::supervisor(deep));
    }
    assert!(refused(deep).await.ends_with("more than 16 supervisors stand in each other"));
}

#[tokio::test]
async fn a_start_that_fails_is_a_failure_with_its_whole_chain() {
    let world = World::new();
    let mut notices = world.system.notices();
    let broken = Child::service(|_| async { Ok(()) });
    let never = Child::machine::<crate::Probe, crate::ProbeDriver, _, _>(|_| async {
        Err(std::io::Error::other("no disk").into())
    });
    let tree =
        tree("root", 0, OnLimit::Park).child(spec("never"), never).child(spec("done"), broken);
    let _root = world.run(tree).await;
    let first = notices.next().await.unwrap();
    let reason = ExitReason::Error("could not start: no disk".into());
    assert_eq!(first.notice, SupervisorNotice::Parked { name: "never".into(), reason });
    let second = notices.next().await.unwrap();
    let reason = ExitReason::Normal;
    assert_eq!(second.notice, SupervisorNotice::Parked { name: "done".into(), reason });
}

/// Counts lives of one actor that are lived at the same time.
struct Alive(std::sync::Arc<std::sync::atomic::AtomicU32>);

impl Alive {
    fn new(count: &std::sync::Arc<std::sync::atomic::AtomicU32>) -> Self {
        let others = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(others, 0, "two lives overlap");
        Self(std::sync::Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_kills_on_two_threads_heals_and_no_lives_overlap() {
    const ACTORS: u32 = 20;
    let mut world = World::new();
    let mut group = tree("group", 0, OnLimit::Escalate);
    for number in 0..ACTORS {
        let (said, count) = (world.said.clone(), std::sync::Arc::default());
        let service = Child::service(move |service| {
            let (said, count) = (said.clone(), std::sync::Arc::clone(&count));
            async move {
                let alive = Alive::new(&count);
                // The part may be running on the other thread when the kill comes.
                service.spawn("pump", async move {
                    let _alive = alive;
                    loop {
                        tokio::task::yield_now().await;
                    }
                })?;
                said.say(number.to_string());
                service.stopping().await;
                Ok(())
            }
        });
        group = group.child(spec(&number.to_string()), service);
    }
    let tree = tree("root", 0, OnLimit::Escalate).child(spec("group"), Child::supervisor(group));
    let root = world.run(tree).await;
    for round in 0..20 {
        for _ in 0..ACTORS {
            world.hear().await;
        }
        if round % 5 == 4 {
            world.system.kill("root/group").unwrap();
            continue;
        }
        for number in 0..ACTORS {
            world.system.kill(&format!("root/group/{number}")).unwrap();
        }
    }
    for _ in 0..ACTORS {
        world.hear().await;
    }
    assert_eq!(root.shutdown().await, ExitReason::Shutdown);
}
