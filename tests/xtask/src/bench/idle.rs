//! `bench idle`: memory and processor of clusters without work, guardians and forwarder included.
//!
//! Way in: [`measure`].

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use nix::{time::clock_getcpuclockid, unistd::Pid};

use super::{Row, cluster::Cluster, pause, uptime};

/// How long one reading of the processor of one machine takes, after as long to settle.
const WINDOW_SECS: u32 = 20;

/// The same of five machines.
const WINDOW_OF_FIVE_SECS: u32 = 30;

const REFERENCE: Option<&str> =
    Some("Nomad 2.0.6, one process: 89 MiB RSS, 0.52 % (measured on such a machine; no package)");

const REFERENCE_OF_FIVE: Option<&str> = Some(
    "Nomad 2.0.6, 3 servers and 2 clients: 178 MiB PSS, 3.6 % (measured on such a machine; no package)",
);

pub(crate) fn measure(runs: usize) -> Result<Vec<Row>> {
    let (memory, busy) = read(&Cluster::up()?, (runs, WINDOW_SECS), "VmRSS:")?;
    let (memory_of_five, busy_of_five) =
        read(&Cluster::up_machines(3, 2)?, (runs, WINDOW_OF_FIVE_SECS), "Pss:")?;
    Ok(vec![
        Row::alone("idle server, agent and guardian, RSS", "MiB", memory, 60.0, REFERENCE),
        Row::alone("idle server, agent and guardian, one core", "%", busy, 0.3, REFERENCE),
        Row::alone(
            "idle 3 + 2, all processes, PSS",
            "MiB",
            memory_of_five,
            150.0,
            REFERENCE_OF_FIVE,
        ),
        Row::alone(
            "idle 3 + 2, all processes, one core",
            "%",
            busy_of_five,
            1.5,
            REFERENCE_OF_FIVE,
        ),
    ])
}

/// Memory in MiB and percent of one core, once a window.
fn read(
    cluster: &Cluster,
    (runs, window): (usize, u32),
    memory_field: &str,
) -> Result<(Vec<f64>, Vec<f64>)> {
    pause(window)?;
    let pids = cluster.pids()?;
    let (mut memory, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (began, before) = (uptime()?, processor_time(&pids)?);
        pause(window)?;
        let spent = processor_time(&pids)?.saturating_sub(before);
        busy.push(spent.as_secs_f64() / (uptime()? - began) * 100.0);
        memory.push(memory_kib(&pids, memory_field)? as f64 / 1_024.0);
    }
    Ok((memory, busy))
}

/// User and system time of these processes with all their threads, also those that have ended.
/// Spec: clock_getcpuclockid(3).
pub(super) fn processor_time(pids: &[i32]) -> Result<Duration> {
    pids.iter()
        .map(|pid| Ok(Duration::from(clock_getcpuclockid(Pid::from_raw(*pid))?.now()?)))
        .sum()
}

/// What the kernel counts of each: as resident (`VmRSS:`), where pages that they share are counted twice, or their
/// part of such pages with all else (`Pss:`). Spec: proc(5).
pub(super) fn memory_kib(pids: &[i32], field: &str) -> Result<u64> {
    let file = if field == "Pss:" { "smaps_rollup" } else { "status" };
    let mut sum = 0;
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
        let line = status
            .lines()
            .find(|line| line.starts_with(field))
            .with_context(|| format!("{file} has no {field}"))?;
        sum += line
            .split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse::<u64>().ok())
            .with_context(|| format!("{field} is no number"))?;
    }
    Ok(sum)
}
