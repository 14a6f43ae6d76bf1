//! What happens to one pod on its node, decided without I/O: start order, probes, restarts, stop,
//! status.
//!
//! Way in: [`PodMachine`].  Never: a container, a file, a clock; those are effects that the agent's
//! drivers carry out.
//! Where to look: `machine` takes events, `starting` and `stopping` decide what is done next,
//! `probing` runs probes, `resizing` changes resources in place, `restart_backoff` decides how long a
//! container that ended waits, `phase`, `conditions` and `status` say how it is.
//! `fence` decides, for all pods of a node together, until when those with a fence may run.
//! Beside the machine stand the pure functions that turn a pod into what a container sees: `env`,
//! `downward`, `links`.
//! Spec: Kubernetes documentation, "Pod Lifecycle", "Init Containers", "Sidecar Containers",
//! "Probes".

mod conditions;
mod container;
mod downward;
mod echo;
mod effect;
mod env;
mod event;
mod expansion;
mod fence;
mod links;
mod machine;
mod phase;
mod pod_spec;
mod probe_spec;
mod probing;
mod pull_backoff;
mod qos;
mod resizing;
mod restart_backoff;
mod room;
mod starting;
mod status;
mod status_patch;
mod stopping;

pub use downward::{DownwardError, NodeFacts, PodFacts, field_value, resource_value};
pub use effect::{EventKind, PodEffect, Signal};
pub use env::{DataSources, EnvError, Keys, referenced_data, resolve_env};
pub use event::{
    Adopted, AdoptedContainer, AdoptedSandbox, ContainerRef, Exit, HookKind, ImageAnswer, PodEvent,
    ProbeKind, ProbeOutcome, RoomRefusal, StartFailure,
};
pub use expansion::expand;
pub use fence::{FenceEffect, FenceEvent, FenceMachine};
pub use links::service_links;
pub use machine::{PodConfig, PodMachine};
pub use pod_spec::{ContainerRole, ContainerSpec, PodSpec, PullPolicy, RestartPolicy};
pub use probe_spec::{Action, HttpAction, PortRef, ProbeSpec};
pub use qos::{QosClass, qos_class};
pub use restart_backoff::RestartBackoff;
pub use room::room_for;
pub use status_patch::status_patch;
