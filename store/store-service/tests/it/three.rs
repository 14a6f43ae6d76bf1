//! Three voters in one process: replication, loss of the leader, members that come later.

use std::sync::Arc;

use store_raft::{MemberChange, NodeId};
use store_service::{InProcess, ProposeError, StoreConfig};

use crate::server::{Folder, SOON, Server, config, insist, put};

struct Cluster {
    net: InProcess,
    folders: Vec<Folder>,
    servers: Vec<Server>,
}

impl Cluster {
    async fn start(voters: u64) -> Self {
        let mut cluster =
            Self { net: InProcess::default(), folders: Vec::new(), servers: Vec::new() };
        for node in 1..=voters {
            cluster.add(config(node, voters)).await;
        }
        cluster
    }

    async fn add(&mut self, config: StoreConfig) {
        let folder = Folder::new();
        let node = config.node;
        let net = Arc::new(self.net.at(node));
        let server = Server::start_with(folder.path(), config, net).await;
        self.net.connect(node, server.store.clone());
        self.folders.push(folder);
        self.servers.push(server);
    }

    /// The one that leads, not counting `except`.
    async fn leader(&self, except: Option<usize>) -> usize {
        let found = async {
            loop {
                let leads = |at: &usize| self.servers[*at].store.epoch().is_some();
                if let Some(at) =
                    (0..self.servers.len()).filter(|at| Some(*at) != except).find(leads)
                {
                    return at;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, found).await.expect("nobody leads")
    }

    /// Waits until a server has a value.
    async fn has(&self, at: usize, name: &str) {
        let mut progress = self.servers[at].store.progress();
        let has = async {
            while self.servers[at].value(name).is_none() {
                progress.changed().await.unwrap();
            }
        };
        tokio::time::timeout(SOON, has)
            .await
            .unwrap_or_else(|_| panic!("{name} never came to {at}"));
    }

    async fn stop(self) {
        for (node, server) in (1..).zip(self.servers) {
            self.net.disconnect(NodeId(node));
            server.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_voters_agree_and_survive_the_loss_of_their_leader() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader(None).await;
    for number in 0..50 {
        insist(&cluster.servers[leader].store, put(&format!("c-{number}"), "{}")).await;
    }
    for at in 0..3 {
        cluster.has(at, "c-49").await;
        cluster.servers[at].store.read_barrier().await.unwrap();
        assert_eq!(cluster.servers[at].store.snapshot().len(), 50);
    }
    let follower = (leader + 1) % 3;
    let refused = cluster.servers[follower].store.propose(put("x", "{}")).await;
    let named = Some(NodeId(leader as u64 + 1));
    assert_eq!(refused, Err(ProposeError::NotLeader { leader: named }));
    let old_epoch = cluster.servers[leader].store.epoch().unwrap();
    cluster.net.cut(NodeId(leader as u64 + 1));
    let next = cluster.leader(Some(leader)).await;
    assert!(cluster.servers[next].store.epoch().unwrap() > old_epoch);
    insist(&cluster.servers[next].store, put("after", "{}")).await;
    cluster.net.heal();
    cluster.has(leader, "after").await;
    let hashes = |at: usize| {
        let position = cluster.servers[at].store.progress().borrow().position;
        (position.revision, position.hash)
    };
    let (one, two) = (hashes(leader), hashes(next));
    assert!(one.0 != two.0 || one.1 == two.1, "replicas differ at one revision");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_joins_gets_an_image_and_then_the_log() {
    let mut cluster = Cluster::start(1).await;
    let leader = cluster.leader(None).await;
    for number in 0..100 {
        insist(&cluster.servers[leader].store, put(&format!("c-{number}"), "{}")).await;
    }
    cluster.add(StoreConfig { first_voters: Vec::new(), ..config(2, 1) }).await;
    let store = cluster.servers[leader].store.clone();
    let members = store.change_members(vec![MemberChange::AddLearner(NodeId(2))]).await.unwrap();
    assert!(members.learners.contains(&NodeId(2)));
    cluster.has(1, "c-99").await;
    let members = store.change_members(vec![MemberChange::AddVoter(NodeId(2))]).await.unwrap();
    assert_eq!(members.voters.len(), 2);
    insist(&store, put("both", "{}")).await;
    cluster.has(1, "both").await;
    assert_eq!(cluster.servers[1].store.snapshot().len(), 101);
    store.transfer_leader(NodeId(2), SOON).await.unwrap();
    cluster.leader(Some(0)).await;
    insist(&cluster.servers[1].store, put("second", "{}")).await;
    cluster.stop().await;
}
