//! The cluster's certificates and keys: its authority, the leaves it issues, service-account tokens, kubeconfigs;
//! and what machines that join say and are told.
//!
//! Way in: [`Pki::open_or_create`] for a server, [`NodeKeys::open`] for any machine of a mesh, [`JoinRequest`] and
//! [`JoinAnswer`] for joining.  Owns: the folder `pki` of a data directory.
//! Never: a clock (the caller passes the time) or a socket.

mod authority;
mod bootstrap_token;
mod files;
mod join;
mod kubeconfig;
mod leaf_files;
mod node;
mod requests;
mod subject;
mod tokens;

pub use authority::{Authority, AuthorityError, Leaf, LeafRequest, Usage};
pub use bootstrap_token::{
    BootstrapToken, TokenFacts, TokenOptions, TokenRefusal, TokenUse, revocation_patch,
};
pub use files::{Pki, PkiError};
pub use join::{ClusterFacts, JoinAnswer, JoinPeer, JoinRequest, SharedKeys};
pub use kubeconfig::Kubeconfig;
pub use node::{NodeKey, NodeKeys, NodeRole, NodeSubject, authority_hash, seconds_left, serial_of};
pub use requests::RequestOrder;
pub use subject::{Subject, subject_of};
pub use tokens::{Claims, TokenError, TokenKey};
