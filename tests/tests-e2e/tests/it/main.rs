//! A user's day with one machine: each test is a scenario against a cluster of its own.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a scenario tells how far it is, and stops where the cluster is not as it must be"
)]

mod bad_input;
mod crashes;
mod debug;
mod disk;
mod faults;
mod joins;
mod kubectl;
mod lifecycle;
mod machines;
mod secrets;
mod storm;
mod strangers;
mod updates;
mod why;
