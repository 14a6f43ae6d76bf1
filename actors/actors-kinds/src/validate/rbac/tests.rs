//! The rules of roles and bindings, one test each.

use expect_test::expect;

use crate::validate::testing::{check_create, check_update};

fn object(kind: &str, fields: &str) -> String {
    let namespace = if kind.starts_with("Cluster") { "" } else { ", namespace: a" };
    format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: {kind}, metadata: {{name: 'system:x'{namespace}}}, {fields}}}"
    )
}

#[test]
fn names_are_segments_of_paths() {
    check_create(&object("Role", "rules: []"), &expect![""]);
    check_create(
        &object("Role", "rules: []").replace("system:x", "a/b"),
        &expect![[r#"
        metadata.name: Invalid value: "a/b": may not contain '/'
    "#]],
    );
}

#[test]
fn a_rule_is_about_resources_or_paths() {
    check_create(
        &object(
            "ClusterRole",
            "rules: [{}, {verbs: [get], nonResourceURLs: [/healthz]}, {verbs: [get], apiGroups: [''], nonResourceURLs: [/x]}]",
        ),
        &expect![[r#"
            rules[0].verbs: Required value: a rule needs a verb
            rules[0].apiGroups: Required value: a rule about resources needs an API group; the core group is ""
            rules[0].resources: Required value: a rule about resources needs a resource
            rules[2].nonResourceURLs: Invalid value: ["/x"]: a rule is about resources or about URLs, not both
        "#]],
    );
    check_create(
        &object("Role", "rules: [{verbs: [get], nonResourceURLs: [/healthz]}]"),
        &expect![[r#"
            rules[0].nonResourceURLs: Invalid value: ["/healthz"]: URLs belong to no namespace: use a ClusterRole
        "#]],
    );
}

#[test]
fn aggregation_has_selectors() {
    check_create(
        &object("ClusterRole", "aggregationRule: {}"),
        &expect![[r#"
            aggregationRule.clusterRoleSelectors: Required value: an aggregation needs a selector
        "#]],
    );
}

#[test]
fn a_binding_binds_a_role_to_subjects() {
    check_create(
        &object(
            "RoleBinding",
            "roleRef: {kind: Magic}, subjects: [{kind: User}, {kind: x, name: z}, {kind: ServiceAccount, name: A}, {kind: Group, name: g, apiGroup: z}]",
        ),
        &expect![[r#"
            roleRef.kind: Unsupported value: "Magic": supported values: "ClusterRole", "Role"
            roleRef.name: Required value
            subjects[0].name: Required value
            subjects[1].kind: Unsupported value: "x": supported values: "Group", "ServiceAccount", "User"
            subjects[2].name: Invalid value: "A": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            subjects[3].apiGroup: Unsupported value: "z": supported values: "rbac.authorization.k8s.io"
        "#]],
    );
    check_create(
        &object(
            "ClusterRoleBinding",
            "roleRef: {kind: Role, name: r}, subjects: [{kind: ServiceAccount, name: a}]",
        ),
        &expect![[r#"
            roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"
            subjects[0].namespace: Required value
        "#]],
    );
}

#[test]
fn what_is_bound_never_changes() {
    let with =
        |role: &str| object("RoleBinding", &format!("roleRef: {{kind: Role, name: {role}}}"));
    check_update(
        &with("a"),
        &with("b"),
        &expect![[r#"
            roleRef: Invalid value: {"kind":"Role","name":"b","apiGroup":"rbac.authorization.k8s.io"}: cannot change: delete the binding and create another
        "#]],
    );
}
