//! Members come and go while clients write.

use std::time::Duration;

use store_raft::NodeId;
use store_service::{Health, ProposeError};

use crate::{
    cluster::{Cluster, Load, check_counts, fill},
    server::{SOON, config, put},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_grows_to_three_and_shrinks_to_one_under_load() {
    let mut cluster = Cluster::start(1).await;
    cluster.leader(None).await;
    fill(&cluster.store(1), 200, 2_000).await;
    let first = cluster.store(1);
    let load = Load::begin(&vec![first.clone(); 4]);
    load.runs(50).await;
    for node in [2, 3] {
        cluster.join(node).await;
        let context = format!("server-{node}").into_bytes();
        let members = first.add_member(NodeId(node), context.clone()).await.unwrap();
        assert!(members.voters.contains(&NodeId(node)) && members.joining.is_empty());
        // It can be repeated, also by the new member itself.
        cluster.members(node, |members| members.voters.contains(&NodeId(node))).await;
        let again = cluster.store(node).add_member(NodeId(node), context).await.unwrap();
        assert_eq!(again, members);
        load.runs(50).await;
    }
    let contexts = cluster.store(3).members().borrow().contexts.clone();
    assert_eq!(contexts[&NodeId(2)], b"server-2");
    let counts = load.end().await;
    for store in cluster.stores() {
        store.read_barrier().await.unwrap();
        check_counts(&store, &counts);
        store.propose(put("everywhere", "{}")).await.unwrap();
    }
    cluster.agree().await;
    // The first one goes first: its leadership, then itself.
    let last = cluster.store(3);
    let load = Load::begin(&vec![last.clone(); 4]);
    load.runs(30).await;
    for node in [1, 2] {
        let members = last.remove_member(NodeId(node)).await.unwrap();
        assert!(!members.contains(NodeId(node)));
        assert_eq!(last.remove_member(NodeId(node)).await, Ok(members));
        says_removed(&cluster, node).await;
        cluster.down(node).await;
        load.runs(30).await;
    }
    assert_eq!(last.remove_member(NodeId(3)).await, Err(ProposeError::BadChange));
    check_counts(&last, &load.end().await);
    cluster.stop().await;
}

async fn says_removed(cluster: &Cluster, node: u64) {
    let store = cluster.store(node);
    let mut health = store.health();
    let removed = health.wait_for(|health| *health == Health::Removed);
    tokio::time::timeout(SOON, removed).await.expect("it does not say so").unwrap();
    assert_eq!(store.propose(put("x", "{}")).await, Err(ProposeError::Unavailable));
    assert!(store.read_barrier().await.is_err());
    assert!(!*store.quorum().borrow());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_removed_while_it_was_away_learns_it_when_it_is_back() {
    let mut cluster = Cluster::start(3).await;
    let gone = cluster.follower().await;
    cluster.net.cut(NodeId(gone));
    let other = cluster.leader(None).await;
    cluster.store(other).remove_member(NodeId(gone)).await.unwrap();
    cluster.store(other).propose(put("without", "{}")).await.unwrap();
    cluster.net.heal();
    says_removed(&cluster, gone).await;
    cluster.down(gone).await;
    cluster.up(config(gone, 3)).await;
    says_removed(&cluster, gone).await;
    let term = cluster.store(other).leadership().borrow().role.term;
    cluster.store(other).propose(put("still", "{}")).await.unwrap();
    assert_eq!(cluster.store(other).leadership().borrow().role.term, term, "it disturbed the rest");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_travels_in_pieces_while_the_leader_goes_on_and_again_if_it_is_cut() {
    let mut cluster = Cluster::start(1).await;
    cluster.leader(None).await;
    let first = cluster.store(1);
    // About 12 MB: some fifty pieces.
    fill(&first, 600, 20_000).await;
    cluster.join(2).await;
    cluster.net.slow_images(Duration::from_millis(10));
    let load = Load::begin(&vec![first.clone(); 2]);
    let joining = {
        let first = first.clone();
        async move { first.add_member(NodeId(2), b"two".to_vec()).await }
    };
    let trouble = async {
        for stop_at in [5, 15] {
            while cluster.net.pieces() < stop_at {
                tokio::task::yield_now().await;
            }
            cluster.net.cut(NodeId(2));
            load.runs(20).await;
            cluster.net.heal();
        }
        let begun = cluster.net.pieces();
        load.runs(60).await;
        (begun, cluster.net.pieces())
    };
    let (members, (begun, later)) = tokio::join!(joining, trouble);
    assert!(later < begun + 50, "the leader waited for the image");
    assert!(members.unwrap().voters.contains(&NodeId(2)));
    assert!(cluster.net.pieces() > 60, "the image was not sent in pieces, or not again");
    cluster.net.slow_images(Duration::ZERO);
    let counts = load.end().await;
    cluster.store(2).read_barrier().await.unwrap();
    check_counts(&cluster.store(2), &counts);
    assert_eq!(cluster.store(2).snapshot().len(), cluster.store(1).snapshot().len());
    cluster.agree().await;
    cluster.restart_joined(2).await;
    cluster.store(2).read_barrier().await.unwrap();
    cluster.agree().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_away_for_long_gets_an_image() {
    let mut cluster = Cluster::start(3).await;
    let away = cluster.follower().await;
    cluster.down(away).await;
    let store = cluster.store(cluster.leader(None).await);
    // More than the log in memory keeps for those that lag.
    for _ in 0..4 {
        fill(&store, 600, 30_000).await;
    }
    cluster.restart(away).await;
    cluster.agree().await;
    assert!(cluster.net.pieces() > 10, "no image was sent");
    cluster.agree().await;
    cluster.stop().await;
}
