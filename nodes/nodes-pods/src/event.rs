//! What can happen to a pod on its node.
//!
//! Way in: [`PodEvent`].  Never: a handle or a channel; what ends an effect names the life it
//! belongs to.

use std::sync::Arc;

use actors_core::Wall;
use actors_object::Object;
use serde::{Deserialize, Serialize};

/// One event of a pod's life on its node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum PodEvent {
    /// The pod as the API has it now: a new one, a change, a deletion that began, or a shorter
    /// grace period.
    Updated(Arc<Object>),
    /// The pod as an earlier life of the agent wrote it down; no server has said yet that it still
    /// belongs to this node. What runs goes on, restarts included; no sandbox is made.
    Recalled(Arc<Object>),
    /// The pod as a read gave it that began after [`crate::PodEffect::Confirm`].
    Confirmed(Arc<Object>),
    /// The API no longer has this pod: it was deleted by force. What runs of it is stopped at once.
    Vanished,
    /// What an earlier agent left running, or nothing. Until it has come, the machine decides
    /// nothing.
    Adopted(Adopted),
    /// All volumes are mounted.
    VolumesReady,
    /// A volume could not be set up.
    VolumesFailed {
        /// Which and why.
        message: String,
    },
    /// Nothing is mounted any more.
    VolumesGone,
    /// The sandbox stands and has its addresses.
    SandboxReady {
        /// Which of the pod's sandboxes.
        attempt: u32,
        /// The pod's addresses, the primary one first.
        ips: Vec<String>,
    },
    /// The sandbox could not be made.
    SandboxFailed {
        /// Which of the pod's sandboxes.
        attempt: u32,
        /// Why.
        message: String,
    },
    /// The sandbox and everything in it is gone: torn down as asked, or killed from outside.
    SandboxGone {
        /// Which of the pod's sandboxes.
        attempt: u32,
    },
    /// The deadline of the pod's fence passed: its shim killed everything, and the sandbox is gone.
    Fenced {
        /// Which of the pod's sandboxes.
        attempt: u32,
    },
    /// The answer to a look for an image.
    Image {
        /// For which container.
        container: String,
        /// What was found.
        answer: ImageAnswer,
    },
    /// The node's image store changed: whoever waits for an image may look again.
    ImagesChanged,
    /// The answer to a look for room.
    Room {
        /// Why there is none, if so.
        refusal: Option<RoomRefusal>,
    },
    /// Other limits were given, or could not be.
    Resized {
        /// Why not, if so.
        failure: Option<String>,
    },
    /// A container runs.
    Started {
        /// Which life of which container.
        container: ContainerRef,
        /// Its id in the runtime.
        id: String,
    },
    /// A container could not be started.
    Failed {
        /// Which life of which container.
        container: ContainerRef,
        /// At which step.
        failure: StartFailure,
        /// Why.
        message: String,
    },
    /// A container ended.
    Exited {
        /// Which life of which container.
        container: ContainerRef,
        /// Its id in the runtime.
        id: String,
        /// How.
        exit: Exit,
    },
    /// A probe has its result.
    Probed {
        /// Which life of which container.
        container: ContainerRef,
        /// Which of its probes.
        probe: ProbeKind,
        /// The result.
        outcome: ProbeOutcome,
    },
    /// A life-cycle hook ended.
    HookDone {
        /// Which life of which container.
        container: ContainerRef,
        /// Which hook.
        hook: HookKind,
        /// Why it failed, if it did.
        failure: Option<String>,
    },
    /// All proxies have stopped sending new connections to this terminating pod.
    Withdrawn,
    /// The time that [`crate::PodEffect::WakeAt`] named has come.
    Woken,
}

/// One life of one container of the pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerRef {
    /// The container's name.
    pub name: String,
    /// 0 for its first life; the container's restart count while it lasts.
    pub attempt: u32,
}

/// What the image store answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageAnswer {
    /// The image is here.
    Present {
        /// The digest of its configuration or manifest, as the status shows it.
        id: String,
    },
    /// It is not here and not needed: programs are the machine's own.
    Unneeded {
        /// What stands for it in the container's record.
        id: String,
    },
    /// It is not here.
    Missing {
        /// References that are here, so that a typing error shows.
        present: Vec<String>,
    },
    /// The store could not be read.
    Unreadable {
        /// Why.
        message: String,
    },
}

/// Why a node does not grant other resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomRefusal {
    /// It could never have so much.
    Infeasible(String),
    /// Others have it now.
    Deferred(String),
}

/// At which step a container's start failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartFailure {
    /// Something that its configuration names is absent: a ConfigMap, a Secret, a key.
    Config,
    /// The runtime could not make it.
    Create,
    /// Its process could not be started: a missing program, no permission.
    Start,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code; 128 + the signal's number if a signal ended it.
    pub code: i32,
    /// The signal that ended it, or 0.
    pub signal: i32,
    /// Whether the kernel killed it for want of memory.
    pub oom: bool,
    /// When its process was started, if the runtime knows.
    pub started: Option<Wall>,
    /// When it ended.
    pub at: Wall,
    /// The termination message, at most 4,096 bytes.
    pub message: String,
}

/// Which probe of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProbeKind {
    /// Holds the others back until it succeeds once.
    Startup,
    /// Its failure restarts the container.
    Liveness,
    /// Its result says whether the container takes traffic.
    Readiness,
}

/// The result of one run of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeOutcome {
    /// It passed.
    Success,
    /// It did not pass.
    Failure(String),
    /// It could not be run; counts as nothing.
    Unknown(String),
}

/// Which life-cycle hook of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookKind {
    /// Runs once the container was started; until it ends the container is not started for its
    /// neighbours.
    PostStart,
    /// Runs before the container is asked to stop.
    PreStop,
}

/// What an earlier agent left of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Its sandbox, if it stands.
    pub sandbox: Option<AdoptedSandbox>,
    /// Its containers, running or ended.
    pub containers: Vec<AdoptedContainer>,
    /// When the deadline of its fence passed, if it did: the sandbox is gone then.
    pub fenced: Option<Wall>,
}

/// A sandbox that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedSandbox {
    /// Which of the pod's sandboxes.
    pub attempt: u32,
    /// The pod's addresses, the primary one first.
    pub ips: Vec<String>,
}

/// A container in an adopted sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedContainer {
    /// Which life of which container.
    pub container: ContainerRef,
    /// Its id in the runtime.
    pub id: String,
    /// The image reference it was made from.
    pub image: String,
    /// The image's digest.
    pub image_id: String,
    /// When it was started.
    pub started: Wall,
    /// How it ended, if it did.
    pub exit: Option<Exit>,
}
