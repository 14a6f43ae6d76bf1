//! Tests of the judges: a sound run is found sound, and each planted mistake is found.

mod operations;
mod run;
mod watches;

use actors_core::Mono;

use crate::{Answer, Call, Expected, FinalLog, Freshness, LogEntry, Operation, Verdict, Version};

fn entry(revision: u64, key: &str, value: Option<&str>) -> LogEntry {
    LogEntry { revision, key: key.to_owned(), value: value.map(str::to_owned) }
}

/// A log of `key=value` and `key` (a deletion), from revision 1.
fn log(changes: &str) -> FinalLog {
    let change = |(revision, change): (u64, &str)| match change.split_once('=') {
        Some((key, value)) => entry(revision, key, Some(value)),
        None => entry(revision, change, None),
    };
    FinalLog {
        entries: (1..).zip(changes.split_whitespace()).map(change).collect(),
        ..FinalLog::default()
    }
}

fn operation((invoked, returned): (u64, u64), call: Call, answer: Answer) -> Operation {
    Operation { client: 1, call, invoked: Mono(invoked), returned: Mono(returned), answer }
}

fn write(times: (u64, u64), change: &str, expected: Expected, answer: Answer) -> Operation {
    let (key, value) =
        change.split_once('=').map_or((change, None), |(key, value)| (key, Some(value.to_owned())));
    operation(times, Call::Write { key: key.to_owned(), value, expected }, answer)
}

fn written(times: (u64, u64), change: &str, revision: u64) -> Operation {
    write(times, change, Expected::Any, Answer::Written { revision })
}

fn version(revision: u64, value: &str) -> Version {
    Version { revision, value: value.to_owned() }
}

fn get(times: (u64, u64), key: &str, revision: u64, found: Option<Version>) -> Operation {
    let call = Call::Get { key: key.to_owned(), freshness: Freshness::Consistent };
    let found = found.into_iter().map(|version| (key.to_owned(), version)).collect();
    operation(times, call, Answer::Read { revision, found })
}

/// What is wrong, one line each.
fn lines(verdict: &Verdict) -> Vec<String> {
    verdict.violations.iter().map(ToString::to_string).collect()
}
