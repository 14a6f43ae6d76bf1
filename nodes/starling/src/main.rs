//! The one binary: the composition root. What it becomes depends on its first word.
//!
//! Way in: [`main`].  `shim` and `guardian` stay small and single-threaded; `run` is the server with its agent, an agent
//! alone, or the forwarder; every other verb is a short command.

mod announce;
mod configs;
mod forwarder;
mod linked;
mod node;

use std::{ffi::OsString, fs, io::Write as _, path::Path, process::ExitCode};

use actors_runtime::{Clock, entropy};
use clap::Parser as _;
use nix::unistd::Uid;
use nodes_cli::{
    Arguments, Caller, Claims, ClusterRecord, Environment, Failure, Part, Place, Verb, guardian,
};
use nodes_machines::{MachineRecord, group, namespace};
use serde::de::DeserializeOwned;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    words.next();
    let is_shim = words.next().is_some_and(|word| word == "shim");
    set_huge_pages(is_shim);
    if is_shim {
        // Before anything else: a shim forks, so it must have one thread.
        return exit_code(nodes_shim::main(words));
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // With stderr closed only the exit code is left to tell.
            let _closed = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(failure.code)
        }
    }
}

/// Huge pages make a process that does little several times as large, so this process and those
/// that it starts go without. Containers inherit from their shim, and a container is to have what
/// the machine's setting gives it.
/// Spec: prctl(2), `PR_SET_THP_DISABLE`: inherited by fork, kept by exec.
fn set_huge_pages(are_allowed: bool) {
    // A kernel without them refuses, and then there is nothing to set.
    let _without = nix::sys::prctl::set_thp_disable(!are_allowed);
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let failed = |error: anyhow::Error| Failure::new(format!("{error:#}"));
    match &arguments.verb {
        Verb::Guardian(options) => guard(&options.record, options.part),
        Verb::Run(options) => match options.part {
            Part::Node => node::run(&machine_of(&options.record)?).map_err(failed),
            Part::Forwarder => forwarder::run(&read(&options.record)?).map_err(failed),
        },
        _ => command(arguments),
    }
}

/// Keeps a part alive. That of a machine moves into the machine first: what it starts is born there.
fn guard(record: &Path, part: Part) -> Result<(), Failure> {
    let mut words = vec!["run".to_owned(), "--record".to_owned(), record.display().to_string()];
    let run_dir = match part {
        Part::Forwarder => {
            words.extend(["--part".to_owned(), "forwarder".to_owned()]);
            read::<ClusterRecord>(record)?.run_dir
        }
        Part::Node => {
            let machine = machine_of(record)?;
            if let Some(group) = &machine.group {
                group::enter(group, std::process::id()).map_err(|error| Failure::of(&error))?;
            }
            if let Some(netns) = &machine.netns {
                namespace::enter(netns).map_err(|error| Failure::of(&error))?;
            }
            machine.run_dir
        }
    };
    guardian::run(&run_dir, part, &words).map_err(|error| Failure::of(&error))
}

/// What the record says of one machine: it is a machine's own, or that of a cluster that is one process.
fn machine_of(path: &Path) -> Result<MachineRecord, Failure> {
    let is_cluster = path.file_name().is_some_and(|name| name == "cluster.json");
    if is_cluster {
        return Ok(read::<ClusterRecord>(path)?.single_machine());
    }
    read(path)
}

fn command(arguments: &Arguments) -> Result<(), Failure> {
    let environment = environment();
    let place = Place::of_this_user(&environment, Uid::effective().as_raw());
    let mut caller = Caller {
        environment: &environment,
        place,
        teardown: &configs::tear_down,
        rng: entropy().map_err(|error| Failure::of(&error))?,
        now: Clock.now(),
        claims: Claims::default(),
    };
    nodes_cli::run(arguments, &mut caller)
}

/// The environment is read here, and for what is told in [`log_to_stderr`], and nowhere else.
fn environment() -> Environment {
    let path = |name: &str| {
        std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(Into::into)
    };
    Environment {
        home: path("HOME"),
        data_home: path("XDG_DATA_HOME"),
        runtime_dir: path("XDG_RUNTIME_DIR"),
        kubeconfig: path("KUBECONFIG"),
        data_dir: path("STARLING_DATA_DIR"),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = fs::read(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::new(format!("{} is damaged: {error}", path.display())))
}

/// Loses what cannot be written, for a full disk must end nobody who has something to tell: the subscriber reports a
/// failed write on standard error, which panics where that fails too.
struct Patient(std::io::Stderr);

impl std::io::Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes).or(Ok(bytes.len()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush().or(Ok(()))
    }
}

/// What is told without `STARLING_LOG`. A client that resets a stream is its own affair, of which actix warns each time.
const TOLD: &str = "info,actix_http::h2::dispatcher=error";

/// What is told of a process's life goes to standard error, which its guardian points to a file.
fn log_to_stderr() {
    let told = std::env::var_os("STARLING_LOG").and_then(|told| told.into_string().ok());
    let told = told.unwrap_or_else(|| TOLD.to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::builder().parse_lossy(told))
        .with_ansi(false)
        .with_writer(|| Patient(std::io::stderr()))
        .init();
}
