//! The pause process: a child without capabilities that holds the pod's namespaces.
//!
//! Way in: [`start`].  It needs no image and no program: it is a fork of the shim that waits for ever.

use std::fs;

use nix::{
    sched::{CloneFlags, unshare},
    unistd::sethostname,
};
use nodes_sys::Forked;

use crate::{
    helper::{Helper, Outcome},
    pod::PodSpec,
};

/// Makes the pod's namespaces and returns the pid of the process in them.
///
/// # Errors
/// For people: which step failed.
pub(crate) fn start(pod: &PodSpec) -> Outcome {
    Helper::start(|| make(pod))?.wait()
}

fn make(pod: &PodSpec) -> Outcome {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |errno: nix::Error| format!("cannot {what}: {errno}")
    };
    let mut flags = CloneFlags::empty();
    if !pod.host_network {
        flags |= CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS;
    }
    if !pod.host_ipc {
        flags |= CloneFlags::CLONE_NEWIPC;
    }
    if pod.share_processes {
        flags |= CloneFlags::CLONE_NEWPID;
    }
    unshare(flags).map_err(failed("make the pod's namespaces"))?;
    if !pod.host_network {
        nodes_sys::bring_loopback_up().map_err(failed("bring the loopback interface up"))?;
        if !pod.hostname.is_empty() {
            sethostname(&pod.hostname).map_err(failed("set the host name"))?;
        }
    }
    for (name, value) in &pod.sysctls {
        set_sysctl(pod, name, value)?;
    }
    // A pid namespace begins with the next child; the others have begun.
    match nodes_sys::fork().map_err(failed("fork the pause process"))? {
        Forked::Child => nodes_sys::become_pause(),
        Forked::Parent(pid) => Ok(pid.as_raw()),
    }
}

/// Sets a kernel parameter of the namespaces that this process has just entered; never one of the machine.
///
/// Spec: <https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/>, "namespaced sysctls".
fn set_sysctl(pod: &PodSpec, name: &str, value: &str) -> Result<(), String> {
    let is_network = name.starts_with("net.") && !pod.host_network;
    let ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."];
    let is_ipc = name == "kernel.sem" || ipc.iter().any(|prefix| name.starts_with(prefix));
    let is_plain = !name.contains('/') && !name.contains("..");
    if !is_plain || !(is_network || is_ipc && !pod.host_ipc) {
        return Err(format!("sysctl {name} does not belong to a namespace of the pod"));
    }
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::write(path, value)
        .map_err(|error| format!("cannot set sysctl {name} to {value:?}: {error}"))
}
