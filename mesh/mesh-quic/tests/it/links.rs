//! Links: they come up, one of two wins, they go down for a reason, they come again.

use std::time::Duration;

use mesh_quic::{AskError, DownReason, LinkEvent, LinkState, Role, Service};
use tokio::time::timeout;

use crate::scene::{Authority, Echo, Mute, Process, config, is_up, link, pair, until, within};

#[tokio::test]
async fn three_processes_make_a_full_mesh() {
    let authority = Authority::new();
    let names = ["agent-1", "server-1", "server-2"];
    let mut all = Vec::new();
    for name in names {
        let process = Process::start(config(&authority, name)).await;
        process.mesh.serve(Service::DOOR, Echo::new().0);
        all.push(process);
    }
    for process in &all {
        // Oneself among the peers is no peer.
        process.knows(&all.iter().collect::<Vec<_>>());
    }
    for process in &all {
        let others: Vec<_> =
            names.into_iter().filter(|name| *name != process.mesh.me().node).collect();
        process.is_linked(&others).await;
        assert_eq!(process.mesh.links().len(), 2);
        for other in others {
            assert_eq!(process.ask(other, Service::DOOR, "hello").await.unwrap(), "hello");
        }
    }
    let link = all[1].link("agent-1").unwrap();
    assert_eq!((link.role, link.feature_level), (Role::Agent, Some(3)));
    assert_eq!(link.address, Some(all[0].mesh.local_addr()));
    assert!(link.sent.frames > 0 && link.received.bytes >= 5 && link.rtt.is_some());
    assert_eq!((link.reconnects, link.last_error), (0, None));
}

/// Both ends know each other from the first moment, again and again: one link each time, and it
/// stays.
#[tokio::test]
async fn of_two_calls_one_link_stays() {
    let authority = Authority::new();
    let first = Process::start(config(&authority, "server-1")).await;
    for round in 0..8 {
        let mut second = Process::start(config(&authority, "server-2")).await;
        link(&first, &second).await;
        first.mesh.serve(Service::DOOR, Echo::new().0);
        let asked = second.ask("server-1", Service::DOOR, "x").await;
        assert!(asked.is_ok(), "round {round}: {asked:?}");
        let up = within("the event", second.events.recv()).await.unwrap();
        assert!(matches!(up, LinkEvent::Up { .. }), "{up:?}");
        // The link outlives both ends' attempts.
        let end = timeout(Duration::from_millis(500), second.down()).await;
        assert!(end.is_err(), "round {round}: {end:?}");
        second.stop().await;
    }
}

#[tokio::test]
async fn a_caller_that_nobody_knows_is_served_and_forgotten() {
    let authority = Authority::new();
    let server = Process::start(config(&authority, "server-1")).await;
    let agent = Process::start(config(&authority, "agent-1")).await;
    server.mesh.serve(Service::DOOR, Echo::new().0);
    // The larger name calls when the smaller one does not.
    server.knows(&[]);
    agent.mesh.set_peers(std::iter::once(("server-1".to_owned(), address(&server))).collect());
    agent.is_linked(&["server-1"]).await;
    assert_eq!(agent.ask("server-1", Service::DOOR, "x").await.unwrap(), "x");
    server.is_linked(&["agent-1"]).await;
    agent.stop().await;
    until("the caller to be forgotten", || server.mesh.links().is_empty()).await;
}

fn address(process: &Process) -> mesh_quic::PeerAddress {
    let role = process.mesh.me().role;
    mesh_quic::PeerAddress { role, address: process.mesh.local_addr() }
}

#[tokio::test]
async fn who_leaves_in_order_is_known_to_have_left_at_once() {
    let (mut first, second) = pair("server-1", "server-2").await;
    second.stop().await;
    // Whoever had waited for silence would say that.
    assert_eq!(first.down().await, ("server-2".to_owned(), DownReason::Closed));
    let view = first.link("server-2").unwrap();
    assert!(!is_up(&view));
    assert_eq!(view.lanes, Vec::new());
    let unreachable = first.ask("server-2", Service::DOOR, "x").await.unwrap_err();
    assert!(unreachable.is_undone());
    assert_eq!(unreachable.to_string(), "there is no link to server-2");
    let unknown = first.ask("server-9", Service::DOOR, "x").await.unwrap_err();
    assert_eq!(unknown.to_string(), "no peer server-9 is known");
}

