//! The rules of kinds, as scripts: an object, and what is made of it or said against it.
//!
//! A script is a file of `tests/rules`, one a kind. `kind GROUP/VERSION KIND` names it, `base OBJECT` is a good object
//! of it. Then one block for each rule, which begins with what sort of rule it is (`validation`, `default`,
//! `immutability`, `column` or `selector`) and a sentence. In a block:
//!
//! - `create OBJECT`, `body OBJECT` (of what is answered and not stored), `old OBJECT` with `new OBJECT`, `status OBJECT` or `NAME OBJECT` (a subresource): what is wrong;
//! - `default OBJECT`: what is filled in, `begin OBJECT`: the status that it begins with;
//! - `columns OBJECT`: what a table shows, those of `-o wide` in brackets; `fields OBJECT`: what it is selected by.
//!
//! Objects are JSON merge patches on the base, so that a script says what matters only. Lines with `=` are what comes
//! out; `UPDATE_EXPECT=1` writes them.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

mod script;

use expect_test::{ExpectFile, expect_file};

/// Runs a script and compares it with what it gives.
fn check(text: &str, expected: &ExpectFile) {
    expected.assert_eq(&script::run(text));
}

/// One test a script.
macro_rules! rules {
    ($($name:ident $path:literal;)*) => {$(
        #[test]
        fn $name() {
            let text = include_str!(concat!("../rules/", $path, ".txt"));
            check(text, &expect_file![concat!("../rules/", $path, ".txt")]);
        }
    )*};
}

rules! {
    mutating_webhook_configuration "admissionregistration.k8s.io/MutatingWebhookConfiguration";
    validating_admission_policy "admissionregistration.k8s.io/ValidatingAdmissionPolicy";
    validating_admission_policy_binding "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding";
    validating_webhook_configuration "admissionregistration.k8s.io/ValidatingWebhookConfiguration";
    custom_resource_definition "apiextensions.k8s.io/CustomResourceDefinition";
    api_service "apiregistration.k8s.io/APIService";
    daemon_set "apps/DaemonSet";
    deployment "apps/Deployment";
    replica_set "apps/ReplicaSet";
    stateful_set "apps/StatefulSet";
    token_review "authentication.k8s.io/TokenReview";
    local_subject_access_review "authorization.k8s.io/LocalSubjectAccessReview";
    self_subject_access_review "authorization.k8s.io/SelfSubjectAccessReview";
    subject_access_review "authorization.k8s.io/SubjectAccessReview";
    horizontal_pod_autoscaler "autoscaling/HorizontalPodAutoscaler";
    cron_job "batch/CronJob";
    job "batch/Job";
    certificate_signing_request "certificates.k8s.io/CertificateSigningRequest";
    lease "coordination.k8s.io/Lease";
    binding "core/Binding";
    component_status "core/ComponentStatus";
    config_map "core/ConfigMap";
    event "core/Event";
    limit_range "core/LimitRange";
    namespace "core/Namespace";
    node "core/Node";
    persistent_volume "core/PersistentVolume";
    persistent_volume_claim "core/PersistentVolumeClaim";
    pod_template "core/PodTemplate";
    replication_controller "core/ReplicationController";
    resource_quota "core/ResourceQuota";
    secret "core/Secret";
    service "core/Service";
    service_account "core/ServiceAccount";
    endpoint_slice "discovery.k8s.io/EndpointSlice";
    event_of_events "events.k8s.io/Event";
    flow_schema "flowcontrol.apiserver.k8s.io/FlowSchema";
    priority_level_configuration "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration";
    ip_address "networking.k8s.io/IPAddress";
    ingress "networking.k8s.io/Ingress";
    ingress_class "networking.k8s.io/IngressClass";
    network_policy "networking.k8s.io/NetworkPolicy";
    service_cidr "networking.k8s.io/ServiceCIDR";
    runtime_class "node.k8s.io/RuntimeClass";
    pod_disruption_budget "policy/PodDisruptionBudget";
    cluster_role "rbac.authorization.k8s.io/ClusterRole";
    cluster_role_binding "rbac.authorization.k8s.io/ClusterRoleBinding";
    role "rbac.authorization.k8s.io/Role";
    role_binding "rbac.authorization.k8s.io/RoleBinding";
    device_class "resource.k8s.io/DeviceClass";
    resource_claim "resource.k8s.io/ResourceClaim";
    resource_claim_template "resource.k8s.io/ResourceClaimTemplate";
    resource_slice "resource.k8s.io/ResourceSlice";
    priority_class "scheduling.k8s.io/PriorityClass";
    csi_driver "storage.k8s.io/CSIDriver";
    csi_node "storage.k8s.io/CSINode";
    csi_storage_capacity "storage.k8s.io/CSIStorageCapacity";
    storage_class "storage.k8s.io/StorageClass";
    volume_attachment "storage.k8s.io/VolumeAttachment";
    volume_attributes_class "storage.k8s.io/VolumeAttributesClass";
}
