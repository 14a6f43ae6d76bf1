//! Ends that an operator asks for: panics and errors in every kind of actor, and kills of parts.

use actors_core::{ExitReason, MailboxPolicy, OnLimit, SupervisorNotice};
use actors_runtime::{Child, Fault, NodeKind, Notices, OrderError, PartSpec, SlabSpec};

use crate::{Event, Said, World, slabs::Probes, spec, tree};

fn asked() -> ExitReason {
    ExitReason::Panic(Fault::TEXT_PANIC.into())
}

/// The next restart's path and cause.
async fn restarted(notices: &mut Notices) -> (String, ExitReason) {
    let notice = notices.next().await.unwrap();
    match notice.notice {
        SupervisorNotice::Restarting { reason, .. } => (notice.path, reason),
        other => panic!("no restart: {other:?}"),
    }
}

#[tokio::test]
async fn a_provoked_panic_restarts_an_idle_actor_and_nobody_else() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let tree = tree("root", 5, OnLimit::Escalate)
        .child(spec("a"), world.probe("a"))
        .child(spec("b"), world.probe("b"));
    let _root = world.run(tree).await;
    world.expect(&["a#1 up", "b#1 up"]).await;
    world.system.actor::<Event>("root/a").ready().await.unwrap();
    world.system.inject("root/a", Fault::Panic).unwrap();
    assert_eq!(restarted(&mut notices).await, ("root/a".into(), asked()));
    world.expect(&["a#2 up"]).await;
    world.system.actor::<Event>("root/a").ready().await.unwrap();
    world.system.inject("root/a", Fault::Error).unwrap();
    let error = ExitReason::Error(Fault::TEXT_ERROR.into());
    assert_eq!(restarted(&mut notices).await, ("root/a".into(), error));
    world.expect(&["a#3 up"]).await;
    let restarts = |path| world.node(path).unwrap().restarts;
    assert_eq!((restarts("root/a"), restarts("root/b")), (2, 0));
    // Nothing but what an operator did was in the way, so nothing is called poison.
    assert_eq!(world.system.dead_letters().recent.len(), 0);
    let missing = OrderError::NotFound("root/none".into());
    assert_eq!(world.system.inject("root/none", Fault::Panic), Err(missing));
}

#[tokio::test]
async fn a_provoked_panic_counts_and_a_kill_does_not() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let tree = tree("root", 1, OnLimit::Park).child(spec("a"), world.probe("a"));
    let _root = world.run(tree).await;
    world.expect(&["a#1 up"]).await;
    for (life, fault) in [(2, Fault::Kill), (3, Fault::Panic), (4, Fault::Kill)] {
        world.system.actor::<Event>("root/a").ready().await.unwrap();
        world.system.inject("root/a", fault).unwrap();
        world.expect(&[&format!("a#{life} up")]).await;
        restarted(&mut notices).await;
    }
    world.system.actor::<Event>("root/a").ready().await.unwrap();
    world.system.inject("root/a", Fault::Panic).unwrap();
    let parked = notices.next().await.unwrap().notice;
    assert_eq!(parked, SupervisorNotice::Parked { name: "a".into(), reason: asked() });
}

#[tokio::test]
async fn a_service_panics_while_it_waits() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let said = world.said.clone();
    let service = Child::service(move |service| {
        let said = said.clone();
        async move {
            said.say(format!("life {}", service.incarnation().0));
            service.stopping().await;
            Ok(())
        }
    });
    let tree = tree("root", 5, OnLimit::Escalate).child(spec("http"), service);
    let _root = world.run(tree).await;
    world.expect(&["life 1"]).await;
    world.system.inject("root/http", Fault::Panic).unwrap();
    assert_eq!(restarted(&mut notices).await, ("root/http".into(), asked()));
    world.expect(&["life 2"]).await;
    world.system.inject("root/http", Fault::Error).unwrap();
    let error = ExitReason::Error(Fault::TEXT_ERROR.into());
    assert_eq!(restarted(&mut notices).await, ("root/http".into(), error));
    world.expect(&["life 3"]).await;
}

#[tokio::test]
async fn a_supervisor_that_panics_is_restarted_with_its_children_and_nobody_else() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let group = tree("group", 0, OnLimit::Escalate)
        .child(spec("x"), world.probe("x"))
        .child(spec("y"), world.probe("y"));
    let tree = tree("root", 1, OnLimit::Escalate)
        .child(spec("group"), Child::supervisor(group))
        .child(spec("z"), world.probe("z"));
    let _root = world.run(tree).await;
    world.expect(&["z#1 up", "x#1 up", "y#1 up"]).await;
    world.system.inject("root/group", Fault::Panic).unwrap();
    assert_eq!(restarted(&mut notices).await, ("root/group".into(), asked()));
    world.expect(&["x#1 up", "y#1 up"]).await;
    let restarts = |path| world.node(path).unwrap().restarts;
    assert_eq!((restarts("root/group"), restarts("root/z")), (1, 0));
}

