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
use tempfile::TempPath;

use super::api::Api;

/// The cluster's name.
const NAME: &str = "bench";

/// What data folders are called, before the number of the process that measures.
const FOLDER: &str = "starling-bench-";

/// The demonstration image's reference.
pub(crate) const IMAGE: &str = "starling.dev/demo:1";

/// Makes the demonstration image, a file to be imported, which is removed when it is dropped.
pub(crate) fn demo_image() -> Result<TempPath> {
    let image = tempfile::Builder::new().prefix("starling-demo-").suffix(".tar").tempfile()?;
    let image = image.into_temp_path();
    let made = Command::new("scripts/demo-image").arg(&image).arg(IMAGE).status()?;
    match made.success() {
        true => Ok(image),
        false => bail!("scripts/demo-image failed"),
    }
}

/// A running cluster.
pub(crate) struct Cluster {
    binary: PathBuf,
    data: PathBuf,
}

impl Cluster {
    /// The binary that is measured: `STARLING_BINARY`, or the release build.
    pub(crate) fn binary() -> Result<PathBuf> {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let binary = std::env::var_os("STARLING_BINARY")
            .map_or_else(|| target.join("release/starling"), PathBuf::from);
        if !binary.is_file() {
            bail!("{} is missing: run `cargo build --release -p starling`", binary.display());
        }
        Ok(binary)
    }

    /// A cluster with a blank data folder, not started yet. What measurements left behind that were killed is removed.
    pub(crate) fn blank() -> Result<Self> {
        let binary = Self::binary()?;
        for entry in fs::read_dir(tempfile::env::temp_dir())? {
            let (data, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            let pid = name.to_str().and_then(|name| name.strip_prefix(FOLDER));
            let pid = pid.filter(|pid| pid.parse::<u32>().is_ok());
            if pid.is_some_and(|pid| !PathBuf::from("/proc").join(pid).exists()) {
                drop(Self { binary: binary.clone(), data });
            }
        }
        let data = tempfile::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
        let cluster = Self { binary, data };
        cluster.remove();
        Ok(cluster)
    }

    /// Starts it, with nothing in it.
    pub(crate) fn up() -> Result<Self> {
        let cluster = Self::blank()?;
        cluster.run(&["up", "--no-kubeconfig"])?;
        Ok(cluster)
    }

    /// The same with several machines on this host.
    pub(crate) fn up_machines(servers: u32, agents: u32) -> Result<Self> {
        let cluster = Self::blank()?;
        let (servers, agents) = (servers.to_string(), agents.to_string());
        let machines = ["--servers", servers.as_str(), "--agents", agents.as_str()];
        cluster.run(&[&["up", "--no-kubeconfig"], &machines[..]].concat())?;
        Ok(cluster)
    }

    /// A client with connections of its own, to the address of the kubeconfig.
    pub(crate) fn api(&self) -> Result<Api> {
        Api::of(&self.folder(), &self.server()?)
    }

    /// The folder with its keys.
    pub(crate) fn folder(&self) -> PathBuf {
        self.data.join(NAME)
    }

    /// The address of its kubeconfig.
    pub(crate) fn server(&self) -> Result<String> {
        let status = self.status()?;
        Ok(status["server"].as_str().context("status names no server")?.to_owned())
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

    /// Pids of all machines' guardians and processes, and of the forwarder's, if there are several machines.
    pub(crate) fn pids(&self) -> Result<Vec<i32>> {
        let mut status = self.status()?;
        let mut parts = status["nodes"].as_array().context("status lists no node")?.clone();
        match status["forwarder"].take() {
            Value::Null => {}
            forwarder => parts.push(forwarder),
        }
        let of = |part: &Value, field: &str| {
            let pid = part[field].as_i64().and_then(|pid| i32::try_from(pid).ok());
            pid.with_context(|| format!("status has no {field}: a process is missing"))
        };
        let both = |part: &Value| [of(part, "guardianPid"), of(part, "pid")];
        parts.iter().flat_map(both).collect()
    }

    fn status(&self) -> Result<Value> {
        let mut status: Value = serde_json::from_str(&self.run(&["status", "-o", "json"])?)?;
        Ok(status["clusters"][0].take())
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
