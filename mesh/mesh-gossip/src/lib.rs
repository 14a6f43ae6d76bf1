//! Membership carried by chitchat inside the mesh.
//!
//! Way in: [`Membership::new`], then [`Membership::tree`] for the supervisor.

mod membership;

pub use membership::Membership;
/// What is believed of members, as users of this crate name it.
pub use mesh_member::{
    Capacity, LinkEnd, LinkStanding, MemberInfo, MemberState, MemberView, Opinion, Verdict,
};
