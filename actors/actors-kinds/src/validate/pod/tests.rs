//! The rules of pods, one test each, by what they concern.

mod change;
mod containers;
mod devices;
mod hosts;
mod parts;
mod scheduling;
mod sources;
mod volumes;

use expect_test::{Expect, expect};

use crate::validate::testing::check_create;

/// A pod with this spec, in YAML's flow style.
pub(super) fn pod(spec: &str) -> String {
    format!("{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: a}}, spec: {spec}}}")
}

/// Creating a pod with this spec gives these complaints.
pub(super) fn check(spec: &str, expected: &Expect) {
    check_create(&pod(spec), expected);
}

/// A pod whose one container has these further fields.
pub(super) fn check_container(fields: &str, expected: &Expect) {
    check(&format!("{{containers: [{{name: c, image: i, {fields}}}]}}"), expected);
}

/// A pod with one good container and these further fields.
pub(super) fn check_spec(fields: &str, expected: &Expect) {
    check(&format!("{{containers: [{{name: c, image: i}}], {fields}}}"), expected);
}

#[test]
fn a_small_pod_is_good() {
    check_spec("", &expect![""]);
}

#[test]
fn restart_and_dns_policies_are_known_words() {
    check_spec(
        "restartPolicy: Sometimes, dnsPolicy: Guess",
        &expect![[r#"
        spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"
        spec.dnsPolicy: Unsupported value: "Guess": supported values: "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"
    "#]],
    );
}

#[test]
fn without_a_dns_policy_servers_are_needed() {
    check_spec(
        "dnsPolicy: None",
        &expect![[r#"
            spec.dnsConfig.nameservers: Required value: a nameserver is needed, since `dnsPolicy` is None
        "#]],
    );
    check_spec("dnsPolicy: None, dnsConfig: {nameservers: [10.0.0.1]}", &expect![""]);
    check_spec(
        "dnsConfig: {nameservers: [a, 10.0.0.1, 10.0.0.2, 10.0.0.3], searches: ['a..b'], options: [{value: x}]}",
        &expect![[r#"
            spec.dnsConfig.nameservers: Invalid value: ["a","10.0.0.1","10.0.0.2","10.0.0.3"]: at most 3 nameservers fit
            spec.dnsConfig.nameservers[0]: Invalid value: "a": must be a valid IP address, such as 10.9.8.7 or 2001:db8::ffff
            spec.dnsConfig.searches[0]: Invalid value: "a..b": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.dnsConfig.options[0].name: Required value: must not be empty
        "#]],
    );
}

#[test]
fn grace_and_deadline_have_bounds() {
    check_spec(
        "terminationGracePeriodSeconds: -1, activeDeadlineSeconds: 0",
        &expect![[r#"
        spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0
        spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive
    "#]],
    );
}

#[test]
fn names_in_a_spec_are_names() {
    check_spec(
        "serviceAccountName: A, nodeName: B, hostname: a.b, subdomain: '-', schedulerName: C, \
         priorityClassName: D, runtimeClassName: E, nodeSelector: {'a b': c}, imagePullSecrets: [{name: F}]",
        &expect![[r#"
            spec.serviceAccountName: Invalid value: "A": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.nodeName: Invalid value: "B": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.priorityClassName: Invalid value: "D": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.runtimeClassName: Invalid value: "E": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.hostname: Invalid value: "a.b": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
            spec.subdomain: Invalid value: "-": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
            spec.schedulerName: Invalid value: "C": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.nodeSelector: Invalid value: "a b": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
            spec.imagePullSecrets[0].name: Invalid value: "F": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
        "#]],
    );
}

#[test]
fn host_aliases_are_addresses_and_names() {
    check_spec(
        "hostAliases: [{ip: x, hostnames: [ok, Not_ok]}]",
        &expect![[r#"
            spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address, such as 10.9.8.7 or 2001:db8::ffff
            spec.hostAliases[0].hostnames[1]: Invalid value: "Not_ok": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
        "#]],
    );
}

#[test]
fn readiness_gates_preemption_and_os_are_checked() {
    check_spec(
        "readinessGates: [{conditionType: 'a b'}], preemptionPolicy: x, os: {name: dos}",
        &expect![[r#"
            spec.readinessGates[0].conditionType: Invalid value: "a b": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
            spec.preemptionPolicy: Unsupported value: "x": supported values: "Never", "PreemptLowerPriority"
            spec.os.name: Unsupported value: "dos": supported values: "linux", "windows"
        "#]],
    );
}

#[test]
fn ephemeral_containers_come_later() {
    check_spec(
        "ephemeralContainers: [{name: d, image: i}]",
        &expect![[r#"
            spec.ephemeralContainers: Forbidden: is only added to a pod that exists
        "#]],
    );
}

#[test]
fn security_contexts_do_not_contradict_themselves() {
    check_spec(
        "shareProcessNamespace: true, hostPID: true, securityContext: {runAsUser: -1, fsGroup: -2, \
         sysctls: [{name: Net}, {name: net.a, value: b}, {name: net.a, value: c}], \
         seccompProfile: {type: Localhost}, fsGroupChangePolicy: x}",
        &expect![[r#"
            spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive
            spec.securityContext.fsGroup: Invalid value: -2: must be between 0 and 2147483647, inclusive
            spec.securityContext.fsGroupChangePolicy: Unsupported value: "x": supported values: "Always", "OnRootMismatch"
            spec.securityContext.seccompProfile.localhostProfile: Required value: the type Localhost needs a file
            spec.securityContext.sysctls[0].name: Invalid value: "Net": must be the name of a kernel parameter, such as net.ipv4.tcp_syncookies
            spec.securityContext.sysctls[2].name: Duplicate value: "net.a"
            spec.shareProcessNamespace: Invalid value: true: cannot be true together with hostPID
        "#]],
    );
    check_container(
        "securityContext: {allowPrivilegeEscalation: false, privileged: true, \
         capabilities: {add: [SYS_ADMIN]}, procMount: x, \
         seccompProfile: {type: Unconfined, localhostProfile: x}}",
        &expect![[r#"
            spec.containers[0].securityContext.seccompProfile.localhostProfile: Invalid value: "x": is only for the type Localhost
            spec.containers[0].securityContext.procMount: Unsupported value: "x": supported values: "Default", "Unmasked"
            spec.containers[0].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true,"capabilities":{"add":["SYS_ADMIN"]},"procMount":"x","seccompProfile":{"type":"Unconfined","localhostProfile":"x"}}: `privileged: true` contradicts `allowPrivilegeEscalation: false`
            spec.containers[0].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true,"capabilities":{"add":["SYS_ADMIN"]},"procMount":"x","seccompProfile":{"type":"Unconfined","localhostProfile":"x"}}: the capability SYS_ADMIN contradicts `allowPrivilegeEscalation: false`
        "#]],
    );
}
