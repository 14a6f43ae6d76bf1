//! The object tree and everything about it that no kind changes: its encodings, metadata, names,
//! quantities, selectors, patches, and the errors in which refusals are told.
//!
//! Way in: [`Value`], [`Object`], [`ApiError`].  Never: knowledge of a single kind (see
//! `actors-kinds`).

pub mod apply;
mod error;
mod field_error;
mod gvk;
pub mod hash;
mod intstr;
pub mod json;
mod name;
pub mod names;
mod object;
pub mod patch;
mod path;
pub mod quantity;
pub mod selector;
pub mod span;
pub mod timefmt;
pub mod uid;
mod value;
pub mod yaml;

pub use error::{ApiError, Cause, Details, Reason};
pub use field_error::{FieldError, FieldErrorKind};
pub use gvk::{GroupKind, GroupResource, Gvk, Gvr, join_api_version, split_api_version};
pub use intstr::{IntOrPercent, Round};
pub use name::Name;
pub use object::{Object, OwnerRef};
pub use path::FieldPath;
pub use quantity::Quantity;
pub use selector::{FieldSelector, LabelSelector, LabelSet};
pub use value::{Map, Value};
