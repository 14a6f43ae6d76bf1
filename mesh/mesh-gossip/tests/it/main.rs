//! The carrier on chitchat against the suite of carriers, and membership over real links.

#![expect(
    clippy::unwrap_used,
    reason = "clippy's exception for tests does not reach the functions that tests share"
)]

mod carriers;
mod cluster;
mod scene;
