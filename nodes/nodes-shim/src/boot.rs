//! How a shim begins: out of its starter's hands, then cgroup, pause process, socket, and only then "ready".
//!
//! Way in: [`main`].  The process that the agent starts forks and waits; it exits with 0 when the shim answers
//! on its socket, or with 1 and one sentence on standard error. The shim itself belongs to no one: a session of
//! its own, deaf to hang-ups, its streams in its own log.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::Write,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::prctl,
    unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid},
};
use nodes_oci::{Resources, cgroup::Hierarchies, chain};

use crate::{
    helper::Helper,
    pause,
    pod::{PodSpec, RuntimeKind},
    runtime,
    server::Server,
    state,
    wire::{ShimInfo, VERSION},
};

const USAGE: &str = "usage: starling shim --pod RUN_DIRECTORY";
/// The last to be killed when memory runs out, but for what the machine itself protects.
const OOM_SCORE: &str = "-998";

/// Runs `starling shim`; `args` are those behind `shim`. Returns the exit code of the process.
///
/// Must be called before the process has a second thread.
pub fn main(args: impl IntoIterator<Item = OsString>) -> i32 {
    let mut args = args.into_iter();
    let run = match (args.next(), args.next(), args.next()) {
        (Some(flag), Some(run), None) if flag == "--pod" => PathBuf::from(run),
        _ => return complain(USAGE),
    };
    // The forked child never comes back from here: it becomes the shim.
    let started = Helper::start_then(|| begin(&run), Server::run);
    match started.and_then(Helper::wait_outcome) {
        Ok(_) => 0,
        Err(reason) => complain(&format!("the shim of {} cannot start: {reason}", run.display())),
    }
}

fn complain(text: &str) -> i32 {
    // If nobody listens, the exit code still tells.
    writeln!(std::io::stderr(), "{text}").ok();
    1
}

fn begin(run: &Path) -> Result<(i32, Server), String> {
    let pod: PodSpec = state::read(&run.join("pod.json"))
        .map_err(|error| chain(&error))?
        .ok_or("there is no pod.json in that directory")?;
    let lock = lock(&pod.paths().lock())?;
    detach(&pod)?;
    let paths = pod.paths();
    for directory in [&paths.oci(), &paths.shm(), paths.data()] {
        fs::create_dir_all(directory).map_err(failed("make a directory"))?;
    }
    fs::set_permissions(paths.shm(), Permissions::from_mode(0o1777))
        .map_err(failed("open the shared memory to all"))?;
    let pause_pid = match pod.runtime {
        RuntimeKind::Oci => Some(sandbox(&pod)?),
        RuntimeKind::Process => None,
    };
    let network = pause_pid.filter(|_| !pod.host_network).map(|pid| format!("/proc/{pid}/ns/net"));
    let pid = nix::unistd::getpid().as_raw();
    let info = ShimInfo { version: VERSION, pid, pause_pid, network, cgroup: pod.cgroup.clone() };
    let runtime = runtime::open(&pod, pause_pid)?;
    let listener = listen(&paths.socket())?;
    Ok((pid, Server::open(paths, info, runtime, (listener, lock))?))
}

/// Two shims of one pod would fight over it.
fn lock(path: &Path) -> Result<Flock<File>, String> {
    let file = File::create(path).map_err(failed("make the lock"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| "another shim holds this pod".to_owned())
}

fn detach(pod: &PodSpec) -> Result<(), String> {
    let log = OpenOptions::new().create(true).append(true).open(pod.paths().log());
    let log = log.map_err(failed("open the shim's log"))?;
    let errno = |what: &'static str| move |errno: nix::Error| failed(what)(errno.into());
    setsid().map_err(errno("begin a session"))?;
    nodes_sys::ignore_hangup().map_err(errno("ignore hang-ups"))?;
    prctl::set_child_subreaper(true).map_err(errno("adopt orphans"))?;
    prctl::set_name(c"starling-shim").map_err(errno("set the name"))?;
    std::env::set_current_dir("/").map_err(failed("enter /"))?;
    let null = File::open("/dev/null").map_err(failed("open /dev/null"))?;
    dup2_stdin(&null)
        .and_then(|()| dup2_stdout(&log))
        .and_then(|()| dup2_stderr(&log))
        .map_err(errno("take the log as output"))?;
    // Without root a process cannot lower its score; then it stays.
    fs::write("/proc/self/oom_score_adj", OOM_SCORE).ok();
    Ok(())
}

/// Makes the pod's cgroup and its pause process; takes both back if the second fails.
fn sandbox(pod: &PodSpec) -> Result<i32, String> {
    let groups = Hierarchies::discover().map_err(|error| chain(&error))?;
    let none = Resources::default();
    let own = nix::unistd::getpid().as_raw();
    if !pod.shim_cgroup.is_empty() {
        groups
            .create(&pod.shim_cgroup, &none)
            .and_then(|()| groups.join(&pod.shim_cgroup, own))
            .map_err(|error| chain(&error))?;
    }
    let group = pod.pause_cgroup();
    groups
        .create(&pod.cgroup, &pod.resources)
        .and_then(|()| groups.delegate(&pod.cgroup))
        .and_then(|()| groups.create(&group, &none))
        .map_err(|error| chain(&error))?;
    let started = pause::start(pod).and_then(|pid| {
        groups.join(&group, pid).map_err(|error| chain(&error))?;
        Ok(pid)
    });
    if started.is_err() {
        // The reason is told; what cannot be removed now is buried by the agent.
        groups.kill(&pod.cgroup, 1_000).and_then(|()| groups.remove(&pod.cgroup)).ok();
    }
    started
}

fn listen(path: &Path) -> Result<UnixListener, String> {
    // The lock is ours, so a socket here is a dead shim's.
    fs::remove_file(path).ok();
    let listener = UnixListener::bind(path).map_err(failed("listen on the shim's socket"))?;
    fs::set_permissions(path, Permissions::from_mode(0o600))
        .map_err(failed("protect the shim's socket"))?;
    listener.set_nonblocking(true).map_err(failed("use the shim's socket"))?;
    Ok(listener)
}

fn failed(what: &'static str) -> impl FnOnce(std::io::Error) -> String {
    move |error| format!("cannot {what}: {error}")
}
