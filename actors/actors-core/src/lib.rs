//! What an actor is, without any I/O: the shape of a [`Machine`], the time and randomness that are passed into
//! it, addresses, mailbox bounds, child specifications, and supervision as a machine of its own.
//!
//! Way in: [`Machine`].  Never: a clock, a thread, a socket, a file, the environment, or hash order.
//! Every host (dedicated, slab, simulated) runs the same machine unchanged; see `actors-runtime`, `actors-sim`.

mod address;
mod buggify;
mod machine;
mod mailbox;
pub mod ports;
mod rng;
mod spec;
mod supervise;
mod time;

pub use address::{Address, AddressError, Incarnation};
pub use buggify::Buggify;
pub use machine::{Correlation, Effects, Machine, Turn};
pub use mailbox::{MailboxPolicy, WhenFull};
pub use rng::Rng;
pub use spec::{
    AutoShutdown, Backoff, ChildSpec, Intensity, OnLimit, Restart, SpecError, Strategy, TreeSpec,
    Worst,
};
pub use supervise::{
    ExitReason, SupervisorEffect, SupervisorEvent, SupervisorMachine, SupervisorNotice,
};
pub use time::{Mono, Now, Wall};
