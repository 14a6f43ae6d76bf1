//! What of a pod may change once it exists: very little.
//!
//! Spec: documentation, "pods", "pod update and replacement"; KEP-3521 (scheduling gates).

use actors_object::Value;

use crate::validate::{Errors, Spot, is_same};

/// The fields of a pod's spec that are compared by rules of their own.
const MUTABLE: [&str; 7] = [
    "activeDeadlineSeconds",
    "containers",
    "initContainers",
    "nodeSelector",
    "schedulingGates",
    "terminationGracePeriodSeconds",
    "tolerations",
];

/// A change of a pod through the pod itself.
pub(in crate::validate) fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("spec"), old.field("spec"));
    for list in ["containers", "initContainers"] {
        validate_containers(list, &new, &old, out);
    }
    validate_deadline(&new, &old, out);
    validate_grace(&new, &old, out);
    validate_tolerations(&new, &old, out);
    let gated = !old.field("schedulingGates").is_empty();
    validate_gates(&new, &old, out);
    if gated {
        validate_narrowing(&new, &old, out);
    } else {
        out.immutable(&new.field("nodeSelector"), &old.field("nodeSelector"));
    }
    let changed = changed_fields(new.value, old.value)
        .into_iter()
        .filter(|name| !MUTABLE.contains(&name.as_str()) && (!gated || name != "affinity"));
    for name in changed {
        out.forbidden(
            &new.field(&name),
            "pod updates may only change images of containers, `activeDeadlineSeconds`, scheduling gates, and add \
             tolerations",
        );
    }
}

/// The names of the fields that differ.
fn changed_fields(new: &Value, old: &Value) -> Vec<String> {
    let keys = |value: &Value| -> Vec<String> {
        value.as_map().into_iter().flat_map(|map| map.keys()).map(ToString::to_string).collect()
    };
    let mut names = [keys(new), keys(old)].concat();
    names.sort();
    names.dedup();
    names.retain(|name| !is_same(new.at(name), old.at(name)));
    names
}

/// Containers stay as they are, but for their image.
fn validate_containers(list: &str, new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let before = old.value.at(list).as_list().unwrap_or_default();
    if new.field(list).len() != before.len() {
        out.forbidden(&new.field(list), "containers of a pod cannot be added or removed");
        return;
    }
    for (container, before) in new.each(list).zip(before) {
        for name in changed_fields(container.value, before) {
            if name != "image" {
                out.forbidden(
                    &container.field(&name),
                    "of a pod's container only the image can change",
                );
            }
        }
    }
}

/// A deadline can be set once, and then only shortened.
fn validate_deadline(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("activeDeadlineSeconds"), old.field("activeDeadlineSeconds"));
    match (new.int(), old.int()) {
        (Some(new_seconds), Some(old_seconds)) if new_seconds > old_seconds => {
            out.invalid(&new, "a deadline can only be shortened");
        }
        (None, Some(_)) => out.invalid(&new, "a deadline cannot be taken away"),
        _ => {}
    }
}

/// A negative grace period, which only old clients could write, can be set to one second.
fn validate_grace(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let name = "terminationGracePeriodSeconds";
    let (new, old) = (new.field(name), old.field(name));
    let is_repair = old.int().is_some_and(|seconds| seconds < 0) && new.int() == Some(1);
    if !is_repair {
        out.immutable(&new, &old);
    }
}

/// Tolerations are only added; one that exists may change how long it tolerates.
fn validate_tolerations(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let without_time = |toleration: &Value| {
        let mut copy = toleration.clone();
        copy.remove_path(&["tolerationSeconds"]);
        copy
    };
    let after: Vec<Value> = new
        .value
        .at("tolerations")
        .as_list()
        .unwrap_or_default()
        .iter()
        .map(without_time)
        .collect();
    let before = old.value.at("tolerations").as_list().unwrap_or_default();
    if before.iter().any(|toleration| !after.contains(&without_time(toleration))) {
        out.forbidden(
            &new.field("tolerations"),
            "tolerations may be added; of those there are, only tolerationSeconds may change",
        );
    }
}

/// While it is gated, a pod's choice of nodes may become narrower. Spec: KEP-3838.
fn validate_narrowing(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (labels, before) = (new.field("nodeSelector"), old.field("nodeSelector"));
    let mut known = before.value.as_map().into_iter().flat_map(|map| map.iter());
    if known.any(|(key, value)| labels.value.at(key) != value) {
        out.invalid(&labels, "labels can only be added while there are scheduling gates");
    }
    let affinity = new.field("affinity");
    for name in ["podAffinity", "podAntiAffinity"] {
        if !is_same(affinity.value.at(name), old.value.at("affinity").at(name)) {
            out.forbidden(&affinity.field(name), "only the nodeAffinity can change");
        }
    }
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let terms = |spec: &Spot<'_>| {
        let path = ["affinity", "nodeAffinity", REQUIRED, "nodeSelectorTerms"];
        spec.value.path(&path).and_then(|terms| terms.as_list()).unwrap_or_default().to_vec()
    };
    let (after, was) = (terms(new), terms(old));
    if was.is_empty() {
        return;
    }
    // Terms are alternatives: another one would widen the choice, a further requirement within one narrows it.
    let narrows = |(term, was): (&Value, &Value)| {
        ["matchExpressions", "matchFields"].iter().all(|list| {
            let wanted = term.at(list).as_list().unwrap_or_default();
            was.at(list).as_list().unwrap_or_default().iter().all(|one| wanted.contains(one))
        })
    };
    if after.len() != was.len() || !after.iter().zip(&was).all(narrows) {
        let node = affinity.field("nodeAffinity");
        let required = node.field(REQUIRED);
        out.invalid(&required.field("nodeSelectorTerms"), "requirements can only be added");
    }
}

/// Gates are only removed.
fn validate_gates(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let before = old.value.at("schedulingGates").as_list().unwrap_or_default();
    for gate in new.each("schedulingGates") {
        if !before.contains(gate.value) {
            out.forbidden(&gate, "gates can only be removed");
        }
    }
}
