//! The built-in controllers. Each file is one controller and declares what it writes.
//!
//! Way in: [`builtin`].  Never: memory between runs, or a write that is not declared.

mod aggregation;
mod claims;
mod conditions;
pub mod dead_nodes;
mod deployment;
mod disruption;
mod endpoint_slice;
mod endpoints;
mod event_ttl;
mod eviction;
pub mod fencing;
mod flow_schema;
mod furnishing;
mod garbage;
pub mod kinds;
mod mirroring;
mod namespace;
mod node_lifecycle;
mod pod_gc;
mod pods;
mod quota;
mod replica_set;
mod signing;
mod taints;
mod token_secrets;

use std::sync::Arc;

use actors_controller::Controller;

pub use aggregation::AggregationController;
pub use deployment::DeploymentController;
pub use disruption::DisruptionController;
pub use endpoint_slice::EndpointSliceController;
pub use endpoints::EndpointsController;
pub use event_ttl::EventTtlController;
pub use eviction::TaintEvictionController;
pub use flow_schema::FlowSchemaController;
pub use furnishing::{RootCaController, ServiceAccountController};
pub use garbage::GarbageController;
pub use mirroring::MirroringController;
pub use namespace::NamespaceController;
pub use node_lifecycle::NodeLifecycleController;
pub use pod_gc::PodGcController;
pub use quota::QuotaController;
pub use replica_set::{ReplicaSetController, ReplicationController};
pub use signing::{CertificateController, SignRequest, SigningOrder};
pub use token_secrets::{SignToken, TokenSecretController};

/// Every built-in controller. `ca_pem` is the certificate of the cluster's API, which each
/// namespace gets a copy of.
#[must_use]
pub fn builtin(ca_pem: &str) -> Vec<Arc<dyn Controller>> {
    vec![
        Arc::new(DeploymentController),
        Arc::new(ReplicaSetController),
        Arc::new(ReplicationController),
        Arc::new(DisruptionController),
        Arc::new(EndpointSliceController),
        Arc::new(EndpointsController),
        Arc::new(MirroringController),
        Arc::new(NamespaceController),
        Arc::new(ServiceAccountController),
        Arc::new(RootCaController { ca_pem: ca_pem.to_owned() }),
        Arc::new(GarbageController),
        Arc::new(NodeLifecycleController),
        Arc::new(TaintEvictionController),
        Arc::new(PodGcController),
        Arc::new(QuotaController),
        Arc::new(EventTtlController),
        Arc::new(AggregationController),
        Arc::new(FlowSchemaController),
    ]
}

#[cfg(test)]
mod scenery;
#[cfg(test)]
mod tests;
