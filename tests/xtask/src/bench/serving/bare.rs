//! The bare handler, as a process of its own.
//!
//! Way in: [`Bare::start`].  It ends when it is dropped.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use tempfile::NamedTempFile;

/// A running handler.
pub(crate) struct Bare {
    process: Child,
    /// Where it listens.
    pub(crate) port: u16,
    _served: NamedTempFile,
}

impl Bare {
    /// Serves these bytes with the keys of a cluster.
    pub(crate) fn start(folder: &Path, bytes: &[u8]) -> Result<Self> {
        let program = build()?;
        let mut served = NamedTempFile::new()?;
        served.write_all(bytes)?;
        let mut command = Command::new(program);
        let mut process = command.arg(folder).arg(served.path()).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().context("the bare handler has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().parse().context("the bare handler named no port")?;
        Ok(Self { process, port, _served: served })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.process.id())?)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

/// Built as the measured binary was.
fn build() -> Result<PathBuf> {
    let profile = env::var_os("STARLING_BENCH_PROFILE").unwrap_or_else(|| "release".into());
    let profile = profile.to_string_lossy().into_owned();
    let arguments = ["build", "--profile", &profile, "-p", "nodes-api", "--example", "bare"];
    if !Command::new("cargo").args(arguments).status()?.success() {
        bail!("the bare handler cannot be built");
    }
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let folder = if profile == "dev" { "debug" } else { &profile };
    Ok(target.join(folder).join("examples/bare"))
}
