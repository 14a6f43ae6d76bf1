//! What a request costs its namespace's quotas, as operations beside the object's own.
//!
//! Way in: [`operations`].  Order: the last thing before a proposal, so that only what would be
//! written is charged.

use actors_object::{ApiError, Object};
use store_mvcc::Op;

use super::encode;
use crate::{admission::quota, visit::Visit};

/// The operations that charge the quotas for a new object, or for what a change adds to `old`.
pub(super) fn operations(
    visit: &mut Visit<'_>,
    old: Option<&Object>,
    new: &Object,
) -> Result<Vec<Op>, ApiError> {
    let charges = quota::charges(visit, old, new)?;
    if charges.is_empty() {
        return Ok(Vec::new());
    }
    let kind = visit.door.registry.resource("", "v1", "resourcequotas");
    let kind = kind.ok_or_else(ApiError::no_such_resource)?;
    let mut operations = Vec::with_capacity(charges.len());
    for charge in charges {
        let mut encoded = encode::encode_as(visit, kind, charge.quota)?;
        operations.push(encode::change(&mut encoded, &charge.item, visit)?);
    }
    Ok(operations)
}
