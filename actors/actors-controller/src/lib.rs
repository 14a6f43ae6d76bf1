//! The SDK of controllers: what a controller is ([`Controller`]), what it sees ([`World`]), what it
//! wants ([`Plan`]), the machine that runs it ([`ControllerHost`]), and the kit that tests it
//! ([`testing::Scene`]).
//!
//! Way in: [`Controller`].  Never: a client, a clock, a store, or memory in a controller.

mod controller;
mod digest;
mod host;
mod kind;
mod plan;
mod record;
pub mod testing;
mod verdict;
mod world;

pub use controller::{
    Access, Change, Controller, Kinds, MapKeys, Primary, Relations, Write, WriteVerb,
};
pub use host::{
    Cause, ControllerHost, HostEffect, HostEvent, HostLimits, HostNotice, Trace, TraceRing,
};
pub use kind::{Key, Kind, Target};
pub use plan::{
    EventType, Happening, Item, Plan, Propagation, Rejection, changes_nothing, merge_diff,
};
pub use record::{EVENT, event_item};
pub use verdict::{Refusal, Verdict};
pub use world::{Read, Recorded, ServedKind, World};
