//! The door, streams and Raft between real endpoints on loopback.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod actors;
mod certificates;
mod doors;
mod scene;
mod spans;
mod store;
mod streams;