#[tokio::test]
async fn a_peer_that_is_not_wanted_any_more_is_left_in_order() {
    let (first, mut second) = pair("server-1", "server-2").await;
    first.knows(&[]);
    assert_eq!(second.down().await, ("server-1".to_owned(), DownReason::Closed));
}

/// A restarted process that calls nobody is found out by whoever still sends to it, well before the
/// idle time: the reset key is the same. Once with each end as the one that had called.
#[tokio::test]
async fn a_restart_is_noticed_in_a_round_trip() {
    for (stays, restarts) in [("server-1", "server-2"), ("server-2", "server-1")] {
        let (mut stays, restarts) = pair(stays, restarts).await;
        let node = restarts.mesh.me().node.clone();
        let config = restarts.kill().await;
        let restarted = Process::again(&config).await;
        drop(stays.mesh.tell(&node, mesh_quic::Lane::Control, Service::MEMBER, "x".into()));
        assert_eq!(stays.down().await, (node.clone(), DownReason::Reset));
        stays.is_linked(&[&node]).await;
        restarted.is_linked(&[&stays.mesh.me().node]).await;
        assert_eq!(stays.link(&node).unwrap().reconnects, 1);
    }
}

/// Without the key the new process is unknown to be one, until it calls: its later start replaces
/// the link.
#[tokio::test]
async fn a_later_process_of_the_same_name_takes_the_link_over() {
    let (mut first, second) = pair("server-1", "server-2").await;
    let LinkState::Up { incarnation: before, .. } = first.link("server-2").unwrap().state else {
        panic!("there is a link");
    };
    let mut config = second.kill().await;
    config.reset_key = [9; 32];
    // Elsewhere, so that the old connection is not disturbed.
    config.listen.set_port(0);
    let second = Process::again(&config).await;
    second.knows(&[&first]);
    second.is_linked(&["server-1"]).await;
    assert_eq!(first.down().await, ("server-2".to_owned(), DownReason::Reset));
    let up = within("the event", first.events.recv()).await.unwrap();
    let LinkEvent::Up { incarnation, .. } = up else { panic!("{up:?}") };
    assert!(incarnation > before);
}

#[tokio::test]
async fn silence_ends_a_link_and_all_questions_on_it() {
    let (mut first, second) = pair("server-1", "server-2").await;
    let mute = Mute::default();
    let open = std::sync::Arc::clone(&mute.open);
    second.mesh.serve(Service::DOOR, std::sync::Arc::new(mute));
    let asking = first.ask("server-2", Service::DOOR, "x");
    let killing = async {
        until("the question", || *open.lock().unwrap() == 1).await;
        drop(second.kill().await);
    };
    let (answer, ()) = tokio::join!(asking, killing);
    // Not by its own time, which is far longer.
    assert_eq!(answer, Err(AskError::Lost("server-2".to_owned())));
    assert_eq!(first.down().await, ("server-2".to_owned(), DownReason::Idle));
}

#[tokio::test]
async fn a_lost_link_comes_again_when_the_peer_does() {
    let (first, second) = pair("server-1", "server-2").await;
    let config = second.stop().await;
    until("an attempt", || match first.link("server-2").unwrap().state {
        LinkState::Connecting { attempts, .. } => attempts > 0,
        LinkState::Up { .. } => false,
    })
    .await;
    let second = Process::again(&config).await;
    first.is_linked(&["server-2"]).await;
    second.is_linked(&["server-1"]).await;
}

/// Whatever of it fails, the rest goes on, and what has failed is started again.
#[tokio::test]
async fn parts_that_are_killed_are_started_again() {
    let (mut first, second) = pair("server-1", "server-2").await;
    second.mesh.serve(Service::DOOR, Echo::new().0);
    for part in ["mesh/links/server-2", "mesh/links", "mesh/roster"] {
        first.system.kill(part).unwrap();
        if part != "mesh/roster" {
            assert_eq!(first.down().await.0, "server-2", "{part}");
        }
        first.is_linked(&["server-2"]).await;
        second.is_linked(&["server-1"]).await;
    }
    first.system.kill("mesh/endpoint").unwrap();
    // Links may have gone with it, but not for long; and new ones come in.
    let asked = async {
        while first.ask("server-2", Service::DOOR, "x").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within("an answer", asked).await;
    let config = second.stop().await;
    let second = Process::again(&config).await;
    second.knows(&[&first]);
    first.knows(&[]);
    second.is_linked(&["server-1"]).await;
}
