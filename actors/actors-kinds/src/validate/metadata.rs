//! The metadata that all kinds share.
//!
//! Spec: Kubernetes API conventions, "metadata"; documentation, "object names and IDs", "labels and selectors",
//! "annotations", "owners and dependents", "finalizers".

use actors_object::FieldError;

use super::{Errors, Spot, errors::is_same, selector, text};
use crate::registry::KindFacts;

/// The most bytes of all annotations of an object, keys and values together.
const ANNOTATIONS_LEN_MAX: usize = 256 * 1024;

/// What metadata must fulfil whenever an object is written.
pub(super) fn validate(
    root: &Spot<'_>,
    kind: &KindFacts,
    name_rule: fn(&str) -> text::Faults,
    out: &mut Errors,
) {
    let metadata = root.field("metadata");
    let (name, generate_name) = (metadata.field("name"), metadata.field("generateName"));
    if name.is_empty() && generate_name.is_empty() {
        out.required(&name, "name or generateName is required");
    }
    out.check(&name, name_rule);
    // A generated name gets a suffix, so that its beginning may end as no name may.
    let beginning = generate_name.text().trim_end_matches('-');
    if !beginning.is_empty() {
        out.invalid_each(&generate_name, &name_rule(beginning));
    }
    let namespace = metadata.field("namespace");
    if !kind.namespaced {
        if !namespace.is_empty() {
            out.forbidden(&namespace, "this kind has no namespace");
        }
    } else {
        out.check_required(&namespace, text::dns_label);
    }
    out.at_least(&metadata.field("generation"), 0);
    selector::validate_labels(&metadata, "labels", out);
    validate_annotations(&metadata, out);
    validate_owners(&metadata, out);
    for finalizer in metadata.each("finalizers") {
        validate_finalizer(&finalizer, out);
    }
}

/// Annotations: qualified keys, and not too much of them.
pub(super) fn validate_annotations(metadata: &Spot<'_>, out: &mut Errors) {
    let annotations = metadata.field("annotations");
    let mut len = 0;
    for (key, annotation) in metadata.entries("annotations") {
        // Capitals are allowed before the slash, unlike in labels.
        for detail in text::qualified_name(&key.to_ascii_lowercase()) {
            out.push(FieldError::invalid(&annotations.path(), key, detail));
        }
        len += key.len() + annotation.text().len();
    }
    if len > ANNOTATIONS_LEN_MAX {
        out.push(FieldError::too_long(&annotations.path(), ANNOTATIONS_LEN_MAX));
    }
}

/// Owners: complete, and at most one that controls.
fn validate_owners(metadata: &Spot<'_>, out: &mut Errors) {
    let mut controllers = 0;
    for owner in metadata.each("ownerReferences") {
        for field in ["apiVersion", "kind", "name", "uid"] {
            let field = owner.field(field);
            if field.is_empty() {
                out.required(&field, "must not be empty");
            }
        }
        if owner.field("apiVersion").text() == "v1" && owner.field("kind").text() == "Event" {
            out.invalid(&owner, "an event cannot own objects");
        }
        if owner.field("controller").is_true() {
            controllers += 1;
        }
    }
    if controllers > 1 {
        let owners = metadata.field("ownerReferences");
        out.invalid(&owners, "only one owner can be the controller");
    }
}

/// A finalizer is a qualified name; those without a prefix are the built-in ones.
pub(super) fn validate_finalizer(finalizer: &Spot<'_>, out: &mut Errors) {
    const BUILT_IN: [&str; 3] = ["foregroundDeletion", "kubernetes", "orphan"];
    let faults = text::qualified_name(finalizer.text());
    out.invalid_each(finalizer, &faults);
    if !faults.is_empty() {
        return;
    }
    if !finalizer.text().contains('/') && !BUILT_IN.contains(&finalizer.text()) {
        out.invalid(finalizer, "a finalizer of your own needs a domain and '/' before its name");
    }
}

