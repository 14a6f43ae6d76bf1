//! The cluster's certificates and keys: its authority, the leaves it issues, service-account tokens, kubeconfigs.
//!
//! Way in: [`Pki::open_or_create`].  Owns: the folder `pki` of a data directory.
//! Never: a clock (the caller passes the time) or a socket.

mod authority;
mod files;
mod kubeconfig;
mod subject;
mod tokens;

pub use authority::{Authority, AuthorityError, Leaf, LeafRequest, Usage};
pub use files::{Pki, PkiError};
pub use kubeconfig::Kubeconfig;
pub use subject::{Subject, subject_of};
pub use tokens::{Claims, TokenError, TokenKey};
