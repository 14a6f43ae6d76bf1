//! Production host of actors on ractor and tokio: machines, slabs, services, supervisors, timers.
//!
//! Way in: [`System::run`] with a [`Tree`] of [`Child`]ren.  Never: a process-wide value, an
//! unbounded queue, or a decision: what to restart, park or give up is decided by
//! `actors_core::SupervisorMachine`.
//! Everything that runs belongs to one life of one actor, and an actor's next life begins only when
//! nothing of the last one runs any more.

mod asks;
mod child;
mod clock;
mod dedicated;
mod driver;
mod fault;
mod group;
mod inspect;
mod life;
mod link;
mod mailbox;
mod meter;
mod monitor;
mod observer;
mod part;
mod reference;
mod service;
mod slab;
mod supervisor;
mod system;
mod task;
mod timers;
mod trace;
mod watchdog;

pub use asks::{Answers, AskError, Asks};
pub use child::{Child, Failure, Start, Tree};
pub use clock::{Clock, entropy};
pub use driver::{Driver, Inbox};
pub use fault::Fault;
pub use group::{Group, GroupError, Membership, Published, Subscription};
pub use inspect::Details;
pub use link::Link;
pub use mailbox::{Refusal, TellError};
pub use monitor::{Down, Monitor, Watching};
pub use observer::{
    Crash, DeadLetter, DeadLetters, DeadReason, Node, NodeKind, NodeState, Notice, Notices, Slow,
};
pub use part::{PartError, PartSpec};
pub use reference::{Exact, Ref};
pub use service::{Service, SpawnError};
pub use slab::{EventOf, KeyInbox, KeyRef, Keyed, SlabRef, SlabSpec};
pub use supervisor::{ChildError, SupervisorRef};
pub use system::{OrderError, Root, System};
pub use trace::Trace;
