//! Monitors and links: an end is told once, always.

use actors_core::{ExitReason, Incarnation, OnLimit, WhenFull};
use actors_runtime::{Down, Fault, Monitor};

use crate::{Event, SOON, World, ended, slabs, spec, tree};

pub(crate) async fn down(monitor: Monitor) -> Down {
    tokio::time::timeout(SOON, monitor.down()).await.expect("an end is told")
}

#[tokio::test]
async fn every_end_is_told_with_its_reason_and_life() {
    let mut world = World::new();
    let tree = tree("root", 50, OnLimit::Escalate).child(spec("a"), world.probe("a"));
    let root = world.run(tree).await;
    let panic = ExitReason::Panic(Fault::TEXT_PANIC.into());
    let error = ExitReason::Error(Fault::TEXT_ERROR.into());
    let faults = [(Fault::Kill, ExitReason::Killed), (Fault::Panic, panic), (Fault::Error, error)];
    for (number, (fault, reason)) in (1..).zip(faults) {
        world.expect(&[&format!("a#{number} up")]).await;
        world.system.actor::<Event>("root/a").ready().await.unwrap();
        let monitor = world.system.monitor("root/a").unwrap();
        world.system.inject("root/a", fault).unwrap();
        let told = Down { path: "root/a".into(), incarnation: Incarnation(number), reason };
        assert_eq!(down(monitor).await, told);
    }
    let nobody = down(world.system.monitor("root/none").unwrap()).await;
    assert_eq!(nobody.reason, ExitReason::Lost("nothing was running there".into()));
    world.expect(&["a#4 up"]).await;
    let monitor = world.system.monitor("root/a").unwrap();
    root.shutdown().await;
    assert_eq!(down(monitor).await.reason, ExitReason::Shutdown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm_of_kills_no_end_is_lost_and_none_is_told_twice() {
    let mut world = World::new();
    let tree = tree("root", 0, OnLimit::Escalate).child(spec("a"), world.probe("a"));
    let _root = world.run(tree).await;
    let mut last = Incarnation(0);
    for round in 1..=100 {
        world.expect(&[&format!("a#{round} up")]).await;
        // Some of them race with the end, and are told at once.
        let of = |_| world.system.monitor("root/a").unwrap();
        let before: Vec<_> = (0..3).map(of).collect();
        world.system.kill("root/a").unwrap();
        let after: Vec<_> = (0..3).map(of).collect();
        for monitor in before {
            let told = down(monitor).await;
            assert!(told.incarnation > last, "{told:?} was told before");
            assert_eq!((told.reason, told.incarnation), (ExitReason::Killed, Incarnation(round)));
        }
        last = Incarnation(round);
        // Those may watch the next life already: their end is not due.
        drop(after);
    }
}

#[tokio::test]
async fn a_machine_is_told_by_an_event_and_a_link_takes_along() {
    let mut world = World::new();
    let tree = tree("root", 50, OnLimit::Escalate)
        .child(spec("a"), world.probe("a"))
        .child(spec("b"), world.probe("b"))
        .child(spec("c"), world.probe("c"));
    let root = world.run(tree).await;
    world.expect(&["a#1 up", "b#1 up", "c#1 up"]).await;
    let inbox = |path: &str| {
        let inboxes = world.inboxes.lock().unwrap();
        inboxes.get(path).cloned().expect("the probe has started")
    };
    let (a, b) = (inbox("root/a"), inbox("root/b"));
    for name in ["a", "b", "c"] {
        world.system.actor::<Event>(format!("root/{name}")).ready().await.unwrap();
    }
    let kept = a.monitor(&world.system, "root/c", |_| Event::Note(7)).unwrap();
    drop(a.monitor(&world.system, "root/c", |_| Event::Note(8)).unwrap());
    world.system.kill("root/c").unwrap();
    // The one that was taken back says nothing.
    let mut heard = [world.hear().await, world.hear().await];
    heard.sort();
    assert_eq!(heard, ["a: 7", "c#2 up"]);
    drop(kept);

    a.link(&world.system, "root/b").unwrap();
    world.tell("root/b", Event::Boom).await;
    let mut heard = [world.hear().await, world.hear().await];
    heard.sort();
    assert_eq!(heard, ["a#2 up", "b#2 up"]);
    let lost = "root/b, to which it was linked, panicked: boom";
    assert_eq!(world.node("root/a").unwrap().last_exit, Some(ExitReason::Lost(lost.into())));
    // The link died with those lives.
    drop(b);
    let monitor = world.system.monitor("root/a").unwrap();
    world.system.kill("root/b").unwrap();
    world.expect(&["b#3 up"]).await;
    world.tell("root/a", Event::Note(1)).await;
    world.expect(&["a: 1"]).await;
    root.shutdown().await;
    assert_eq!(down(monitor).await.reason, ExitReason::Shutdown);
    assert_eq!(ended(&root).await, ExitReason::Shutdown);
}

#[tokio::test]
async fn the_end_of_a_single_key_is_told_with_its_reason_and_its_rest_is_none() {
    let (mut world, slab) = slabs::world(WhenFull::Wait).await;
    let at = actors_core::Mono(u64::MAX);
    let panic = ExitReason::Panic(Fault::TEXT_PANIC.into());
    // Its intensity is one restart, so the third failure is not told of the same key.
    let ends = [
        ("a", Fault::Kill, ExitReason::Killed),
        ("a", Fault::Panic, panic),
        ("b", Fault::Error, ExitReason::Error(Fault::TEXT_ERROR.into())),
    ];
    let mut lives = [0, 0];
    for (key, fault, reason) in ends {
        // A timer keeps it known.
        slab.tell(key, Event::Timer { at, note: 0 }).await.unwrap();
        while !world.hear().await.starts_with(&format!("{key} awake")) {}
        let path = format!("root/pods/{key}");
        let of = |_| world.system.monitor(&path).unwrap();
        let monitors: Vec<_> = (0..2).map(of).collect();
        drop(of(2));
        world.system.inject(&path, fault).unwrap();
        let life = &mut lives[usize::from(key == "b")];
        *life += 1;
        for monitor in monitors {
            let (path, incarnation) = (path.clone(), Incarnation(*life));
            assert_eq!(down(monitor).await, Down { path, incarnation, reason: reason.clone() });
        }
        while !world.hear().await.starts_with(&format!("{key} awake")) {}
    }
    let nobody = down(world.system.monitor("root/pods/none").unwrap()).await;
    assert_eq!(nobody.reason, ExitReason::Lost("nothing was running there".into()));

    slab.tell("c", Event::Timer { at, note: 0 }).await.unwrap();
    while !world.hear().await.starts_with("c awake") {}
    let ends = world.system.monitor("root/pods/c").unwrap();
    slab.tell("c", Event::Note(1)).await.unwrap();
    // It rested meanwhile, which is no end; this is one.
    while world.hear().await != "c: 1" {}
    slab.tell("c", Event::End).await.unwrap();
    assert_eq!(down(ends).await.reason, ExitReason::Normal);
}

#[tokio::test]
async fn a_key_that_is_watched_stays_known_until_it_is_not_or_its_slab_ends() {
    let (mut world, slab) = slabs::world(WhenFull::Wait).await;
    // Long after both are watched.
    let at = world.system.now().mono.after(std::time::Duration::from_secs(1));
    let mut monitors = Vec::new();
    for key in ["a", "b"] {
        slab.tell(key, Event::Timer { at, note: 1 }).await.unwrap();
        world.expect(&[&format!("{key} awake 1")]).await;
        monitors.push(world.system.monitor(&format!("root/pods/{key}")).unwrap());
    }
    world.expect(&["a awake 2", "a: 1", "b awake 2", "b: 1"]).await;
    // Both are at rest now, or will be in a moment; nobody watches `a` any more.
    drop(monitors.remove(0));
    while world.node("root/pods/a").is_some() {
        tokio::task::yield_now().await;
    }
    assert!(world.node("root/pods/b").is_some(), "a key that is watched was forgotten");
    world.system.kill("root/pods").unwrap();
    let told = down(monitors.remove(0)).await;
    assert_eq!((told.path.as_str(), told.reason), ("root/pods/b", ExitReason::Killed));
}
