//! Who is alive: membership and verdicts as a machine, carried by gossip or by a seed.
//!
//! Way in: [`MembershipMachine`].  Never: a clock, a socket, hash order; and never truth: what is
//! true stands in the store, this only says whom to believe alive.
//! The machine decides by its own heartbeats, which go straight over the links. A **carrier**
//! ([`CarrierCommand`], [`CarrierEvent`]) spreads what members say of themselves, and may be as
//! slow as it likes: no verdict waits for it, and none is given because of it. [`SeededCarrier`] is
//! the one for simulations; the one on chitchat is `mesh-gossip`; [`suite`] holds both.

mod carrier;
mod event;
mod info;
mod machine;
mod seeded;
pub mod suite;
#[cfg(test)]
mod tests;
mod timing;
mod view;

pub use carrier::{CarrierCommand, CarrierEvent};
pub use event::{MemberEffect, MemberEvent, MemberMessage, OpinionOf, Standing, Verdict};
pub use info::{Capacity, MemberInfo};
pub use machine::MembershipMachine;
pub use seeded::{Digest, SeededCarrier, SeededEffect, SeededEvent, SeededMessage};
pub use timing::Timing;
pub use view::{LinkChange, LinkEnd, LinkStanding, MemberState, MemberView, Opinion};
