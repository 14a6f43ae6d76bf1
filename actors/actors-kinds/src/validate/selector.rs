//! Label selectors and node selectors: their shape, and whether a template carries what is selected.

use actors_object::{FieldError, LabelSelector};

use super::{Errors, Spot, text};

/// A label selector: labels and expressions.
pub(super) fn validate(selector: &Spot<'_>, out: &mut Errors) {
    if selector.is_set() {
        let parsed = LabelSelector::from_value(selector.value, &selector.path());
        parsed.err().into_iter().flatten().for_each(|error| out.push(error));
    }
}

/// A map of labels.
pub(super) fn validate_labels(above: &Spot<'_>, field: &str, out: &mut Errors) {
    for (key, label) in above.entries(field) {
        for detail in text::qualified_name(key) {
            out.push(FieldError::invalid(&above.field(field).path(), key, detail));
        }
        out.check(&label, text::label_value);
    }
}

/// One requirement: operators that compare need values, others may have none.
pub(super) fn validate_expression(expression: &Spot<'_>, operators: &[&str], out: &mut Errors) {
    let (key, operator) = (expression.field("key"), expression.field("operator"));
    let values = expression.field("values");
    out.check_required(&key, text::qualified_name);
    out.one_of_required(&operator, operators);
    match operator.text() {
        "In" | "NotIn" if values.is_empty() => {
            out.required(&values, "the operators In and NotIn need values");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            out.forbidden(&values, "the operators Exists and DoesNotExist take no values");
        }
        "Gt" | "Lt" if values.len() != 1 => {
            out.required(&values, "the operators Gt and Lt need one value");
        }
        _ => {}
    }
}

/// The selector of a workload must be there, select something, and select the pods of its own template.
pub(super) fn validate_workload(spec: &Spot<'_>, out: &mut Errors) {
    let selector = spec.field("selector");
    if !selector.is_set() {
        out.required(&selector, "");
        return;
    }
    validate(&selector, out);
    if selector.field("matchLabels").is_empty() && selector.field("matchExpressions").is_empty() {
        out.invalid(&selector, "an empty selector is not allowed: it would select every pod");
        return;
    }
    let (template, path) = (spec.field("template"), selector.path());
    let metadata = template.field("metadata");
    let labels = metadata.field("labels");
    let parsed = LabelSelector::from_value(selector.value, &path);
    if parsed.is_ok_and(|parsed| !parsed.matches(labels.value)) {
        out.invalid(&labels, "the selector does not select these labels");
    }
}
