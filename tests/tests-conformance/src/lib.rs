//! Three servers in this process and a client of them: where it is shown what Kubernetes' users may rely on.
//!
//! Way in: [`door::Door::open`]; the tests are in `tests/it`, those that no other may run beside in `tests/alone`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod client;
pub mod door;
mod hollow;
pub mod objects;
pub mod servers;
