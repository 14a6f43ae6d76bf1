//! Namespaces, nodes, leases, priority classes, controller revisions.
//!
//! Spec: documentation, "namespaces", "nodes", "leases", "pod priority and preemption", "taints and tolerations".

use super::{Errors, Spot, errors::is_same, metadata, pod, text};

/// A Namespace: its finalizers are qualified names.
pub(super) fn validate_namespace(root: &Spot<'_>, out: &mut Errors) {
    for finalizer in root.field("spec").each("finalizers") {
        metadata::validate_finalizer(&finalizer, out);
    }
}

/// A Node.
pub(super) fn validate_node(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    for taint in spec.each("taints") {
        out.check_required(&taint.field("key"), text::qualified_name);
        out.check(&taint.field("value"), text::label_value);
        out.one_of_required(
            &taint.field("effect"),
            &["NoExecute", "NoSchedule", "PreferNoSchedule"],
        );
    }
    let taints = spec.value.at("taints").as_list().unwrap_or_default();
    for (index, taint) in spec.each("taints").enumerate() {
        let is_twin = taints.get(..index).unwrap_or_default().iter().any(|other| {
            ["effect", "key"].iter().all(|name| other.at(name) == taint.value.at(name))
        });
        if is_twin {
            out.duplicate(&taint, taint.value);
        }
    }
    let ranges = spec.field("podCIDRs");
    for range in spec.each("podCIDRs") {
        out.check_required(&range, text::cidr);
    }
    if ranges.len() > 2 {
        out.invalid(&ranges, "holds one range of each family, 2 at most");
    }
    validate_node_status(root, out);
}

/// What a node has: amounts, and addresses that stand once.
pub(super) fn validate_node_status(root: &Spot<'_>, out: &mut Errors) {
    let status = root.field("status");
    for list in ["allocatable", "capacity"] {
        pod::validate_amounts(&status, list, out);
    }
    out.distinct(&status, "addresses");
}

/// The range of addresses and the provider's name of a machine are given once.
pub(super) fn validate_node_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("spec"), old.field("spec"));
    for name in ["podCIDRs", "providerID"] {
        let (new, old) = (new.field(name), old.field(name));
        if !old.is_empty() && !is_same(new.value, old.value) {
            out.forbidden(&new, "is given once and cannot change");
        }
    }
}

/// A Lease.
pub(super) fn validate_lease(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    for (name, min) in [("leaseDurationSeconds", 1), ("leaseTransitions", 0)] {
        out.at_least(&spec.field(name), min);
    }
    let holder = spec.field("holderIdentity");
    if holder.is_set() && holder.is_empty() {
        out.invalid(&holder, "must not be empty");
    }
    out.one_of(&spec.field("strategy"), &["OldestEmulationVersion"]);
    let preferred = spec.field("preferredHolder");
    if !preferred.is_empty() && spec.field("strategy").is_empty() {
        out.forbidden(&preferred, "needs a `strategy` beside it");
    }
}

/// The highest value of a class that a user may create; above it are those of the system.
const PRIORITY_MAX: i64 = 1_000_000_000;
/// The built-in classes and their values.
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// A priority class.
pub(super) fn validate_priority_class(root: &Spot<'_>, out: &mut Errors) {
    let metadata = root.field("metadata");
    let (name, value) = (metadata.field("name"), root.field("value"));
    let system = SYSTEM_CLASSES.iter().find(|(known, _)| *known == name.text());
    match system {
        Some((_, known)) if value.int() == Some(*known) => {}
        Some(_) => out.forbidden(&name, "this class of the system has another value"),
        None if name.text().starts_with("system-") => {
            out.forbidden(&name, "names that begin with system- are the system's own");
        }
        None if value.int().is_some_and(|value| value > PRIORITY_MAX) => {
            out.forbidden(
                &value,
                &format!("must not exceed {PRIORITY_MAX}; higher ones are the system's own"),
            );
        }
        None => {}
    }
    out.one_of(&root.field("preemptionPolicy"), &["Never", "PreemptLowerPriority"]);
}

/// The value and policy of a class never change: pods carry copies of them.
pub(super) fn validate_priority_class_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (value, before) = (new.field("value"), old.field("value"));
    if !is_same(value.value, before.value) {
        out.forbidden(&value, "may not be changed in an update");
    }
    out.immutable(&new.field("preemptionPolicy"), &old.field("preemptionPolicy"));
}

/// A controller revision.
pub(super) fn validate_revision(root: &Spot<'_>, out: &mut Errors) {
    out.at_least(&root.field("revision"), 0);
    if !root.field("data").is_set() {
        out.required(&root.field("data"), "a revision records data");
    }
}

/// What a revision recorded never changes.
pub(super) fn validate_revision_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    out.immutable(&new.field("data"), &old.field("data"));
}

#[cfg(test)]
mod tests;
