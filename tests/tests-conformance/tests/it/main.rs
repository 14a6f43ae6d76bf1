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
mod door;
mod forms;
mod garbage;
mod golden;
mod objects;
mod observed;
mod policies;
mod rows;
mod rules;
mod watches;
