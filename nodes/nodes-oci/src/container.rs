//! Containers by libcontainer: create, start, exec, clean up.
//!
//! Way in: [`create`], [`start`], [`exec`], [`remove`].  Never: in a process with more than one thread, or in one
//! that must go on afterwards: [`create`] leaves the machine's mount namespace, changes the working directory
//! and the process's oom score. Call it in a forked child, and let the child's parent be a subreaper: the
//! container's first process then becomes the parent's child when the forked one ends.

use std::{
    fs::{self, File},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
};

use libcontainer::{
    container::{Container, builder::ContainerBuilder},
    error::LibcontainerError,
    syscall::syscall::SyscallType,
};

use crate::{
    ContainerSpec, ExecSpec, FileError, ProgramError, Sandbox, SpecError, at,
    cgroup::{CgroupError, Hierarchies},
    chain,
    paths::PodPaths,
    rootfs::{self, RootfsError},
    runtime_spec,
    user::{self, UserError},
};

/// Where a process's three streams go.
#[derive(Debug)]
pub enum Stdio {
    /// Pipes, or `/dev/null`.
    Streams {
        /// Read by the process.
        stdin: OwnedFd,
        /// Written by the process.
        stdout: OwnedFd,
        /// Written by the process.
        stderr: OwnedFd,
    },
    /// A terminal made inside the container; its other end is sent to the listener at this path.
    Terminal(PathBuf),
}

impl Stdio {
    /// The numbers of the descriptors, for a forked child that must keep these and no others.
    #[must_use]
    pub fn descriptors(&self) -> Vec<RawFd> {
        match self {
            Self::Streams { stdin, stdout, stderr } => {
                [stdin, stdout, stderr].map(AsRawFd::as_raw_fd).to_vec()
            }
            Self::Terminal(_) => Vec::new(),
        }
    }
}

