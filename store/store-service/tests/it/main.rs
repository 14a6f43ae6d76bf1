//! The store as its users see it: on real disks, with real actors, while parts of it fail.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod broken;
mod cluster;
mod faults;
mod joins;
mod kill;
mod one;
mod replicas;
mod server;
mod three;
mod watches;