/// What may not change, and what may not be added once the object is being deleted.
pub(super) fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("metadata"), old.field("metadata"));
    for field in ["name", "namespace", "uid", "creationTimestamp"] {
        let (new, old) = (new.field(field), old.field(field));
        // What a client leaves out, the server fills in from the stored object.
        if new.is_set() {
            out.immutable(&new, &old);
        }
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        let (new, old) = (new.field(field), old.field(field));
        if new.is_set() && !is_same(new.value, old.value) {
            out.invalid(&new, "field is immutable");
        }
    }
    let generation = new.field("generation");
    if generation.int().is_some_and(|new| Some(new) < old.field("generation").int()) {
        out.invalid(&generation, "must not shrink");
    }
    let before = old.value.at("finalizers").as_list().unwrap_or_default();
    let is_added = |finalizer: &Spot<'_>| !before.contains(finalizer.value);
    if old.field("deletionTimestamp").is_set() && new.each("finalizers").any(|it| is_added(&it)) {
        let finalizers = new.field("finalizers");
        out.forbidden(&finalizers, "finalizers cannot be added once the object is being deleted");
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::testing::{check_create, check_update};

    fn config_map(metadata: &str) -> String {
        format!("{{apiVersion: v1, kind: ConfigMap, metadata: {metadata}}}")
    }

    #[test]
    fn a_name_is_needed() {
        check_create(
            &config_map("{namespace: a}"),
            &expect![[r#"
            metadata.name: Required value: name or generateName is required
        "#]],
        );
    }

    #[test]
    fn names_and_namespaces_are_checked() {
        check_create(
            &config_map("{name: A_b, namespace: x.y}"),
            &expect![[r#"
                metadata.name: Invalid value: "A_b": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
                metadata.namespace: Invalid value: "x.y": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
            "#]],
        );
        check_create(&config_map("{generateName: web-, namespace: a}"), &expect![""]);
        check_create(
            &config_map("{generateName: Web-, namespace: a}"),
            &expect![[r#"
                metadata.generateName: Invalid value: "Web-": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            "#]],
        );
        check_create(
            "{apiVersion: v1, kind: Node, metadata: {name: w, namespace: a}}",
            &expect![[r#"
                metadata.namespace: Forbidden: this kind has no namespace
            "#]],
        );
    }

    #[test]
    fn labels_and_annotations_have_qualified_keys() {
        check_create(
            &config_map(
                "{name: a, namespace: a, labels: {'-x': v, ok: 'b d'}, annotations: {'a/b/c': z}}",
            ),
            &expect![[r#"
                metadata.labels: Invalid value: "-x": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
                metadata.labels[ok]: Invalid value: "b d": must be empty, or letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyValue' or 'my_value' or '12345' (pattern: (([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?)
                metadata.annotations: Invalid value: "a/b/c": must be a name of letters, digits, '-', '_' and '.', with a letter or digit at both ends, and at most one prefix and '/' before it, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
            "#]],
        );
    }

    #[test]
    fn annotations_have_a_bound() {
        let long = "x".repeat(256 * 1024);
        check_create(
            &config_map(&format!("{{name: a, namespace: a, annotations: {{k: {long}}}}}")),
            &expect![[r#"
                metadata.annotations: Too long: may not be more than 262144 bytes
            "#]],
        );
    }

    #[test]
    fn owners_are_complete_and_one_controls() {
        let owner = "{apiVersion: v1, kind: Pod, name: p, uid: u, controller: true}";
        check_create(
            &config_map(&format!(
                "{{name: a, namespace: a, ownerReferences: [{owner}, {owner}, {{kind: Pod}}]}}"
            )),
            &expect![[r#"
                metadata.ownerReferences[2].apiVersion: Required value: must not be empty
                metadata.ownerReferences[2].name: Required value: must not be empty
                metadata.ownerReferences[2].uid: Required value: must not be empty
                metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u","controller":true},{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u","controller":true},{"kind":"Pod"}]: only one owner can be the controller
            "#]],
        );
    }

    #[test]
    fn finalizers_are_qualified_and_not_added_late() {
        check_create(
            &config_map("{name: a, namespace: a, finalizers: [mine, a.b/c, orphan]}"),
            &expect![[r#"
                metadata.finalizers[0]: Invalid value: "mine": a finalizer of your own needs a domain and '/' before its name
            "#]],
        );
        check_update(
            &config_map(
                "{name: a, namespace: a, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [a.b/c]}",
            ),
            &config_map("{name: a, namespace: a, finalizers: [a.b/c, a.b/d]}"),
            &expect![[r#"
                metadata.finalizers: Forbidden: finalizers cannot be added once the object is being deleted
            "#]],
        );
    }

    #[test]
    fn identity_never_changes() {
        check_update(
            &config_map("{name: a, namespace: a, uid: u, generation: 3}"),
            &config_map("{name: b, namespace: a, uid: v, generation: 2}"),
            &expect![[r#"
                metadata.name: Invalid value: "b": field is immutable
                metadata.uid: Invalid value: "v": field is immutable
                metadata.generation: Invalid value: 2: must not shrink
            "#]],
        );
    }
}
