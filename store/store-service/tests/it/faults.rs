//! Clients count while members are cut off, stopped, started again, or have slow disks.

use std::time::Duration;

use store_raft::NodeId;

use crate::{
    cluster::{Cluster, Load, check_counts},
    server::Fault,
};

/// Clients per member.
const CLIENTS: usize = 3;

fn load(cluster: &Cluster) -> Load {
    let stores: Vec<_> =
        cluster.stores().into_iter().flat_map(|store| vec![store; CLIENTS]).collect();
    Load::begin(&stores)
}

async fn settle(cluster: Cluster, load: Load) {
    cluster.net.heal();
    load.runs(30).await;
    let counts = load.end().await;
    let raised: u64 = counts.iter().map(|count| count.sure).sum();
    assert!(raised > 100, "only {raised} raises: the test proves little");
    for store in cluster.stores() {
        store.read_barrier().await.unwrap();
        check_counts(&store, &counts);
    }
    cluster.agree().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_raise_is_done_once_while_members_are_cut_off() {
    let cluster = Cluster::start(3).await;
    cluster.leader(None).await;
    let load = load(&cluster);
    for round in 0..4 {
        load.runs(60).await;
        let leader = cluster.leader(None).await;
        let victim = if round % 2 == 0 { leader } else { leader % 3 + 1 };
        cluster.net.cut(NodeId(victim));
        cluster.leader(Some(victim)).await;
        load.runs(20).await;
        cluster.net.heal();
    }
    settle(cluster, load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_raise_is_done_once_while_one_direction_is_cut() {
    let cluster = Cluster::start(3).await;
    cluster.leader(None).await;
    let load = load(&cluster);
    for outward in [true, false, true, false] {
        load.runs(40).await;
        let leader = cluster.leader(None).await;
        for other in (1..=3).filter(|node| *node != leader) {
            let (from, to) = if outward { (leader, other) } else { (other, leader) };
            cluster.net.cut_way(NodeId(from), NodeId(to));
        }
        cluster.leader(Some(leader)).await;
        load.runs(20).await;
        cluster.net.heal();
    }
    settle(cluster, load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_raise_is_done_once_while_parts_of_members_are_killed() {
    let cluster = Cluster::start(3).await;
    cluster.leader(None).await;
    let load = load(&cluster);
    for part in ["peer", "log", "apply", "intake", "peer", "apply"] {
        load.runs(40).await;
        let leader = cluster.leader(None).await;
        let victim = if part == "intake" { leader % 3 + 1 } else { leader };
        cluster.servers[&victim].system.kill(&format!("store/main/{part}")).unwrap();
    }
    settle(cluster, load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_raise_is_done_once_while_members_restart() {
    let mut cluster = Cluster::start(3).await;
    cluster.leader(None).await;
    for round in 0..3 {
        // The clients of the one that goes down would only be refused.
        let leader = cluster.leader(None).await;
        let victim = if round == 1 { leader % 3 + 1 } else { leader };
        let survivors: Vec<_> = (1..=3)
            .filter(|node| *node != victim)
            .flat_map(|node| vec![cluster.store(node); CLIENTS])
            .collect();
        let load = Load::begin(&survivors);
        load.runs(60).await;
        cluster.down(victim).await;
        load.runs(60).await;
        cluster.restart(victim).await;
        load.runs(30).await;
        let counts = load.end().await;
        cluster.store(victim).read_barrier().await.unwrap();
        check_counts(&cluster.store(victim), &counts);
        cluster.agree().await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_disks_slow_writes_and_elect_nobody() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader(None).await;
    let before = cluster.store(leader).leadership().borrow().role;
    let load = load(&cluster);
    load.runs(30).await;
    for server in cluster.servers.values() {
        server.faults.set(Some(Fault::SlowSync(700)));
    }
    load.runs(20).await;
    tokio::time::timeout(Duration::from_secs(3), std::future::pending::<()>()).await.unwrap_err();
    for server in cluster.servers.values() {
        server.faults.set(None);
    }
    load.runs(60).await;
    let after = cluster.store(leader).leadership().borrow().role;
    assert_eq!(before, after, "slow disks led to an election");
    settle(cluster, load).await;
}
