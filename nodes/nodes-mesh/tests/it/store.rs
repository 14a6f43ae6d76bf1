//! Raft over the mesh: a second server gets the state, votes, and writes through the first.

use std::sync::{Arc, Mutex};

use actors_core::Wall;
use nodes_mesh::{Directory, MeshTransport};
use store_mvcc::{Columns, Expect, GroupId, Key, Op, Proposal, Token, Writer};
use store_raft::NodeId;
use store_service::{Group, Ports, RocksDisks, Store, StoreConfig};
use tempfile::TempDir;

use crate::scene::{Machine, Told, authority, link, until, within};

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("starling-nodes-mesh-").tempdir().unwrap()
}

async fn server(
    authority: &nodes_pki::Authority,
    (told, folder): (&Told, &TempDir),
    (member, first_voters): (u64, Vec<NodeId>),
) -> (Machine, Store) {
    let made = Mutex::new(None);
    let view = told.view();
    let machine = Machine::start(authority, &format!("server-{member}"), |mesh, system| {
        let config = StoreConfig::new(NodeId(member), [5; 16], first_voters);
        let transport = MeshTransport::new(mesh.clone(), Directory::new(view, []), NodeId(member));
        let disks = Arc::new(RocksDisks::new(folder.path(), &config));
        let ports = Ports { disks, transport: Arc::new(transport.clone()), opener: None };
        let group = Group::open(config, ports).unwrap();
        let store = group.store(system);
        transport.serve(&store);
        *made.lock().unwrap() = Some(store);
        vec![group.child()]
    })
    .await;
    let store = made.lock().unwrap().take().unwrap();
    (machine, store)
}

fn put(number: u8, size: usize) -> Proposal {
    let key = Key::object("", "configmaps", Some("default"), &format!("c-{number}"));
    let columns = Columns { rv_at: 1, ..Columns::default() };
    let value = format!("{{\"a\":\"{}\"}}", "x".repeat(size)).into();
    Proposal {
        group: GroupId::MAIN,
        writer: Writer::unplaced("test"),
        token: Token([number; 16]),
        feature_level: 1,
        at: Wall(0),
        atomic: false,
        ops: vec![Op::Put { key, value, columns, expect: Expect::Any, lease: None }],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_gets_the_state_over_the_mesh_votes_and_writes() {
    let authority = authority();
    let told = Told::of(&["server-1", "server-2"]);
    let folders = [folder(), folder()];
    let (one, first) = server(&authority, (&told, &folders[0]), (1, vec![NodeId(1)])).await;
    let mut leadership = first.leadership();
    within("a leader", leadership.wait_for(|now| now.epoch.is_some())).await.unwrap();
    for number in 1..=100 {
        let outcome = within("a write", first.propose(put(number, 100_000))).await.unwrap();
        assert!(outcome.is_ok());
    }
    let (two, second) = server(&authority, (&told, &folders[1]), (2, Vec::new())).await;
    link(&[&one, &two]).await;
    let added = first.add_member(NodeId(2), b"server-2".to_vec());
    let members = within("the second voter", added).await.unwrap();
    assert_eq!(members.voters.len(), 2);
    until("the state", || second.snapshot().len() == 100).await;
    // A write at the follower goes to the leader and is seen at both.
    let outcome = within("a write", second.propose(put(101, 3_000_000))).await.unwrap();
    assert!(outcome.is_ok());
    assert_eq!(second.snapshot().len(), 101);
    within("a barrier", second.read_barrier()).await.unwrap();
    until("the write at the leader", || first.snapshot().len() == 101).await;
    assert!(two.mesh.links().iter().all(|link| link.received.frames > 0));
    assert!(one.system.tree().len() > 5);
    one.stop().await;
    two.stop().await;
}
