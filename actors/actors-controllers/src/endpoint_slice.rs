//! Keeps the EndpointSlices of every Service with a selector: which pods answer, at which address
//! and port.
//!
//! Way in: [`EndpointSliceController`].  Writes: EndpointSlices that it manages.  Never: a slice of
//! another manager.
//! Invariant: at most 100 endpoints in a slice; an endpoint stays in its slice while it lives.
//! Spec: Kubernetes documentation, "EndpointSlices"; KEP-1672 (terminating endpoints).

mod packing;
mod services;

use actors_controller::{Access, Controller, Plan, Primary, Relations, World, WriteVerb};
use actors_core::Now;
use actors_object::{Map, Object, Value, value};

pub(crate) use self::{
    packing::{Group, SliceSet, endpoint_name},
    services::{
        Family, addresses_of, has_selector, is_headless, ports_for, selected_pods,
        services_selecting, target_ref,
    },
};
use crate::{
    kinds::{ENDPOINT_SLICE, NODE, POD, SERVICE},
    pods,
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndpointSliceController;

/// The label that ties a slice to its Service.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that says who keeps a slice.
pub(crate) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// The label of a headless Service's slices and Endpoints.
pub(crate) const HEADLESS: &str = "service.kubernetes.io/headless";
const MANAGER: &str = "endpointslice-controller.k8s.io";

impl Controller for EndpointSliceController {
    fn name(&self) -> &'static str {
        "endpointslice"
    }

    fn primary(&self) -> Primary {
        Primary::Of(SERVICE)
    }

    fn relations(&self) -> Relations {
        Relations::default().owns(&ENDPOINT_SLICE).watches(&POD, services_selecting)
    }

    fn access(&self) -> Access {
        let fields = &["metadata.labels", "ports", "endpoints"];
        Access::reads(&[&SERVICE, &POD, &NODE, &ENDPOINT_SLICE])
            .writes(&ENDPOINT_SLICE, WriteVerb::Create, &[])
            .writes(&ENDPOINT_SLICE, WriteVerb::Patch, fields)
            .writes(&ENDPOINT_SLICE, WriteVerb::Delete, &[])
    }

    fn reconcile(&self, service: &Object, world: &dyn World, _now: Now) -> Plan {
        let mut plan = Plan::default();
        if service.is_terminating() || !has_selector(service) {
            return plan;
        }
        let set = SliceSet {
            owner: service,
            service: service.name(),
            manager: MANAGER,
            labels: labels(service),
        };
        let mut groups = Vec::new();
        for family in Family::of_service(service) {
            groups.extend(family_groups(service, family, world));
        }
        set.plan(&groups, world, &mut plan);
        plan
    }
}

/// The Service's labels, the tie to it, the manager, and the mark of a headless Service.
fn labels(service: &Object) -> Map {
    let own = service.labels().filter(|(key, _)| *key != HEADLESS);
    let mut labels: Map = own.collect();
    labels.insert(SERVICE_NAME, service.name());
    labels.insert(MANAGED_BY, MANAGER);
    if is_headless(service) {
        labels.insert(HEADLESS, "");
    }
    labels
}

/// The endpoints of one address family, grouped by the ports that they resolve to. There is always
/// one group, so that a Service without pods has one empty slice.
fn family_groups(service: &Object, family: Family, world: &dyn World) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for pod in selected_pods(service, world) {
        let addresses = addresses_of(&pod, family);
        if addresses.is_empty() || pods::is_finished(&pod) {
            continue;
        }
        let ports = ports_for(service, &pod);
        let endpoint = endpoint(service, &pod, addresses, world);
        let entry = (pod.uid().to_owned(), endpoint);
        match groups.iter_mut().find(|group| group.ports == ports) {
            Some(group) => group.endpoints.push(entry),
            None => groups.push(Group { family, ports, endpoints: vec![entry] }),
        }
    }
    if groups.is_empty() {
        groups.push(Group { family, ports: Value::List(Vec::new()), endpoints: Vec::new() });
    }
    groups
}

fn endpoint(service: &Object, pod: &Object, addresses: Vec<&str>, world: &dyn World) -> Value {
    let serving = pods::is_ready(pod);
    let published = service.bool_at(&["spec", "publishNotReadyAddresses"]) == Some(true);
    let mut endpoint = value!({
        "addresses": addresses,
        "conditions": {
            "ready": published || (serving && !pod.is_terminating()),
            "serving": serving,
            "terminating": pod.is_terminating(),
        },
        "targetRef": target_ref(pod),
    });
    let hostname = pod.str_at(&["spec", "hostname"]).filter(|name| !name.is_empty());
    if let Some(hostname) = hostname
        && pod.str_at(&["spec", "subdomain"]) == Some(service.name())
    {
        endpoint.set_path(&["hostname"], hostname);
    }
    if let Some(node) = pods::node(pod) {
        endpoint.set_path(&["nodeName"], node);
        let zone = world.get(&NODE, "", node);
        let zone = zone.as_ref().and_then(|node| node.label("topology.kubernetes.io/zone"));
        if let Some(zone) = zone {
            endpoint.set_path(&["zone"], zone);
        }
    }
    endpoint
}

#[cfg(test)]
mod tests;
