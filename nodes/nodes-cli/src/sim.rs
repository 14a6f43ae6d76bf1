//! `starling sim`: whole clusters in one thread under virtual time, from seeds.
//!
//! Way in: [`run`].  Never: anything of a cluster that runs; nothing is read but the plan.

mod show;

use std::{collections::BTreeMap, fs, path::Path, sync::Mutex, thread};

use chaos_plan::{Plan, PlanError};
use nodes_sim::{Report, RunConfig};

use crate::{
    Failure, Output,
    arguments::{SimRunOptions, SimVerb},
    table,
};

/// Most bytes of a plan's file.
const PLAN_BYTES_MAX: u64 = 1024 * 1024;

pub(crate) fn run(verb: &SimVerb, output: &Output) -> Result<(), Failure> {
    match verb {
        SimVerb::Run(options) => run_seeds(options, output),
        SimVerb::Plans { plan: Some(name) } => match Plan::text(name) {
            Some(text) => output.answer(text, &show::plan(&read_plan(name)?)),
            None => Err(unknown(name)),
        },
        SimVerb::Plans { plan: None } => {
            let plans: Result<Vec<Plan>, _> = Plan::names().map(Plan::named).collect();
            let plans = plans.map_err(|error| Failure::of(&error))?;
            let rows: Vec<_> =
                plans.iter().map(|plan| vec![plan.name.clone(), plan.about.clone()]).collect();
            let json = plans.iter().map(show::plan).collect();
            output.answer(&table::render(&["PLAN", "WHAT IT IS FOR"], &rows), &json)
        }
    }
}

fn run_seeds(options: &SimRunOptions, output: &Output) -> Result<(), Failure> {
    let config = config_of(options)?;
    let seeds: Vec<u64> = match &options.seeds {
        Some(seeds) => seeds.0.clone().collect(),
        None => vec![options.seed],
    };
    let reports = sweep(&seeds, &config, options, output)?;
    let sum = show::Sum::of(&reports);
    let text = match reports.as_slice() {
        [report] => show::one(report),
        _ => show::many(&reports, &sum),
    };
    output.answer(&text, &show::json(&reports, &sum))?;
    if let Some(failed) = reports.iter().find(|report| !report.is_sound()) {
        let others = reports.iter().filter(|report| !report.is_sound()).count() - 1;
        let first = failed.violations.first().map(ToString::to_string).unwrap_or_default();
        let more = if others > 0 { format!(" ({others} more seeds fail)") } else { String::new() };
        let cause = format!("seed {} of {}: {first}{more}", failed.seed, failed.plan);
        return Err(Failure::new(cause).next(failed.command()));
    }
    match sum.missed() {
        missed if options.full_coverage && !missed.is_empty() => {
            Err(Failure::new(format!("never reached: {}", missed.join(", "))))
        }
        _ => Ok(()),
    }
}

/// The plan that is meant, and how it is run.
fn config_of(options: &SimRunOptions) -> Result<RunConfig, Failure> {
    let refused = |error: PlanError| Failure::usage(format!("plan {}: {error}", options.plan));
    RunConfig::of(read_plan(&options.plan)?).map_err(refused)
}

fn read_plan(name: &str) -> Result<Plan, Failure> {
    let refused = |error: PlanError| Failure::usage(format!("plan {name}: {error}"));
    if Plan::text(name).is_some() {
        return Plan::named(name).map_err(refused);
    }
    let path = Path::new(name);
    let Ok(about) = fs::metadata(path) else { return Err(unknown(name)) };
    if about.len() > PLAN_BYTES_MAX {
        return Err(Failure::usage(format!("plan {name}: has more than {PLAN_BYTES_MAX} bytes")));
    }
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
    Plan::read(name, &text).map_err(refused)
}

fn unknown(name: &str) -> Failure {
    Failure::usage(format!("there is no plan and no file {name:?}")).next("starling sim plans")
}

/// Runs seeds, some at the same time; the reports by seed.
fn sweep(
    seeds: &[u64],
    config: &RunConfig,
    options: &SimRunOptions,
    output: &Output,
) -> Result<Vec<Report>, Failure> {
    let left = Mutex::new(seeds.iter().rev().copied().collect::<Vec<_>>());
    let next = || left.lock().ok().and_then(|mut left| left.pop());
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(seed) = next() {
            let report = run_one(seed, config, options.events);
            if let Ok(report) = &report
                && !report.is_sound()
            {
                output.progress(&format!("seed {seed} fails: {}", report.command()));
            }
            if let Ok(mut done) = done.lock() {
                done.insert(seed, report);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..options.jobs.clamp(1, seeds.len()) {
            scope.spawn(work);
        }
        work();
    });
    done.into_inner().unwrap_or_default().into_values().collect()
}

/// One seed. One that fails is run again, with the last of what happens kept; it must be the same
/// run.
fn run_one(seed: u64, config: &RunConfig, events: usize) -> Result<Report, Failure> {
    let failed = |error| Failure::of(&error);
    let report = nodes_sim::run(seed, config).map_err(failed)?;
    if report.is_sound() || events == 0 {
        return Ok(report);
    }
    let again = RunConfig { lines: events, ..config.clone() };
    let again = nodes_sim::run(seed, &again).map_err(failed)?;
    if again.hash != report.hash {
        let hashes = format!("{:016x} and {:016x}", report.hash, again.hash);
        let cause = format!("seed {seed} does not replay, its runs are {hashes}");
        return Err(Failure::new(cause).next(report.command()));
    }
    Ok(again)
}

#[cfg(test)]
mod tests;
