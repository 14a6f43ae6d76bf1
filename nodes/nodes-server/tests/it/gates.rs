//! What clients see at whichever server they ask.

use std::time::Duration;

use actors_runtime::Clock;
use nodes_client::Client as _;
use nodes_door::{Identity, Options, Verb};
use nodes_server::NodeId;
use store_mvcc::Epoch;

use crate::scene::{Cluster, place, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_acknowledged_every_other_server_knows() {
    let cluster = Cluster::start(3).await;
    for round in 0..30 {
        let at = |step: usize| &cluster.members[(round + step) % 3];
        // Each step is at another server, and would be refused by a replica that is behind.
        at(0).create("a").await.unwrap();
        assert_eq!(at(1).create("a").await.unwrap_err().code, 409);
        at(1).set("a", "2").await.unwrap();
        assert_eq!(at(2).text("a").await.unwrap(), "2");
        at(2).delete("a").await.unwrap();
        assert_eq!(at(0).set("a", "3").await.unwrap_err().code, 404);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_behind_refuses_nothing_before_it_has_caught_up() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let behind = (leader + 1) % 3;
    let (from, to) = (NodeId(leader as u64 + 1), NodeId(behind as u64 + 1));
    cluster.net.cut_way(from, to);
    cluster.members[leader].create("late").await.unwrap();
    assert!(
        cluster.members[behind].store.snapshot().get(&key("late")).is_none(),
        "it is not behind"
    );
    // It waits for the answer that it cannot get; not found would be a lie.
    let mut patient = Box::pin(cluster.members[behind].set("late", "2"));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut patient).await;
    assert!(early.is_err(), "it was refused: {early:?}");
    cluster.net.heal();
    patient.await.unwrap();
    assert_eq!(cluster.members[leader].text("late").await.unwrap(), "2");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_what_needs_one_is_refused_at_once_and_the_rest_is_served() {
    let cluster = Cluster::start(3).await;
    let member = &cluster.members[0];
    member.create("a").await.unwrap();
    member.able.send_replace(false);
    let asked = Clock.mono();
    for refused in [
        member.create("b").await.unwrap_err(),
        member.set("a", "2").await.unwrap_err(),
        member.text("a").await.unwrap_err(),
        // Nothing to do, and nobody to say that there is nothing to do.
        member.set("a", "1").await.unwrap_err(),
    ] {
        assert_eq!(refused.code, 503);
        assert_eq!(refused.details.unwrap().retry_after_seconds, 1);
    }
    // Four waits for a leader or for a confirmation would be longer.
    let took = Clock.mono().since(asked);
    assert!(took < Duration::from_secs(8), "it took {took:?}");
    // Who asks for no fresh answer gets what is here.
    let mut request = member.calls.request(Verb::Get, place(Some("a")), None);
    request.options = Options { resource_version: Some("0".to_owned()), ..Options::default() };
    assert_eq!(within("a read", member.gate.call(request)).await.code, 200);
    member.able.send_replace(true);
    member.create("b").await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_waits_is_refused_when_the_quorum_is_lost() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let follower = &cluster.members[(leader + 1) % 3];
    for node in 1..=3 {
        cluster.net.cut(NodeId(node));
    }
    let mut read = Box::pin(follower.text("a"));
    let early = tokio::time::timeout(Duration::from_millis(50), &mut read).await;
    assert!(early.is_err(), "nobody could confirm it: {early:?}");
    follower.able.send_replace(false);
    assert_eq!(read.await.unwrap_err().code, 503);
    cluster.net.heal();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_held_the_shards_before_writes_nothing_any_more() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let present = cluster.members[leader].store.epoch().unwrap();
    let identity = || Identity::new("controller", &["system:masters"]);
    let create = |epoch: Epoch, at: usize, name: &'static str| {
        let member = &cluster.members[at];
        let gate = member.gate.under(epoch);
        let object = crate::scene::config_map(name, "1");
        let mut request = member.calls.request(Verb::Create, place(None), Some(&object));
        request.identity = identity();
        async move { within("an answer", gate.call(request)).await.code }
    };
    assert_eq!(create(present, leader, "now").await, 201);
    let heir = NodeId(((leader + 1) % 3) as u64 + 1);
    let store = &cluster.members[leader].store;
    within("an heir", store.transfer_leader(heir, Duration::from_secs(20))).await.unwrap();
    let mut leadership = cluster.members[(leader + 1) % 3].store.leadership();
    within("its epoch", leadership.wait_for(|now| now.epoch.is_some())).await.unwrap();
    let refused = create(present, leader, "late").await;
    assert!(refused >= 400, "{refused}");
    assert_eq!(cluster.members[leader].text("late").await.unwrap_err().code, 404);
    let next = cluster.members[(leader + 1) % 3].store.epoch().unwrap();
    assert_eq!(create(next, (leader + 1) % 3, "next").await, 201);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_alone_asks_nobody() {
    let cluster = Cluster::start(1).await;
    let member = &cluster.members[0];
    member.create("a").await.unwrap();
    assert_eq!(member.create("a").await.unwrap_err().code, 409);
    assert_eq!(member.set("b", "1").await.unwrap_err().code, 404);
    cluster.stop().await;
}

fn key(name: &str) -> store_mvcc::Key {
    store_mvcc::Key::object("", "configmaps", Some("default"), name)
}

/// API Concepts, "Retrieving large results sets in chunks": pages are of one revision, whichever server is asked.
#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_at_another_server() {
    let cluster = Cluster::start(3).await;
    for name in ["a", "b", "c", "d", "e"] {
        cluster.members[0].create(name).await.unwrap();
    }
    let page = async |member: usize, options: Options| {
        let listed = cluster.members[member].calls.list(place(None), options);
        let list = within("a page", listed).await.unwrap();
        let entries = list.entries.iter();
        let names: Vec<String> = entries.map(|entry| entry.object().name().to_owned()).collect();
        (names.join(" "), list.revision, list.continue_token)
    };
    let two = |token: Option<String>| Options {
        limit: Some(2),
        continue_token: token,
        ..Options::default()
    };
    let (names, revision, token) = page(0, two(None)).await;
    assert_eq!(names, "a b");
    cluster.members[2].delete("c").await.unwrap();
    cluster.members[1].create("cc").await.unwrap();
    let (names, second, token) = page(1, two(token)).await;
    assert_eq!((names.as_str(), second), ("c d", revision));
    let (names, third, token) = page(2, two(token)).await;
    assert_eq!((names.as_str(), third, token), ("e", revision, None));
    for member in 0..3 {
        let exact = Options {
            resource_version: Some(revision.0.to_string()),
            resource_version_match: Some("Exact".to_owned()),
            ..Options::default()
        };
        let (names, found, _) = page(member, exact).await;
        assert_eq!((names.as_str(), found), ("a b c d e", revision), "server {member}");
    }
    cluster.stop().await;
}
