//! What the cluster adds to objects, and which it does not let in.
//!
//! Way in: [`check_namespace`], [`mutate_new`], [`mutate_changed`]; for what is valid,
//! [`check_new`], [`check_changed`], and last of all [`quota::charges`].
//! Spec: Kubernetes documentation, "Admission Control in Kubernetes": NamespaceLifecycle,
//! LimitRanger, ServiceAccount, DefaultTolerationSeconds, Priority, RuntimeClass, NodeRestriction,
//! CertificateApproval, CertificateSigning, CertificateSubjectRestriction, ResourceQuota.

pub(crate) mod certificates;
mod limits;
mod node;
mod priority;
pub(crate) mod quota;
mod runtime_class;
mod service_account;
mod tolerations;

use actors_object::{ApiError, GroupResource, Object};
pub(crate) use node::{check_node, check_node_change, check_node_create};
pub(crate) use service_account::TOKEN_SECONDS;
use store_mvcc::Key;

use crate::visit::Visit;

/// NamespaceLifecycle: nothing is created in a namespace that is not there, or is going away.
pub(crate) fn check_namespace(visit: &Visit<'_>, object: &Object) -> Result<(), ApiError> {
    let namespace = object.namespace();
    if !visit.kind.namespaced || namespace.is_empty() {
        return Ok(());
    }
    let found = visit.snapshot.get(&Key::object("", "namespaces", None, namespace));
    let Some(found) = found else {
        return Err(ApiError::not_found(&GroupResource::new("", "namespaces"), namespace));
    };
    if !found.object().is_terminating() {
        return Ok(());
    }
    // The words that clients look for.
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let name = if object.name().is_empty() { object.generate_name() } else { object.name() };
    Err(ApiError::forbidden(&visit.resource(), name, why).with_cause(
        "NamespaceTerminating",
        format!("namespace {namespace} is being terminated"),
        "metadata.namespace",
    ))
}

/// What is added to a new object.
pub(crate) fn mutate_new(visit: &mut Visit<'_>, object: &mut Object) -> Result<(), ApiError> {
    if visit.kind.is("certificates.k8s.io", "CertificateSigningRequest") {
        return certificates::begin(visit, object);
    }
    if !visit.kind.is("", "Pod") {
        return Ok(());
    }
    limits::fill_in(visit, object);
    service_account::admit(visit, object)?;
    priority::admit(visit, object)?;
    tolerations::admit(object);
    runtime_class::admit(visit, object)
}

/// Whether a new object, as it would be, is let in.
pub(crate) fn check_new(visit: &Visit<'_>, object: &Object) -> Result<(), ApiError> {
    limits::check(visit, object)
}

/// Whether an object may become this: one that asks for another amount than before keeps to the
/// bounds of its namespace.
pub(crate) fn check_changed(
    visit: &Visit<'_>,
    (new, old): (&Object, &Object),
) -> Result<(), ApiError> {
    let is_resize = visit.sub.is_some_and(|sub| sub.name == "resize");
    let of_claim = |claim: &Object| claim.spec().at("resources").clone();
    let is_claim = visit.sub.is_none() && visit.kind.is("", "PersistentVolumeClaim");
    match is_resize || (is_claim && of_claim(new) != of_claim(old)) {
        true => limits::check(visit, new),
        false => Ok(()),
    }
}

/// What is added to a changed object.
pub(crate) fn mutate_changed(
    visit: &mut Visit<'_>,
    new: &mut Object,
    old: &Object,
) -> Result<(), ApiError> {
    if !visit.kind.is("", "Pod") {
        return Ok(());
    }
    // A client that sends its own manifest again leaves out what was added to it the first time.
    priority::keep(new, old);
    tolerations::admit(new);
    Ok(())
}
