//! One small process per pod: it holds the pod's namespaces, owns its containers' streams, logs and exit codes, and
//! answers on a unix socket, so that no container notices when the agent dies, is upgraded or restarted.
//!
//! Way in: the agent calls [`launch`] and talks through [`ShimClient`] or [`wire`]; the binary calls [`main`] for
//! `starling shim`, before it starts any thread.
//! Owns: the pod's cgroup, its pause process, its containers, and the files that [`nodes_oci::paths`] lists.
//! Never: a decision about restarts, probes or order: that is the agent's. The shim alone decides one thing:
//! when the deadline of an agent that has not come back has passed, the pod dies.
//! Invariants: 1. One thread, so it may fork. 2. Whatever may block or allocate much (libcontainer, removal of
//! files) happens in a forked child; the loop always answers. 3. A client's fault closes that client only.

mod boot;
mod client;
mod clock;
mod helper;
mod launch;
mod logs;
mod pause;
mod pod;
mod runtime;
mod server;
mod state;
pub mod wire;

pub use boot::main;
pub use client::{ClientError, ExecOutput, ShimClient};
pub use launch::{LaunchError, bury, find, launch, prepare};
pub use logs::{LOG_FILES_MAX, LOG_SIZE_MAX};
pub use pod::{PodSpec, RuntimeKind};
pub use state::{PodState, StateError, container_status};
