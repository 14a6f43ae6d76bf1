//! Runs many seeds, two at a time, and shows what they covered.
//!
//! Way in: [`Sweep::run`], [`table`].

use std::{collections::BTreeMap, sync::Mutex, thread};

use actors_sim::DiskTally;
use nodes_sim::{Report, RunConfig, run};

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Sweep {
    /// The reports of all seeds, by seed.
    pub reports: BTreeMap<u64, Report>,
}

impl Sweep {
    /// Seeds that are run at the same time; each is one thread.
    const AT_ONCE: usize = 2;

    /// Runs all seeds.
    #[must_use]
    pub fn run(seeds: &[u64], config: &RunConfig) -> Self {
        let left = Mutex::new(seeds.iter().rev().copied().collect::<Vec<_>>());
        let done = Mutex::new(Self::default());
        let next = || left.lock().ok().and_then(|mut left| left.pop());
        thread::scope(|scope| {
            for _ in 0..Self::AT_ONCE {
                scope.spawn(|| {
                    while let Some(seed) = next() {
                        let report = one(seed, config);
                        if let Ok(mut done) = done.lock() {
                            done.reports.insert(seed, report);
                        }
                    }
                });
            }
        });
        done.into_inner().unwrap_or_default()
    }

    /// The seeds that broke something.
    pub fn failures(&self) -> impl Iterator<Item = &Report> {
        self.reports.values().filter(|report| !report.is_sound())
    }

    /// Fault points that no seed reached.
    #[must_use]
    pub fn missed(&self) -> Vec<&'static str> {
        let reached = |site: &str| {
            let points = self.reports.values().flat_map(|report| &report.coverage);
            points.into_iter().any(|point| point.site == site && point.is_reached)
        };
        let first = self.reports.values().next();
        let sites = first.iter().flat_map(|report| &report.coverage).map(|point| point.site);
        sites.filter(|site| !reached(site)).collect()
    }

    /// What disks did in all of them.
    #[must_use]
    pub fn disks(&self) -> DiskTally {
        let mut sum = DiskTally::default();
        self.reports.values().for_each(|report| sum.add(report.disks));
        sum
    }

    /// By kind, how many faults began and how many were felt.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<&'static str, (u64, u64)> {
        let mut faults: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
        for (name, (begun, felt)) in self.reports.values().flat_map(|report| &report.faults) {
            let total = faults.entry(name).or_default();
            *total = (total.0 + begun, total.1 + felt);
        }
        faults
    }

    /// How many seeds covered enough to count.
    #[must_use]
    pub fn counting(&self) -> usize {
        self.reports.values().filter(|report| report.counts()).count()
    }

    /// What failed, and the one command that runs each of them again.
    #[must_use]
    pub fn complaint(&self) -> String {
        let mut text = String::new();
        for report in self.failures() {
            text += &format!("seed {}:\n", report.seed);
            for violation in report.violations.iter().take(5) {
                text += &format!("    {violation}\n");
            }
            text += &format!("    run it again: {}\n", report.command());
        }
        for (seed, report) in self.reports.iter().filter(|(_, report)| !report.counts()) {
            let (felt, changes) = (report.felt(), report.leader_changes);
            text +=
                &format!("seed {seed} does not count: {felt} faults, {changes} leader changes\n");
        }
        text
    }
}

/// One run.
///
/// # Panics
/// If the tables of kinds, which are compiled in, cannot be read.
#[must_use]
pub fn one(seed: u64, config: &RunConfig) -> Report {
    run(seed, config).unwrap_or_else(|error| unreachable!("the tables of kinds: {error}"))
}

/// What the seeds covered.
#[must_use]
pub fn table(sweep: &Sweep) -> String {
    let mut sites: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let reports = || sweep.reports.values();
    for report in reports() {
        for point in &report.coverage {
            let total = sites.entry(point.site).or_default();
            *total = (total.0 + u64::from(point.is_reached), total.1 + point.fired);
        }
    }
    let sum = |of: fn(&Report) -> u64| reports().map(of).sum::<u64>();
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        text += &format!("  {name:<28} {value}\n");
    };
    row("seeds that count", format!("{} of {}", sweep.counting(), sweep.reports.len()));
    row("virtual seconds", sum(|report| report.elapsed.as_secs()).to_string());
    row("events", sum(|report| report.events).to_string());
    row("operations, events judged", sum(|report| report.judged as u64).to_string());
    row("leader changes", sum(|report| report.leader_changes).to_string());
    row("log entries", sum(|report| report.counts.entries).to_string());
    row("proposals of the door", sum(|report| report.counts.passed).to_string());
    row("plans of control loops", sum(|report| report.counts.plans).to_string());
    row("writes of old epochs", sum(|report| report.counts.fenced).to_string());
    row("pods bound, run", {
        format!("{}, {}", sum(|report| report.counts.bound), sum(|report| report.counts.ran))
    });
    row("verdicts, nodes marked dead", {
        format!("{}, {}", sum(|report| report.counts.verdicts), sum(|report| report.counts.deaths))
    });
    row("pods taken over by agents", sum(|report| report.counts.adopted).to_string());
    row("fences that fell", sum(|report| report.counts.fallen).to_string());
    row("fenced pods that moved", sum(|report| report.counts.moved).to_string());
    row("images installed", sum(|report| report.counts.images).to_string());
    row("keys parked", sum(|report| report.counts.parked).to_string());
    for (what, count) in sweep.disks().rows() {
        row(&format!("disks: {what}"), count.to_string());
    }
    for (name, (begun, felt)) in sweep.faults() {
        row(&format!("fault: {name}"), format!("{felt} felt of {begun}"));
    }
    for (site, (seeds, fired)) in sites {
        row(&format!("site: {site}"), format!("reached in {seeds} seeds, fired {fired} times"));
    }
    text
}
