//! The gate over three members in one process: real stores, a network that can be cut.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod gates;
mod scene;
