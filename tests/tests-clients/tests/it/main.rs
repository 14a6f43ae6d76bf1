//! Stock clients at work while servers are lost.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a scenario tells how far it is, and stops where the cluster is not as it must be"
)]

mod helm;
mod kubectl;
mod loss;
mod moves;
mod text;
mod tools;
