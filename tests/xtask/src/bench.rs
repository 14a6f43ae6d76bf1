//! `cargo xtask bench NAME`: measures Starling and, where it can run here, a rival, alternately.
//!
//! Way in: [`run`].  Never: a number that was not measured; a rival that cannot run is `null` with a reference.

mod actors;
mod api;
mod build;
mod cluster;
mod failover;
mod idle;
mod serving;
mod sim;
mod startup;

use std::{process::Command, time::Duration};

use anyhow::{Result, bail};
use clap::ValueEnum;
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// Blank data directory to the first pod answering.
    Startup,
    /// Memory and processor of clusters without work: one machine, and three servers with two agents.
    Idle,
    /// From the loss of a machine to its pods' replacements and to the next write; elections without a loss.
    Failover,
    /// From an edit to its test's result.
    Build,
    /// Events a second of simulated clusters, on one core.
    Sim,
    /// Reads, writes and watches through the API, against a bare handler of the same bytes.
    Api,
    /// Messages, questions, starts, restarts and memory of actors, against Erlang/OTP.
    Actors,
}

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is measured.
    #[arg(value_enum)]
    subject: Subject,
    /// One JSON array instead of a table.
    #[arg(long)]
    json: bool,
    /// How often; unless said otherwise 5 times, machines are lost 20 times.
    #[arg(long)]
    runs: Option<usize>,
    /// Only these parts of `api`, by name, in this order; all of them if none is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<serving::Part>,
}

/// One measured subject.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) subject: String,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Our median.
    pub(crate) ours: f64,
    /// The rival's median; `None` where it cannot run here.
    pub(crate) rival: Option<f64>,
    /// Ours over the rival's.
    pub(crate) ratio: Option<f64>,
    /// What is to be reached: by the ratio, if there is a rival, otherwise by our figure.
    pub(crate) goal: f64,
    /// Whether it is.
    pub(crate) met: bool,
    /// Every run.
    pub(crate) runs: Vec<f64>,
    /// Where the figure to beat comes from, if the rival was not run.
    pub(crate) reference: Option<&'static str>,
}

impl Row {
    /// A row without a rival that can run here.
    pub(crate) fn alone(
        subject: impl Into<String>,
        unit: &'static str,
        runs: Vec<f64>,
        goal: f64,
        reference: Option<&'static str>,
    ) -> Self {
        let ours = median(&runs);
        Self {
            subject: subject.into(),
            unit,
            ours,
            rival: None,
            ratio: None,
            goal,
            met: ours <= goal,
            runs,
            reference,
        }
    }
}

impl Row {
    /// The same, where the goal is about the slowest of a hundred; of fewer runs it is the slowest.
    pub(crate) fn tail(
        subject: impl Into<String>,
        unit: &'static str,
        runs: Vec<f64>,
        goal: f64,
        reference: Option<&'static str>,
    ) -> Self {
        let ours = percentile_99(&runs);
        Self { ours, met: ours <= goal, ..Self::alone(subject, unit, runs, goal, reference) }
    }
}

impl Row {
    /// A row without a rival, of which more is better.
    pub(crate) fn rate(
        subject: impl Into<String>,
        unit: &'static str,
        runs: Vec<f64>,
        goal: f64,
    ) -> Self {
        let row = Self::alone(subject, unit, runs, goal, None);
        Self { met: row.ours >= goal, ..row }
    }
}

impl Row {
    /// What could not be measured; the reason is told beside the table.
    pub(crate) fn failed(subject: impl Into<String>) -> Self {
        Self::alone(subject, "-", vec![f64::NAN], f64::NAN, Some("could not be measured"))
    }
}

/// Which way a figure is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    /// Times and sizes.
    Less,
    /// Rates.
    More,
}

impl Row {
    /// A row whose goal is a ratio to a rival that was measured alternately.
    pub(crate) fn against(
        subject: impl Into<String>,
        unit: &'static str,
        (runs, rivals): (Vec<f64>, &[f64]),
        (better, goal): (Better, f64),
    ) -> Self {
        let (ours, rival) = (median(&runs), median(rivals));
        let ratio = ours / rival;
        let met = match better {
            Better::Less => ratio <= goal,
            Better::More => ratio >= goal,
        };
        Self {
            subject: subject.into(),
            unit,
            ours,
            rival: Some(rival),
            ratio: Some(ratio),
            goal,
            met,
            runs,
            reference: Some("the rival ran here, alternately"),
        }
    }
}

/// The middle value; of an even number the upper one.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that 99 of a hundred do not exceed, by nearest rank.
fn percentile_99(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * 99).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Lets seconds pass outside this process, so that nothing of ours is measured.
fn pause(seconds: u32) -> Result<()> {
    Command::new("sleep").arg(seconds.to_string()).status()?;
    Ok(())
}

/// Seconds since boot, from the kernel: the time that nothing adjusts.
fn uptime() -> Result<f64> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME)?).as_secs_f64())
}

/// The same command, built with optimisation: a load generator without it takes more than what it measures. It prints
/// its own report.
fn optimised() -> Result<String> {
    let build = ["run", "--quiet", "--release", "--package", "xtask", "--"];
    let status = Command::new("cargo").args(build).args(std::env::args().skip(1)).status()?;
    match status.success() {
        true => Ok(String::new()),
        false => bail!("the optimised command failed"),
    }
}

pub(crate) fn run(args: &Args) -> Result<String> {
    let runs = args.runs.unwrap_or(if args.subject == Subject::Failover { 20 } else { 5 });
    if runs == 0 {
        bail!("--runs must be at least 1");
    }
    if !args.only.is_empty() && args.subject != Subject::Api {
        bail!("only `api` has parts");
    }
    if args.subject == Subject::Api && cfg!(debug_assertions) {
        return optimised();
    }
    let rows = match args.subject {
        Subject::Startup => startup::measure(runs)?,
        Subject::Idle => idle::measure(runs)?,
        Subject::Failover => failover::measure(runs)?,
        Subject::Build => build::measure()?,
        Subject::Sim => sim::measure(runs)?,
        Subject::Api => serving::measure(runs, &args.only)?,
        Subject::Actors => actors::measure(runs)?,
    };
    if args.json {
        return Ok(serde_json::to_string_pretty(&rows)?);
    }
    let mut text = format!(
        "{:<44} {:<6} {:>10} {:>10} {:>7} {:>8}  {:<4} reference\n",
        "subject", "unit", "ours", "rival", "ratio", "goal", "met"
    );
    let optional = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
    for row in rows {
        text.push_str(&format!(
            "{:<44} {:<6} {:>10.2} {:>10} {:>7} {:>8.2}  {:<4} {}\n",
            row.subject,
            row.unit,
            row.ours,
            optional(row.rival),
            optional(row.ratio),
            row.goal,
            if row.met { "yes" } else { "no" },
            row.reference.unwrap_or("-")
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_a_goal_is_met_from_below() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert!(Row::alone("s", "s", vec![1.0, 2.0, 9.0], 2.0, None).met);
        assert!(!Row::alone("s", "s", vec![3.0], 2.0, None).met);
        assert!(
            Row::rate("s", "1/s", vec![3.0], 2.0).met && !Row::rate("s", "1/s", vec![1.0], 2.0).met
        );
    }

    #[test]
    fn of_few_runs_the_slowest_counts_and_of_a_hundred_the_last_but_one() {
        let row = Row::tail("s", "s", vec![1.0, 2.0, 9.0], 2.0, None);
        assert_eq!((row.ours, row.met), (9.0, false));
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile_99(&hundred), 99.0);
    }
}
