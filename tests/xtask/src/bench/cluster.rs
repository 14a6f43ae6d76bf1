//! A cluster of its own for a measurement: another name and data folder than anything that runs here.
//!
//! Way in: [`Cluster::up`].  Removes everything when it is dropped.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The cluster's name.
const NAME: &str = "bench";

/// A running cluster.
pub(crate) struct Cluster {
    binary: PathBuf,
    data: PathBuf,
}

impl Cluster {
    /// The binary that is measured: the release build.
    pub(crate) fn binary() -> Result<PathBuf> {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let binary = target.join("release/starling");
        if !binary.is_file() {
            bail!("{} is missing: run `cargo build --release -p starling`", binary.display());
        }
        Ok(binary)
    }

    /// A cluster with a blank data folder, not started yet.
    pub(crate) fn blank() -> Result<Self> {
        let data = std::env::temp_dir().join(format!("starling-bench-{}", std::process::id()));
        let cluster = Self { binary: Self::binary()?, data };
        cluster.remove();
        Ok(cluster)
    }

    /// Starts it, with nothing in it.
    pub(crate) fn up() -> Result<Self> {
        let cluster = Self::blank()?;
        cluster.run(&["up", "--no-kubeconfig"])?;
        Ok(cluster)
    }

    /// Runs a verb against this cluster and returns what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments)?;
        if !output.status.success() {
            bail!("starling {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Removes all data of the stopped cluster but its images: what a content store holds is there before a start.
    pub(crate) fn forget_all_but_images(&self) -> Result<()> {
        for entry in fs::read_dir(self.data.join(NAME))? {
            let path = entry?.path();
            match path.is_dir() {
                _ if path.ends_with("images") => {}
                true => fs::remove_dir_all(&path)?,
                false => fs::remove_file(&path)?,
            }
        }
        Ok(())
    }

    /// Pids of the guardian and the server.
    pub(crate) fn pids(&self) -> Result<Vec<i32>> {
        let status: Value = serde_json::from_str(&self.run(&["status", "-o", "json"])?)?;
        let node = status.pointer("/clusters/0/nodes/0").context("status lists no node")?;
        let of = |field: &str| {
            let pid = node[field].as_i64().and_then(|pid| i32::try_from(pid).ok());
            pid.with_context(|| format!("status has no {field}: a process is missing"))
        };
        ["guardianPid", "pid"].into_iter().map(of).collect()
    }

    fn output(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .args(["--name", NAME])
            .env("STARLING_DATA_DIR", &self.data)
            .stdin(Stdio::null());
        command.output().with_context(|| format!("cannot run {}", self.binary.display()))
    }

    fn remove(&self) {
        // There may be nothing to remove.
        let _absent = self.output(&["down", "--purge"]);
        let _gone = fs::remove_dir_all(&self.data);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.remove();
    }
}
