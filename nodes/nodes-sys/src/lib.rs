//! The only crate with unsafe code: the kernel calls that `nix` does not offer safely, each with its reason.
//!
//! Way in: [`fork`], [`PidFd`], [`become_pause`].  Owns: nothing.  Never: a decision, or an unsafe function in
//! the public surface: what a caller could get wrong is checked here and refused with an error number.

mod capability;
mod fds;
mod fork;
mod memory;
mod net;
mod pidfd;
mod xattr;

pub use capability::drop_all_capabilities;
pub use fds::{close_other_fds, receive_fd, set_terminal_size};
pub use fork::{Forked, Reaped, become_pause, exit_now, fork, ignore_hangup, reap, reset_signals};
pub use memory::{forget_program_pages, trim_heap};
pub use net::bring_loopback_up;
pub use pidfd::PidFd;
pub use xattr::{mark_opaque, set_capability_attribute};

#[cfg(test)]
mod tests;
