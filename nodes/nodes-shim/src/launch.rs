//! The agent's side of a shim's life: start one, find one again, bury one.
//!
//! Way in: [`launch`], [`find`], [`bury`].  All of them block for milliseconds: call them where that is allowed.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::Signal,
    unistd::Pid,
};
use nodes_oci::{
    cgroup::{CgroupError, Hierarchies},
    paths::PodPaths,
};
use nodes_sys::PidFd;

use crate::{
    client::{ClientError, ShimClient},
    pod::{PodSpec, RuntimeKind},
    state::{self, PodState, StateError},
    wire::{ContainerStatus, Phase},
};

/// Why a shim could not be started, found or buried.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A file of the pod.
    #[error("cannot {what} {path}")]
    File {
        /// What was tried.
        what: &'static str,
        /// Which file.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The program could not be run at all.
    #[error("cannot run {program} as a shim")]
    Program {
        /// Which program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The shim said why it cannot start.
    #[error("{0}")]
    Refused(String),
    /// It started but does not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What a shim left behind cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The pod's processes cannot be killed.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

/// Makes the pod's directories and writes `pod.json`.
///
/// # Errors
/// If a file cannot be written.
pub fn prepare(pod: &PodSpec) -> Result<(), LaunchError> {
    let paths = pod.paths();
    for directory in [paths.run(), paths.data()] {
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
        // Secrets lie below; containers see only what is mounted for them.
        let private = Permissions::from_mode(0o700);
        fs::set_permissions(directory, private).map_err(failed("protect", directory))?;
    }
    state::write(&paths.spec(), pod).map_err(failed("write", &paths.spec()))
}

/// Starts a shim for the pod and returns a connection to it; `program` is this program's binary, which must
/// give its arguments behind `shim` to [`crate::main`].
///
/// # Errors
/// [`LaunchError::Refused`] has the shim's own reason.
pub fn launch(program: &Path, pod: &PodSpec) -> Result<ShimClient, LaunchError> {
    prepare(pod)?;
    let mut command = Command::new(program);
    command.arg("shim").arg("--pod").arg(&pod.run).stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.output().map_err(|source| LaunchError::Program {
        program: program.display().to_string(),
        source,
    })?;
    if !output.status.success() {
        return Err(LaunchError::Refused(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    Ok(ShimClient::connect(&pod.paths().socket())?)
}

/// Connects to the shim of a pod that an earlier agent started; none if it is dead: then [`bury`] it.
///
/// # Errors
/// If the socket cannot be used for another reason than a dead shim.
pub fn find(paths: &PodPaths) -> Result<Option<ShimClient>, LaunchError> {
    match ShimClient::connect(&paths.socket()) {
        Ok(client) => Ok(Some(client)),
        Err(ClientError::Io(error))
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// How long one process may take to die; they do it in microseconds unless the kernel waits for a device.
const KILL_TIMEOUT_MS: u16 = 5_000;

/// Ends what a dead shim has left, or a living one with all it has: kills the pod's processes through its cgroup,
/// removes the cgroup and the run directory, and returns the containers as they were last known: those that
/// still ran then are now `Exited` without an exit code. Containers' data stays. A pod that never was is no
/// error. What the agent has mounted below the run directory it must unmount before.
///
/// # Errors
/// If processes cannot be killed; the files then stay, and it can be tried again.
pub fn bury(paths: &PodPaths) -> Result<Vec<ContainerStatus>, LaunchError> {
    let pod: Option<PodSpec> = state::read(&paths.spec())?;
    let left = PodState::read(paths)?.unwrap_or_default();
    end_shim(paths, left.shim.pid);
    match &pod {
        Some(pod) if pod.runtime == RuntimeKind::Oci && !pod.cgroup.is_empty() => {
            let groups = Hierarchies::discover()?;
            groups.kill(&pod.cgroup, KILL_TIMEOUT_MS)?;
            groups.remove(&pod.cgroup)?;
        }
        _ => kill_known(&left),
    }
    match fs::remove_dir_all(paths.run()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", paths.run())(error));
        }
        _ => {}
    }
    let mut containers = left.containers;
    for container in &mut containers {
        container.phase = Phase::Exited;
        container.pid = None;
    }
    Ok(containers)
}

/// A shim that still lives is asked to end; one that does not is killed. The lock tells whether it lives, its
/// name that the number is still its own.
fn end_shim(paths: &PodPaths, pid: i32) {
    let is_held = || {
        let lock = File::open(paths.lock()).ok();
        lock.is_some_and(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err())
    };
    if !is_held() {
        return;
    }
    let Ok(shim) = PidFd::open(Pid::from_raw(pid)) else { return };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim() != SHIM_NAME {
        return;
    }
    let has_agreed = find(paths).ok().flatten().is_some_and(|mut client| client.shutdown().is_ok());
    if !has_agreed {
        shim.kill(Signal::SIGKILL).ok();
    }
    shim.wait_end(KILL_TIMEOUT_MS).ok();
}

/// What a shim calls itself.
const SHIM_NAME: &str = "starling-shim";

/// Without cgroups only the first processes are known. Their numbers may have been given to others since, but
/// only if the shim, their parent, died too, and that was moments ago.
fn kill_known(left: &PodState) {
    for container in left.containers.iter().filter(|container| container.phase != Phase::Exited) {
        if let Some(pid) = container.pid {
            let process = PidFd::open(Pid::from_raw(pid));
            process.and_then(|process| process.kill(Signal::SIGKILL)).ok();
        }
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LaunchError {
    let path = path.display().to_string();
    move |source| LaunchError::File { what, path, source }
}
