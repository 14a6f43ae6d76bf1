//! Several servers in one process, on real disks, with a network between them that can be cut.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use store_mvcc::{Expect, Op, OpResult, Revision};
use store_raft::{Members, NodeId};
use store_service::{InProcess, ProposeError, Store, StoreConfig};
use tokio::task::JoinSet;

use crate::server::{Faults, Folder, SOON, Server, config, key, next, proposal, put};

pub(crate) struct Cluster {
    pub(crate) net: InProcess,
    folders: BTreeMap<u64, Folder>,
    pub(crate) servers: BTreeMap<u64, Server>,
    voters: u64,
}

impl Cluster {
    pub(crate) async fn start(voters: u64) -> Self {
        let (folders, servers) = (BTreeMap::new(), BTreeMap::new());
        let mut cluster = Self { net: InProcess::default(), folders, servers, voters };
        for node in 1..=voters {
            cluster.up(config(node, voters)).await;
        }
        cluster
    }

    /// Starts a member on its own folder, which may hold what it left there.
    pub(crate) async fn up(&mut self, config: StoreConfig) {
        self.up_faulty(config, Faults::default()).await;
    }

    pub(crate) async fn up_faulty(&mut self, config: StoreConfig, faults: Faults) {
        let node = config.node;
        let folder = self.folders.entry(node.0).or_insert_with(Folder::new);
        let net = Arc::new(self.net.at(node));
        let server = Server::start_faulty((folder.path(), faults), config, net).await;
        self.net.connect(node, server.store.clone());
        self.servers.insert(node.0, server);
    }

    /// Starts a member that belongs to no group yet.
    pub(crate) async fn join(&mut self, node: u64) {
        self.up(StoreConfig { first_voters: Vec::new(), ..config(node, 0) }).await;
    }

    pub(crate) async fn down(&mut self, node: u64) {
        self.net.disconnect(NodeId(node));
        if let Some(server) = self.servers.remove(&node) {
            server.stop().await;
        }
    }

    pub(crate) async fn restart(&mut self, node: u64) {
        self.down(node).await;
        self.up(config(node, self.voters)).await;
        self.follows(node).await;
    }

    /// The same for a member that joined.
    pub(crate) async fn restart_joined(&mut self, node: u64) {
        self.down(node).await;
        self.join(node).await;
        self.follows(node).await;
    }

    /// Waits until a member knows its leader.
    async fn follows(&self, node: u64) {
        let mut quorum = self.store(node).quorum();
        let follows = quorum.wait_for(|quorum| *quorum);
        tokio::time::timeout(SOON, follows).await.expect("it hears of no leader").unwrap();
    }

    pub(crate) fn store(&self, node: u64) -> Store {
        self.servers[&node].store.clone()
    }

    pub(crate) fn stores(&self) -> Vec<Store> {
        self.servers.values().map(|server| server.store.clone()).collect()
    }

    /// The one that leads, not counting `except`.
    pub(crate) async fn leader(&self, except: Option<u64>) -> u64 {
        let found = async {
            loop {
                let leads = |(node, server): &(&u64, &Server)| {
                    Some(**node) != except && server.store.epoch().is_some()
                };
                if let Some((node, _)) = self.servers.iter().find(leads) {
                    return *node;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, found).await.expect("nobody leads")
    }

    pub(crate) async fn follower(&self) -> u64 {
        let leader = self.leader(None).await;
        *self.servers.keys().find(|node| **node != leader).expect("nobody follows")
    }

    /// Waits until a member has a value.
    pub(crate) async fn has(&self, node: u64, name: &str) {
        let server = &self.servers[&node];
        let mut progress = server.store.progress();
        let has = async {
            while server.value(name).is_none() {
                progress.changed().await.unwrap();
            }
        };
        tokio::time::timeout(SOON, has)
            .await
            .unwrap_or_else(|_| panic!("{name} never came to {node}"));
    }

    /// Waits until the members, as `node` knows them, are such.
    pub(crate) async fn members(&self, node: u64, such: impl Fn(&Members) -> bool) {
        let mut members = self.store(node).members();
        let reached = members.wait_for(|members| such(members));
        tokio::time::timeout(SOON, reached).await.expect("the members stay others").unwrap();
    }

    /// Waits until all replicas are equally far, and looks whether they are equal.
    pub(crate) async fn agree(&self) {
        let stores = self.stores();
        let position = |store: &Store| store.progress().borrow().position;
        let level = async {
            loop {
                let first = position(&stores[0]);
                if stores.iter().all(|store| position(store).index == first.index) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, level).await.expect("a replica stays behind");
        let states: Vec<_> = stores.iter().map(position).collect();
        assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "replicas differ: {states:?}");
    }

    pub(crate) async fn stop(self) {
        for (node, server) in self.servers {
            self.net.disconnect(NodeId(node));
            server.stop().await;
        }
    }
}

/// Clients that count: each raises its own counter by one, under a condition, through one member;
/// none raises it twice, and none is told of a raise that is not there.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: JoinSet<Count>,
}

/// What one client knows of its counter.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) client: u64,
    /// Raises that were acknowledged.
    pub(crate) sure: u64,
    /// Raises of which nobody knows.
    pub(crate) unknown: u64,
}

