//! `bench actors`: the runtime against Erlang/OTP, each row of both in turn, in processes of their own.
//!
//! Way in: [`measure`].  Owns: which of our rows is compared with which of theirs.  It needs
//! `erl` and `erlc` (Debian: erlang-base).

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::{Better, Row};

/// Our row, theirs, what it is called, its unit, which way it is good, and the ratio to be reached.
const PAIRS: [(&str, &str, &str, &str, Better, f64); 8] = [
    ("tell-dedicated", "tell-cast", "tell, one pair (gen_server:cast)", "M/s", Better::More, 1.0),
    ("tell-dedicated", "tell-raw", "tell, one pair (raw !)", "M/s", Better::More, 0.8),
    ("tell-slab", "tell-raw", "tell, keys of a slab (raw !)", "M/s", Better::More, 2.0),
    ("ask", "ask", "ask, p50 (gen_server:call)", "ns", Better::Less, 0.7),
    ("spawn", "spawn", "spawn of keyed actors (spawn)", "M/s", Better::More, 2.2),
    ("bytes-awake", "bytes", "memory of 1 M awake (processes)", "B", Better::Less, 0.34),
    ("restart", "restart", "restarts, 1,000 supervisors", "k/s", Better::More, 1.0),
    ("churn", "churn", "memory after rounds of 300 k", "%", Better::Less, f64::INFINITY),
];

/// Most bytes of a keyed actor at rest, its record of 64 bytes and its key included.
const AT_REST_MAX: f64 = 512.0;

/// Most milliseconds by which busy keys delay the others.
const DELAY_MAX: f64 = 10.0;

/// Most percent by which memory grows from the first rounds of churn to the later ones.
const CHURN_MAX: f64 = 5.0;

pub(crate) fn measure(runs: usize) -> Result<Vec<Row>> {
    let ours = build_ours()?;
    let rival = build_rival()?;
    let mut rows = Vec::new();
    for (row, their_row, subject, unit, better, goal) in PAIRS {
        let (mut figures, mut rivals) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            figures.push(run(Command::new(&ours).arg(row))?);
            rivals.push(run_rival(rival.path(), their_row)?);
        }
        rows.push(match row {
            "churn" => Row::alone(subject, unit, figures, CHURN_MAX, None),
            _ => Row::against(subject, unit, (figures, &rivals), (better, goal)),
        });
    }
    let delays: Result<Vec<f64>> =
        (0..runs).map(|_| run(Command::new(&ours).arg("delay"))).collect();
    let subject = "delay of other keys, one flooded, one slow, p99";
    rows.push(Row::alone(subject, "ms", delays?, DELAY_MAX, None));
    let at_rest: Result<Vec<f64>> =
        (0..runs).map(|_| run(Command::new(&ours).arg("bytes-at-rest"))).collect();
    let subject = "memory of 1 M at rest, record of 64 B";
    rows.push(Row::alone(subject, "B", at_rest?, AT_REST_MAX, None));
    Ok(rows)
}

fn build_ours() -> Result<PathBuf> {
    let arguments = ["build", "--profile", "quick", "-p", "actors-runtime", "--example", "measure"];
    if !Command::new("cargo").args(arguments).status()?.success() {
        bail!("the measured program cannot be built");
    }
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Ok(target.join("quick/examples/measure"))
}

/// The folder of the rival's compiled program.
fn build_rival() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("rival.erl");
    fs::write(&source, include_str!("actors/rival.erl"))?;
    let compiled = Command::new("erlc").arg("-o").arg(folder.path()).arg(&source).status();
    match compiled.context("erl and erlc are needed: apt-get install erlang-base")?.success() {
        true => Ok(folder),
        false => bail!("the rival's program cannot be compiled"),
    }
}

fn run_rival(folder: &Path, row: &str) -> Result<f64> {
    let mut command = Command::new("erl");
    command.args(["+P", "4000000", "-noshell", "-pa"]).arg(folder);
    run(command.args(["-run", "rival", "main", row]))
}

/// The last line that a program prints is its figure.
fn run(command: &mut Command) -> Result<f64> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figure = text.lines().last().and_then(|line| line.trim().parse().ok());
    figure.with_context(|| {
        format!("{command:?} printed no figure: {text}{}", String::from_utf8_lossy(&output.stderr))
    })
}
