//! The pods of this node: their machines, and the drivers of their effects.
//!
//! Way in: [`watch::run`] hears of pods and tells [`slab::PodSlab`]'s machines, whose effects the
//! other modules carry out.

pub(crate) mod actions;
pub(crate) mod cleanup;
pub(crate) mod container;
mod container_spec;
mod environment;
pub(crate) mod etc_files;
pub(crate) mod fences;
mod http;
pub(crate) mod memory;
mod resizing;
mod resources;
pub(crate) mod sandbox;
pub(crate) mod shim;
pub(crate) mod slab;
mod termination;
pub(crate) mod traces;
pub(crate) mod watch;
