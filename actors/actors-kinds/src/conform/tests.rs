//! Trees that fit, and what is said about those that do not.

use actors_object::{Object, json, value};
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::Registry;

fn check_report(object: &Value, expected: &Expect) {
    let registry = Registry::builtin().expect("the tables are good");
    let kind = registry.kind_of(&Object(object.clone())).expect("a served kind");
    let report = check_fields(registry.schema(), &kind.shape, object);
    let lines = report.strict_messages(&[]).into_iter();
    let lines = lines.chain(report.refusal(&kind.gvk.version, &kind.gvk.kind));
    expected.assert_eq(&lines.map(|line| line + "\n").collect::<String>());
}

fn deployment(spec: Value) -> Value {
    value!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" }, "spec": spec })
}

#[test]
fn unknown_fields_are_named_by_their_path() {
    let container = value!({ "name": "a", "imag": "x" });
    check_report(
        &deployment(
            value!({ "replcas": 1, "template": { "spec": { "containers": [container] } } }),
        ),
        &expect![[r#"
            unknown field "spec.replcas"
            unknown field "spec.template.spec.containers[0].imag"
        "#]],
    );
}

#[test]
fn wrong_types_are_refused_with_both_types() {
    check_report(
        &deployment(value!({ "replicas": "three" })),
        &expect![[r#"
        Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into field spec.replicas of type int32
    "#]],
    );
    check_report(
        &deployment(value!({ "replicas": 3_000_000_000_i64 })),
        &expect![[r#"
        Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal number 3000000000 into field spec.replicas of type int32
    "#]],
    );
    check_report(
        &deployment(value!({ "template": [] })),
        &expect![[r#"
        Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal array into field spec.template of type object
    "#]],
    );
    check_report(
        &deployment(value!({ "paused": 1 })),
        &expect![[r#"
        Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal number into field spec.paused of type bool
    "#]],
    );
}

#[test]
fn formats_of_texts_are_checked() {
    let pod = |resources: Value| {
        let container = value!({ "name": "a", "resources": resources });
        value!({ "apiVersion": "v1", "kind": "Pod", "spec": { "containers": [container] } })
    };
    check_report(
        &pod(value!({ "limits": { "cpu": "lots" } })),
        &expect![[r#"
        Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string "lots" into field spec.containers[0].resources.limits[cpu] of type quantity (500m, 2, 128Mi)
    "#]],
    );
    check_report(&pod(value!({ "limits": { "cpu": 1, "memory": "1Gi" } })), &expect![""]);
    check_report(
        &value!({ "apiVersion": "v1", "kind": "Secret", "data": { "a": "not base64" } }),
        &expect![[r#"
            Secret in version "v1" cannot be handled as a Secret: json: cannot unmarshal string into field data[a] of type base64 bytes
        "#]],
    );
    check_report(
        &value!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "creationTimestamp": "noon" } }),
        &expect![[r#"
            Secret in version "v1" cannot be handled as a Secret: json: cannot unmarshal string "noon" into field metadata.creationTimestamp of type time (RFC 3339)
        "#]],
    );
}

#[test]
fn null_says_nothing() {
    check_report(&deployment(value!({ "replicas": null, "template": null })), &expect![""]);
}

#[test]
fn duplicates_are_told_like_unknown_fields() {
    let report = FieldReport::default();
    let messages = report.strict_messages(&[FieldPath::of(&["spec", "replicas"])]);
    expect![[r#"Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: duplicate field "spec.replicas""#]].assert_eq(&strict_refusal("v1", "Deployment", &messages));
}

#[test]
fn what_fits_is_made_uniform() {
    let registry = Registry::builtin().expect("the tables are good");
    let shape = registry.shape_named("core.v1.Pod");
    let container = value!({ "name": "a", "imag": "x", "resources": { "limits": { "cpu": 1 } } });
    let mut pod = value!({
        "metadata": {
            "name": "p", "creationTimestamp": "2026-01-01T02:00:00+02:00",
            "labels": null, "annotations": { "a": null },
        },
        "spec": {
            "containers": [container], "priority": 1.0, "nodeSelector": {}, "securityContext": {},
        },
    });
    normalize(registry.schema(), &shape, &mut pod);
    expect![[r#"{"metadata":{"name":"p","creationTimestamp":"2026-01-01T00:00:00Z","annotations":{"a":""}},"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":"1"}}}],"priority":1,"securityContext":{}}}"#]].assert_eq(&json::to_string(&pod));
}

#[test]
fn what_is_null_among_others_is_empty() {
    let registry = Registry::builtin().expect("the tables are good");
    let shape = registry.shape_named("core.v1.Pod");
    let mut pod = value!({ "spec": {
        "containers": [null, { "args": [null], "resources": { "limits": { "cpu": null } } }],
        "securityContext": { "supplementalGroups": [null] },
    } });
    normalize(registry.schema(), &shape, &mut pod);
    expect![[r#"{"spec":{"containers":[{},{"args":[""],"resources":{"limits":{"cpu":"0"}}}],"securityContext":{"supplementalGroups":[0]}}}"#]].assert_eq(&json::to_string(&pod));
    let message = crate::protobuf::encode(registry.schema(), &shape, &pod);
    assert!(message.is_ok(), "{message:?}");
}

/// Trees of names that pods have and of some that they have not, with values that fit and others.
fn trees() -> impl Strategy<Value = Value> {
    let texts = ["", "1", "2026-11-21T08:05:00Z", "2026-11-21T08:05:60Z", "2026-11-21t08:05:00Z"];
    let times =
        ["2026-11-21T08:05:00.000000Z", "2026-11-21T08:05:00.5Z", "2026-11-21T09:05:00+01:00"];
    let text = prop::sample::select([&texts[..], &times[..]].concat()).prop_map(Value::from);
    let leaf = prop_oneof![
        4 => text,
        1 => Just(Value::Null),
        1 => (-3_i64..3).prop_map(Value::from),
        1 => (-3_i32..3).prop_map(|number| Value::Float(f64::from(number) / 2.0)),
    ];
    let names = [
        "metadata",
        "labels",
        "creationTimestamp",
        "managedFields",
        "time",
        "spec",
        "containers",
        "resources",
        "limits",
        "cpu",
        "ports",
        "containerPort",
        "status",
        "startTime",
        "other",
        "conditions",
        "lastProbeTime",
        "name",
        "env",
        "emptyDir",
        "volumes",
        "activeDeadlineSeconds",
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        let fields = (prop::sample::select(names.to_vec()), inner.clone());
        prop_oneof![
            1 => prop::collection::vec(inner, 0..3).prop_map(Value::List),
            4 => prop::collection::vec(fields, 0..6)
                .prop_map(|fields| Value::Map(fields.into_iter().collect())),
        ]
    })
}

#[test]
fn what_is_uniform_is_left_alone() {
    let registry = Registry::builtin().expect("the tables are good");
    let pods = registry.resource("", "v1", "pods").expect("pods are served");
    let (schema, shape) = (registry.schema(), &pods.shape);
    let mut runner = proptest::test_runner::TestRunner::default();
    let found = runner.run(&trees(), |tree| {
        let mut made = tree.clone();
        make_uniform(schema, shape, &mut made);
        if uniform::is_uniform(schema, shape, &tree) {
            prop_assert_eq!(&made, &tree);
        }
        let mut normal = tree;
        normalize(schema, shape, &mut normal);
        prop_assert_eq!(normal, made);
        Ok(())
    });
    found.expect("what is uniform is left alone");
}
