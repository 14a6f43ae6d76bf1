//! The one binary: the composition root. What it becomes depends on its first word.
//!
//! Way in: [`main`].  `shim` and `guardian` stay small and single-threaded; `run` is the server with its agent; every
//! other verb is a short command.

mod announce;
mod server;

use std::{ffi::OsString, fs, io::Write as _, path::Path, process::ExitCode};

use actors_runtime::{Clock, entropy};
use clap::Parser as _;
use nix::unistd::Uid;
use nodes_cli::{Arguments, Caller, ClusterRecord, Environment, Failure, Place, Verb, guardian};

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
    match &arguments.verb {
        Verb::Guardian(options) => {
            let record = read_record(&options.record)?;
            let server = ["run", "--record"].into_iter().map(str::to_owned);
            let server: Vec<String> =
                server.chain([options.record.display().to_string()]).collect();
            guardian::run(&record.run_dir, &server).map_err(|error| Failure::of(&error))
        }
        Verb::Run(options) => server::run(&read_record(&options.record)?)
            .map_err(|error| Failure::new(format!("{error:#}"))),
        _ => command(arguments),
    }
}

fn command(arguments: &Arguments) -> Result<(), Failure> {
    let environment = environment();
    let place = Place::of_this_user(&environment, Uid::effective().as_raw());
    let mut caller = Caller {
        environment: &environment,
        place,
        teardown: &server::tear_down,
        rng: entropy().map_err(|error| Failure::of(&error))?,
        now: Clock.now(),
    };
    nodes_cli::run(arguments, &mut caller)
}

/// The environment is read here and nowhere else.
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

fn read_record(path: &Path) -> Result<ClusterRecord, Failure> {
    let text = fs::read(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::new(format!("{} is damaged: {error}", path.display())))
}
