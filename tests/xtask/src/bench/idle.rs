//! `bench idle`: memory and processor of one server with its agent, guardian included, without work.
//!
//! Way in: [`measure`].

use std::{fs, process::Command};

use anyhow::{Context as _, Result};

use super::{Row, cluster::Cluster};

/// How long one reading of the processor takes, after as long to settle.
const WINDOW_SECS: u32 = 20;

const REFERENCE: Option<&str> =
    Some("Nomad 2.0.6, one process: 89 MiB RSS, 0.52 % (measured on such a machine; no package)");

pub(crate) fn measure(runs: usize) -> Result<Vec<Row>> {
    let cluster = Cluster::up()?;
    pause()?;
    let (mut memory, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let pids = cluster.pids()?;
        let before = ticks(&pids)?;
        pause()?;
        let spent = (ticks(&pids)? - before) as f64 / 100.0;
        busy.push(spent / f64::from(WINDOW_SECS) * 100.0);
        memory.push(rss_kib(&pids)? as f64 / 1_024.0);
    }
    Ok(vec![
        Row::alone("idle server, agent and guardian, RSS", "MiB", memory, 90.0, REFERENCE),
        Row::alone("idle server, agent and guardian, one core", "%", busy, 0.5, REFERENCE),
    ])
}

/// Lets time pass outside this process, so that nothing of ours is measured.
fn pause() -> Result<()> {
    Command::new("sleep").arg(WINDOW_SECS.to_string()).status()?;
    Ok(())
}

/// User and system time of these processes, in hundredths of a second (proc(5), fields 14 and 15 of stat).
fn ticks(pids: &[u32]) -> Result<u64> {
    let mut sum = 0;
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        for index in [11, 12] {
            sum += fields
                .get(index)
                .and_then(|field| field.parse::<u64>().ok())
                .context("stat has no times")?;
        }
    }
    Ok(sum)
}

fn rss_kib(pids: &[u32]) -> Result<u64> {
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
