//! A sole voter: proposals, reads, epochs, restarts.

use std::sync::Arc;

use futures_util::future::join_all;
use store_mvcc::{Epoch, Expect, Op, OpResult, Revision, ShardId, Writer};
use store_service::{
    Alone, Group, OpenError, Ports, ProposeError, ReadError, RocksDisks, StoreConfig,
};

use crate::server::{Folder, Server, config, key, proposal, put, revision};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_can_be_read_at_once() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let first = revision(&server.store.propose(put("a", "{}")).await.unwrap());
    assert_eq!(server.value("a").as_deref(), Some("{}"));
    assert!(server.store.revision() >= first);
    assert!(server.store.read_barrier().await.unwrap() >= first);
    let delete = Op::Delete { key: key("a"), expect: Expect::Revision(first) };
    let outcome = server.store.propose(proposal(vec![delete.clone()])).await.unwrap();
    assert_eq!(revision(&outcome), first.next());
    let again = server.store.propose(proposal(vec![delete])).await.unwrap();
    assert_eq!(again.results, [OpResult::Conflict { current: None }]);
    assert_eq!(server.value("a"), None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_proposals_at_once_get_a_revision_each() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let puts = (0..10_000).map(|number| {
        let store = server.store.clone();
        async move { store.propose(put(&format!("c-{number}"), "{}")).await }
    });
    let mut revisions: Vec<Revision> =
        join_all(puts).await.into_iter().map(|outcome| revision(&outcome.unwrap())).collect();
    revisions.sort_unstable();
    assert!(revisions.is_sorted_by(|a, b| a.next() == *b), "a revision is missing or doubled");
    assert_eq!(server.store.snapshot().len(), 10_000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_everything_and_raises_the_epoch() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let before = server.store.epoch().unwrap();
    let last = revision(&server.store.propose(put("a", "{\"n\":1}")).await.unwrap());
    server.stop().await;
    let server = Server::start(&folder).await;
    assert_eq!(server.value("a").as_deref(), Some("{\"n\":1}"));
    assert_eq!(server.store.revision(), last);
    assert_eq!(server.store.epoch(), Some(Epoch(before.0 + 1)));
    let mut late = put("b", "{}");
    late.writer = Writer { shard: ShardId::ALL, epoch: before, name: "late".to_owned() };
    let outcome = server.store.propose(late).await.unwrap();
    assert_eq!(outcome.results, [OpResult::OldEpoch { current: Epoch(before.0 + 1) }]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_token_is_applied_once() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let same = put("a", "{}");
    let first = server.store.propose(same.clone()).await.unwrap();
    assert_eq!(server.store.propose(same).await, Ok(first));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_run_says_so() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let store = server.store.clone();
    server.stop().await;
    assert_eq!(store.read_barrier().await, Err(ReadError::Unavailable));
    assert_eq!(store.epoch(), None);
    assert_eq!(store.propose(put("a", "{}")).await, Err(ProposeError::Unavailable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disks_of_another_cluster_or_member_are_refused() {
    let folder = Folder::new();
    Server::start(&folder).await.stop().await;
    let open = |config: StoreConfig| {
        let disks = Arc::new(RocksDisks::new(folder.path(), &config));
        let ports = Ports { disks, transport: Arc::new(Alone), opener: None };
        Group::open(config, ports).err()
    };
    let other = StoreConfig { cluster: [6; 16], ..config(1, 1) };
    assert!(matches!(open(other), Some(OpenError::Log { .. })));
    assert!(matches!(open(config(2, 1)), Some(OpenError::Recover { .. })));
    assert!(open(config(1, 1)).is_none());
}
