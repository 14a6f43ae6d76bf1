//! The rules of events, one test each.

use expect_test::expect;

use crate::validate::testing::{check_create, check_update};

fn core(fields: &str) -> String {
    format!("{{apiVersion: v1, kind: Event, metadata: {{name: e, namespace: a}}, {fields}}}")
}

fn new(fields: &str) -> String {
    format!(
        "{{apiVersion: events.k8s.io/v1, kind: Event, metadata: {{name: e, namespace: a}}, {fields}}}"
    )
}

const GOOD: &str = "regarding: {kind: Pod, namespace: a, name: p}, eventTime: '2026-01-01T00:00:00.000000Z', \
     reportingController: x/y, reportingInstance: i, action: Act, type: Normal";

#[test]
fn an_event_lies_beside_its_object() {
    check_create(
        &core("involvedObject: {namespace: b}"),
        &expect![[r#"
            involvedObject.namespace: Invalid value: "b": must be the namespace of the event itself
        "#]],
    );
    check_create(
        &core("involvedObject: {kind: Node}").replace("namespace: a", "namespace: default"),
        &expect![""],
    );
}

#[test]
fn old_clients_write_little() {
    check_create(&core("involvedObject: {namespace: a}"), &expect![""]);
}

#[test]
fn new_events_are_complete() {
    check_create(
        &new("regarding: {namespace: a}"),
        &expect![[r#"
        eventTime: Required value
        reportingController: Required value
        reportingInstance: Required value
        action: Required value
        reason: Required value
        type: Required value: must be one of Normal, Warning
    "#]],
    );
    check_create(
        &new(&format!("{GOOD}, reason: R, series: {{count: 1}}").replace("Normal", "Odd")),
        &expect![[r#"
            type: Unsupported value: "Odd": supported values: "Normal", "Warning"
            series.count: Invalid value: 1: must be greater than or equal to 2
            series.lastObservedTime: Required value
        "#]],
    );
}

#[test]
fn texts_have_bounds() {
    let note = "x".repeat(1_025);
    check_create(
        &new(&format!("{GOOD}, reason: R, note: {note}")).replace("Act", &"y".repeat(129)),
        &expect![[r#"
            action: Invalid value: "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy": must not be longer than 128 bytes
            note: Invalid value: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: must not be longer than 1024 bytes
        "#]],
    );
}

#[test]
fn only_the_series_changes() {
    check_update(
        &new(&format!("{GOOD}, reason: R")),
        &new(&format!(
            "{GOOD}, reason: S, series: {{count: 2, lastObservedTime: '2026-01-01T00:00:00.000000Z'}}"
        )),
        &expect![[r#"
            reason: Invalid value: "S": field is immutable
        "#]],
    );
}
