//! Writes: from a request to operations at the revisions that were read.
//!
//! Way in: [`create`], [`update`], [`patch`], [`delete`], [`delete_collection`]; subresources use
//! [`replace`].
//! Order: decode or patch, default, admit, default, strategy, allocate, validate, compare, seal.
//! Spec: Kubernetes API conventions, "Concurrency control and consistency".

mod allocate;
mod change;
mod cidr;
mod collection;
mod create;
mod delete;
mod draft;
mod encode;
mod ownership;
mod patch;
mod splices;

pub(crate) use change::{Change, Scope, replace, update};
pub use cidr::Cidr;
pub(crate) use collection::delete_collection;
pub(crate) use create::create;
pub(crate) use delete::{DeleteOptions, delete, delete_item};
pub(crate) use draft::{Answer, Draft, Settled};
pub(crate) use patch::{patch, patched};
