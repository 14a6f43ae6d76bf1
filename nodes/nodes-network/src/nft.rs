//! Hands rules to the kernel.
//!
//! Way in: [`RuleSink`]; [`NftCommand`] feeds the `nft` program, netlink will stand beside it.

use std::{
    io::{self, Write as _},
    process::{Command, Output, Stdio},
};

/// Takes a script in the language of `nft` and applies it as a whole or not at all.
pub trait RuleSink: Send + Sync {
    /// Applies `script` in one transaction.
    ///
    /// # Errors
    /// What was refused; nothing has changed then.
    fn apply(&self, script: &str) -> Result<(), SinkError>;
}

/// Why rules were not applied. The caller keeps the old ones, tries again, and tells the user.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The program is not there or cannot be run.
    #[error("cannot run nft (install the package nftables)")]
    Run(#[source] io::Error),
    /// The kernel or the program refused the rules.
    #[error("nft refused the rules: {0}")]
    Refused(String),
}

/// The `nft` program.
#[derive(Debug, Clone, Copy, Default)]
pub struct NftCommand;

impl RuleSink for NftCommand {
    fn apply(&self, script: &str) -> Result<(), SinkError> {
        let output = run(script).map_err(SinkError::Run)?;
        if output.status.success() {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&output.stderr);
        // The first complaint names the cause; the rest repeats the script.
        Err(SinkError::Refused(told.lines().next().unwrap_or("no reason given").to_owned()))
    }
}

fn run(script: &str) -> io::Result<Output> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes())?;
    }
    child.wait_with_output()
}
