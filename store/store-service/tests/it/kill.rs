//! A real process on a real disk is killed while it writes: what it acknowledged is there
//! afterwards.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use store_raft::NodeId;
use store_service::{Alone, InProcess, StoreConfig};

use crate::server::{Folder, Server, put};

/// The example `writer`, which cargo builds beside the tests.
fn writer() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join("examples/writer")
}

/// Runs the writer until it acknowledged this many puts more, and kills it.
fn write_and_kill(dir: &str, voters: &str, more: usize) -> Vec<u64> {
    let mut child = Command::new(writer())
        .args([dir, "0", "16", "256", voters])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let numbers = lines.map(|line| line.unwrap().parse().unwrap()).take(more).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    numbers
}

/// All members of a group are in the process that is killed: as if all had lost their power at
/// once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_members_that_lose_their_power_at_once_lose_nothing_acknowledged() {
    let folder = Folder::new();
    let mut acknowledged = Vec::new();
    for _ in 0..3 {
        acknowledged.extend(write_and_kill(folder.path().to_str().unwrap(), "3", 400));
        let net = InProcess::default();
        let mut servers = Vec::new();
        for node in 1..=3 {
            let voters = (1..=3).map(NodeId).collect();
            let config = StoreConfig::new(NodeId(node), [1; 16], voters);
            let dir = folder.path().join(node.to_string());
            let transport = Arc::new(net.at(NodeId(node)));
            let server = Server::start_with(&dir, config, transport).await;
            net.connect(NodeId(node), server.store.clone());
            servers.push(server);
        }
        for server in &servers {
            server.store.propose(put("after", "{}")).await.unwrap();
            for number in &acknowledged {
                let name = format!("c-{}", number % 10_000);
                assert!(server.value(&name).is_some(), "{name} is lost");
            }
        }
        for server in servers {
            server.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_loses_nothing_acknowledged() {
    let folder = Folder::new();
    let mut acknowledged = Vec::new();
    for round in 1..=3 {
        acknowledged.extend(write_and_kill(folder.path().to_str().unwrap(), "1", 200 * round));
        let config = StoreConfig::new(NodeId(1), [1; 16], vec![NodeId(1)]);
        let server = Server::start_with(folder.path(), config, Arc::new(Alone)).await;
        server.lead().await;
        for number in &acknowledged {
            let name = format!("c-{}", number % 10_000);
            let value = server.value(&name).unwrap_or_else(|| panic!("{name} is lost"));
            assert!(value.starts_with("{\"number\":"), "{value}");
        }
        server.stop().await;
    }
}
