//! The project's own commands: `cargo xtask verify | generate | bench | mutate`.

mod bench;
mod generate;
mod mutate;

use std::io::Write as _;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Condenses the published descriptions of the Kubernetes API into the committed fact table.
    Generate(generate::Args),
    /// Measures Starling and, where it can run here, a rival.
    Bench(bench::Args),
    /// Breaks the actors in a copy, line by line, and expects the tests of those lines to fail.
    Mutate(mutate::Args),
    /// Formatting, lints and tidy checks: the one command before a commit.
    Verify,
}

fn main() -> Result<()> {
    let report = match Cli::parse().command {
        Command::Generate(args) => generate::run(&args)?,
        Command::Bench(args) => bench::run(&args)?,
        Command::Mutate(args) => mutate::run(&args)?,
        Command::Verify => verify()?,
    };
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

/// The same as `make verify`, without the set-up.
fn verify() -> Result<String> {
    match std::process::Command::new("scripts/verify").status()?.success() {
        true => Ok("verified".to_owned()),
        false => bail!("scripts/verify failed"),
    }
}
