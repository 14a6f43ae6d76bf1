//! Changes through subresources, and the status.

use expect_test::expect;

use super::pod;
use crate::validate::testing::{check_status_change, check_sub, check_update};

const SPEC: &str = "{containers: [{name: c, image: i, resources: {requests: {cpu: 1, example.com/g: 1}, \
     limits: {example.com/g: 1}}}], ephemeralContainers: [{name: d, image: i}]}";

#[test]
fn ephemeral_containers_are_only_added() {
    let old = pod(SPEC);
    let with = |list: &str| old.replace("[{name: d, image: i}]", list);
    let check = |list: &str, expected: &expect_test::Expect| {
        check_sub("ephemeralcontainers", &old, &with(list), expected);
    };
    check("[{name: d, image: i}, {name: e, image: i}]", &expect![""]);
    check(
        "[]",
        &expect![[r#"
        spec.ephemeralContainers: Forbidden: "d" cannot be taken away
    "#]],
    );
    check(
        "[{name: d, image: other}, {name: c, image: i, ports: [{containerPort: 1}]}]",
        &expect![[r#"
        spec.ephemeralContainers[1].ports: Forbidden: ephemeral containers cannot have this
        spec.ephemeralContainers[1].name: Duplicate value: "c"
        spec.ephemeralContainers: Forbidden: "d" cannot be changed
    "#]],
    );
    check(
        "[{name: d, image: i}, {name: e, image: i, targetContainerName: gone}]",
        &expect![[r#"
        spec.ephemeralContainers[1].targetContainerName: Not found: "gone"
    "#]],
    );
}

#[test]
fn a_resize_changes_processor_and_memory() {
    let old = pod(SPEC);
    let with = |amounts: &str| {
        old.replace("{requests: {cpu: 1, example.com/g: 1}, limits: {example.com/g: 1}}", amounts)
            .replace(
                "{requests: {cpu: 1, example.com/g: 1}, \
     limits: {example.com/g: 1}}",
                amounts,
            )
    };
    let check = |amounts: &str, expected: &expect_test::Expect| {
        check_sub("resize", &old, &with(amounts), expected);
    };
    check("{requests: {cpu: 2, example.com/g: 1}, limits: {example.com/g: 1}}", &expect![""]);
    check(
        "{requests: {example.com/g: 1}, limits: {example.com/g: 1}}",
        &expect![[r#"
        spec.containers[0].resources.requests: Forbidden: requests of cpu cannot be taken away
        spec: Invalid value: {"containers":[{"name":"c","image":"i","resources":{"requests":{"example.com/g":"1"},"limits":{"example.com/g":"1"}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"ephemeralContainers":[{"name":"d","image":"i","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"enableServiceLinks":true,"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst...: a resize cannot change the class of the pod's quality of service
    "#]],
    );
    check(
        "{requests: {cpu: 1, example.com/g: 2}, limits: {example.com/g: 2}}",
        &expect![[r#"
        spec.containers[0].resources.limits[example.com/g]: Forbidden: only cpu and memory can be resized
        spec.containers[0].resources.requests[example.com/g]: Forbidden: only cpu and memory can be resized
    "#]],
    );
    check(
        "{requests: {cpu: 1, memory: 1, example.com/g: 1}, limits: {cpu: 1, memory: 1, example.com/g: 1}}",
        &expect![[r#"
            spec: Invalid value: {"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"1","memory":"1","example.com/g":"1"},"limits":{"cpu":"1","memory":"1","example.com/g":"1"}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"ephemeralContainers":[{"name":"d","image":"i","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"enableServiceLinks":true,"restartPolicy":"Always","terminationGr...: a resize cannot change the class of the pod's quality of service
        "#]],
    );
}

#[test]
fn a_gated_pod_narrows_its_choice_of_nodes() {
    let gated = |more: &str| {
        pod(&format!(
            "{{containers: [{{name: c, image: i}}], schedulingGates: [{{name: g}}], {more}}}"
        ))
    };
    check_update(
        &gated("nodeSelector: {a: b}"),
        &gated("nodeSelector: {a: b, c: d}"),
        &expect![""],
    );
    check_update(
        &gated("nodeSelector: {a: b}"),
        &gated("nodeSelector: {c: d}"),
        &expect![[r#"
        spec.nodeSelector: Invalid value: {"c":"d"}: labels can only be added while there are scheduling gates
    "#]],
    );
    let terms = |terms: &str| {
        gated(&format!(
            "affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{terms}]}}}}}}"
        ))
    };
    let one = "{matchExpressions: [{key: a, operator: Exists}]}";
    let more = "{matchExpressions: [{key: a, operator: Exists}, {key: b, operator: Exists}]}";
    check_update(&terms(one), &terms(more), &expect![""]);
    check_update(
        &terms(more),
        &terms(one),
        &expect![[r#"
        spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Invalid value: [{"matchExpressions":[{"key":"a","operator":"Exists"}]}]: requirements can only be added
    "#]],
    );
    check_update(
        &terms(one),
        &terms(&format!("{one}, {more}")),
        &expect![[r#"
        spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Invalid value: [{"matchExpressions":[{"key":"a","operator":"Exists"}]},{"matchExpressions":[{"key":"a","operator":"Exists"},{"key":"b","operator":"Exists"}]}]: requirements can only be added
    "#]],
    );
    check_update(
        &gated(""),
        &gated(
            "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}]}}",
        ),
        &expect![[r#"
        spec.affinity.podAffinity: Forbidden: only the nodeAffinity can change
    "#]],
    );
}

#[test]
fn a_container_that_has_ended_for_good_stays_so() {
    let never = pod("{restartPolicy: Never, containers: [{name: c, image: i}]}");
    let ended = "{qosClass: BestEffort, containerStatuses: [{name: c, state: {terminated: {exitCode: 1}}}]}";
    let runs = "{qosClass: BestEffort, containerStatuses: [{name: c, state: {running: {}}}]}";
    check_status_change(
        &never,
        ended,
        runs,
        &expect![[r#"
        status.containerStatuses[0].state: Forbidden: a container that has ended for good cannot run again
    "#]],
    );
    check_status_change(&never.replace("Never", "OnFailure"), ended, runs, &expect![""]);
    check_status_change(
        &never.replace("Never", "OnFailure"),
        &ended.replace("exitCode: 1", "exitCode: 0"),
        runs,
        &expect![[r#"
        status.containerStatuses[0].state: Forbidden: a container that has ended for good cannot run again
    "#]],
    );
    check_status_change(&never.replace("Never", "Always"), ended, runs, &expect![""]);
}

#[test]
fn the_status_keeps_its_class_and_has_addresses() {
    let status = "{qosClass: Burstable, podIPs: [{ip: a}, {ip: 10.0.0.1}, {ip: 10.0.0.2}], nominatedNodeName: A_b, \
         conditions: [{type: Ready, status: Maybe}]}";
    check_status_change(
        &pod("{containers: [{name: c, image: i}]}"),
        "{qosClass: BestEffort}",
        status,
        &expect![[r#"
        status.nominatedNodeName: Invalid value: "A_b": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
        status.qosClass: Invalid value: "Burstable": field is immutable
        status.podIPs[0].ip: Invalid value: "a": must be a valid IP address, such as 10.9.8.7 or 2001:db8::ffff
        status.podIPs: Invalid value: [{"ip":"a"},{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may hold one address of each family
        status.conditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"
    "#]],
    );
}
