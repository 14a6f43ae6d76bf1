//! Containers with namespaces, cgroups and images of their own, by libcontainer.

use std::fs;

use nix::sys::signal::Signal;
use nodes_oci::{
    ContainerSpec, ExecSpec, Sandbox,
    cgroup::Hierarchies,
    chain,
    container::{self, Stdio},
    paths::PodPaths,
};

use super::Runtime;
use crate::{helper::Outcome, pod::PodSpec};

/// The containers of one pod.
#[derive(Debug)]
pub(super) struct Oci {
    paths: PodPaths,
    sandbox: Sandbox,
    hierarchies: Hierarchies,
}

/// A killed process is gone in microseconds unless the kernel waits for a device.
const KILL_TIMEOUT_MS: u16 = 5_000;

impl Oci {
    pub(super) fn open(pod: &PodSpec, pause_pid: i32) -> Result<Self, String> {
        let hierarchies = Hierarchies::discover().map_err(|error| chain(&error))?;
        let sandbox = Sandbox {
            pause_pid,
            cgroup: pod.cgroup.clone(),
            share_processes: pod.share_processes,
            host_network: pod.host_network,
            host_pid: pod.host_pid,
            host_ipc: pod.host_ipc,
        };
        Ok(Self { paths: pod.paths(), sandbox, hierarchies })
    }

    fn group(&self, id: &str) -> String {
        format!("{}/{id}", self.sandbox.cgroup)
    }
}

impl Runtime for Oci {
    fn create(&self, spec: &ContainerSpec, stdio: Stdio) -> Outcome {
        let created = container::create(&self.paths, &self.sandbox, spec, stdio);
        created.map_err(|error| chain(&error))
    }

    fn start(&self, id: &str) -> Result<(), String> {
        container::start(&self.paths, id).map_err(|error| chain(&error))
    }

    fn exec(&self, spec: &ExecSpec, number: u64, stdio: Stdio) -> Outcome {
        container::exec(&self.paths, spec, number, stdio).map_err(|error| chain(&error))
    }

    fn signal_all(&self, id: &str, _pid: i32, signal: Signal) {
        self.hierarchies.signal(&self.group(id), signal);
    }

    fn kill_pod(&self) {
        self.hierarchies.kill_now(&self.sandbox.cgroup);
    }

    fn is_oom_killed(&self, id: &str) -> bool {
        self.hierarchies.oom_kills(&self.group(id)) > 0
    }

    fn remove(&self, id: &str) -> Outcome {
        let removed = container::remove(&self.paths, &self.sandbox.cgroup, id);
        removed.map(|()| 0).map_err(|error| chain(&error))
    }

    fn remove_pod(&self) -> Outcome {
        let group = &self.sandbox.cgroup;
        self.hierarchies
            .kill(group, KILL_TIMEOUT_MS)
            .and_then(|()| self.hierarchies.remove(group))
            .map_err(|error| chain(&error))?;
        for directory in [self.paths.oci(), self.paths.run().join("bundles"), self.paths.shm()] {
            if directory.exists() {
                fs::remove_dir_all(&directory)
                    .map_err(|error| format!("cannot remove {}: {error}", directory.display()))?;
            }
        }
        Ok(0)
    }
}