/// Why a container could not be made or run.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The specification breaks a rule; it must be changed.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Nobody to run as; image or specification must be changed.
    #[error(transparent)]
    User(#[from] UserError),
    /// The file system could not be put together.
    #[error(transparent)]
    Rootfs(#[from] RootfsError),
    /// A file of the bundle.
    #[error(transparent)]
    File(#[from] FileError),
    /// The control groups.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// A file of the bundle is damaged.
    #[error("the bundle of container {0} is damaged")]
    Bundle(String, #[source] serde_json::Error),
    /// A container that another one wants to look at has ended.
    #[error("container {0} does not run")]
    NotRunning(String),
    /// There is no such program, or it cannot be run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// libcontainer or the kernel refused; the source says what.
    #[error("cannot {what} container {id}")]
    Runtime {
        /// What was tried.
        what: &'static str,
        /// Which container.
        id: String,
        /// The reason.
        #[source]
        source: Box<LibcontainerError>,
    },
}

/// Puts a container together up to the point where its program would start, and returns the pid of its first
/// process, which waits for [`start`].
///
/// # Errors
/// What is left of a failed attempt is removed by [`remove`].
pub fn create(
    paths: &PodPaths,
    sandbox: &Sandbox,
    spec: &ContainerSpec,
    stdio: Stdio,
) -> Result<i32, ContainerError> {
    spec.validate()?;
    if spec.layers.is_empty() {
        return Err(SpecError::NoLayers(spec.id.clone()).into());
    }
    let hierarchies = Hierarchies::discover()?;
    rootfs::enter_private_mounts()?;
    let built = build((paths, sandbox), spec, &hierarchies, stdio);
    if built.is_err() {
        rootfs::unmount(spec, paths);
    }
    built
}

/// Everything behind the point from which failures leave mounts.
fn build(
    (paths, sandbox): (&PodPaths, &Sandbox),
    spec: &ContainerSpec,
    hierarchies: &Hierarchies,
    stdio: Stdio,
) -> Result<i32, ContainerError> {
    rootfs::mount_root(spec, paths)?;
    let mounts = rootfs::mount_sub_paths(spec, paths)?;
    let ids = user::resolve(&spec.user, &paths.rootfs(&spec.id))?;
    let target_pid = spec.processes_of.as_ref().map(|id| first_process(paths, id)).transpose()?;
    let parts = runtime_spec::Parts {
        spec,
        sandbox,
        paths,
        ids: &ids,
        mounts: &mounts,
        hierarchies,
        target_pid,
    };
    let bundle = paths.bundle(&spec.id);
    let config = bundle.join("config.json");
    write_json(&config, &runtime_spec::config(&parts), &spec.id)?;
    if let Stdio::Streams { stdout, stderr, .. } = &stdio {
        // A process that is not root may open /dev/stdout again, which needs the pipe to be its own.
        let owner = Some(nix::unistd::Uid::from_raw(ids.uid));
        for stream in [stdout, stderr] {
            nix::unistd::fchown(stream, owner, None).map_err(at("own the output of", &bundle))?;
        }
    }
    // libcontainer resolves relative paths; it must not do so below the image store.
    std::env::set_current_dir("/").map_err(at("enter", Path::new("/")))?;
    let builder = with_stdio(builder(paths, &spec.id)?, stdio).as_init(&bundle);
    let built = builder.with_systemd(false).with_detach(true).build();
    let container = built.map_err(not_run(("create", &spec.id), spec.args.first()))?;
    Ok(container.pid().map_or(0, |pid| pid.as_raw()))
}

/// The pid of a running container's first process.
fn first_process(paths: &PodPaths, id: &str) -> Result<i32, ContainerError> {
    let target = Container::load(paths.oci().join(id)).map_err(failed("find", id))?;
    let pid = target.pid().filter(|_| target.can_exec());
    pid.map(|pid| pid.as_raw()).ok_or_else(|| ContainerError::NotRunning(id.to_owned()))
}

/// Lets a created container run its program.
///
/// # Errors
/// If it is not in the created state any more.
pub fn start(paths: &PodPaths, id: &str) -> Result<(), ContainerError> {
    let mut container = Container::load(paths.oci().join(id)).map_err(failed("find", id))?;
    container.start().map_err(failed("start", id))
}

/// Runs one more process in a running container and returns its pid. `number` must differ between the execs of a
/// container that begin at the same time.
///
/// # Errors
/// If the container does not run, or the program cannot be started.
pub fn exec(
    paths: &PodPaths,
    spec: &ExecSpec,
    number: u64,
    stdio: Stdio,
) -> Result<i32, ContainerError> {
    let id = &spec.container;
    if spec.args.first().is_none_or(String::is_empty) {
        return Err(SpecError::NoCommand(id.clone()).into());
    }
    let bundle = paths.bundle(id);
    let config_path = bundle.join("config.json");
    let bytes = fs::read(&config_path).map_err(at("read", &config_path))?;
    let config = serde_json::from_slice(&bytes)
        .map_err(|source| ContainerError::Bundle(id.clone(), source))?;
    let process_path = bundle.join(format!("process-{number}.json"));
    write_json(&process_path, &runtime_spec::process(&config, spec), id)?;
    let builder = with_stdio(builder(paths, id)?, stdio).as_tenant();
    let built = builder.with_process(Some(&process_path)).with_detach(true).build();
    fs::remove_file(&process_path).map_err(at("remove", &process_path))?;
    Ok(built.map_err(not_run(("exec in", id), spec.args.first()))?.as_raw())
}

/// Removes everything that a container has: remaining processes, cgroup, bundle, writable layer. Mounts need no
/// removal, see `rootfs`. Can be repeated, and works on what a failed [`create`] left; blocks until all are dead.
///
/// # Errors
/// If a process does not die or a file cannot be removed.
pub fn remove(paths: &PodPaths, cgroup: &str, id: &str) -> Result<(), ContainerError> {
    if !crate::spec::is_id(id) {
        return Err(SpecError::Id(id.to_owned()).into());
    }
    let hierarchies = Hierarchies::discover()?;
    let group = format!("{cgroup}/{id}");
    hierarchies.kill(&group, KILL_TIMEOUT_MS)?;
    hierarchies.remove(&group)?;
    for directory in [paths.oci().join(id), paths.bundle(id), paths.container_data(id)] {
        remove_all(&directory)?;
    }
    Ok(())
}

/// A killed process is gone in microseconds unless the kernel waits for a device.
const KILL_TIMEOUT_MS: u16 = 5_000;

fn remove_all(directory: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(at("remove", directory)(error))
        }
        _ => Ok(()),
    }
}

fn builder(paths: &PodPaths, id: &str) -> Result<ContainerBuilder, ContainerError> {
    ContainerBuilder::new(id.to_owned(), SyscallType::default())
        .with_root_path(paths.oci())
        .map_err(failed("create", id))
}

fn with_stdio(builder: ContainerBuilder, stdio: Stdio) -> ContainerBuilder {
    match stdio {
        Stdio::Streams { stdin, stdout, stderr } => {
            builder.with_stdin(stdin).with_stdout(stdout).with_stderr(stderr)
        }
        Stdio::Terminal(socket) => builder.with_console_socket(Some(socket)),
    }
}

fn write_json(path: &Path, value: &serde_json::Value, id: &str) -> Result<(), ContainerError> {
    let file = File::create(path).map_err(at("create", path))?;
    serde_json::to_writer(std::io::BufWriter::new(file), value)
        .map_err(|source| ContainerError::Bundle(id.to_owned(), source))
}

/// As [`failed`], but the program alone is blamed where it is what is wrong.
fn not_run(
    (what, id): (&'static str, &str),
    program: Option<&String>,
) -> impl FnOnce(LibcontainerError) -> ContainerError {
    let failed = failed(what, id);
    move |source| {
        let text = chain(&source);
        let wrong = program.and_then(|program| ProgramError::in_text(program, &text));
        wrong.map_or_else(|| failed(source), ContainerError::Program)
    }
}

fn failed(what: &'static str, id: &str) -> impl FnOnce(LibcontainerError) -> ContainerError {
    let id = id.to_owned();
    move |source| ContainerError::Runtime { what, id, source: Box::new(source) }
}
