//! Containers, their environment, resources and probes.

use expect_test::expect;

use super::{check, check_container};

#[test]
fn a_pod_needs_a_container() {
    check(
        "{}",
        &expect![[r#"
        spec.containers: Required value
    "#]],
    );
    check(
        "{containers: []}",
        &expect![[r#"
        spec.containers: Required value
    "#]],
    );
}

#[test]
fn containers_have_names_and_images() {
    check(
        "{containers: [{}, {name: A, image: ' i'}]}",
        &expect![[r#"
            spec.containers[0].name: Required value
            spec.containers[0].image: Required value
            spec.containers[1].name: Invalid value: "A": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
            spec.containers[1].image: Invalid value: " i": must not begin or end with a space
        "#]],
    );
}

#[test]
fn names_are_unique_over_all_containers() {
    check(
        "{containers: [{name: a, image: i}, {name: a, image: i}], initContainers: [{name: a, image: i}]}",
        &expect![[r#"
            spec.containers[1].name: Duplicate value: "a"
            spec.initContainers[0].name: Duplicate value: "a"
        "#]],
    );
}

#[test]
fn policies_of_containers_are_known_words() {
    check_container(
        "imagePullPolicy: x, terminationMessagePolicy: z",
        &expect![[r#"
        spec.containers[0].imagePullPolicy: Unsupported value: "x": supported values: "Always", "IfNotPresent", "Never"
        spec.containers[0].terminationMessagePolicy: Unsupported value: "z": supported values: "FallbackToLogsOnError", "File"
    "#]],
    );
}

#[test]
fn ports_are_in_range_and_named_once() {
    check_container(
        "ports: [{containerPort: 0}, {containerPort: 70000, name: A}, {containerPort: 1, name: b}, \
         {containerPort: 2, name: b, protocol: X, hostIP: z, hostPort: -1}]",
        &expect![[r#"
            spec.containers[0].ports[0].containerPort: Invalid value: 0: must be between 1 and 65535, inclusive
            spec.containers[0].ports[1].name: Invalid value: "A": must be at most 15 lower case letters, digits or '-', with at least one letter, neither beginning nor ending with '-', and without '--'
            spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive
            spec.containers[0].ports[3].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive
            spec.containers[0].ports[3].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"
            spec.containers[0].ports[3].hostIP: Invalid value: "z": must be a valid IP address, such as 10.9.8.7 or 2001:db8::ffff
            spec.containers[0].ports[3].name: Duplicate value: "b"
        "#]],
    );
}

#[test]
fn a_port_of_the_host_is_taken_once() {
    let port = "{containerPort: 80, hostPort: 80}";
    check_container(
        &format!("ports: [{port}, {{containerPort: 81, hostPort: 80}}]"),
        &expect![[r#"
        spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"
    "#]],
    );
    check(
        "{hostNetwork: true, containers: [{name: c, image: i, ports: [{containerPort: 80, hostPort: 81}]}]}",
        &expect![[r#"
            spec.containers[0].ports[0].hostPort: Invalid value: 81: must be the `containerPort`, since the pod is on the host's network
        "#]],
    );
}

#[test]
fn variables_have_one_source() {
    check_container(
        "env: [{name: 'A=B'}, {value: x}, \
         {name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, \
         {name: B, valueFrom: {}}, \
         {name: C, valueFrom: {fieldRef: {fieldPath: spec.x}, secretKeyRef: {name: s, key: k}}}]",
        &expect![[r#"
            spec.containers[0].env[0].name: Invalid value: "A=B": must be printable ASCII characters other than '='
            spec.containers[0].env[1].name: Required value
            spec.containers[0].env[2].valueFrom: Invalid value: {"fieldRef":{"fieldPath":"metadata.name","apiVersion":"v1"}}: cannot stand beside a `value`
            spec.containers[0].env[3].valueFrom: Invalid value: {}: must have a source, such as `fieldRef` or `secretKeyRef`
            spec.containers[0].env[4].valueFrom: Invalid value: {"fieldRef":{"fieldPath":"spec.x","apiVersion":"v1"},"secretKeyRef":{"name":"s","key":"k"}}: must have one source only
            spec.containers[0].env[4].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.x": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"
        "#]],
    );
}

#[test]
fn sources_of_variables_are_complete() {
    check_container(
        "env: [{name: A, valueFrom: {configMapKeyRef: {name: A, key: 'a/b'}}}, \
         {name: B, valueFrom: {resourceFieldRef: {resource: limits.gpu}}}, \
         {name: C, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['a b']\"}}}, \
         {name: D, valueFrom: {fieldRef: {fieldPath: \"spec.x['a']\"}}}, \
         {name: E, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}], \
         envFrom: [{}, {prefix: 'x=', configMapRef: {name: A}}, {configMapRef: {name: a}, secretRef: {name: b}}]",
        &expect![[r#"
            spec.containers[0].env[0].valueFrom.configMapKeyRef.name: Invalid value: "A": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Invalid value: "a/b": must be letters, digits, '-', '_' and '.', for example 'key.name' or 'KEY_NAME' or 'key-name' (pattern: [-._a-zA-Z0-9]+)
            spec.containers[0].env[1].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"
            spec.containers[0].env[2].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.labels['a b']": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
            spec.containers[0].env[3].valueFrom.fieldRef.fieldPath: Invalid value: "spec.x['a']": has no parts to choose from
            spec.containers[0].envFrom[0]: Invalid value: {}: must have `configMapRef` or `secretRef`
            spec.containers[0].envFrom[1].prefix: Invalid value: "x=": must be printable ASCII characters other than '='
            spec.containers[0].envFrom[1].configMapRef.name: Invalid value: "A": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.containers[0].envFrom[2]: Invalid value: {"configMapRef":{"name":"a"},"secretRef":{"name":"b"}}: must have one source only
        "#]],
    );
}

#[test]
fn requests_do_not_exceed_limits() {
    check_container(
        "resources: {requests: {cpu: 2, memory: 1Gi}, limits: {cpu: 1500m, memory: 1Gi}}",
        &expect![[r#"
            spec.containers[0].resources.requests[cpu]: Invalid value: "2": must not exceed the cpu limit of 1500m
        "#]],
    );
}

#[test]
fn amounts_are_quantities_of_known_resources() {
    check_container(
        "resources: {requests: {cpu: -1}, limits: {gold: 1, cpu: 1, example.com/gpu: 500m, 'a b/c': 1}}",
        &expect![[r#"
            spec.containers[0].resources.limits: Invalid value: "a b/c": the prefix must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.containers[0].resources.limits: Invalid value: "gold": must be cpu, memory, ephemeral-storage, hugepages-SIZE, or have a domain before it
            spec.containers[0].resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer
            spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0
            spec.containers[0].resources.requests: Invalid value: "a b/c": the prefix must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.containers[0].resources.requests: Invalid value: "gold": must be cpu, memory, ephemeral-storage, hugepages-SIZE, or have a domain before it
            spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer
        "#]],
    );
}

#[test]
fn what_is_counted_is_not_promised_twice() {
    check_container(
        "resources: {requests: {example.com/gpu: 1}}",
        &expect![[r#"
            spec.containers[0].resources.limits[example.com/gpu]: Required value: what is counted, not shared, needs a limit
        "#]],
    );
    check_container(
        "resources: {requests: {example.com/gpu: 1}, limits: {example.com/gpu: 2}}",
        &expect![[r#"
            spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "1": must equal the example.com/gpu limit of 2: it is counted, not shared
        "#]],
    );
}

#[test]
fn probes_ask_in_one_way() {
    check_container(
        "livenessProbe: {}",
        &expect![[r#"
            spec.containers[0].livenessProbe: Required value: must name one action
        "#]],
    );
    check_container(
        "livenessProbe: {exec: {command: []}, tcpSocket: {port: 1}}, \
         readinessProbe: {httpGet: {port: http-, scheme: X, httpHeaders: [{name: 'a b'}]}}",
        &expect![[r#"
            spec.containers[0].livenessProbe.exec.command: Required value
            spec.containers[0].livenessProbe.tcpSocket: Forbidden: one action is allowed, and there is one already
            spec.containers[0].readinessProbe.httpGet.port: Invalid value: "http-": must be at most 15 lower case letters, digits or '-', with at least one letter, neither beginning nor ending with '-', and without '--'
            spec.containers[0].readinessProbe.httpGet.scheme: Unsupported value: "X": supported values: "HTTP", "HTTPS"
            spec.containers[0].readinessProbe.httpGet.httpHeaders[0].name: Invalid value: "a b": must be letters, digits, '-' or '_'
        "#]],
    );
    check_container(
        "startupProbe: {grpc: {port: 0}}, lifecycle: {preStop: {}}",
        &expect![[r#"
            spec.containers[0].lifecycle.preStop: Required value: must name one action
            spec.containers[0].startupProbe.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive
        "#]],
    );
}

#[test]
fn numbers_of_probes_are_sensible() {
    check_container(
        "livenessProbe: {exec: {command: [a]}, periodSeconds: -1, successThreshold: 2}, \
         readinessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: 5}",
        &expect![[r#"
            spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0
            spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1
            spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: does not belong to a readiness probe, which ends nothing
        "#]],
    );
}

#[test]
fn init_containers_have_probes_only_if_they_stay() {
    check(
        "{containers: [{name: c, image: i}], initContainers: [\
         {name: a, image: i, readinessProbe: {exec: {command: [a]}}}, \
         {name: b, image: i, restartPolicy: Always, readinessProbe: {exec: {command: [a]}}}]}",
        &expect![[r#"
            spec.initContainers[0].readinessProbe: Forbidden: is only for init containers that stay (`restartPolicy: Always`)
        "#]],
    );
}
