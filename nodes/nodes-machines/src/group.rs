//! A machine's control group: everything that runs on it, its pods too. Killed, paused and resumed as one.
//!
//! Way in: [`enter`], [`kill`], [`pause`], [`resume`], [`state`].
//! Spec: the kernel's documents on cgroup v1's freezer and cgroup v2's `cgroup.freeze`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::{
    poll::{PollTimeout, poll},
    sys::signal::Signal,
};
use nodes_oci::{
    Resources,
    cgroup::{CgroupError, Hierarchies},
};

/// The time for killed processes to go away.
const KILL_TIMEOUT_MS: u16 = 10_000;

/// How often the kernel is asked whether all have stopped, and the pause between.
const LOOKS: usize = 400;
const LOOK_PAUSE_MS: u16 = 5;

/// What could not be done to a machine.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The control groups.
    #[error(transparent)]
    Group(#[from] CgroupError),
    /// The freezer.
    #[error("cannot write {}", path.display())]
    Freezer {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Some processes went on.
    #[error("not all processes of {0} stopped within two seconds")]
    Runs(String),
    /// There is nothing to do it to.
    #[error("nothing runs in {0}")]
    Empty(String),
    /// This kernel cannot pause.
    #[error("this machine has no freezer among its control groups")]
    NoFreezer,
}

/// What a machine's processes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There are none.
    Down,
    /// They are stopped, all of them, and can go on.
    Paused,
    /// They run.
    Running,
}

/// Moves a process into a group, which is made if need be.
///
/// # Errors
/// If the kernel refuses.
pub fn enter(group: &str, pid: u32) -> Result<(), GroupError> {
    let groups = Hierarchies::discover()?;
    groups.create(group, &Resources::default())?;
    Ok(groups.join(group, i32::try_from(pid).unwrap_or_default())?)
}

/// Kills everything in a group and below, paused or not, and removes the groups.
///
/// # Errors
/// If something survives.
pub fn kill(group: &str) -> Result<(), GroupError> {
    let groups = Hierarchies::discover()?;
    if !groups.exists(group) {
        return Ok(());
    }
    // A paused process dies in the moment in which it may go on.
    groups.signal(group, Signal::SIGKILL);
    if let Some(freezer) = Freezer::of(&groups, group) {
        freezer.set(false)?;
    }
    groups.kill(group, KILL_TIMEOUT_MS)?;
    Ok(groups.remove(group)?)
}

/// Removes a group in which nothing is any more; one that others use is left alone.
///
/// # Errors
/// If the kernel refuses.
pub fn remove_if_empty(group: &str) -> Result<(), GroupError> {
    Ok(Hierarchies::discover()?.remove_if_empty(group)?)
}

/// Stops everything in a group and below; returns when all have stopped.
///
/// # Errors
/// If nothing runs there, or the kernel has no freezer.
pub fn pause(group: &str) -> Result<(), GroupError> {
    let groups = Hierarchies::discover()?;
    if groups.processes(group).is_empty() {
        return Err(GroupError::Empty(group.to_owned()));
    }
    let freezer = Freezer::of(&groups, group).ok_or(GroupError::NoFreezer)?;
    freezer.set(true)?;
    for _ in 0..LOOKS {
        if freezer.is_frozen() {
            return Ok(());
        }
        // The kernel tells of it on version 2 only, so this waits and looks.
        poll(&mut [], PollTimeout::from(LOOK_PAUSE_MS)).ok();
    }
    Err(GroupError::Runs(group.to_owned()))
}

/// Lets everything in a group go on: the processes of its part `first` (a whole path), and a moment later all others. What stands
/// still in the others may have to be killed before it may run again, and those in `first` do that.
///
/// # Errors
/// If nothing is there.
pub fn resume(group: &str, first: &str) -> Result<(), GroupError> {
    let groups = Hierarchies::discover()?;
    if groups.processes(group).is_empty() {
        return Err(GroupError::Empty(group.to_owned()));
    }
    let freezer = Freezer::of(&groups, group).ok_or(GroupError::NoFreezer)?;
    let others: Vec<Freezer> = freezer.parts().into_iter().filter(|part| !part.is(first)).collect();
    for other in &others {
        other.set(true)?;
    }
    freezer.set(false)?;
    poll(&mut [], PollTimeout::from(HEAD_START_MS)).ok();
    for other in others {
        // One whose processes were killed may be gone.
        other.set(false).or_else(|error| if other.exists() { Err(error) } else { Ok(()) })?;
    }
    Ok(())
}

/// How long the first part of a resumed group runs alone, in milliseconds: a busy machine lets each of its processes
/// run once in this time.
const HEAD_START_MS: u16 = 500;

/// What the processes of a group and below do.
#[must_use]
pub fn state(group: &str) -> State {
    let Ok(groups) = Hierarchies::discover() else { return State::Down };
    if groups.processes(group).is_empty() {
        return State::Down;
    }
    match Freezer::of(&groups, group).is_some_and(|freezer| freezer.is_asked()) {
        true => State::Paused,
        false => State::Running,
    }
}

/// The files that pause a group, in the form of this kernel.
enum Freezer {
    V1(PathBuf),
    V2(PathBuf),
}

impl Freezer {
    fn of(groups: &Hierarchies, group: &str) -> Option<Self> {
        let relative = group.trim_start_matches('/');
        match groups {
            Hierarchies::V1(mounts) => Some(Self::V1(mounts.get("freezer")?.join(relative))),
            Hierarchies::V2(mount) => Some(Self::V2(mount.join(relative))),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::V1(path) | Self::V2(path) => path,
        }
    }

    fn exists(&self) -> bool {
        self.path().is_dir()
    }

    fn is(&self, group: &str) -> bool {
        self.path().ends_with(group.trim_start_matches('/'))
    }

    /// The groups right below.
    fn parts(&self) -> Vec<Self> {
        let entries = fs::read_dir(self.path()).into_iter().flatten().flatten();
        let folders = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
        folders
            .map(|path| match self {
                Self::V1(_) => Self::V1(path),
                Self::V2(_) => Self::V2(path),
            })
            .collect()
    }

    fn set(&self, is_frozen: bool) -> Result<(), GroupError> {
        let (path, word) = match (self, is_frozen) {
            (Self::V1(group), true) => (group.join("freezer.state"), "FROZEN"),
            (Self::V1(group), false) => (group.join("freezer.state"), "THAWED"),
            (Self::V2(group), true) => (group.join("cgroup.freeze"), "1"),
            (Self::V2(group), false) => (group.join("cgroup.freeze"), "0"),
        };
        fs::write(&path, word).map_err(|source| GroupError::Freezer { path, source })
    }

    /// Whether all have stopped.
    fn is_frozen(&self) -> bool {
        match self {
            Self::V1(group) => read(&group.join("freezer.state")).trim() == "FROZEN",
            Self::V2(group) => {
                read(&group.join("cgroup.events")).lines().any(|line| line == "frozen 1")
            }
        }
    }

    /// Whether they were told to stop.
    fn is_asked(&self) -> bool {
        match self {
            Self::V1(group) => read(&group.join("freezer.self_freezing")).trim() == "1",
            Self::V2(group) => read(&group.join("cgroup.freeze")).trim() == "1",
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
