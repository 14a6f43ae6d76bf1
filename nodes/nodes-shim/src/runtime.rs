//! The door to what runs containers: libcontainer, or the machine itself.
//!
//! Way in: [`Runtime`].  [`Runtime::create`], [`Runtime::exec`], [`Runtime::remove`] and
//! [`Runtime::remove_pod`] are called in a helper process; the rest in the shim, where nothing may block.

mod oci;
mod process;

use nix::sys::signal::Signal;
use nodes_oci::{ContainerSpec, ExecSpec, container::Stdio};

use crate::{
    helper::Outcome,
    pod::{PodSpec, RuntimeKind},
};

/// Runs containers of one pod. Errors are texts for people: they travel to the agent.
pub(crate) trait Runtime {
    /// Puts a container together; the pid of its first process, which waits.
    fn create(&self, spec: &ContainerSpec, stdio: Stdio) -> Outcome;
    /// Lets the first process run its program.
    fn start(&self, id: &str) -> Result<(), String>;
    /// One more process; its pid.
    fn exec(&self, spec: &ExecSpec, number: u64, stdio: Stdio) -> Outcome;
    /// Sends a signal to all processes of a container, whose first one is `pid`.
    fn signal_all(&self, id: &str, pid: i32, signal: Signal);
    /// Kills all that the pod has, at once and for good; no waiting.
    fn kill_pod(&self);
    /// Whether the kernel has killed one of its processes for lack of memory.
    fn is_oom_killed(&self, id: &str) -> bool;
    /// Removes all that a container has, its processes included.
    fn remove(&self, id: &str) -> Outcome;
    /// Removes all that the pod has but its containers' data.
    fn remove_pod(&self) -> Outcome;
}

/// The runtime that a pod asks for; `pause_pid` is the process that holds its namespaces.
pub(crate) fn open(pod: &PodSpec, pause_pid: Option<i32>) -> Result<Box<dyn Runtime>, String> {
    match pod.runtime {
        RuntimeKind::Oci => Ok(Box::new(oci::Oci::open(pod, pause_pid.unwrap_or(0))?)),
        RuntimeKind::Process => Ok(Box::new(process::Processes::open(pod))),
    }
}
