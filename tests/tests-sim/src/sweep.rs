//! Runs many seeds, two at a time, and shows what they covered.
//!
//! Way in: [`Sweep::run`], [`table`].

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
};

use nodes_sim::{Faults, Planted, Report, RunConfig, run};

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Sweep {
    /// The reports of the seeds that ran to their end, by seed.
    pub reports: BTreeMap<u64, Report>,
    /// What was wrong, by seed.
    pub failures: BTreeMap<u64, Vec<String>>,
    /// Which faults they met with.
    faults: Faults,
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
                        let ended = one(seed, config);
                        if let Ok(mut done) = done.lock() {
                            done.take(seed, ended);
                        }
                    }
                });
            }
        });
        let done = done.into_inner().unwrap_or_default();
        Self { faults: config.faults, ..done }
    }

    fn take(&mut self, seed: u64, ended: Result<Report, String>) {
        match ended {
            Ok(report) => {
                if !report.is_sound() {
                    self.failures.insert(seed, report.violations.clone());
                }
                self.reports.insert(seed, report);
            }
            Err(why) => drop(self.failures.insert(seed, vec![why])),
        }
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
        for (seed, why) in &self.failures {
            text += &format!("seed {seed}:\n");
            for line in why.iter().take(5) {
                text += &format!("    {line}\n");
            }
            let faults = match self.faults {
                Faults::All => String::new(),
                faults => format!("STARLING_FAULTS={faults:?} "),
            };
            text += &format!("    run it again: {faults}{}\n", replay(*seed));
        }
        for (seed, report) in self.reports.iter().filter(|(_, report)| !report.counts()) {
            let (felt, changes) = (report.felt(), report.leader_changes);
            text +=
                &format!("seed {seed} does not count: {felt} faults, {changes} leader changes\n");
        }
        text
    }
}

/// One run; a machine that panics is a failure like any other.
pub fn one(seed: u64, config: &RunConfig) -> Result<Report, String> {
    match catch_unwind(AssertUnwindSafe(|| run(seed, config))) {
        Ok(report) => report.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panicked: {}", text.unwrap_or_else(|| "without a word".to_owned())))
        }
    }
}

/// The command that runs a seed again.
#[must_use]
pub fn replay(seed: u64) -> String {
    format!("STARLING_SEED={seed} cargo test --profile sim -p tests-sim -- --nocapture replay")
}

/// The command that runs a seed with a planted bug again.
#[must_use]
pub fn replay_planted(planted: Planted, seed: u64) -> String {
    format!("STARLING_PLANTED={planted:?} {}", replay(seed))
}

/// What the seeds covered.
#[must_use]
pub fn table(sweep: &Sweep) -> String {
    let mut faults: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut sites: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let reports = || sweep.reports.values();
    for report in reports() {
        for (name, (begun, felt)) in &report.faults {
            let total = faults.entry(name).or_default();
            *total = (total.0 + begun, total.1 + felt);
        }
        for (site, fired) in &report.coverage {
            let total = sites.entry(site).or_default();
            *total = (total.0 + 1, total.1 + fired);
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
    for (name, (begun, felt)) in faults {
        row(&format!("fault: {name}"), format!("{felt} felt of {begun}"));
    }
    for (site, (seeds, fired)) in sites {
        row(&format!("site: {site}"), format!("reached in {seeds} seeds, fired {fired} times"));
    }
    text
}
