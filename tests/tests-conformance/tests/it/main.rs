//! What Kubernetes' users may rely on: held against what was recorded of Kubernetes itself, and asked of a server.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod chunking;
mod credentials;
mod discovery;
mod disruption;
mod endpoints;
mod everywhere;
mod flow_control;
mod forms;
mod garbage;
mod golden;
mod kubectl;
mod limits;
mod nodes;
mod objects;
mod observed;
mod policies;
mod quotas;
mod replication;
mod reviews;
mod rows;
mod rules;
mod runtime_classes;
mod volumes;
mod watches;

use tests_conformance::door;
