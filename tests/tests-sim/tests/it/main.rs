//! Whole clusters under faults, from seeds.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::panic,
    reason = "the tests choose their seeds by the environment and show what they covered"
)]

mod planted;
mod seeds;
