//! What a pod's machine wants done on its node.
//!
//! Way in: [`PodEffect`].  Invariant: an effect that is in flight is not asked for again before its
//! end came back.

use std::time::Duration;

use actors_core::Mono;
use actors_object::Value;
use serde::{Deserialize, Serialize};

use crate::{
    event::{ContainerRef, HookKind, ProbeKind},
    pod_spec::PullPolicy,
    probe_spec::Action,
};

/// One thing to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum PodEffect {
    /// Mount all volumes and keep them up to date. Ends with `VolumesReady` or `VolumesFailed`; may
    /// be repeated.
    SetUpVolumes,
    /// Unmount all volumes. Ends with `VolumesGone`.
    TearDownVolumes,
    /// Make the sandbox: namespaces, network, `/etc/hosts`. Ends with `SandboxReady` or
    /// `SandboxFailed`.
    CreateSandbox {
        /// Which of the pod's sandboxes.
        attempt: u32,
    },
    /// Remove the sandbox and all that is in it. Ends with `SandboxGone`.
    TearDownSandbox {
        /// Which of the pod's sandboxes.
        attempt: u32,
    },
    /// Look for an image. Ends with `Image`.
    CheckImage {
        /// For which container.
        container: String,
        /// The reference as the pod has it.
        image: String,
        /// What to do if it is not here.
        policy: PullPolicy,
    },
    /// Make and start a container. Ends with `Started` or `Failed`, later with `Exited`.
    StartContainer {
        /// Which life of which container.
        container: ContainerRef,
        /// The image's digest.
        image_id: String,
        /// The resources that it gets: what the node has granted, which may lag behind its specification.
        resources: Value,
        /// The life of the container whose processes it sees, if it is there to look at one.
        target: Option<ContainerRef>,
    },
    /// Look whether the node has room for other resources. Ends with `Room`.
    CheckRoom {
        /// What each container of the pod that counts would have, by name.
        wanted: Vec<(String, Value)>,
    },
    /// Give the pod's group, and the containers that run, other limits. Ends with `Resized`; may be repeated.
    Resize {
        /// What each container of the pod that counts is granted, by name.
        granted: Vec<(String, Value)>,
        /// Which lives are to have it now.
        containers: Vec<ContainerRef>,
    },
    /// Send a signal to a container's first process (SIGKILL: to all of its processes).
    Signal {
        /// Which life of which container.
        container: ContainerRef,
        /// Which signal.
        signal: Signal,
    },
    /// Run a probe once. Ends with `Probed`.
    RunProbe {
        /// Which life of which container.
        container: ContainerRef,
        /// Which of its probes.
        probe: ProbeKind,
        /// What to do.
        action: Action,
        /// A longer run is a failure.
        timeout: Duration,
    },
    /// Run a life-cycle hook. Ends with `HookDone`.
    RunHook {
        /// Which life of which container.
        container: ContainerRef,
        /// Which hook.
        hook: HookKind,
        /// What to do.
        action: Action,
        /// It is given up after this time.
        timeout: Duration,
    },
    /// Deliver `Woken` at this time. A later `WakeAt` replaces it.
    WakeAt(Mono),
    /// Write the pod's status: the whole of it, but for conditions of others.
    ReportStatus(Value),
    /// Record an event about the pod.
    Event {
        /// Normal or Warning.
        kind: EventKind,
        /// Kubernetes' word for it.
        reason: String,
        /// One sentence for people.
        message: String,
        /// The part of the pod that is meant, or nothing for the whole pod.
        field_path: Option<String>,
    },
    /// Ask a server, by a read that begins now and that a quorum confirms, whether the pod still
    /// belongs to this node. Ends with `Confirmed` or `Vanished`, however long that takes.
    Confirm,
    /// Nothing of the pod is left on the node: remove its logs, and its object by a DELETE with
    /// grace period 0.
    FinalizeDelete,
}

/// How serious an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// All is well.
    Normal,
    /// Someone may have to act.
    Warning,
}

impl EventKind {
    /// Kubernetes' word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// A signal to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// Please stop: the image's stop signal, SIGTERM if it has none.
    Stop,
    /// SIGKILL.
    Kill,
}
