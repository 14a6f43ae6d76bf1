//! Puts keys into a store on disk as fast as it acknowledges them: to measure it, and to be killed
//! at any time.
//!
//! `writer DIR PUTS CLIENTS [BYTES [VOTERS]]`: with PUTS above zero it prints puts/s and latencies;
//! with 0 it never ends and prints the number of every put that was acknowledged. With several
//! voters, each has a folder of its own in DIR, and the clients are spread over all of them.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a command-line tool that measures real time with tasks of its own"
)]

use std::{sync::Arc, time::Instant};

use actors_core::{Intensity, OnLimit};
use actors_runtime::{Failure, Root, System, Tree, entropy};
use store_mvcc::{Columns, Expect, GroupId, Key, Op, Proposal, Token, Writer};
use store_raft::NodeId;
use store_service::{Group, InProcess, Ports, RocksDisks, Store, StoreConfig};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(puts), Some(clients)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("writer DIR PUTS CLIENTS [BYTES [VOTERS]]");
        return Ok(());
    };
    let (puts, clients): (u64, u64) = (puts.parse()?, clients.parse()?);
    let bytes: usize = arguments.next().map_or(Ok(256), |text| text.parse())?;
    let voters: u64 = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let net = InProcess::default();
    let mut members = Vec::new();
    for node in 1..=voters {
        let dir = if voters == 1 { dir.clone() } else { format!("{dir}/{node}") };
        members.push(member(dir, (node, voters), &net).await?);
    }
    for (_, store) in &members {
        store.quorum().wait_for(|quorum| *quorum).await?;
        while store.read_barrier().await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    let begun = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .zip(members.iter().cycle())
        .map(|(client, (_, store))| {
            tokio::spawn(write(store.clone(), (client, clients), puts, bytes))
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len() * share / 1_000).copied().unwrap_or(0);
    println!(
        "{clients} clients, {bytes} bytes: {:.0} puts/s; p50 {} us, p99 {} us, p999 {} us",
        latencies.len() as f64 / seconds,
        at(500),
        at(990),
        at(999)
    );
    for (root, _) in &members {
        root.shutdown().await;
    }
    Ok(())
}

/// Starts one member on its own folder.
async fn member(
    dir: String,
    (node, voters): (u64, u64),
    net: &InProcess,
) -> Result<(Root, Store), Failure> {
    let voters: Vec<NodeId> = (1..=voters).map(NodeId).collect();
    let config = StoreConfig::new(NodeId(node), [1; 16], voters);
    let disks = Arc::new(RocksDisks::new(dir, &config));
    let transport = Arc::new(net.at(NodeId(node)));
    let group = Group::open(config, Ports { disks, transport, opener: None })?;
    let system = System::new(entropy()?);
    let intensity = Intensity { restarts: 1, period: std::time::Duration::from_secs(1) };
    let (spec, child) = group.child();
    let root =
        system.run(Tree::new("store", intensity, OnLimit::Escalate).child(spec, child)).await?;
    let store = group.store(&system);
    net.connect(NodeId(node), store.clone());
    Ok((root, store))
}

async fn write(
    store: Store,
    (client, clients): (u64, u64),
    puts: u64,
    bytes: usize,
) -> Result<Vec<u128>, Failure> {
    let mut latencies = Vec::new();
    let mut number = client;
    while puts == 0 || number < puts {
        let begun = Instant::now();
        store.propose(put(number, bytes)).await?;
        latencies.push(begun.elapsed().as_micros());
        if puts == 0 {
            latencies.clear();
            println!("{number}");
        }
        number += clients;
    }
    Ok(latencies)
}

fn put(number: u64, bytes: usize) -> Proposal {
    let key = Key::object("", "configmaps", Some("default"), &format!("c-{}", number % 10_000));
    let value = format!("{{\"number\":{number},\"padding\":\"{}\"}}", "x".repeat(bytes)).into();
    let columns =
        Columns { uid: format!("uid-{}", number % 10_000), rv_at: 1, ..Columns::default() };
    let (expect, lease) = (Expect::Any, None);
    Proposal {
        group: GroupId::MAIN,
        writer: Writer::unplaced("writer"),
        token: Token(u128::from(number + 1).to_be_bytes()),
        feature_level: 1,
        at: actors_core::Wall(0),
        atomic: false,
        ops: vec![Op::Put { key, value, columns, expect, lease }],
    }
}
