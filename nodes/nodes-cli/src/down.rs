//! `starling down`: stops a cluster and removes all that it made in the kernel; its data only with `--purge`.
//!
//! Way in: [`run`].  Order: guardian first (it stops the server), then pods, mounts, interfaces, rules, cgroups.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::{errno::Errno, sys::signal::Signal, unistd::Pid};
use nodes_machines::group;
use nodes_pki::Kubeconfig;
use nodes_sys::PidFd;
use serde_json::json;

use crate::{
    Arguments, Caller, ClusterRecord, Failure, Output,
    arguments::DownOptions,
    machines, preflight, processes,
    up::{known, read_kubeconfig, save_kubeconfig},
};

/// How long the guardian may take: its own limit for the server and a little more.
const STOP_WITHIN_MS: u16 = 20_000;

pub(crate) fn run(
    arguments: &Arguments,
    options: &DownOptions,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let record = known(arguments, caller)?;
    preflight::check_alone(&record)?;
    if record.has_machines() {
        machines::down::run(&record, caller, output)?;
        machines::down::remove_run_folders(&record)?;
    } else {
        stop_single(&record, caller, output)?;
        remove(&record.run_dir)?;
    }
    if options.purge {
        output.progress(&format!("  removing {}", record.data_dir.display()));
        // Without it, nothing tells this cluster's entries from those of another one of its name.
        let authority = fs::read_to_string(record.data_dir.join("pki/ca.crt")).ok();
        remove(&record.data_dir)?;
        if let Some(authority) = authority {
            forget(&record, &authority, caller)?;
        }
    }
    let state = if options.purge { "purged" } else { "stopped" };
    let kept = if options.purge {
        String::new()
    } else {
        format!("; its data stay in {}", record.data_dir.display())
    };
    let text = format!("cluster {} is {state}{kept}", record.name);
    output.answer(&text, &json!({"name": record.name, "state": state, "dataDir": record.data_dir}))
}

/// The form in which one process is all.
fn stop_single(
    record: &ClusterRecord,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let living = processes::find(&record.run_dir);
    for (what, pid) in [("guardian", living.guardian), ("server", living.server)] {
        if let Some(pid) = pid {
            output.progress(&format!("  stopping the {what} (pid {pid})"));
            stop(what, pid)?;
        }
    }
    output.progress("  removing pods, mounts, interfaces, rules and cgroups");
    let left_over = |cause: String| {
        Failure::new(format!("something is left over: {cause}"))
            .next(format!("starling down --name {}", record.name))
    };
    (caller.teardown)(&record.single_machine()).map_err(left_over)?;
    if record.runtime == "oci" {
        let group = record.plan().group;
        group::remove_if_empty(&group).map_err(|error| left_over(error.to_string()))?;
    }
    Ok(())
}

/// Asks the process to stop and waits for its end; kills it when the time has passed.
pub(crate) fn stop(what: &str, pid: i32) -> Result<(), Failure> {
    let failed =
        |error: Errno| Failure::new(format!("cannot stop the {what} (pid {pid}): {error}"));
    let process = match PidFd::open(Pid::from_raw(pid)) {
        Ok(process) => process,
        Err(Errno::ESRCH) => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        match process.kill(signal) {
            Err(Errno::ESRCH) => return Ok(()),
            sent => sent.map_err(failed)?,
        }
        if process.wait_end(STOP_WITHIN_MS).map_err(failed)? {
            return Ok(());
        }
    }
    Err(Failure::new(format!("the {what} (pid {pid}) does not end, even killed")))
}

pub(crate) fn remove(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("cannot remove {}: {error}", folder.display()))
                .next("mount | grep starling"))
        }
        _ => Ok(()),
    }
}

/// Takes the cluster out of the kubeconfig files that it was written into, and out of the caller's; a purged cluster's
/// keys are worth nothing.
fn forget(record: &ClusterRecord, authority_pem: &str, caller: &Caller<'_>) -> Result<(), Failure> {
    let own = caller.environment.kubeconfig_path();
    let mut paths: Vec<&Path> = record.kubeconfigs.iter().map(PathBuf::as_path).collect();
    paths.push(&own);
    for path in paths.into_iter().filter(|path| path.is_file()) {
        let mut config = read_kubeconfig(path)?;
        if Kubeconfig::remove_from(&mut config, &record.name, authority_pem) {
            save_kubeconfig(path, &config)?;
        }
    }
    Ok(())
}
