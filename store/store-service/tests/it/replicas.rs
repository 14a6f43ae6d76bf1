//! Replicas that differ, and groups that lose their power.

use std::{fs, time::Duration};

use store_mvcc::{Columns, Op, Splice};
use store_raft::NodeId;
use store_service::{Group, Health, Ports, ProposeError, RocksDisks, StoreConfig};

use crate::{
    cluster::{Cluster, Load, check_counts},
    server::{Fault, Faults, Folder, SOON, Server, config, key, proposal, put, revision},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_differs_stops_serving_and_says_so() {
    let mut cluster = Cluster::start(0).await;
    let often =
        |node: u64| StoreConfig { compare_every: Duration::from_millis(200), ..config(node, 3) };
    for node in 1..=3 {
        cluster.up(often(node)).await;
    }
    let leader = cluster.leader(None).await;
    let rotten = cluster.follower().await;
    let padding = "x".repeat(400);
    let value = format!("{{\"padding\":\"{padding}\"}}");
    let outcome = cluster.store(leader).propose(put("a", &value)).await.unwrap();
    cluster.has(rotten, "a").await;
    // What it holds in memory is good. It reads its disk when it starts.
    cluster.down(rotten).await;
    let faults = Faults::default();
    faults.set(Some(Fault::RotInState));
    cluster.up_faulty(often(rotten), faults).await;
    cluster.leader(None).await;
    // A splice at the value's end: the rest is what each replica has read from its own disk.
    let at = u32::try_from(value.len() - 1).unwrap();
    let splices = vec![Splice { at, remove: 0, insert: " ".into() }];
    let columns = Columns { rv_at: 1, ..Columns::default() };
    let delta = Op::Delta { key: key("a"), expect: revision(&outcome), splices, columns };
    let outcome = cluster.store(leader).propose(proposal(vec![delta])).await.unwrap();
    assert!(outcome.is_ok(), "{outcome:?}");
    let mut health = cluster.store(rotten).health();
    let differs = health.wait_for(|health| matches!(health, Health::Differs { .. }));
    tokio::time::timeout(SOON, differs).await.expect("nobody noticed").unwrap();
    assert!(cluster.store(rotten).read_barrier().await.is_err());
    let refused = cluster.store(rotten).propose(put("b", "{}")).await;
    assert_eq!(refused, Err(ProposeError::Unavailable));
    for (node, server) in &cluster.servers {
        if *node != rotten {
            assert_eq!(*server.store.health().borrow(), Health::Good);
            server.store.propose(put("c", "{}")).await.unwrap();
        }
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_come_back_from_their_disks_at_once() {
    let mut cluster = Cluster::start(3).await;
    cluster.leader(None).await;
    let mut all = Vec::new();
    for _ in 0..2 {
        let load = Load::begin(&cluster.stores());
        load.runs(60).await;
        all = load.end().await;
        for node in 1..=3 {
            cluster.down(node).await;
        }
        for node in 1..=3 {
            cluster.up(config(node, 3)).await;
        }
        cluster.leader(None).await;
    }
    for store in cluster.stores() {
        store.read_barrier().await.unwrap();
        check_counts(&store, &all);
    }
    cluster.agree().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_shorter_than_it_was_synced_is_refused_in_one_sentence() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    server.store.propose(put("a", "{}")).await.unwrap();
    server.stop().await;
    fs::remove_dir_all(folder.path().join("log/db")).unwrap();
    let config = config(1, 1);
    let disks = std::sync::Arc::new(RocksDisks::new(folder.path(), &config));
    let transport = std::sync::Arc::new(store_service::Alone);
    let refused = Group::open(config, Ports { disks, transport, opener: None }).err().unwrap();
    let mut text = refused.to_string();
    let mut cause = std::error::Error::source(&refused);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    assert!(text.contains("the log of group main cannot be opened"), "{text}");
    assert!(text.contains("but was synced up to"), "{text}");
    assert!(!text.contains('\n'), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_group_is_at_revision_one_on_every_member() {
    let mut cluster = Cluster::start(1).await;
    cluster.leader(None).await;
    assert_eq!(cluster.store(1).read_barrier().await.unwrap().0, 1);
    let first = cluster.store(1).propose(put("a", "{}")).await.unwrap();
    assert_eq!(revision(&first).0, 2);
    cluster.join(2).await;
    cluster.store(1).add_member(NodeId(2), Vec::new()).await.unwrap();
    assert_eq!(cluster.store(2).read_barrier().await.unwrap().0, 2);
    cluster.stop().await;
}
