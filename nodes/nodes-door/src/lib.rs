//! A request's way to a transaction: authorization, decoding, defaulting, admission, validation,
//! allocation, sealing; and reads from the local replica.
//!
//! Way in: [`Door::decide`], [`Door::settle`], [`Door::watch`].  Owns: nothing but its
//! configuration.
//! Never: a clock, a socket, or a write that does not pass here.
//! Time and order: a decision is made on one snapshot and proposed at the revisions that it read;
//! when they moved, it is made again from the request, unless the client had named a revision.
//! Spec: Kubernetes documentation, "Controlling Access to the Kubernetes API".

mod admission;
mod authz;
mod bootstrap;
mod bootstrap_token;
mod decode;
mod door;
mod lens;
mod read;
mod request;
mod response;
mod review;
mod seal;
mod sub;
mod token;
mod visit;
mod watch;
mod write;

pub use authz::Impersonation;
pub use bootstrap::{Repair, bootstrap_objects, controller_roles, repair};
pub use bootstrap_token::bootstrap_identity;
pub use door::{Cidr, Door, DoorConfig, Pending, Step};
pub use request::{
    Body, FieldValidation, Identity, Media, Options, PatchKind, Request, Target, Verb,
};
pub use response::{Entry, List, Response, ResponseBody, WatchEvent};
pub use review::TokenQuestion;
pub use seal::{SealError, Sealer};
pub use token::{TokenTicket, token_identity};
pub use watch::{WatchPlan, WatchStart};

#[cfg(test)]
mod tests;
