//! What is shared with the machine, operating systems, names.

use expect_test::expect;

use super::{check, check_container, check_spec};

#[test]
fn users_of_its_own_exclude_other_shared_namespaces() {
    check_spec(
        "hostUsers: false, hostPID: true, hostIPC: true",
        &expect![[r#"
        spec.hostPID: Forbidden: cannot be shared by a pod with `hostUsers: false`
        spec.hostIPC: Forbidden: cannot be shared by a pod with `hostUsers: false`
    "#]],
    );
    check_container(
        "securityContext: {procMount: Unmasked}",
        &expect![[r#"
        spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": needs `hostUsers: false`
    "#]],
    );
}

#[test]
fn a_name_that_overrides_stands_alone() {
    check_spec(
        "hostnameOverride: 'a b', setHostnameAsFQDN: true",
        &expect![[r#"
        spec.hostnameOverride: Invalid value: "a b": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
        spec.hostnameOverride: Forbidden: cannot be set with `setHostnameAsFQDN: true`
    "#]],
    );
    check_spec("hostnameOverride: web.example", &expect![""]);
}

#[test]
fn a_pod_that_is_gated_has_no_node() {
    check_spec(
        "nodeName: n1, schedulingGates: [{name: wait}]",
        &expect![[r#"
        spec.nodeName: Forbidden: cannot be set while there are scheduling gates
    "#]],
    );
}

#[test]
fn what_belongs_to_another_system_is_refused() {
    check(
        "{os: {name: windows}, hostPID: true, securityContext: {runAsUser: 1}, \
         containers: [{name: c, image: i, securityContext: {privileged: true, runAsGroup: 1}}]}",
        &expect![[r#"
            spec.hostPID: Forbidden: cannot be set when `os.name` is windows
            spec.securityContext.runAsUser: Forbidden: cannot be set when `os.name` is windows
            spec.containers[0].securityContext.privileged: Forbidden: cannot be set when `os.name` is windows
            spec.containers[0].securityContext.runAsGroup: Forbidden: cannot be set when `os.name` is windows
        "#]],
    );
    check(
        "{os: {name: linux}, securityContext: {windowsOptions: {hostProcess: true}}, \
         containers: [{name: c, image: i, securityContext: {windowsOptions: {runAsUserName: a}}}]}",
        &expect![[r#"
            spec.securityContext.windowsOptions: Forbidden: cannot be set when `os.name` is linux
            spec.containers[0].securityContext.windowsOptions: Forbidden: cannot be set when `os.name` is linux
        "#]],
    );
    check_container(
        "securityContext: {windowsOptions: {runAsUserName: ''}}",
        &expect![[r#"
        spec.containers[0].securityContext.windowsOptions.runAsUserName: Required value
    "#]],
    );
    check_spec(
        "securityContext: {seLinuxChangePolicy: Sometimes}",
        &expect![[r#"
        spec.securityContext.seLinuxChangePolicy: Unsupported value: "Sometimes": supported values: "MountOption", "Recursive"
    "#]],
    );
}

#[test]
fn a_hook_sleeps_no_longer_than_the_pod_has() {
    check_container(
        "lifecycle: {preStop: {sleep: {seconds: 31}}}",
        &expect![[r#"
        spec.containers[0].lifecycle.preStop.sleep.seconds: Invalid value: 31: must not exceed terminationGracePeriodSeconds (30)
    "#]],
    );
}
