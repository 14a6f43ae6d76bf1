//! Replication controllers.
//!
//! Spec: documentation, "ReplicationController"; API reference of `ReplicationControllerSpec`.

use super::{not_more_than, validate_counts, validate_template};
use crate::validate::{Errors, Spot, selector};

/// A replication controller: its selector is a map of labels, which its pods have.
pub(super) fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    out.at_least(&spec.field("minReadySeconds"), 0);
    let wanted = spec.field("selector");
    if wanted.is_empty() {
        out.required(&wanted, "");
    }
    selector::validate_labels(&spec, "selector", out);
    let replicas = spec.field("replicas");
    if !replicas.is_set() {
        out.required(&replicas, "");
    }
    out.at_least(&replicas, 0);
    validate_template(&spec, out);
    let (template, entries) = (spec.field("template"), wanted.value.as_map());
    if !template.is_set() {
        return;
    }
    let metadata = template.field("metadata");
    let labels = metadata.field("labels");
    let is_selected = |(key, value): (_, &actors_object::Value)| {
        let key: &actors_object::Name = key;
        labels.value.at(key) == value
    };
    if entries.is_some_and(|map| !map.iter().all(is_selected)) {
        out.invalid(&labels, "the selector does not select these labels");
    }
}

/// Counts fit each other.
pub(super) fn validate_status(new: &Spot<'_>, _old: &Spot<'_>, out: &mut Errors) {
    let status = new.field("status");
    let counts = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
    validate_counts(&status, &counts, out);
    for name in ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
        not_more_than(&status, name, "replicas", out);
    }
    not_more_than(&status, "availableReplicas", "readyReplicas", out);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::validate::testing::{check_create, check_status};

    fn controller(more: &str) -> String {
        format!(
            "{{apiVersion: v1, kind: ReplicationController, metadata: {{name: web, namespace: d}}, spec: {{\
             {more} template: {{metadata: {{labels: {{a: b}}}}, \
             spec: {{containers: [{{name: c, image: i}}]}}}}}}}}"
        )
    }

    #[test]
    fn the_selector_is_that_of_its_pods() {
        check_create(&controller(""), &expect![""]);
        check_create(
            &controller("selector: {a: c},"),
            &expect![[r#"
            spec.template.metadata.labels: Invalid value: {"a":"b"}: the selector does not select these labels
        "#]],
        );
        check_create(
            &controller("selector: {'!': c},"),
            &expect![[r#"
            spec.selector: Invalid value: "!": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
            spec.template.metadata.labels: Invalid value: {"a":"b"}: the selector does not select these labels
        "#]],
        );
        check_create(
            &controller("").replace("labels: {a: b}", "labels: {}"),
            &expect![[r#"
            spec.selector: Required value
        "#]],
        );
    }

    #[test]
    fn counts_are_not_negative() {
        check_create(
            &controller("replicas: -1, minReadySeconds: -1,"),
            &expect![[r#"
            spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0
            spec.replicas: Invalid value: -1: must be greater than or equal to 0
        "#]],
        );
        check_status(
            &controller(""),
            "{replicas: 1, readyReplicas: 2}",
            &expect![[r#"
            status.readyReplicas: Invalid value: 2: cannot be greater than replicas
        "#]],
        );
    }
}
