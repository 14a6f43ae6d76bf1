//! Where a pod may run: tolerations, affinity, spreading, gates.
//!
//! Spec: documentation, "taints and tolerations", "assigning pods to nodes", "pod topology spread constraints",
//! "pod scheduling readiness".

use actors_object::FieldError;

use crate::validate::{Errors, Spot, selector, text};

/// All of a pod's wishes.
pub(super) fn validate(spec: &Spot<'_>, out: &mut Errors) {
    for toleration in spec.each("tolerations") {
        validate_toleration(&toleration, out);
    }
    let affinity = spec.field("affinity");
    validate_node_affinity(&affinity.field("nodeAffinity"), out);
    for name in ["podAffinity", "podAntiAffinity"] {
        validate_pod_affinity(&affinity.field(name), out);
    }
    for constraint in spec.each("topologySpreadConstraints") {
        validate_spread(&constraint, out);
    }
    validate_distinct_spreads(spec, out);
    for gate in spec.each("schedulingGates") {
        out.check_required(&gate.field("name"), text::qualified_name);
    }
    out.unique(spec, "schedulingGates", "name");
}

/// A toleration names a taint, or all of them.
pub(in crate::validate) fn validate_toleration(toleration: &Spot<'_>, out: &mut Errors) {
    let (key, operator) = (toleration.field("key"), toleration.field("operator"));
    let (value, effect) = (toleration.field("value"), toleration.field("effect"));
    out.check(&key, text::qualified_name);
    if key.is_empty() && operator.text() != "Exists" {
        out.invalid(&operator, "must be Exists, since the key is empty");
    }
    let seconds = toleration.field("tolerationSeconds");
    if seconds.is_set() && effect.text() != "NoExecute" {
        out.invalid(&effect, "must be NoExecute, since `tolerationSeconds` is set");
    }
    match operator.text() {
        "" | "Equal" => out.check(&value, text::label_value),
        "Exists" if !value.is_empty() => {
            out.invalid(&value, "must be empty, since the operator Exists takes any value");
        }
        _ => {}
    }
    out.one_of(&operator, &["Equal", "Exists"]);
    out.one_of(&effect, &["NoExecute", "NoSchedule", "PreferNoSchedule"]);
}

fn validate_node_affinity(affinity: &Spot<'_>, out: &mut Errors) {
    let required = affinity.field("requiredDuringSchedulingIgnoredDuringExecution");
    if required.is_set() {
        validate_node_selector(&required, out);
    }
    for preferred in affinity.each("preferredDuringSchedulingIgnoredDuringExecution") {
        validate_weight(&preferred, out);
        validate_node_term(&preferred.field("preference"), out);
    }
}

/// A node selector: terms, of which one must fit.
pub(in crate::validate) fn validate_node_selector(selector: &Spot<'_>, out: &mut Errors) {
    let terms = selector.field("nodeSelectorTerms");
    if terms.is_empty() {
        out.required(&terms, "needs a term");
    }
    for term in selector.each("nodeSelectorTerms") {
        validate_node_term(&term, out);
    }
}

fn validate_node_term(term: &Spot<'_>, out: &mut Errors) {
    const OPERATORS: [&str; 6] = ["DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"];
    for expression in term.each("matchExpressions") {
        selector::validate_expression(&expression, &OPERATORS, out);
        for value in expression.each("values") {
            out.check(&value, text::label_value);
        }
    }
    for expression in term.each("matchFields") {
        let (key, operator) = (expression.field("key"), expression.field("operator"));
        if key.text() != "metadata.name" {
            out.invalid(&key, "only metadata.name can be selected on");
        }
        out.one_of_required(&operator, &["In", "NotIn"]);
        let values = expression.field("values");
        if values.len() != 1 {
            out.required(&values, "a selector of fields needs one value");
        }
    }
}

fn validate_pod_affinity(affinity: &Spot<'_>, out: &mut Errors) {
    for term in affinity.each("requiredDuringSchedulingIgnoredDuringExecution") {
        validate_pod_term(&term, out);
    }
    for preferred in affinity.each("preferredDuringSchedulingIgnoredDuringExecution") {
        validate_weight(&preferred, out);
        validate_pod_term(&preferred.field("podAffinityTerm"), out);
    }
}

fn validate_pod_term(term: &Spot<'_>, out: &mut Errors) {
    selector::validate(&term.field("labelSelector"), out);
    selector::validate(&term.field("namespaceSelector"), out);
    for namespace in term.each("namespaces") {
        out.check_required(&namespace, text::dns_label);
    }
    let topology = term.field("topologyKey");
    if topology.is_empty() {
        out.required(&topology, "must not be empty");
    } else {
        out.check(&topology, text::qualified_name);
    }
    validate_label_keys(term, out);
}

/// Keys whose values are taken from the pod itself need a selector to be added to.
fn validate_label_keys(above: &Spot<'_>, out: &mut Errors) {
    for list in ["matchLabelKeys", "mismatchLabelKeys"] {
        let keys = above.field(list);
        if !keys.is_empty() && !above.field("labelSelector").is_set() {
            out.forbidden(&keys, "needs a labelSelector beside it");
        }
        for key in above.each(list) {
            out.check_required(&key, text::qualified_name);
        }
    }
}

fn validate_weight(preferred: &Spot<'_>, out: &mut Errors) {
    let weight = preferred.field("weight");
    if !weight.int().is_some_and(|weight| (1..=100).contains(&weight)) {
        out.invalid(&weight, "must be between 1 and 100, inclusive");
    }
}

/// A pod is spread over the same places in the same way once.
fn validate_distinct_spreads(spec: &Spot<'_>, out: &mut Errors) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (topology, when) in spec.value.list_at(&["topologySpreadConstraints"]).iter().map(|one| {
        let text = |name: &str| one.at(name).as_str().unwrap_or_default();
        (text("topologyKey"), text("whenUnsatisfiable"))
    }) {
        if seen.contains(&(topology, when)) {
            let at = spec.each("topologySpreadConstraints").nth(seen.len());
            let path = at.map_or_else(|| spec.path(), |at| at.path());
            let shown = format!("{{{topology}, {when}}}");
            out.push(FieldError::duplicate(
                &path.push_field("{topologyKey, whenUnsatisfiable}"),
                shown,
            ));
        }
        seen.push((topology, when));
    }
}

fn validate_spread(constraint: &Spot<'_>, out: &mut Errors) {
    for (name, needs_hard) in [("maxSkew", false), ("minDomains", true)] {
        let field = constraint.field(name);
        if (name == "maxSkew" || field.is_set()) && field.int().is_none_or(|number| number < 1) {
            out.invalid(&field, "must be greater than zero");
        }
        let when = constraint.field("whenUnsatisfiable");
        if needs_hard && field.is_set() && when.text() != "DoNotSchedule" {
            out.invalid(&field, "belongs to `whenUnsatisfiable: DoNotSchedule`");
        }
    }
    let topology = constraint.field("topologyKey");
    if topology.is_empty() {
        out.required(&topology, "must not be empty");
    } else {
        out.check(&topology, text::qualified_name);
    }
    out.one_of_required(
        &constraint.field("whenUnsatisfiable"),
        &["DoNotSchedule", "ScheduleAnyway"],
    );
    for name in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
        out.one_of(&constraint.field(name), &["Honor", "Ignore"]);
    }
    selector::validate(&constraint.field("labelSelector"), out);
    validate_label_keys(constraint, out);
}
