//! Membership carried by chitchat inside the mesh.
//!
//! Way in: [`Membership::new`], then [`Membership::tree`] for the supervisor.  Owns: the machine of
//! membership of this process, its carrier, the file of known peers.  Never: a decision about who
//! is alive; that is the machine's (`mesh-member`).
//!
//! **Two ways for two things.** Who is alive is decided by the machine's own heartbeats, one a
//! second to each listener, straight over the control lane: chitchat's detector would need rounds
//! of 200 ms for the same three seconds (measured: 3.0 s at the median, and about nine messages a
//! round and member), an idle cluster would do little else. What members say of themselves is
//! spread by chitchat in slow rounds ([`GossipSettings::round`]), and at once where it matters:
//! when a link comes up, both ends exchange what they know, and so does whoever knows a voter by
//! name alone, with others that it hears.
//!
//! **chitchat inside the mesh.** Its messages travel as frames of authenticated peers, never as
//! datagrams of anyone. Its encoder is private, so that a pair of sockets on the loopback interface
//! encodes and decodes for us (`codec`). Digests are V1; known members stay below 256, far from
//! where it panics (about 2,000); it is supervised all the same. Dead entries go after 10 minutes.

mod book;
mod carrier;
mod codec;
mod driver;
mod letters;
mod links;
mod membership;
mod names;
mod shared;
mod socket;

pub use carrier::{ChitchatCarrier, GossipSettings, Wire};
pub use membership::Membership;
/// What is believed of members, as users of this crate name it.
pub use mesh_member::{
    Capacity, LinkEnd, LinkStanding, MemberInfo, MemberState, MemberView, Opinion, Verdict,
};
