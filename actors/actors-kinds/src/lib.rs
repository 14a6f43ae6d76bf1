//! Kubernetes' kinds: fact tables, defaulting, validation, columns, strategies.
//!
//! Way in: [`Registry::builtin`].  Owns: what is known about kinds, as values and pure functions.
//! Never: a clock, randomness, another object than the one in hand; descriptions, which are no facts.
//! A kind that has no rules of its own is one line of `tables/served.txt`, or one row given to
//! [`Registry::with_rows`]; a kind with rules adds a row to the table of `validate`, `defaults` or `columns`.

pub mod amounts;
pub mod certificates;
pub mod columns;
mod complete;
pub mod conform;
pub mod convert;
pub mod defaults;
pub mod discovery;
pub mod facts;
mod fields;
pub mod openapi;
mod order;
mod part;
mod patch;
mod place;
pub mod protobuf;
pub mod quotas;
pub mod rbac;
mod registry;
pub mod validate;

pub use columns::{ColumnDefinition, column_definitions, columns};
pub use complete::complete_new;
pub use conform::{FieldReport, Mismatch};
pub use defaults::{default_object, initial_status, qos_class};
pub use fields::{is_selectable, selectable_fields};
pub use part::{part_alone, pod_with_part};
pub use patch::KindSchema;
pub use place::KindPlace;
pub use registry::{KindFacts, Registry, Strategy, Subresource};
pub use validate::{validate_body, validate_create, validate_status_update, validate_update};

#[cfg(test)]
mod tests;
