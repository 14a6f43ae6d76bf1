//! The only crate with unsafe code: each use with its reason.
