//! What can be typed about simulations: `sim run`, `sim plans`.
//!
//! Way in: the structs, named by [`super::Verb`].

use std::{ops::Range, str::FromStr};

use clap::{Args, Subcommand};

/// What can be done with simulated clusters.
#[derive(Debug, Subcommand)]
pub enum SimVerb {
    /// Run seeds of a plan; fails if one of them breaks an invariant.
    Run(SimRunOptions),
    /// List the plans that come with the binary, or print the file of one.
    Plans {
        /// Print this one's file.
        plan: Option<String>,
    },
}

/// Options of `sim run`.
#[derive(Debug, Clone, Args)]
pub struct SimRunOptions {
    /// The seed that is run: the same seed of the same plan is the same run, to the bit.
    #[arg(long, value_name = "N", conflicts_with = "seeds", default_value_t = 1)]
    pub seed: u64,
    /// Seeds that are run: from A to the one before B, or `A..=B`.
    #[arg(long, value_name = "A..B")]
    pub seeds: Option<Seeds>,
    /// A plan's name (`starling sim plans`), or the path of its file (YAML or JSON).
    #[arg(long, value_name = "PLAN", default_value = "usual")]
    pub plan: String,
    /// How many of the last events of a run that fails are shown.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub events: usize,
    /// How many seeds are run at the same time, each on a thread.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub jobs: usize,
    /// Fail if a fault point is never reached.
    #[arg(long)]
    pub full_coverage: bool,
}

/// A range of seeds, as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds(pub Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no range of seeds like 1..101 or 1..=100");
        let (first, end) = text.split_once("..").ok_or_else(wrong)?;
        let (end, last) = match end.strip_prefix('=') {
            Some(last) => (last, 1),
            None => (end, 0),
        };
        let first: u64 = first.parse().map_err(|_| wrong())?;
        let end: u64 = end.parse().map_err(|_| wrong())?;
        let end = end.checked_add(last).filter(|end| *end > first).ok_or_else(wrong)?;
        Ok(Self(first..end))
    }
}
