//! Writes: from a request to operations at the revisions that were read.
//!
//! Way in: [`create`], [`update`], [`patch`], [`delete`], [`delete_collection`]; subresources use
//! [`replace`].
//! Order: decode or patch, default, admit, default, strategy, allocate, validate, check, compare,
//! charge, seal.
//! Spec: Kubernetes API conventions, "Concurrency control and consistency".

mod allocate;
mod change;
mod charge;
mod checks;
mod cidr;
mod collection;
mod create;
mod delete;
mod draft;
mod encode;
mod ownership;
mod patch;
mod splices;

use actors_kinds::KindFacts;
use actors_object::{ApiError, Object};
use store_catalog::Item;
use store_mvcc::Op;

use crate::visit::Visit;

pub(crate) use change::{Change, Scope, replace, update};
pub use cidr::Cidr;
pub(crate) use collection::delete_collection;
pub(crate) use create::create;
pub(crate) use delete::{DeleteOptions, delete, delete_item};
pub(crate) use draft::{Answer, Draft, Settled};
pub(crate) use ownership::applied_part;
pub(crate) use patch::{patch, patched};

/// The operation that writes an object of another kind in the same entry as the request's own.
pub(crate) fn beside(
    visit: &mut Visit<'_>,
    kind: &KindFacts,
    (object, item): (Object, &Item),
) -> Result<Op, ApiError> {
    let mut encoded = encode::encode_as(visit, kind, object)?;
    encode::change(&mut encoded, item, visit)
}
