//! A real process on a real disk is killed while it writes: what it acknowledged is there
//! afterwards.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use store_raft::NodeId;
use store_service::{Alone, StoreConfig};

use crate::server::{Folder, Server};

/// The example `writer`, which cargo builds beside the tests.
fn writer() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join("examples/writer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_loses_nothing_acknowledged() {
    let folder = Folder::new();
    let mut acknowledged = Vec::new();
    for round in 1..=3 {
        let mut child = Command::new(writer())
            .args([folder.path().to_str().unwrap(), "0", "16"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = 500 * round;
        for line in lines {
            acknowledged.push(line.unwrap().parse::<u64>().unwrap());
            if acknowledged.len() == wanted {
                child.kill().unwrap();
                break;
            }
        }
        child.wait().unwrap();
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
