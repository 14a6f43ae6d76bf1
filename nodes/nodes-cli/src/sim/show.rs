//! What came of runs, for people and for programs.
//!
//! Way in: [`one`], [`many`], [`json`].

use std::collections::BTreeMap;

use chaos_plan::Plan;
use nodes_sim::Report;
use serde_json::{Value, json};

use crate::table;

/// What many runs covered together.
#[derive(Debug, Default)]
pub(super) struct Sum {
    seconds: f64,
    events: u64,
    /// By kind: began, felt.
    faults: BTreeMap<&'static str, (u64, u64)>,
    /// By site: in how many runs it was reached, how often it fired.
    sites: BTreeMap<&'static str, (u64, u64)>,
}

impl Sum {
    pub(super) fn of(reports: &[Report]) -> Self {
        let mut sum = Self::default();
        for report in reports {
            sum.seconds += report.elapsed.as_secs_f64();
            sum.events += report.events;
            for (kind, (begun, felt)) in &report.faults {
                let total = sum.faults.entry(kind).or_default();
                *total = (total.0 + begun, total.1 + felt);
            }
            for point in &report.coverage {
                let total = sum.sites.entry(point.site).or_default();
                *total = (total.0 + u64::from(point.is_reached), total.1 + point.fired);
            }
        }
        sum
    }

    /// Fault points that no run reached.
    pub(super) fn missed(&self) -> Vec<&'static str> {
        let missed = self.sites.iter().filter(|(_, (reached, _))| *reached == 0);
        missed.map(|(site, _)| *site).collect()
    }

    fn tables(&self) -> String {
        let faults: Vec<Vec<String>> = self
            .faults
            .iter()
            .map(|(kind, (begun, felt))| {
                let felt = if *felt == 0 { "-".to_owned() } else { felt.to_string() };
                vec![(*kind).to_owned(), begun.to_string(), felt]
            })
            .collect();
        let sites: Vec<Vec<String>> = self
            .sites
            .iter()
            .map(|(site, (reached, fired))| {
                vec![(*site).to_owned(), reached.to_string(), fired.to_string()]
            })
            .collect();
        format!(
            "{}\n{}",
            table::render(&["FAULT", "BEGAN", "FELT"], &faults),
            table::render(&["FAULT POINT", "REACHED IN", "FIRED"], &sites)
        )
    }
}

fn verdict(report: &Report) -> String {
    match report.violations.first() {
        None => "sound".to_owned(),
        Some(violation) => violation.to_string(),
    }
}

/// One run in full.
pub(super) fn one(report: &Report) -> String {
    let rows = [
        ("plan", report.plan.clone()),
        ("seed", report.seed.to_string()),
        ("hash", format!("{:016x}", report.hash)),
        ("events", report.events.to_string()),
        ("virtual time", format!("{:.9} s", report.elapsed.as_secs_f64())),
        ("judged", report.judged.to_string()),
        ("verdict", verdict(report)),
    ];
    let mut text: String =
        rows.iter().map(|(name, value)| format!("{:14}{value}\n", format!("{name}:"))).collect();
    for violation in report.violations.iter().skip(1) {
        text += &format!("{:14}{violation}\n", "");
    }
    if !report.lines.is_empty() {
        text += "last events (time, node, < event, > effect, ! fault):\n";
        text.extend(report.lines.iter().map(|line| format!("  {}\n", shorten(line))));
    }
    format!("{text}\n{}", Sum::of(std::slice::from_ref(report)).tables())
}

/// Most letters of an event that people are shown; programs get all.
const LETTERS_MAX: usize = 300;

fn shorten(line: &str) -> String {
    match line.char_indices().nth(LETTERS_MAX) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line.to_owned(),
    }
}

/// Many runs, and what they covered together.
pub(super) fn many(reports: &[Report], sum: &Sum) -> String {
    let mut text = String::new();
    let failed: Vec<&Report> = reports.iter().filter(|report| !report.is_sound()).collect();
    for report in &failed {
        text += &format!("seed {}: {}\n", report.seed, verdict(report));
        text += &format!("  {}\n", report.command());
    }
    let (sound, all) = (reports.len() - failed.len(), reports.len());
    let (events, seconds) = (sum.events, sum.seconds);
    text += &format!("{sound} of {all} seeds are sound: {events} events in {seconds:.0} s\n\n");
    text + &sum.tables()
}

/// A plan for programs.
pub(super) fn plan(plan: &Plan) -> Value {
    json!({ "name": plan.name, "about": plan.about, "plan": plan })
}

pub(super) fn json(reports: &[Report], sum: &Sum) -> Value {
    let site = |(site, (reached, fired)): (&&str, &(u64, u64))| {
        let (reached, fired) = (*reached, *fired);
        json!({ "site": site, "reachedIn": reached, "fired": fired })
    };
    let failed = reports.iter().filter(|report| !report.is_sound()).count();
    json!({
        "failed": failed,
        "runs": reports.iter().map(run).collect::<Vec<_>>(),
        "faultPoints": sum.sites.iter().map(site).collect::<Vec<_>>(),
    })
}

fn run(report: &Report) -> Value {
    let violations = report.violations.iter().map(|violation| {
        json!({
            "invariant": violation.invariant.name(),
            "atSeconds": violation.at.as_secs_f64(),
            "what": violation.what,
        })
    });
    let fault = |(kind, (begun, felt)): (&&str, &(u64, u64))| {
        let (begun, felt) = (*begun, *felt);
        json!({ "fault": kind, "began": begun, "felt": felt })
    };
    json!({
        "plan": report.plan,
        "seed": report.seed,
        "hash": format!("{:016x}", report.hash),
        "events": report.events,
        "virtualSeconds": report.elapsed.as_secs_f64(),
        "judged": report.judged,
        "verdict": if report.is_sound() { "sound" } else { "violated" },
        "violations": violations.collect::<Vec<_>>(),
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
        "notes": report.notes,
        "lastEvents": report.lines,
        "command": report.command(),
    })
}
