//! The kinds that the built-in controllers read and write.
//!
//! Way in: the constants.

use actors_controller::Kind;

/// `v1` Pod.
pub const POD: Kind = Kind::new("v1", "Pod");
/// `v1` Node.
pub const NODE: Kind = Kind::new("v1", "Node");
/// `v1` Namespace.
pub const NAMESPACE: Kind = Kind::new("v1", "Namespace");
/// `v1` Service.
pub const SERVICE: Kind = Kind::new("v1", "Service");
/// `v1` Endpoints.
pub const ENDPOINTS: Kind = Kind::new("v1", "Endpoints");
/// `v1` ServiceAccount.
pub const SERVICE_ACCOUNT: Kind = Kind::new("v1", "ServiceAccount");
/// `v1` ConfigMap.
pub const CONFIG_MAP: Kind = Kind::new("v1", "ConfigMap");
/// `v1` Event.
pub const EVENT: Kind = Kind::new("v1", "Event");
/// `apps/v1` Deployment.
pub const DEPLOYMENT: Kind = Kind::new("apps/v1", "Deployment");
/// `apps/v1` ReplicaSet.
pub const REPLICA_SET: Kind = Kind::new("apps/v1", "ReplicaSet");
/// `discovery.k8s.io/v1` EndpointSlice.
pub const ENDPOINT_SLICE: Kind = Kind::new("discovery.k8s.io/v1", "EndpointSlice");
/// `v1` ReplicationController.
pub const REPLICATION_CONTROLLER: Kind = Kind::new("v1", "ReplicationController");
/// `apps/v1` StatefulSet.
pub const STATEFUL_SET: Kind = Kind::new("apps/v1", "StatefulSet");
/// `policy/v1` PodDisruptionBudget.
pub const DISRUPTION_BUDGET: Kind = Kind::new("policy/v1", "PodDisruptionBudget");
/// `v1` Secret.
pub const SECRET: Kind = Kind::new("v1", "Secret");
/// `certificates.k8s.io/v1` CertificateSigningRequest.
pub const SIGNING_REQUEST: Kind = Kind::new("certificates.k8s.io/v1", "CertificateSigningRequest");
/// `rbac.authorization.k8s.io/v1` ClusterRole.
pub const CLUSTER_ROLE: Kind = Kind::new("rbac.authorization.k8s.io/v1", "ClusterRole");
/// `rbac.authorization.k8s.io/v1` ClusterRoleBinding.
pub const CLUSTER_ROLE_BINDING: Kind =
    Kind::new("rbac.authorization.k8s.io/v1", "ClusterRoleBinding");
/// `flowcontrol.apiserver.k8s.io/v1` FlowSchema.
pub const FLOW_SCHEMA: Kind = Kind::new("flowcontrol.apiserver.k8s.io/v1", "FlowSchema");
/// `flowcontrol.apiserver.k8s.io/v1` PriorityLevelConfiguration.
pub const PRIORITY_LEVEL: Kind =
    Kind::new("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration");
