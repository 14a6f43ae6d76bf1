//! Kinds and groups that are not built in: definitions of resources, and API servers behind this one.
//!
//! Spec: documentation, "custom resources", "versions in custom resource definitions", "aggregation layer"; API
//! reference of apiextensions.k8s.io/v1 and apiregistration.k8s.io/v1.

mod api_service;
mod definition;

use super::Rules;

/// The rules of both kinds.
pub(super) const RULES: &[Rules] = &[api_service::RULES, definition::RULES];
