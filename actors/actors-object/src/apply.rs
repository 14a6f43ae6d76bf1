//! Server-side apply: who owns which fields, and what becomes of an object when its owners disagree.
//!
//! Way in: [`Managers::apply`] for a configuration, [`Managers::update`] for every other write.
//! Owns: [`FieldSet`], its form in `metadata.managedFields`, and the merge.  Never: a kind; what a list's items are
//! told apart by is asked of a [`Place`], and what an object is in another version of [`Versions`].
//! Invariants: 1. A field that two appliers set to the same value has both as owners. 2. A field that its last owner
//! applies no longer is gone; one that others own, or nobody owns, stays. 3. Nothing that another manager owns is
//! changed without `force`.
//! Spec: KEP-555 (server-side apply); Kubernetes documentation, "Server-Side Apply".

mod compare;
mod fields;
mod managers;
mod merge;
mod place;
#[cfg(test)]
mod tests;
mod versions;

pub use fields::{FieldSet, FieldSetError, Step};
pub use managers::{Applied, Conflict, How, Manager, Managers, Operation, Reach};
pub use place::{Deduced, Form, Key, Place};
pub use versions::Versions;
