//! The rules of endpoints and endpoint slices, one test each.

use expect_test::expect;

use crate::validate::testing::{check_create, check_update};

fn endpoints(subsets: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Endpoints, metadata: {{name: e, namespace: a}}, subsets: {subsets}}}"
    )
}

fn slice(fields: &str) -> String {
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: e, namespace: a}}, {fields}}}"
    )
}

#[test]
fn a_subset_has_addresses_that_can_be_reached() {
    check_create(
        &endpoints(
            "[{}, {addresses: [{ip: 127.0.0.1}, {ip: 169.254.0.1}, {ip: x}, {}, {ip: 0.0.0.0}]}]",
        ),
        &expect![[r#"
            subsets[0]: Required value: must have `addresses` or `notReadyAddresses`
            subsets[1].addresses[0].ip: Invalid value: "127.0.0.1": must not be a loopback address
            subsets[1].addresses[1].ip: Invalid value: "169.254.0.1": must not be a link-local address
            subsets[1].addresses[2].ip: Invalid value: "x": must be a valid IP address, such as 10.9.8.7 or 2001:db8::ffff
            subsets[1].addresses[3].ip: Required value
            subsets[1].addresses[4].ip: Invalid value: "0.0.0.0": may not be unspecified
        "#]],
    );
    check_create(&endpoints("[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]"), &expect![""]);
}

#[test]
fn several_ports_of_a_subset_have_names() {
    check_create(
        &endpoints("[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}, {port: 0, name: a}]}]"),
        &expect![[r#"
            subsets[0].ports[0].name: Required value
            subsets[0].ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive
        "#]],
    );
}

#[test]
fn a_slice_has_one_family() {
    check_create(
        &slice("endpoints: []"),
        &expect![[r#"
        addressType: Required value: must be one of FQDN, IPv4, IPv6
    "#]],
    );
    check_create(
        &slice(
            "addressType: IPv4, endpoints: [{addresses: ['::1']}, {addresses: []}, {addresses: [10.0.0.1], hostname: a.b}]",
        ),
        &expect![[r#"
            endpoints[0].addresses[0]: Invalid value: "::1": must be an IPv4 address
            endpoints[1].addresses: Required value: an endpoint has one address or more
            endpoints[2].hostname: Invalid value: "a.b": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
        "#]],
    );
    check_update(
        &slice("addressType: IPv4, endpoints: []"),
        &slice("addressType: IPv6, endpoints: []"),
        &expect![[r#"
            addressType: Invalid value: "IPv6": field is immutable
        "#]],
    );
}

#[test]
fn ports_of_a_slice_have_unique_names() {
    check_create(
        &slice(
            "addressType: IPv4, endpoints: [], ports: [{port: 80}, {port: 81}, {port: 70000, name: b, protocol: x}]",
        ),
        &expect![[r#"
            ports[2].port: Invalid value: 70000: must be between 1 and 65535, inclusive
            ports[2].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"
            ports[1].name: Duplicate value: ""
        "#]],
    );
}

#[test]
fn a_slice_has_a_bound() {
    let many = "{addresses: [10.0.0.1]}, ".repeat(1_001);
    check_create(
        &slice(&format!("addressType: IPv4, endpoints: [{many}]")),
        &expect![[r#"
        endpoints: Too many: 1001: must have at most 1000 items
    "#]],
    );
}
