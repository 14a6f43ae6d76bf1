//! Timers, questions, blocking work, and services.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use actors_core::{ExitReason, OnLimit, SupervisorNotice};
use actors_runtime::{AskError, Asks, Child};

use crate::{Event, Probe, ProbeDriver, SOON, World, spec, tree};

#[tokio::test]
async fn timers_fire_in_order_and_die_with_their_life() {
    let mut world = World::new();
    let tree = tree("root", 5, OnLimit::Escalate).child(spec("a"), world.probe("a"));
    let _root = world.run(tree).await;
    world.expect(&["a#1 up"]).await;
    // All are set before the first is due.
    let due = world.system.now().mono.after(Duration::from_secs(1));
    let timer = |ms, note| Event::Timer { at: due.after(Duration::from_millis(ms)), note };
    for event in [timer(30, 3), timer(10, 1), timer(0, 0), timer(20, 2)] {
        world.tell("root/a", event).await;
    }
    world.expect(&["a: 0", "a: 1", "a: 2", "a: 3"]).await;
    let due = world.system.now().mono.after(Duration::from_secs(1));
    world.tell("root/a", Event::Timer { at: due, note: 9 }).await;
    world.tell("root/a", Event::Boom).await;
    world.expect(&["a#2 up"]).await;
    let at = due.after(Duration::from_millis(40));
    let actor = world.system.actor::<Event>("root/a");
    actor.ready().await.unwrap();
    world.tell("root/a", Event::Timer { at, note: 10 }).await;
    world.expect(&["a: 10"]).await;
}

#[tokio::test]
async fn a_question_is_answered_or_ends() {
    let mut world = World::new();
    let asks = Asks::<u32>::new(2);
    let (said, table) = (world.said.clone(), asks.clone());
    let child = Child::machine(move |start| {
        // The first life never answers.
        let answers = (start.incarnation.0 > 1).then(|| table.answers());
        let (said, deaf) = (said.clone(), start.incarnation.0 == 1);
        let unused = deaf.then(|| table.answers());
        async move {
            said.say("up".into());
            drop(unused);
            Ok((Probe, ProbeDriver { name: "a".into(), said, answers, gate: None }))
        }
    });
    let tree = tree("root", 5, OnLimit::Escalate).child(spec("a"), child);
    let _root = world.run(tree).await;
    world.expect(&["up"]).await;
    let actor = world.system.actor::<Event>("root/a");
    actor.ready().await.unwrap();
    let late = asks.ask(&actor, Duration::from_millis(5), Event::Ask).await;
    assert_eq!(late, Err(AskError::Late));
    world.tell("root/a", Event::Boom).await;
    world.expect(&["up"]).await;
    actor.ready().await.unwrap();
    assert_eq!(asks.ask(&actor, SOON, Event::Ask).await, Ok(42));
    let ended = asks.ask(&actor, SOON, |_| Event::Boom).await;
    assert_eq!(ended, Err(AskError::Ended));
}

#[tokio::test]
async fn the_next_life_waits_for_the_blocking_work_of_the_last() {
    let mut world = World::new();
    let (open, gate) = mpsc::channel();
    let gate = Arc::new(Mutex::new(gate));
    let said = world.said.clone();
    let child = Child::machine(move |start| {
        let (said, gate) = (said.clone(), Some(Arc::clone(&gate)));
        async move {
            said.say(format!("up#{}", start.incarnation.0));
            Ok((Probe, ProbeDriver { name: "a".into(), said, answers: None, gate }))
        }
    });
    let tree = tree("root", 5, OnLimit::Escalate)
        .child(spec("a"), child)
        .child(spec("b"), world.probe("b"));
    let _root = world.run(tree).await;
    world.expect(&["up#1", "b#1 up"]).await;
    world.tell("root/a", Event::Work).await;
    world.expect(&["working"]).await;
    let exact = world.system.actor::<Event>("root/a").exact().unwrap();
    world.system.kill("root/a").unwrap();
    while exact.tell(Event::Note(1)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // A whole restart of the sibling passes, and the first one still waits.
    world.tell("root/b", Event::Boom).await;
    world.expect(&["b#2 up"]).await;
    open.send(()).unwrap();
    world.expect(&["up#2"]).await;
}

#[tokio::test]
async fn a_service_that_fails_or_whose_part_panics_is_restarted() {
    let mut world = World::new();
    let mut notices = world.system.notices();
    let said = world.said.clone();
    let service = Child::service(move |service| {
        let said = said.clone();
        async move {
            let life = service.incarnation().0;
            said.say(format!("life {life}"));
            match life {
                1 => Err("port taken".into()),
                2 => {
                    service.spawn("pump", async { panic!("part") })?;
                    std::future::pending().await
                }
                3 => {
                    service.spawn("pump", std::future::pending())?;
                    std::future::pending().await
                }
                _ => std::future::pending().await,
            }
        }
    });
    let tree = tree("root", 5, OnLimit::Escalate).child(spec("http"), service);
    let _root = world.run(tree).await;
    world.expect(&["life 1", "life 2", "life 3"]).await;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        if let SupervisorNotice::Restarting { reason, .. } = notices.next().await.unwrap().notice {
            reasons.push(reason);
        }
    }
    let error = ExitReason::Error("port taken".into());
    assert_eq!(reasons, [error, ExitReason::Panic("part".into())]);
    // A piece is seen in the tree, and the service cannot do without it.
    while world.node("root/http/pump#1").is_none() {
        tokio::task::yield_now().await;
    }
    world.system.kill("root/http/pump#1").unwrap();
    world.expect(&["life 4"]).await;
    assert_eq!(world.node("root/http").unwrap().last_exit, Some(ExitReason::Killed));
}

/// Panics while it is dropped by a panic.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("again");
    }
}

#[tokio::test]
async fn a_panic_while_panicking_aborts_the_process() {
    const NAME: &str = "hosts::a_panic_while_panicking_aborts_the_process";
    if std::env::var_os("PANIC_TWICE").is_none() {
        let test = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new(test);
        let ran = command.args(["--exact", NAME]).env("PANIC_TWICE", "1").output().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ran.status), Some(6), "{ran:?}");
        return;
    }
    let world = World::new();
    let service = Child::service(|_| async {
        let _bomb = Bomb;
        panic!("once")
    });
    let tree = tree("root", 5, OnLimit::Escalate).child(spec("a"), service);
    world.run(tree).await.ended().await;
}
