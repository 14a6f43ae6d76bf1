//! Control groups of pods, on hierarchies of version 1 and 2: make, limit, join, measure, kill, remove.
//!
//! Way in: [`Hierarchies::discover`].  A cgroup is named by its path below each hierarchy's root, such as
//! `/starling/demo/burstable/pod<uid>`; with version 1 the same path is used in every hierarchy. Limits of
//! containers are written by libcontainer, below the pod's group; those of pods and classes are written here.
//!
//! With version 2 a group with children holds no processes itself, so processes always go into a leaf.
//! Spec: <https://docs.kernel.org/admin-guide/cgroup-v2.html>, <https://docs.kernel.org/admin-guide/cgroup-v1/>.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    poll::{PollTimeout, poll},
    sys::{
        signal::Signal,
        statfs::{CGROUP2_SUPER_MAGIC, statfs},
    },
    unistd::Pid,
};
use nodes_sys::PidFd;

use crate::{FileError, Resources, at};

mod usage;

pub use usage::Usage;

/// Why a cgroup could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// A control file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The path is not absolute, or has `..`.
    #[error("cgroup path {0:?} must be absolute and without ..")]
    Path(String),
    /// Processes did not end in time.
    #[error("{count} processes in cgroup {path} did not end when killed")]
    Alive {
        /// The group.
        path: String,
        /// How many.
        count: usize,
    },
    /// The machine has no control groups that can be used.
    #[error("no control groups are mounted at /sys/fs/cgroup")]
    None,
}

/// The hierarchies that this machine has.
#[derive(Debug, Clone)]
pub enum Hierarchies {
    /// Version 1 (also "hybrid"): where each controller is mounted.
    V1(BTreeMap<String, PathBuf>),
    /// Version 2: one tree.
    V2(PathBuf),
}

const ROOT: &str = "/sys/fs/cgroup";
/// The controllers that containers' limits and figures need.
const V2_CONTROLLERS: [&str; 5] = ["cpu", "memory", "pids", "cpuset", "io"];
/// The weight that the kernel gives a group without one.
const SHARES_MIN: u64 = 2;
const SHARES_MAX: u64 = 262_144;
/// How often processes are looked for that a fork has added while the others were killed.
const KILL_ROUNDS: usize = 3;
/// How often removal is tried again while the kernel still lets go of dead processes, and the pause between.
const REMOVE_ATTEMPTS: usize = 100;
const REMOVE_PAUSE_MS: u16 = 5;

impl Hierarchies {
    /// Looks at what is mounted.
    ///
    /// # Errors
    /// [`CgroupError::None`] if there is nothing usable.
    pub fn discover() -> Result<Self, CgroupError> {
        let root = Path::new(ROOT);
        if statfs(root).is_ok_and(|found| found.filesystem_type() == CGROUP2_SUPER_MAGIC) {
            return Ok(Self::V2(root.to_path_buf()));
        }
        let path = Path::new("/proc/self/mountinfo");
        let text = fs::read_to_string(path).map_err(at("read", path))?;
        let mounts: BTreeMap<String, PathBuf> = text.lines().flat_map(v1_controllers).collect();
        if mounts.is_empty() { Err(CgroupError::None) } else { Ok(Self::V1(mounts)) }
    }

