//! A whole group under virtual time: elections, replication, faults, and what must hold in spite of
//! them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod disk;
mod faults;
mod group;
mod members;
mod world;
