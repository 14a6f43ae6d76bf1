//! What an operator sees of one actor, and how it is held back.

use actors_core::{ExitReason, MailboxPolicy, OnLimit, SupervisorNotice, WhenFull};
use actors_runtime::{Child, DeadReason, Fault, NodeState, OrderError, PartSpec};

use crate::{Event, World, slabs, spec, tree};

#[tokio::test]
async fn a_suspended_actor_handles_nothing_until_it_is_resumed_and_its_mailbox_keeps_its_bound() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let policy = MailboxPolicy { capacity: 2, when_full: WhenFull::ShedOldest };
    let tree =
        tree("root", 5, OnLimit::Escalate).child(spec("a").mailbox(policy), world.probe("a"));
    let _root = world.run(tree).await;
    world.expect(&["a#1 up"]).await;
    world.tell("root/a", Event::Note(0)).await;
    world.expect(&["a: 0"]).await;
    world.system.suspend("root/a").unwrap();
    let told = notices.next().await.unwrap();
    assert_eq!((told.path.as_str(), told.notice), ("root/a", suspended("a")));
    let before = world.node("root/a").unwrap().processed;
    for note in 1..=5 {
        world.tell("root/a", Event::Note(note)).await;
        tokio::task::yield_now().await;
    }
    let node = world.node("root/a").unwrap();
    assert_eq!((node.state, node.depth, node.processed), (NodeState::Suspended, 2, before));
    assert_eq!(world.system.dead_letters().counts[&DeadReason::Shed], 3);
    world.system.resume("root/a").unwrap();
    world.expect(&["a: 4", "a: 5"]).await;
    assert_eq!(world.node("root/a").unwrap().state, NodeState::Running);
}

#[tokio::test]
async fn a_suspended_actor_obeys_kills_and_its_supervisor_and_its_next_life_is_not_suspended() {
    let mut world = World::new();
    let tree = tree("root", 5, OnLimit::Escalate).child(spec("a"), world.probe("a"));
    let root = world.run(tree).await;
    world.expect(&["a#1 up"]).await;
    for (life, fault) in [(2, Fault::Kill), (3, Fault::Panic)] {
        world.system.actor::<Event>("root/a").ready().await.unwrap();
        world.system.suspend("root/a").unwrap();
        world.system.inject("root/a", fault).unwrap();
        world.expect(&[&format!("a#{life} up")]).await;
        world.system.actor::<Event>("root/a").ready().await.unwrap();
        world.tell("root/a", Event::Note(life)).await;
        world.expect(&[&format!("a: {life}")]).await;
    }
    world.system.suspend("root/a").unwrap();
    assert_eq!(root.shutdown().await, ExitReason::Shutdown);
}

#[tokio::test]
async fn a_suspended_key_waits_alone_and_a_suspended_slab_as_a_whole() {
    let (mut world, slab) = slabs::world(WhenFull::Wait).await;
    let at = actors_core::Mono(u64::MAX);
    for key in ["a", "b"] {
        // A timer keeps it known.
        slab.tell(key, Event::Timer { at, note: 0 }).await.unwrap();
        world.expect(&[&format!("{key} awake 1")]).await;
    }
    world.system.suspend("root/pods/a").unwrap();
    slab.tell("a", Event::Note(1)).await.unwrap();
    slab.tell("b", Event::Note(2)).await.unwrap();
    world.expect(&["b awake 2", "b: 2"]).await;
    let state = |world: &World, path| world.node(path).unwrap().state;
    assert_eq!(state(&world, "root/pods/a"), NodeState::Suspended);
    assert_eq!(state(&world, "root/pods/b"), NodeState::Running);
    world.system.resume("root/pods/a").unwrap();
    world.expect(&["a awake 2", "a: 1"]).await;
    world.system.suspend("root/pods").unwrap();
    slab.tell("b", Event::Note(3)).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(state(&world, "root/pods"), NodeState::Suspended);
    world.system.resume("root/pods").unwrap();
    world.expect(&["b awake 3", "b: 3"]).await;
}

#[tokio::test]
async fn what_has_no_mailbox_or_restarts_others_cannot_be_suspended() {
    let mut world = World::new();
    let said = world.said.clone();
    let service = Child::service(move |service| {
        let said = said.clone();
        async move {
            let spec = PartSpec { name: "watch".into(), about: "pods".into() };
            service.spawn_part(spec, std::future::pending()).unwrap();
            said.say("up".into());
            service.stopping().await;
            Ok(())
        }
    });
    let root = tree("root", 5, OnLimit::Escalate).child(spec("http"), service);
    let _root = world.run(root).await;
    world.expect(&["up"]).await;
    for path in ["root", "root/http", "root/http/watch#1"] {
        assert_eq!(world.system.suspend(path), Err(OrderError::WrongKind(path.into())));
    }
    let missing = "root/none";
    assert_eq!(world.system.suspend(missing), Err(OrderError::NotFound(missing.into())));
}

#[tokio::test]
async fn one_actor_is_shown_with_its_last_crash_its_dead_letters_and_its_children() {
    let mut world = World::new();
    let tree = tree("root", 5, OnLimit::Escalate)
        .child(spec("a"), world.probe("a"))
        .child(spec("b"), world.probe("b"));
    let _root = world.run(tree).await;
    world.expect(&["a#1 up", "b#1 up"]).await;
    world.tell("root/a", Event::Boom).await;
    world.expect(&["a#2 up"]).await;
    world.system.actor::<Event>("root/a").ready().await.unwrap();
    world.system.kill("root/a").unwrap();
    world.expect(&["a#3 up"]).await;
    let shown = world.system.show("root/a").unwrap();
    let crash = shown.node.last_crash.unwrap();
    assert_eq!((crash.incarnation.0, crash.reason), (1, ExitReason::Panic("boom".into())));
    assert_eq!(shown.node.last_exit, Some(ExitReason::Killed));
    let dead: Vec<_> = shown.dead_letters.iter().map(|letter| letter.reason).collect();
    assert_eq!(dead, [DeadReason::Poison]);
    let children = world.system.show("root").unwrap().children;
    let paths: Vec<_> = children.iter().map(|node| node.path.as_str()).collect();
    assert_eq!(paths, ["root/a", "root/b"]);
}

fn suspended(name: &str) -> SupervisorNotice {
    SupervisorNotice::Suspended { name: name.into() }
}