impl Load {
    /// One client for each of these stores.
    pub(crate) fn begin(stores: &[Store]) -> Self {
        let (is_over, done): (Arc<AtomicBool>, Arc<AtomicU64>) = Default::default();
        let mut clients = JoinSet::new();
        for store in stores {
            let (client, store) = (next(), store.clone());
            let (is_over, done) = (Arc::clone(&is_over), Arc::clone(&done));
            clients.spawn(async move {
                let mut count = Count { client, ..Count::default() };
                while !is_over.load(Ordering::Relaxed) {
                    raise(&store, &mut count).await;
                    // A member that does not run refuses at once; it must get time to start.
                    tokio::task::yield_now().await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                count
            });
        }
        Self { is_over, done, clients }
    }

    /// Waits until this many raises more were tried.
    pub(crate) async fn runs(&self, more: u64) {
        let end = self.done.load(Ordering::Relaxed) + more;
        let reached = async {
            while self.done.load(Ordering::Relaxed) < end {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, reached).await.expect("the load stands still");
    }

    pub(crate) async fn end(self) -> Vec<Count> {
        self.is_over.store(true, Ordering::Relaxed);
        self.clients.join_all().await
    }
}

fn counter(client: u64) -> String {
    format!("counter-{client}")
}

/// The counter as a store shows it now, and its revision.
fn shown(store: &Store, client: u64) -> (u64, Expect) {
    match store.snapshot().get(&key(&counter(client))) {
        Some(item) => {
            let text = String::from_utf8(item.stored().value.to_vec()).unwrap();
            let number = text.trim_start_matches("{\"n\":").trim_end_matches('}');
            (number.parse().unwrap(), Expect::Revision(item.stored().mod_revision))
        }
        None => (0, Expect::Absent),
    }
}

async fn raise(store: &Store, count: &mut Count) {
    if store.read_barrier().await.is_err() {
        return;
    }
    let (before, seen) = shown(store, count.client);
    assert!(before >= count.sure, "an acknowledged raise is not in a fresh read");
    assert!(before <= count.sure + count.unknown, "a raise was done twice");
    let mut raise = put(&counter(count.client), &format!("{{\"n\":{}}}", before + 1));
    let [Op::Put { expect, .. }] = raise.ops.as_mut_slice() else { panic!("not a put") };
    *expect = seen;
    match store.propose(raise).await {
        Ok(outcome) => match outcome.results.as_slice() {
            [OpResult::Done { .. }] => {
                (count.sure, count.unknown) = (before + 1, 0);
                assert!(
                    shown(store, count.client).0 > before,
                    "a write is not in its own snapshot"
                );
            }
            // What was unknown may have come between.
            [OpResult::Conflict { .. }] => {}
            other => panic!("{other:?}"),
        },
        Err(ProposeError::Unknown) => count.unknown += 1,
        Err(_) => {}
    }
}

/// Looks whether every counter stands where its client knows it to stand.
pub(crate) fn check_counts(store: &Store, counts: &[Count]) {
    for count in counts {
        let (number, _) = shown(store, count.client);
        let possible = count.sure..=count.sure + count.unknown;
        assert!(possible.contains(&number), "{count:?}, but the counter is at {number}");
    }
}

/// Fills a store with rows of some size.
pub(crate) async fn fill(store: &Store, rows: u64, bytes: usize) -> Revision {
    let mut newest = Revision::default();
    for first in (0..rows).step_by(20) {
        let puts = (first..rows.min(first + 20)).flat_map(|number| {
            let value = format!("{{\"padding\":\"{}\"}}", "x".repeat(bytes));
            put(&format!("row-{number}"), &value).ops
        });
        let outcome = store.propose(proposal(puts.collect())).await.unwrap();
        newest = outcome.last_revision().unwrap();
    }
    newest
}
