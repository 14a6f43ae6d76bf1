//! `StorageClass`: what a claim asks for by one name.

use super::{GROUP, forbid_changes, provisioner, validate_parameters};
use crate::validate::{Errors, PLAIN, Rules, Spot, text};

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "StorageClass",
    object: validate,
    change: validate_change,
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    out.check_required(&root.field("provisioner"), provisioner);
    validate_parameters(root, out);
    out.one_of(&root.field("reclaimPolicy"), &["Delete", "Retain"]);
    let modes = ["Immediate", "WaitForFirstConsumer"];
    out.one_of_required(&root.field("volumeBindingMode"), &modes);
    validate_topologies(root, out);
}

/// Where volumes may be: terms of labels with values, nothing said twice.
fn validate_topologies(root: &Spot<'_>, out: &mut Errors) {
    for term in root.each("allowedTopologies") {
        for expression in term.each("matchLabelExpressions") {
            out.check_required(&expression.field("key"), text::qualified_name);
            let values = expression.field("values");
            if values.is_empty() {
                out.required(&values, "needs a value");
            }
            out.distinct(&expression, "values");
        }
        out.unique(&term, "matchLabelExpressions", "key");
    }
    let terms = root.value.at("allowedTopologies").as_list().unwrap_or_default();
    for (index, term) in root.each("allowedTopologies").enumerate() {
        if terms.get(..index).unwrap_or_default().contains(term.value) {
            out.duplicate(&term.field("matchLabelExpressions"), &"".into());
        }
    }
}

fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    forbid_changes(new, old, &["parameters", "provisioner", "reclaimPolicy"], out);
    out.immutable(&new.field("volumeBindingMode"), &old.field("volumeBindingMode"));
}
