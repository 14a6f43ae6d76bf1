//! A report as people read it.
//!
//! Way in: `Display` of [`Report`].

use std::fmt;

use crate::{Report, Step, Thing};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.object)?;
        for line in &self.now {
            writeln!(f, "  {line}")?;
        }
        if self.steps.is_empty() {
            writeln!(f, "no machine remembers what was done to it")?;
        } else {
            writeln!(f)?;
            if !self.trace.is_empty() {
                writeln!(f, "trace {}", self.trace)?;
            }
            if !self.is_whole {
                writeln!(f, "what came before the first step is not remembered")?;
            }
            let mut above: Vec<&Thing> = Vec::new();
            for step in &self.steps {
                above.truncate(step.depth);
                write_step(f, step, above.last().copied())?;
                // A store step does not know the name that an object is given on its way.
                above.resize(step.depth, &self.object);
                above.push(&step.object);
            }
        }
        if self.hidden > 0 {
            let steps = if self.hidden == 1 { "step" } else { "steps" };
            writeln!(f, "and {} other {steps} of the trace: --all shows them", self.hidden)?;
        }
        for node in &self.missing {
            writeln!(f, "{node} did not answer: what it remembers is missing")?;
        }
        Ok(())
    }
}

/// An object that stands above is not said again.
fn write_step(f: &mut fmt::Formatter<'_>, step: &Step, above: Option<&Thing>) -> fmt::Result {
    let (at, took) = (millis(step.at_us), millis(i64::try_from(step.took_us).unwrap_or(i64::MAX)));
    write!(f, "{at:>11} {took:>11}  {:indent$}{}: ", "", step.who, indent = step.depth * 2)?;
    let is_same = above.is_some_and(|above| {
        let is_named = !step.object.name.is_empty();
        above.kind == step.object.kind && (*above == step.object || !is_named)
    });
    match is_same {
        true => write!(f, "{}", step.name)?,
        false => write!(f, "{} {}", step.name, step.object)?,
    }
    if !step.outcome.is_empty() {
        write!(f, ": {}", step.outcome)?;
    }
    if !step.cause.is_empty() {
        write!(f, " (because {})", step.cause)?;
    }
    writeln!(f)
}

/// `12.3 ms`; whole seconds and more as `4.071 s`.
fn millis(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    match micros {
        0..1_000_000 => format!("{sign}{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{sign}{}.{:03} s", micros / 1_000_000, micros % 1_000_000 / 1_000),
    }
}
