//! Claims, devices, restarts, and amounts of a whole pod.

use expect_test::expect;

use super::{check_container, check_spec};

#[test]
fn claims_on_devices_have_one_source_and_are_used_by_name() {
    check_spec(
        "resourceClaims: [{name: A}, {name: b, resourceClaimName: x, resourceClaimTemplateName: z}, {name: b, resourceClaimName: x}]",
        &expect![[r#"
            spec.resourceClaims[0].name: Invalid value: "A": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
            spec.resourceClaims[0]: Required value: needs resourceClaimName or resourceClaimTemplateName
            spec.resourceClaims[1]: Invalid value: {"name":"b","resourceClaimName":"x","resourceClaimTemplateName":"z"}: takes resourceClaimName or resourceClaimTemplateName, not both
            spec.resourceClaims[2].name: Duplicate value: "b"
        "#]],
    );
    check_container(
        "resources: {claims: [{name: gone}]}",
        &expect![[r#"
        spec.containers[0].resources.claims[0].name: Not found: "gone"
    "#]],
    );
}

#[test]
fn restart_rules_name_exit_codes() {
    check_container(
        "restartPolicyRules: [{action: Jump}, {action: Restart, exitCodes: {operator: Is, values: [1, 1]}}]",
        &expect![[r#"
            spec.containers[0].restartPolicy: Required value: is needed with `restartPolicyRules`
            spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Jump": supported values: "Restart", "RestartAllContainers"
            spec.containers[0].restartPolicyRules[0].exitCodes: Required value
            spec.containers[0].restartPolicyRules[1].exitCodes.operator: Unsupported value: "Is": supported values: "In", "NotIn"
            spec.containers[0].restartPolicyRules[1].exitCodes.values[1]: Duplicate value: 1
        "#]],
    );
    check_container(
        "restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [42]}}]",
        &expect![""],
    );
}

#[test]
fn how_a_resize_restarts_is_said_once() {
    check_container(
        "resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}, {resourceName: cpu, restartPolicy: Maybe}, {resourceName: disk}]",
        &expect![[r#"
            spec.containers[0].resizePolicy[1].restartPolicy: Unsupported value: "Maybe": supported values: "NotRequired", "RestartContainer"
            spec.containers[0].resizePolicy[2].resourceName: Unsupported value: "disk": supported values: "cpu", "memory"
            spec.containers[0].resizePolicy[2].restartPolicy: Required value: must be one of NotRequired, RestartContainer
            spec.containers[0].resizePolicy[1].resourceName: Duplicate value: "cpu"
        "#]],
    );
}

#[test]
fn a_whole_pod_has_at_least_what_its_containers_have() {
    check_spec(
        "resources: {requests: {cpu: 1}, limits: {example.com/gpu: 1, cpu: 2}}",
        &expect![[r#"
        spec.resources.limits: Unsupported value: "example.com/gpu": supported values: "cpu", "hugepages-SIZE", "memory"
    "#]],
    );
    let small = "containers: [{name: c, image: i, resources: {requests: {cpu: 2}, limits: {cpu: 3}}}], \
         resources: {requests: {cpu: 1}, limits: {cpu: 2}}";
    super::check(
        &format!("{{{small}}}"),
        &expect![[r#"
        spec.resources.limits[cpu]: Invalid value: "2": must not be less than the limits of the containers
        spec.resources.requests[cpu]: Invalid value: "1": must not be less than the requests of the containers
    "#]],
    );
}
