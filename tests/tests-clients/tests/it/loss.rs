//! kube-rs, client-go and Python work for a minute while servers are lost, and end with the right state.
//!
//! `STARLING_CLIENTS_SECONDS` says how long; 60 if nobody says. A server is lost each minute, the first after a third of
//! one; it comes back ten seconds later.

use std::{
    path::Path,
    process::Child,
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use serde_json::Value;
use tests_e2e::Cluster;

use crate::tools::{Tools, missing};

/// From the start to the first loss.
const FIRST_LOSS: Duration = Duration::from_secs(20);
/// From one loss to the next.
const LOSS_EVERY: Duration = Duration::from_secs(60);
/// How long a machine has no power.
const OUTAGE: Duration = Duration::from_secs(10);

/// Waits; nobody ever says anything.
fn wait(beat: &mpsc::Receiver<()>, time: Duration) {
    assert_eq!(beat.recv_timeout(time), Err(RecvTimeoutError::Timeout));
}

/// Takes power from one server after the other, the leader first.
fn lose_servers(cluster: &Cluster, lasts: Duration) -> usize {
    let (_silent, beat) = mpsc::channel::<()>();
    let (mut losses, mut passed) = (0, FIRST_LOSS);
    wait(&beat, FIRST_LOSS);
    while passed + OUTAGE < lasts {
        let lost = match losses % 2 {
            0 => cluster.leader(),
            _ => format!("server-{}", losses % 3 + 1),
        };
        println!("{lost} is lost");
        cluster.starling(&["node", "kill", &lost]);
        wait(&beat, OUTAGE);
        cluster.starling(&["node", "start", &lost]);
        losses += 1;
        passed += LOSS_EVERY;
        if passed < lasts {
            wait(&beat, LOSS_EVERY.saturating_sub(OUTAGE));
        }
    }
    losses
}

fn report(name: &str, program: Child) -> Value {
    let output = program.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{name}: {}", text.trim());
    let report: Value = serde_json::from_str(text.lines().last().unwrap_or_default()).expect(name);
    assert!(output.status.success() && report["wrong"].is_null(), "{name} is not content");
    report
}

#[test]
fn stock_clients_end_with_the_right_state_while_servers_are_lost() {
    let tools = match (Cluster::lacking(), Tools::find()) {
        (Some(lack), _) => return println!("{lack}"),
        (_, Err(lack)) => return println!("{}", missing(&lack)),
        (None, Ok(tools)) => tools,
    };
    let seconds = std::env::var_os("STARLING_CLIENTS_SECONDS")
        .map_or(60, |text| text.to_str().and_then(|text| text.parse().ok()).expect("seconds"));
    let cluster = Cluster::prepared();
    cluster.starling(&["up", "--servers", "3"]);
    cluster.kubectl(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
    let (user, time) = (cluster.user(), seconds.to_string());
    let python = Path::new("python3");
    let programs = [
        ("kube-rs", user.spawn(Path::new(env!("CARGO_BIN_EXE_kube-controller")), &[&time])),
        ("client-go", user.spawn(&tools.informers, &["-for", &format!("{time}s")])),
        ("python", user.spawn(python, &["-c", &tools.python_program(), "--for", &time])),
    ];
    let losses = lose_servers(&cluster, Duration::from_secs(seconds));
    assert!(losses > 0, "{seconds} s are too few for a loss");
    let mut row = format!("{seconds} | {losses}");
    for (name, program) in programs {
        let report = report(name, program);
        assert!(report["acknowledged"].as_u64() > Some(50), "{name} hardly worked: {report}");
        // Who watches by hand says how often the watch had to be taken up again: the loss was one of its server once.
        if let Some(seen) = report["seen"].as_u64() {
            assert!(seen > 20, "{name} saw little: {report}");
        }
        row.push_str(&format!(" | {} / {}", report["acknowledged"], report["failed"]));
    }
    println!("| {row} |");
}
