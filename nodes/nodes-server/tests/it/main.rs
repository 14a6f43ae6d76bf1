//! The gate over three members in one process: real stores, a network that can be cut; and a whole server behind its
//! sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod certificate;
mod edge;
mod flow_control;
mod gates;
mod hostile;
mod reads;
mod scene;
