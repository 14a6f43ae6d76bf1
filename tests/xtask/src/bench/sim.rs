//! `bench sim`: events a second of the simulated worlds, on one core.
//!
//! Way in: [`measure`].  The processor's time is that of the whole process, its start and the
//! judges' work at the end included. Built as `starling sim` is for users, and in one piece: the
//! assertions of tests are not in it, all judges and invariants are.

use std::{env, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};

use super::Row;

/// The plan, how many of its seeds, and what the row is called.
const PLANS: [(&str, u32, &str); 2] =
    [("usual", 4, "events of the whole cluster, 27 nodes"), ("actors", 40, "events of 80 actors")];

/// Thousands of events a second.
const GOAL: f64 = 300.0;

pub(crate) fn measure(runs: usize) -> Result<Vec<Row>> {
    let program = build()?;
    let row = |(plan, seeds, subject): (&str, u32, &str)| {
        let rates: Result<Vec<f64>> = (0..runs).map(|_| rate(&program, plan, seeds)).collect();
        Ok(Row::rate(subject, "k/s", rates?, GOAL))
    };
    PLANS.into_iter().map(row).collect()
}

fn build() -> Result<PathBuf> {
    let arguments = ["build", "--profile", "whole", "-p", "tests-sim", "--example", "events"];
    if !Command::new("cargo").args(arguments).status()?.success() {
        bail!("the measured program cannot be built");
    }
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Ok(target.join("whole/examples/events"))
}

/// Thousands of events for each second of the processor.
fn rate(program: &PathBuf, plan: &str, seeds: u32) -> Result<f64> {
    let before = children_time()?;
    let output = Command::new(program).arg(plan).arg(seeds.to_string()).output()?;
    let spent = children_time()?.saturating_sub(before).as_secs_f64() * 1_000.0;
    let text = String::from_utf8_lossy(&output.stdout);
    let events: f64 = text.trim().parse().with_context(|| {
        format!("plan {plan} failed: {}", String::from_utf8_lossy(&output.stderr))
    })?;
    Ok(events / spent)
}

/// What all children that have ended took of the processor.
fn children_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Duration::from_micros(micros.try_into()?))
}