#[tokio::test]
async fn a_slab_panics_as_a_whole_and_one_key_alone() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let said = world.said.clone();
    let slab = SlabSpec {
        kind: "pod".into(),
        mailbox: MailboxPolicy::refuse(4),
        keys_max: 4,
        intensity: actors_core::Intensity {
            restarts: 3,
            period: std::time::Duration::from_secs(60),
        },
        backoff: spec("key").backoff,
    };
    let child = Child::slab(slab, move |_| {
        let probes = Probes::new(said.clone());
        async { Ok(probes) }
    });
    let tree = tree("root", 5, OnLimit::Escalate).child(spec("pods"), child);
    let _root = world.run(tree).await;
    let pods = world.system.slab::<Event>("root/pods");
    pods.ready().await.unwrap();
    // A timer far away keeps the key awake.
    let at = world.system.now().mono.after(std::time::Duration::from_secs(600));
    pods.tell("web", Event::Timer { at, note: 1 }).await.unwrap();
    world.expect(&["web awake 1"]).await;
    world.system.inject("root/pods/web", Fault::Panic).unwrap();
    assert_eq!(restarted(&mut notices).await, ("root/pods/web".into(), asked()));
    world.expect(&["web awake 2"]).await;
    world.system.inject("root/pods", Fault::Panic).unwrap();
    assert_eq!(restarted(&mut notices).await, ("root/pods".into(), asked()));
    pods.ready().await.unwrap();
    pods.tell("web", Event::Note(2)).await.unwrap();
    world.expect(&["web awake 1", "web: 2"]).await;
}

fn part(name: &str) -> PartSpec {
    PartSpec { name: name.into(), about: format!("{name} for a test") }
}

#[tokio::test]
async fn parts_of_a_service_are_listed_bounded_and_end_one_by_one() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let (said, (give, mut take)) = (world.said.clone(), tokio::sync::mpsc::channel(1));
    let service = Child::service(move |service| {
        let (said, give) = (said.clone(), give.clone());
        async move {
            service.limit_parts(3);
            for name in ["pods", "nodes", "pods"] {
                let alive = Alive(said.clone(), name);
                service.spawn_part(part(name), async move {
                    let _alive = alive;
                    std::future::pending().await
                })?;
            }
            give.send(service.clone()).await?;
            service.stopping().await;
            Ok(())
        }
    });
    let tree = tree("root", 0, OnLimit::Escalate).child(spec("watches"), service);
    let _root = world.run(tree).await;
    let service = take.recv().await.unwrap();
    let full = service.spawn_part(part("one-more"), async {}).unwrap_err();
    assert_eq!(full.to_string(), "root/watches: 3 parts run already, and no more are allowed");
    let parts = || world.system.tree().into_iter().filter(|node| node.kind == NodeKind::Part);
    let listed: Vec<_> = parts().map(|node| (node.path, node.about)).collect();
    let line = |path: &str, about: &str| (path.to_owned(), Some(format!("{about} for a test")));
    assert_eq!(
        listed,
        [
            line("root/watches/pods#1", "pods"),
            line("root/watches/nodes#2", "nodes"),
            line("root/watches/pods#3", "pods"),
        ]
    );
    for wrong in ["root/watches/pods#2", "root/watches/pods#9", "root/watches/pods"] {
        assert_eq!(world.system.kill(wrong), Err(OrderError::NotFound(wrong.into())));
    }
    world.system.kill("root/watches/nodes#2").unwrap();
    world.expect(&["nodes gone"]).await;
    world.system.inject("root/watches/pods#3", Fault::Panic).unwrap();
    world.expect(&["pods gone"]).await;
    let notice = notices.next().await.unwrap();
    let ended = SupervisorNotice::Ended { name: "pods#3".into(), reason: asked() };
    assert_eq!((notice.path.as_str(), notice.notice), ("root/watches/pods#3", ended));
    // The service and its other parts live on, and there is room again.
    assert_eq!(world.node("root/watches").unwrap().restarts, 0);
    service.spawn_part(part("a/b#c"), std::future::pending()).unwrap();
    let listed: Vec<_> = world.system.tree().into_iter().map(|node| node.path).collect();
    let expected = ["root", "root/watches", "root/watches/pods#1", "root/watches/a-b-c#4"];
    assert_eq!(listed, expected);
    world.system.kill("root/watches").unwrap();
    world.expect(&["pods gone"]).await;
}

/// Says when it is dropped.
struct Alive(Said, &'static str);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.say(format!("{} gone", self.1));
    }
}
