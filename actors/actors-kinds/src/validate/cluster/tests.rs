//! The rules of namespaces, nodes, leases, priority classes and revisions, one test each.

use expect_test::expect;

use crate::validate::testing::{check_create, check_update};

fn node(fields: &str) -> String {
    format!("{{apiVersion: v1, kind: Node, metadata: {{name: w}}, {fields}}}")
}

#[test]
fn namespaces_are_labels_with_qualified_finalizers() {
    check_create(
        "{apiVersion: v1, kind: Namespace, metadata: {name: a.b}, spec: {finalizers: [kubernetes, mine]}}",
        &expect![[r#"
            metadata.name: Invalid value: "a.b": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
            spec.finalizers[1]: Invalid value: "mine": a finalizer of your own needs a domain and '/' before its name
        "#]],
    );
}

#[test]
fn taints_are_complete_and_stand_once() {
    check_create(
        &node(
            "spec: {taints: [{effect: NoSchedule}, {key: a, effect: x}, {key: a, value: b, effect: NoExecute}, {key: a, effect: NoExecute}]}",
        ),
        &expect![[r#"
            spec.taints[0].key: Required value
            spec.taints[1].effect: Unsupported value: "x": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"
            spec.taints[3]: Duplicate value: {"key":"a","effect":"NoExecute"}
        "#]],
    );
}

#[test]
fn ranges_and_amounts_of_nodes_are_checked() {
    check_create(
        &node("spec: {podCIDRs: [10.0.0.0]}, status: {capacity: {cpu: -1}}"),
        &expect![[r#"
            spec.podCIDRs[0]: Invalid value: "10.0.0.0": must be a valid CIDR, such as 10.9.8.0/24 or 2001:db8::/64
            status.allocatable[cpu]: Invalid value: "-1": must be greater than or equal to 0
            status.capacity[cpu]: Invalid value: "-1": must be greater than or equal to 0
        "#]],
    );
}

#[test]
fn what_identifies_a_machine_is_given_once() {
    check_update(
        &node("spec: {podCIDRs: [10.0.0.0/24], providerID: a}"),
        &node("spec: {podCIDRs: [10.0.1.0/24], providerID: b}"),
        &expect![[r#"
            spec.podCIDRs: Forbidden: is given once and cannot change
            spec.providerID: Forbidden: is given once and cannot change
        "#]],
    );
    check_update(&node("spec: {}"), &node("spec: {podCIDRs: [10.0.1.0/24]}"), &expect![""]);
}

#[test]
fn leases_last_and_have_a_holder() {
    check_create(
        "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l, namespace: a}, \
         spec: {leaseDurationSeconds: 0, leaseTransitions: -1, holderIdentity: '', preferredHolder: x}}",
        &expect![[r#"
            spec.leaseDurationSeconds: Invalid value: 0: must be greater than or equal to 1
            spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0
            spec.holderIdentity: Invalid value: "": must not be empty
            spec.preferredHolder: Forbidden: needs a `strategy` beside it
        "#]],
    );
}

fn priority_class(name: &str, value: i64) -> String {
    format!(
        "{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {name}}}, value: {value}}}"
    )
}

#[test]
fn high_priorities_are_the_systems() {
    check_create(
        &priority_class("high", 2_000_000_000),
        &expect![[r#"
            value: Forbidden: must not exceed 1000000000; higher ones are the system's own
        "#]],
    );
    check_create(
        &priority_class("system-mine", 1),
        &expect![[r#"
            metadata.name: Forbidden: names that begin with system- are the system's own
        "#]],
    );
    check_create(&priority_class("system-node-critical", 2_000_001_000), &expect![""]);
    check_create(
        &priority_class("system-node-critical", 1),
        &expect![[r#"
            metadata.name: Forbidden: this class of the system has another value
        "#]],
    );
    check_update(
        &priority_class("a", 1),
        &priority_class("a", 2),
        &expect![[r#"
            value: Forbidden: may not be changed in an update
        "#]],
    );
}

#[test]
fn revisions_are_records() {
    let revision = |fields: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: ControllerRevision, metadata: {{name: r, namespace: a}}, {fields}}}"
        )
    };
    check_create(
        &revision("revision: -1"),
        &expect![[r#"
            revision: Invalid value: -1: must be greater than or equal to 0
            data: Required value: a revision records data
        "#]],
    );
    check_update(
        &revision("revision: 1, data: {a: 1}"),
        &revision("revision: 2, data: {a: 2}"),
        &expect![[r#"
            data: Invalid value: {"a":2}: field is immutable
        "#]],
    );
}
