//! `bench idle`: memory and processor of one server with its agent, guardian included, without work.
//!
//! Way in: [`measure`].

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use nix::{time::clock_getcpuclockid, unistd::Pid};

use super::{Row, cluster::Cluster, uptime};

/// How long one reading of the processor takes, after as long to settle.
const WINDOW_SECS: u32 = 20;

const REFERENCE: Option<&str> =
    Some("Nomad 2.0.6, one process: 89 MiB RSS, 0.52 % (measured on such a machine; no package)");

pub(crate) fn measure(runs: usize) -> Result<Vec<Row>> {
    let cluster = Cluster::up()?;
    pause()?;
    let pids = cluster.pids()?;
    let (mut memory, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (began, before) = (uptime()?, processor_time(&pids)?);
        pause()?;
        let spent = processor_time(&pids)?.saturating_sub(before);
        busy.push(spent.as_secs_f64() / (uptime()? - began) * 100.0);
        memory.push(rss_kib(&pids)? as f64 / 1_024.0);
    }
    Ok(vec![
        Row::alone("idle server, agent and guardian, RSS", "MiB", memory, 60.0, REFERENCE),
        Row::alone("idle server, agent and guardian, one core", "%", busy, 0.3, REFERENCE),
    ])
}

/// Lets time pass outside this process, so that nothing of ours is measured.
fn pause() -> Result<()> {
    Command::new("sleep").arg(WINDOW_SECS.to_string()).status()?;
    Ok(())
}

/// User and system time of these processes with all their threads, also those that have ended.
/// Spec: clock_getcpuclockid(3).
fn processor_time(pids: &[i32]) -> Result<Duration> {
    pids.iter()
        .map(|pid| Ok(Duration::from(clock_getcpuclockid(Pid::from_raw(*pid))?.now()?)))
        .sum()
}

/// What the kernel counts as resident of each; pages of the program that they share are counted
/// twice.
fn rss_kib(pids: &[i32]) -> Result<u64> {
    let mut sum = 0;
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("status has no VmRSS")?;
        sum += line
            .split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse::<u64>().ok())
            .context("VmRSS is no number")?;
    }
    Ok(sum)
}
