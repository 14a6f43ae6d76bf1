//! Bodies that are answered and not stored: reviews, tokens, bindings, scales.
//!
//! Spec: API reference of each; documentation, "authorization", "service account token request", "scheduling".

use super::{Errors, Spot, text};

/// The shortest and the longest life of a token, in seconds.
const TOKEN_SECONDS_MIN: i64 = 600;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;

/// Checks a body by its kind; kinds without rules pass.
pub(super) fn validate(kind: &str, root: &Spot<'_>, out: &mut Errors) {
    match kind {
        "Binding" => validate_binding(root, out),
        "Scale" => out.at_least(&root.field("spec").field("replicas"), 0),
        "TokenRequest" => validate_token_request(root, out),
        "TokenReview" => {
            let spec = root.field("spec");
            if spec.field("token").is_empty() {
                out.required(&spec.field("token"), "");
            }
        }
        "SelfSubjectAccessReview" => validate_access(&root.field("spec"), out),
        "LocalSubjectAccessReview" | "SubjectAccessReview" => {
            let spec = root.field("spec");
            validate_access(&spec, out);
            let path = spec.field("nonResourceAttributes");
            if kind == "LocalSubjectAccessReview" && path.is_set() {
                out.invalid(&path, "paths are in no namespace");
            }
            if spec.field("user").is_empty() && spec.field("groups").is_empty() {
                out.required(&spec.field("user"), "a user or a group must be given");
            }
        }
        _ => {}
    }
}

/// A pod is bound to a node.
fn validate_binding(root: &Spot<'_>, out: &mut Errors) {
    let target = root.field("target");
    out.one_of(&target.field("kind"), &["Node"]);
    out.check_required(&target.field("name"), text::dns_subdomain);
}

fn validate_token_request(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let seconds = spec.field("expirationSeconds");
    match seconds.int() {
        Some(short) if short < TOKEN_SECONDS_MIN => {
            out.invalid(&seconds, "must be 600 (10 minutes) or more");
        }
        Some(long) if long > TOKEN_SECONDS_MAX => {
            out.invalid(&seconds, "must be 4294967296 or less");
        }
        _ => {}
    }
}

/// A question is about a resource or about a path.
fn validate_access(spec: &Spot<'_>, out: &mut Errors) {
    let (resource, path) = (spec.field("resourceAttributes"), spec.field("nonResourceAttributes"));
    match (resource.is_set(), path.is_set()) {
        (true, true) => {
            out.invalid(&path, "cannot stand beside resourceAttributes");
        }
        (false, false) => {
            out.invalid(&resource, "resourceAttributes or nonResourceAttributes must be given")
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use actors_object::{Object, Value, value};
    use expect_test::{Expect, expect};

    use crate::validate::validate_body;

    fn check(kind: &str, body: Value, expected: &Expect) {
        let errors = validate_body(kind, &Object(body));
        expected.assert_eq(&errors.iter().map(|error| format!("{error}\n")).collect::<String>());
    }

    #[test]
    fn a_binding_names_a_node() {
        check(
            "Binding",
            value!({ "target": { "kind": "Pod" } }),
            &expect![[r#"
            target.kind: Unsupported value: "Pod": supported values: "Node"
            target.name: Required value
        "#]],
        );
        check("Binding", value!({ "target": { "kind": "Node", "name": "n1" } }), &expect![""]);
    }

    #[test]
    fn a_scale_is_not_negative() {
        check(
            "Scale",
            value!({ "spec": { "replicas": -1 } }),
            &expect![[r#"
            spec.replicas: Invalid value: -1: must be greater than or equal to 0
        "#]],
        );
    }

    #[test]
    fn tokens_live_between_ten_minutes_and_an_age() {
        check(
            "TokenRequest",
            value!({ "spec": { "expirationSeconds": 10 } }),
            &expect![[r#"
                spec.expirationSeconds: Invalid value: 10: must be 600 (10 minutes) or more
            "#]],
        );
        check(
            "TokenRequest",
            value!({ "spec": { "expirationSeconds": 9_000_000_000_i64 } }),
            &expect![[r#"
                spec.expirationSeconds: Invalid value: 9000000000: must be 4294967296 or less
            "#]],
        );
        check(
            "TokenReview",
            value!({ "spec": {} }),
            &expect![[r#"
            spec.token: Required value
        "#]],
        );
    }

    #[test]
    fn reviews_ask_about_one_thing() {
        let resource = value!({ "verb": "get", "resource": "pods" });
        check(
            "SelfSubjectAccessReview",
            value!({ "spec": {} }),
            &expect![[r#"
                spec.resourceAttributes: Invalid value: null: resourceAttributes or nonResourceAttributes must be given
            "#]],
        );
        check(
            "SelfSubjectAccessReview",
            value!({ "spec": { "resourceAttributes": (resource.clone()) } }),
            &expect![""],
        );
        check(
            "SubjectAccessReview",
            value!({ "spec": { "resourceAttributes": resource, "nonResourceAttributes": { "path": "/" } } }),
            &expect![[r#"
                spec.nonResourceAttributes: Invalid value: {"path":"/"}: cannot stand beside resourceAttributes
                spec.user: Required value: a user or a group must be given
            "#]],
        );
    }
}
