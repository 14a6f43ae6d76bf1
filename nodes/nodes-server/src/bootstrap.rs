//! The objects that a cluster has from its first minute: created where they are missing, roles kept as they should be.
//!
//! Way in: [`run`].  Writes: what `nodes_door::bootstrap_objects` and the controllers' declarations say, and the
//! `kubernetes` Service. Spec: Kubernetes documentation, "Using RBAC Authorization", auto-reconciliation.

use std::sync::Arc;

use actors_controller::Controller;
use actors_kinds::Registry;
use actors_object::{ApiError, Object, Value, value};
use actors_runtime::Failure;
use futures_util::future::try_join_all;
use nodes_client::{Calls, SharedClient};
use nodes_control::{health, roles_of};
use nodes_door::{Identity, Options, Repair, Target, bootstrap_objects, controller_roles, repair};

use crate::{ServerConfig, node_object};

/// Objects that are on their way at once.
const AT_ONCE: usize = 32;

/// What bootstrapping needs to know.
pub(crate) struct Bootstrap {
    pub(crate) client: SharedClient,
    pub(crate) registry: Arc<Registry>,
    pub(crate) controllers: Vec<Arc<dyn Controller>>,
    pub(crate) config: ServerConfig,
}

/// Creates and repairs everything, in an order in which each thing finds what it needs.
pub(crate) async fn run(bootstrap: &Bootstrap) -> Result<(), Failure> {
    let identity = Identity::new("system:starling:bootstrap", &["system:masters"]);
    let calls = Calls::new(Arc::clone(&bootstrap.client), identity, "starling-bootstrap");
    let of_controllers =
        bootstrap.controllers.iter().flat_map(|one| roles_of(one.as_ref(), &bootstrap.registry));
    let of_health = bootstrap.config.mesh.iter().flat_map(|_| health::roles(&bootstrap.registry));
    let own: Vec<Object> = of_controllers.chain(of_health).collect();
    let is_own = |object: &Object| {
        own.iter().any(|role| role.kind() == object.kind() && role.name() == object.name())
    };
    let given = bootstrap_objects().into_iter().chain(controller_roles());
    let given = given.filter(|object| !is_own(object));
    let all = given.chain(own.iter().cloned()).chain(cluster_objects(bootstrap));
    // Namespaces first; nothing else asks for another object. Many at once share a sync of the log.
    let (namespaces, others): (Vec<_>, Vec<_>) = all.partition(|one| one.kind() == "Namespace");
    for objects in namespaces.chunks(AT_ONCE).chain(others.chunks(AT_ONCE)) {
        try_join_all(objects.iter().map(|object| ensure(&calls, bootstrap, object))).await?;
    }
    Ok(())
}

/// Creates the object; a role or binding that exists gets what it lacks, the API's own endpoints are set to what they
/// should be.
pub(crate) async fn ensure(
    calls: &Calls,
    bootstrap: &Bootstrap,
    object: &Object,
) -> Result<(), Failure> {
    let facts = bootstrap.registry.kind_of(object).ok_or_else(ApiError::no_such_resource)?;
    let of = |name: Option<&str>| Target {
        group: facts.gvk.group.clone(),
        version: facts.gvk.version.clone(),
        resource: facts.plural.clone(),
        subresource: None,
        namespace: facts.namespaced.then(|| object.namespace().to_owned()),
        name: name.map(str::to_owned),
    };
    match calls.get(of(Some(object.name()))).await {
        Err(error) if error.is_not_found() => {
            calls.create(of(None), &object.0).await?;
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(found) => {
            match repair(object, &found) {
                Repair::Nothing => {}
                Repair::Patch(patch) => {
                    calls.merge(of(Some(object.name())), &patch).await?;
                }
                Repair::Replace => {
                    calls.delete(of(Some(object.name())), Options::default()).await?;
                    calls.create(of(None), &object.0).await?;
                }
            }
            let keeps = ["subsets", "endpoints", "ports", "data"];
            let mut patch = Value::Map(actors_object::Map::default());
            for field in keeps.into_iter().filter(|field| object.0.get(field).is_some()) {
                patch.set_path(&[field], object.0.at(field).clone());
            }
            if patch.as_map().is_some_and(|map| !map.is_empty()) {
                calls.merge(of(Some(object.name())), &patch).await?;
            }
            Ok(())
        }
    }
}

/// The `kubernetes` Service with its endpoints, and the account of the first pods.
fn cluster_objects(bootstrap: &Bootstrap) -> Vec<Object> {
    let config = &bootstrap.config;
    let port = i64::from(config.api_port);
    let service = value!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": { "component": "apiserver", "provider": "kubernetes" },
        },
        "spec": {
            "clusterIP": config.service_address().as_str(),
            "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": port }],
        },
    });
    // Its controller makes one for each namespace; the first pod must not have to wait for that.
    let account = value!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": "default", "namespace": "default" },
    });
    let mut all = vec![Object(service), Object(account)];
    // With several servers the addresses follow membership.
    if config.mesh.is_none() {
        all.extend(endpoint_objects(&[(config.node_address.to_string(), config.api_port)]));
    }
    all
}

/// The endpoints of the `kubernetes` Service, in both forms; addresses with one port are one subset.
pub(crate) fn endpoint_objects(servers: &[(String, u16)]) -> [Object; 2] {
    let port = servers.first().map_or(0, |(_, port)| i64::from(*port));
    let of_port = servers.iter().filter(|(_, own)| i64::from(*own) == port);
    let addresses: Vec<&str> = of_port.map(|(address, _)| address.as_str()).collect();
    let ips = addresses.iter().map(|ip| value!({ "ip": *ip })).collect();
    let endpoints = value!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": { "endpointslice.kubernetes.io/skip-mirror": "true" },
        },
        "subsets": [{
            "addresses": Value::List(ips),
            "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
        }],
    });
    let each = addresses
        .iter()
        .map(|ip| value!({ "addresses": [*ip], "conditions": { "ready": true } }))
        .collect();
    let slice = value!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": { "kubernetes.io/service-name": "kubernetes" },
        },
        "addressType": "IPv4",
        "endpoints": Value::List(each),
        "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
    });
    [Object(endpoints), Object(slice)]
}

/// Registers the first server's own node, which nobody admitted.
pub(crate) async fn register(bootstrap: &Bootstrap) -> Result<(), Failure> {
    let config = &bootstrap.config;
    let identity = Identity::new("system:starling:bootstrap", &["system:masters"]);
    let calls = Calls::new(Arc::clone(&bootstrap.client), identity, "starling-bootstrap");
    let node = node_object::NewNode {
        name: &config.node,
        range: &config.node_range,
        member: Some(config.member.0),
        serial: None,
        is_tainted: false,
    };
    Ok(node_object::put(&calls, &node).await?)
}
