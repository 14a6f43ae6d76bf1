//! The one word for a pod.

use actors_object::{Object, Value, json::Limits, yaml};
use expect_test::expect;

use super::{META, NOW, check};
use crate::{Registry, columns::columns};

/// The words of a pod's STATUS, READY and RESTARTS.
fn check_pod(fields: &str, expected: &str) {
    let registry = Registry::builtin().expect("the tables are good");
    let parsed = yaml::parse(fields.as_bytes(), Limits::default()).expect("good YAML");
    let kind = registry.resource("", "v1", "pods").expect("served");
    let cells = columns(kind, &Object(parsed.value), NOW);
    let words: Vec<&str> = cells[1..4].iter().filter_map(Value::as_str).collect();
    assert_eq!(words.join(" "), expected, "{fields}");
}

#[test]
fn a_running_pod() {
    check(
        &format!(
            "{{apiVersion: v1, kind: Pod, {META}, spec: {{nodeName: n1, containers: [{{name: c}}]}}, \
             status: {{phase: Running, podIP: 10.0.0.1, containerStatuses: [{{name: c, ready: true, \
             restartCount: 3, state: {{running: {{}}}}, \
             lastState: {{terminated: {{finishedAt: '2026-01-01T00:58:00Z'}}}}}}]}}}}"
        ),
        &expect![[r#"
            Name: x
            Ready: 1/1
            Status: Running
            Restarts: 3 (2m ago)
            Age: 5m
            [IP: 10.0.0.1]
            [Node: n1]
            [Nominated Node: <none>]
            [Readiness Gates: <none>]
        "#]],
    );
}

#[test]
fn the_word_for_a_pod() {
    let two = "spec: {containers: [{name: a}, {name: b}]}";
    check_pod(&format!("{{{two}, status: {{phase: Pending}}}}"), "0/2 Pending 0");
    check_pod(&format!("{{{two}, status: {{phase: Failed, reason: Evicted}}}}"), "0/2 Evicted 0");
    check_pod(
        &format!(
            "{{{two}, status: {{phase: Pending, conditions: [{{type: PodScheduled, reason: SchedulingGated}}]}}}}"
        ),
        "0/2 SchedulingGated 0",
    );
    check_pod(
        &format!(
            "{{{two}, status: {{phase: Running, containerStatuses: [\
             {{restartCount: 2, state: {{waiting: {{reason: CrashLoopBackOff}}}}}}, \
             {{ready: true, state: {{running: {{}}}}}}]}}}}"
        ),
        "1/2 CrashLoopBackOff 2",
    );
    check_pod(
        &format!(
            "{{{two}, status: {{phase: Running, conditions: [{{type: Ready, status: 'False'}}], \
             containerStatuses: [{{state: {{terminated: {{reason: Completed}}}}}}, \
             {{ready: true, state: {{running: {{}}}}}}]}}}}"
        ),
        "1/2 NotReady 0",
    );
    check_pod(
        "{spec: {containers: [{name: a}]}, status: {phase: Succeeded, \
         containerStatuses: [{state: {terminated: {reason: Completed}}}]}}",
        "0/1 Completed 0",
    );
    check_pod(
        "{spec: {containers: [{name: a}]}, status: {phase: Failed, \
         containerStatuses: [{state: {terminated: {exitCode: 3}}}]}}",
        "0/1 ExitCode:3 0",
    );
    check_pod(
        "{spec: {containers: [{name: a}]}, status: {phase: Failed, \
         containerStatuses: [{state: {terminated: {signal: 9, exitCode: 137}}}]}}",
        "0/1 Signal:9 0",
    );
    check_pod(
        "{metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {containers: [{name: a}]}, \
         status: {phase: Running}}",
        "0/1 Terminating 0",
    );
    check_pod(
        "{metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {containers: [{name: a}]}, \
         status: {phase: Running, reason: NodeLost}}",
        "0/1 Unknown 0",
    );
}

#[test]
fn the_word_for_a_pod_that_begins() {
    let spec = "spec: {initContainers: [{name: i}, {name: j}], containers: [{name: a}]}";
    let check = |statuses: &str, expected: &str| {
        check_pod(
            &format!("{{{spec}, status: {{phase: Pending, initContainerStatuses: [{statuses}]}}}}"),
            expected,
        );
    };
    check("{state: {running: {}}}", "0/1 Init:0/2 0");
    check("{state: {terminated: {exitCode: 0}}}, {state: {running: {}}}", "0/1 Init:1/2 0");
    check(
        "{restartCount: 4, state: {waiting: {reason: CrashLoopBackOff}}}",
        "0/1 Init:CrashLoopBackOff 4",
    );
    check("{state: {waiting: {reason: PodInitializing}}}", "0/1 Init:0/2 0");
    check("{state: {terminated: {exitCode: 1, reason: Error}}}", "0/1 Init:Error 0");
    check("{state: {terminated: {exitCode: 7}}}", "0/1 Init:ExitCode:7 0");
}

#[test]
fn a_sidecar_counts_as_a_container() {
    check_pod(
        "{spec: {initContainers: [{name: s, restartPolicy: Always}], containers: [{name: a}]}, \
         status: {phase: Running, initContainerStatuses: [{name: s, started: true, ready: true, \
         restartCount: 1, state: {running: {}}}], \
         containerStatuses: [{ready: true, restartCount: 1, state: {running: {}}}]}}",
        "2/2 Running 2",
    );
}
