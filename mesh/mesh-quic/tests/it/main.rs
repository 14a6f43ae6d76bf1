//! The mesh as its users see it: real endpoints on loopback, with certificates made for each test.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod garbage;
mod links;
mod raw;
mod scene;
mod streams;
mod traffic;
mod trust;
