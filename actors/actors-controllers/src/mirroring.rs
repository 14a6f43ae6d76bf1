//! Mirrors Endpoints that people write for Services without a selector into EndpointSlices.
//!
//! Way in: [`MirroringController`].  Writes: EndpointSlices that it manages.
//! Never: Endpoints of a Service with a selector, or ones labelled `skip-mirror`.
//! Spec: Kubernetes documentation, "EndpointSlices", mirroring (at most 1,000 addresses of a
//! subset).

use actors_controller::{Access, Controller, Key, Plan, Primary, Relations, World, WriteVerb};
use actors_core::Now;
use actors_object::{Map, Object, Value, value};

use crate::{
    endpoint_slice::{Family, Group, MANAGED_BY, SERVICE_NAME, SliceSet, has_selector},
    endpoints::ADDRESSES_MAX,
    kinds::{ENDPOINT_SLICE, ENDPOINTS, SERVICE},
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct MirroringController;

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

impl Controller for MirroringController {
    fn name(&self) -> &'static str {
        "endpointslicemirroring"
    }

    fn primary(&self) -> Primary {
        Primary::Of(ENDPOINTS)
    }

    fn relations(&self) -> Relations {
        let same_name = |object: &Object, _: &dyn World| {
            vec![Key::new(&ENDPOINTS, object.namespace(), object.name())]
        };
        Relations::default().owns(&ENDPOINT_SLICE).watches(&SERVICE, same_name)
    }

    fn access(&self) -> Access {
        let fields = &["metadata.labels", "ports", "endpoints"];
        Access::reads(&[&SERVICE, &ENDPOINTS, &ENDPOINT_SLICE])
            .writes(&ENDPOINT_SLICE, WriteVerb::Create, &[])
            .writes(&ENDPOINT_SLICE, WriteVerb::Patch, fields)
            .writes(&ENDPOINT_SLICE, WriteVerb::Delete, &[])
    }

    fn reconcile(&self, endpoints: &Object, world: &dyn World, _now: Now) -> Plan {
        let mut plan = Plan::default();
        if endpoints.is_terminating() {
            return plan;
        }
        let service = world.get(&SERVICE, endpoints.namespace(), endpoints.name());
        let mirrored = service.is_some_and(|service| !has_selector(&service))
            && endpoints.label(SKIP) != Some("true")
            && endpoints.annotation(LEADER).is_none();
        let groups = if mirrored { groups(endpoints) } else { Vec::new() };
        let mut labels: Map = endpoints.labels().collect();
        labels.insert(SERVICE_NAME, endpoints.name());
        labels.insert(MANAGED_BY, MANAGER);
        let service = endpoints.name();
        let set = SliceSet { owner: endpoints, service, manager: MANAGER, labels };
        set.plan(&groups, world, &mut plan);
        plan
    }
}

/// One group for each subset and address family.
fn groups(endpoints: &Object) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for subset in endpoints.list_at(&["subsets"]) {
        let ports = ports(subset);
        let ready = subset.list_at(&["addresses"]).iter().map(|address| (address, true));
        let rest = subset.list_at(&["notReadyAddresses"]).iter().map(|address| (address, false));
        for (address, ready) in ready.chain(rest).take(ADDRESSES_MAX) {
            let Some(ip) = address.at("ip").as_str() else { continue };
            let family = Family::of(ip);
            let endpoint = endpoint(address, ip, ready);
            let entry = (crate::endpoint_slice::endpoint_name(&endpoint), endpoint);
            let fits = |group: &&mut Group| group.family == family && group.ports == ports;
            match groups.iter_mut().find(fits) {
                Some(group) => group.endpoints.push(entry),
                None => {
                    let (ports, endpoints) = (ports.clone(), vec![entry]);
                    groups.push(Group { family, ports, endpoints });
                }
            }
        }
    }
    groups
}

fn endpoint(address: &Value, ip: &str, ready: bool) -> Value {
    let mut endpoint = value!({ "addresses": [ip], "conditions": { "ready": ready } });
    for field in ["hostname", "nodeName", "targetRef"] {
        if let Some(given) = address.get(field) {
            endpoint.set_path(&[field], given);
        }
    }
    endpoint
}

/// The subset's ports, each with a name, as slices have them.
fn ports(subset: &Value) -> Value {
    let mut list = subset.list_at(&["ports"]).to_vec();
    for port in &mut list {
        if port.at("name").as_str().is_none() {
            port.set_path(&["name"], "");
        }
    }
    Value::List(list)
}

#[cfg(test)]
mod tests;