    /// Makes a group and its parents, if need be, and sets its limits.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn create(&self, path: &str, resources: &Resources) -> Result<(), CgroupError> {
        check(path)?;
        match self {
            Self::V1(mounts) => {
                for (controller, mount) in mounts {
                    let is_cpuset = controller == "cpuset";
                    make_levels(mount, path, |level| {
                        if is_cpuset { inherit_cpuset(level) } else { Ok(()) }
                    })?;
                }
            }
            Self::V2(mount) => {
                enable_controllers(mount);
                let parent = Path::new(path).parent().unwrap_or(Path::new("/"));
                make_levels(mount, &parent.to_string_lossy(), |level| {
                    enable_controllers(level);
                    Ok(())
                })?;
                make_levels(mount, path, |_| Ok(()))?;
            }
        }
        self.limit(path, resources)
    }

    /// Lets children of a group be limited; with version 1 they always can be.
    ///
    /// # Errors
    /// If the path is refused.
    pub fn delegate(&self, path: &str) -> Result<(), CgroupError> {
        check(path)?;
        if let Self::V2(mount) = self {
            enable_controllers(&mount.join(path.trim_start_matches('/')));
        }
        Ok(())
    }

    /// Changes the limits of a group; absent limits are left as they are.
    ///
    /// # Errors
    /// If the kernel refuses, for instance a memory limit below what is in use.
    pub fn limit(&self, path: &str, resources: &Resources) -> Result<(), CgroupError> {
        check(path)?;
        let period = resources.cpu_period_us.unwrap_or(100_000);
        let writes: Vec<(&str, &str, Option<String>)> = match self {
            Self::V1(_) => vec![
                ("cpu", "cpu.shares", resources.cpu_shares.map(|shares| shares.to_string())),
                ("cpu", "cpu.cfs_period_us", resources.cpu_quota_us.map(|_| period.to_string())),
                ("cpu", "cpu.cfs_quota_us", resources.cpu_quota_us.map(|quota| quota.to_string())),
                (
                    "memory",
                    "memory.limit_in_bytes",
                    resources.memory_limit_bytes.map(|b| b.to_string()),
                ),
                ("pids", "pids.max", resources.pids_max.map(limit_or_max)),
            ],
            Self::V2(_) => vec![
                (
                    "cpu",
                    "cpu.weight",
                    resources.cpu_shares.map(|shares| weight(shares).to_string()),
                ),
                (
                    "cpu",
                    "cpu.max",
                    resources.cpu_quota_us.map(|q| format!("{} {period}", limit_or_max(q))),
                ),
                ("memory", "memory.max", resources.memory_limit_bytes.map(limit_or_max)),
                ("pids", "pids.max", resources.pids_max.map(limit_or_max)),
            ],
        };
        for (controller, file, value) in writes {
            if let Some(value) = value
                && let Some(directory) = self.directory(controller, path)
            {
                write(&directory.join(file), &value)?;
            }
        }
        Ok(())
    }

    /// Moves a process into a group, in every hierarchy.
    ///
    /// # Errors
    /// If the group does not exist or the process has ended.
    pub fn join(&self, path: &str, pid: i32) -> Result<(), CgroupError> {
        check(path)?;
        for directory in self.directories(path) {
            write(&directory.join("cgroup.procs"), &pid.to_string())?;
        }
        Ok(())
    }

    /// All processes of a group and those below it.
    #[must_use]
    pub fn processes(&self, path: &str) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        for directory in self.directories(path) {
            collect_processes(&directory, &mut found);
        }
        found
    }

    /// Sends a signal to all processes of a group and those below it.
    pub fn signal(&self, path: &str, signal: Signal) {
        for pid in self.processes(path) {
            // A process that has just ended needs no signal.
            PidFd::open(Pid::from_raw(pid)).and_then(|process| process.kill(signal)).ok();
        }
    }

    /// Kills all processes of a group and those below it without waiting for their ends. Forks are
    /// refused from here on, so that none escapes; the group is of no more use but to be removed.
    pub fn kill_now(&self, path: &str) {
        if let Self::V2(_) = self
            && let Some(directory) = self.directory("", path)
            && fs::write(directory.join("cgroup.kill"), "1").is_ok()
        {
            return;
        }
        let no_forks = Resources { pids_max: Some(0), ..Resources::default() };
        // Without this limit the rounds below find what was forked meanwhile.
        drop(self.limit(path, &no_forks));
        for _ in 0..KILL_ROUNDS {
            self.signal(path, Signal::SIGKILL);
        }
    }

    /// Kills all processes of a group and those below it, and waits until they have ended; blocks.
    ///
    /// # Errors
    /// [`CgroupError::Alive`] after about `timeout_ms` milliseconds for each process that does not end (stuck
    /// in the kernel, for instance on a dead network file system).
    pub fn kill(&self, path: &str, timeout_ms: u16) -> Result<(), CgroupError> {
        check(path)?;
        // Forks that race with the killing are refused by the limit where there is one, else found in the next
        // round.
        let no_forks = Resources { pids_max: Some(0), ..Resources::default() };
        if self.exists(path) {
            drop(self.limit(path, &no_forks));
        }
        for _ in 0..REMOVE_ATTEMPTS {
            let processes: Vec<PidFd> = self
                .processes(path)
                .into_iter()
                .filter_map(|pid| PidFd::open(Pid::from_raw(pid)).ok())
                .collect();
            if processes.is_empty() {
                return Ok(());
            }
            for process in &processes {
                process.kill(Signal::SIGKILL).ok();
            }
            let is_alive = |process: &&PidFd| !process.wait_end(timeout_ms).unwrap_or(true);
            let alive = processes.iter().filter(is_alive).count();
            if alive > 0 {
                return Err(CgroupError::Alive { path: path.to_owned(), count: alive });
            }
        }
        let count = self.processes(path).len();
        Err(CgroupError::Alive { path: path.to_owned(), count })
    }

    /// Whether the group exists in any hierarchy.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.directories(path).iter().any(|directory| directory.is_dir())
    }

    /// Removes a group without processes, and all below it; blocks while the kernel lets go of dead processes,
    /// half a second at most. A group that does not exist is no error.
    ///
    /// # Errors
    /// If processes are left.
    pub fn remove(&self, path: &str) -> Result<(), CgroupError> {
        check(path)?;
        for directory in self.directories(path) {
            for attempt in 1.. {
                match remove_tree(&directory) {
                    Ok(()) => break,
                    Err(error) if is_busy(&error) && attempt < REMOVE_ATTEMPTS => {
                        // No descriptor tells when the kernel is done with a dead process, so this waits and looks.
                        poll(&mut [], PollTimeout::from(REMOVE_PAUSE_MS)).ok();
                    }
                    Err(error) => return Err(at("remove cgroup", &directory)(error).into()),
                }
            }
        }
        Ok(())
    }

    /// Removes a group that has neither processes nor groups below it; any other is left alone.
    ///
    /// # Errors
    /// If the path is refused, or the kernel refuses for another reason than that.
    pub fn remove_if_empty(&self, path: &str) -> Result<(), CgroupError> {
        check(path)?;
        for directory in self.directories(path) {
            match fs::remove_dir(&directory) {
                Err(error) if !is_busy(&error) && error.kind() != io::ErrorKind::NotFound => {
                    return Err(at("remove cgroup", &directory)(error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// How often the kernel killed a process of this very group for lack of memory.
    #[must_use]
    pub fn oom_kills(&self, path: &str) -> u64 {
        let file = match self {
            Self::V1(_) => "memory.oom_control",
            Self::V2(_) => "memory.events",
        };
        let directory = self.directory("memory", path);
        directory.map_or(0, |directory| usage::keyed(&directory.join(file), "oom_kill"))
    }

    /// What a group uses, those below it included.
    #[must_use]
    pub fn usage(&self, path: &str) -> Usage {
        usage::read(self, path)
    }

    /// The directory of a group where this controller lives.
    fn directory(&self, controller: &str, path: &str) -> Option<PathBuf> {
        let mount = match self {
            Self::V1(mounts) => mounts.get(controller)?,
            Self::V2(mount) => mount,
        };
        Some(mount.join(path.trim_start_matches('/')))
    }

    /// The directories of a group, one for each hierarchy.
    fn directories(&self, path: &str) -> BTreeSet<PathBuf> {
        let relative = path.trim_start_matches('/');
        match self {
            Self::V1(mounts) => mounts.values().map(|mount| mount.join(relative)).collect(),
            Self::V2(mount) => BTreeSet::from([mount.join(relative)]),
        }
    }
}

/// The controllers of one line of mountinfo, if it is a hierarchy of version 1. What stands behind ` - ` is the
/// type, the source, and the options, which name the controllers.
fn v1_controllers(line: &str) -> Vec<(String, PathBuf)> {
    let Some((left, right)) = line.split_once(" - ") else { return Vec::new() };
    let mut right = right.split(' ');
    let Some(mount) = left.split(' ').nth(4).filter(|_| right.next() == Some("cgroup")) else {
        return Vec::new();
    };
    let options = right.nth(1).unwrap_or_default();
    if options.split(',').any(|option| option.starts_with("name=")) {
        return Vec::new();
    }
    let is_controller = |option: &&str| {
        !matches!(*option, "rw" | "ro" | "none" | "xattr" | "noprefix" | "clone_children")
            && !option.contains('=')
    };
    options
        .split(',')
        .filter(is_controller)
        .map(|controller| (controller.to_owned(), PathBuf::from(mount)))
        .collect()
}

fn check(path: &str) -> Result<(), CgroupError> {
    let is_plain = path.split('/').all(|part| part != "..");
    if path.starts_with('/') && path.len() > 1 && is_plain {
        Ok(())
    } else {
        Err(CgroupError::Path(path.to_owned()))
    }
}

fn make_levels(
    mount: &Path,
    path: &str,
    prepare: impl Fn(&Path) -> Result<(), CgroupError>,
) -> Result<(), CgroupError> {
    let mut level = mount.to_path_buf();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        level.push(part);
        match fs::create_dir(&level) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at("create cgroup", &level)(error).into()),
        }
        prepare(&level)?;
    }
    Ok(())
}

/// A new cpuset has no processors and takes no process before it has its parent's.
fn inherit_cpuset(level: &Path) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = level.join(file);
        let text = fs::read_to_string(&own).map_err(at("read", &own))?;
        if text.trim().is_empty() {
            let above = level.parent().unwrap_or(level).join(file);
            let inherited = fs::read_to_string(&above).map_err(at("read", &above))?;
            write(&own, inherited.trim())?;
        }
    }
    Ok(())
}

/// Hands the controllers to the children, one by one: what the machine lacks is left out.
fn enable_controllers(level: &Path) {
    for controller in V2_CONTROLLERS {
        drop(fs::write(level.join("cgroup.subtree_control"), format!("+{controller}")));
    }
}

fn collect_processes(directory: &Path, found: &mut BTreeSet<i32>) {
    if let Ok(text) = fs::read_to_string(directory.join("cgroup.procs")) {
        found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    }
    for child in children(directory) {
        collect_processes(&child, found);
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_group = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_group).map(|entry| entry.path()).collect()
}

fn remove_tree(directory: &Path) -> io::Result<()> {
    for child in children(directory) {
        remove_tree(&child)?;
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EBUSY as i32)
}

fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    Ok(fs::write(path, value).map_err(at("write", path))?)
}

fn limit_or_max(limit: i64) -> String {
    if limit < 0 { "max".to_owned() } else { limit.to_string() }
}

/// Shares (2 to 262144) as a weight of version 2 (1 to 10000), the mapping that OCI runtimes share.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(SHARES_MIN, SHARES_MAX) - SHARES_MIN) * 9_999 / (SHARES_MAX - SHARES_MIN)
}

#[cfg(test)]
mod tests;
