//! The rules of Services, one test each.

use expect_test::{Expect, expect};

use crate::validate::testing::{check_create, check_update};

fn service(spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: s, namespace: a}}, spec: {{{spec}}}}}"
    )
}

fn check(spec: &str, expected: &Expect) {
    check_create(&service(spec), expected);
}

#[test]
fn names_begin_with_a_letter() {
    check_create(
        &service("ports: [{port: 80}]").replace("name: s", "name: 0s"),
        &expect![[r#"
            metadata.name: Invalid value: "0s": must be a DNS label (RFC 1035): lower-case letters, digits and '-', with a letter at the beginning and a letter or digit at the end, for example 'my-name' or 'abc-123' (pattern: [a-z]([-a-z0-9]*[a-z0-9])?)
        "#]],
    );
}

#[test]
fn ports_are_needed_unless_headless() {
    check(
        "selector: {a: b}",
        &expect![[r#"
        spec.ports: Required value
    "#]],
    );
    check("clusterIP: None", &expect![""]);
    check("type: ExternalName, externalName: a.example", &expect![""]);
}

#[test]
fn several_ports_have_names() {
    check(
        "ports: [{port: 80}, {port: 81, name: a}, {port: 82, name: a}]",
        &expect![[r#"
        spec.ports[0].name: Required value
        spec.ports[2].name: Duplicate value: "a"
    "#]],
    );
}

#[test]
fn ports_are_in_range_and_once() {
    check(
        "ports: [{name: a, port: 0}, {name: b, port: 80, protocol: X}, {name: c, port: 81}, {name: d, port: 81}, \
         {name: E, port: 82, targetPort: 'A b'}, {name: f, port: 81, protocol: UDP, appProtocol: 'a b'}]",
        &expect![[r#"
            spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
            spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive
            spec.ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"
            spec.ports[3]: Duplicate value: {"name":"d","port":81,"protocol":"TCP","targetPort":81}
            spec.ports[4].name: Invalid value: "E": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
            spec.ports[4].targetPort: Invalid value: "A b": must be at most 15 lower case letters, digits or '-', with at least one letter, neither beginning nor ending with '-', and without '--'
            spec.ports[5].appProtocol: Invalid value: "a b": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
        "#]],
    );
}

#[test]
fn node_ports_belong_to_their_types_and_range() {
    check(
        "ports: [{port: 80, nodePort: 30080}]",
        &expect![[r#"
            spec.ports[0].nodePort: Forbidden: is not for Services of type ClusterIP
        "#]],
    );
    check(
        "type: NodePort, ports: [{port: 80, nodePort: 80}]",
        &expect![[r#"
            spec.ports[0].nodePort: Invalid value: 80: must be a node port: 30000 to 32767
        "#]],
    );
    check(
        "type: NodePort, ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 81, nodePort: 30080}]",
        &expect![[r#"
            spec.ports[1].nodePort: Duplicate value: 30080
        "#]],
    );
}

#[test]
fn types_and_affinities_are_known_words() {
    check(
        "type: Magic, sessionAffinity: Sticky, ports: [{port: 80}]",
        &expect![[r#"
        spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"
        spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"
    "#]],
    );
    check(
        "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 90000}}, ports: [{port: 1}]",
        &expect![[r#"
            spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be between 1 and 86400, inclusive
        "#]],
    );
    check(
        "sessionAffinityConfig: {clientIP: {timeoutSeconds: 1}}, ports: [{port: 1}]",
        &expect![[r#"
            spec.sessionAffinityConfig: Forbidden: belongs to the session affinity ClientIP
        "#]],
    );
}

#[test]
fn a_headless_service_is_not_exposed() {
    check(
        "type: NodePort, clusterIP: None, ports: [{port: 80}]",
        &expect![[r#"
            spec.clusterIP: Invalid value: "None": must not be None for a Service of type NodePort
        "#]],
    );
}

#[test]
fn addresses_are_addresses() {
    check(
        "clusterIP: x, clusterIPs: [10.0.0.1], externalIPs: [127.0.0.1, z], ipFamilies: [IPv4, IPv4], \
         ipFamilyPolicy: Both, ports: [{port: 80}]",
        &expect![[r#"
            spec.clusterIP: Invalid value: "x": must be a valid IP address, such as 10.9.8.7 or 2001:db8::ffff
            spec.clusterIPs: Invalid value: ["10.0.0.1"]: its first address must be `clusterIP`
            spec.externalIPs[0]: Invalid value: "127.0.0.1": must be an address that others can reach
            spec.externalIPs[1]: Invalid value: "z": must be a valid IP address, such as 10.9.8.7 or 2001:db8::ffff
            spec.ipFamilies: Invalid value: ["IPv4","IPv4"]: may hold each family once
            spec.ipFamilyPolicy: Unsupported value: "Both": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"
        "#]],
    );
}

#[test]
fn policies_belong_to_their_types() {
    check(
        "externalTrafficPolicy: Local, internalTrafficPolicy: x, healthCheckNodePort: 30000, \
         loadBalancerSourceRanges: [10.0.0.0], trafficDistribution: z, ports: [{port: 80}]",
        &expect![[r#"
            spec.loadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR, such as 10.9.8.0/24 or 2001:db8::/64
            spec.externalTrafficPolicy: Invalid value: "Local": is only for Services that are reached from outside
            spec.internalTrafficPolicy: Unsupported value: "x": supported values: "Cluster", "Local"
            spec.healthCheckNodePort: Invalid value: 30000: is only for load balancers with `externalTrafficPolicy: Local`
            spec.loadBalancerSourceRanges: Forbidden: is only for Services of type LoadBalancer
            spec.trafficDistribution: Unsupported value: "z": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"
        "#]],
    );
}

#[test]
fn an_external_name_is_a_name_without_addresses() {
    check(
        "type: ExternalName, clusterIP: 10.0.0.1",
        &expect![[r#"
            spec.externalName: Required value
            spec.clusterIP: Forbidden: is not for Services of type ExternalName
            spec.clusterIPs: Forbidden: is not for Services of type ExternalName
        "#]],
    );
    check(
        "type: ExternalName, externalName: 'a b'",
        &expect![[r#"
            spec.externalName: Invalid value: "a b": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
        "#]],
    );
}

#[test]
fn the_address_never_changes() {
    let with = |ip: &str| service(&format!("clusterIP: {ip}, ports: [{{port: 80}}]"));
    check_update(
        &with("10.0.0.1"),
        &with("10.0.0.2"),
        &expect![[r#"
        spec.clusterIP: Invalid value: "10.0.0.2": field is immutable
    "#]],
    );
    check_update(&with("10.0.0.1"), &service("type: ExternalName, externalName: a"), &expect![""]);
}
