//! Keeps the Endpoints object of every Service with a selector, for clients of the older API.
//!
//! Way in: [`EndpointsController`].  Writes: Endpoints named like their Service.
//! Never: a terminating pod's address, or more than 1,000 addresses (the annotation then says so).
//! Spec: Kubernetes documentation, "Service", Endpoints.

use actors_controller::{
    Access, Controller, Key, Plan, Primary, Relations, World, WriteVerb, merge_diff,
};
use actors_core::Now;
use actors_object::{Map, Object, Value, value};

use crate::{
    endpoint_slice::{
        Family, HEADLESS, addresses_of, has_selector, is_headless, ports_for, selected_pods,
        services_selecting, target_ref,
    },
    kinds::{ENDPOINTS, POD, SERVICE},
    pods,
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndpointsController;

/// Most addresses in one Endpoints object.
pub(crate) const ADDRESSES_MAX: usize = 1_000;
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGER: &str = "endpoint-controller";

impl Controller for EndpointsController {
    fn name(&self) -> &'static str {
        "endpoint"
    }

    fn primary(&self) -> Primary {
        Primary::Of(SERVICE)
    }

    fn relations(&self) -> Relations {
        let same_name = |object: &Object, _: &dyn World| {
            vec![Key::new(&SERVICE, object.namespace(), object.name())]
        };
        Relations::default().watches(&POD, services_selecting).watches(&ENDPOINTS, same_name)
    }

    fn access(&self) -> Access {
        let fields = &["metadata.labels", "metadata.annotations", "subsets"];
        Access::reads(&[&SERVICE, &POD, &ENDPOINTS])
            .writes(&ENDPOINTS, WriteVerb::Create, &[])
            .writes(&ENDPOINTS, WriteVerb::Patch, fields)
            .writes(&ENDPOINTS, WriteVerb::Delete, &[])
    }

    fn reconcile(&self, service: &Object, world: &dyn World, _now: Now) -> Plan {
        let mut plan = Plan::default();
        if service.is_terminating() || !has_selector(service) {
            return plan;
        }
        let mut subsets = Subsets::default();
        for pod in selected_pods(service, world) {
            subsets.add(service, &pod);
        }
        let truncated = subsets.truncate();
        let labels = labels(service);
        let mut wanted = value!({
            "metadata": { "labels": labels },
            "subsets": subsets.into_value(),
        });
        if truncated {
            wanted.set_path(&["metadata", "annotations", OVER_CAPACITY], "truncated");
        }
        match world.get(&ENDPOINTS, service.namespace(), service.name()) {
            Some(existing) => update(&existing, &wanted, &mut plan),
            None => plan.create(made(service, wanted)),
        }
        plan
    }

    fn reconcile_gone(&self, key: &Key, world: &dyn World, _now: Now) -> Plan {
        let mut plan = Plan::default();
        let left = world.get(&ENDPOINTS, &key.namespace, &key.name);
        if let Some(left) = left.filter(|left| left.label(MANAGED_BY) == Some(MANAGER)) {
            plan.delete(&left);
        }
        plan
    }
}

fn labels(service: &Object) -> Map {
    let mut labels: Map = service.labels().filter(|(key, _)| *key != HEADLESS).collect();
    labels.insert(MANAGED_BY, MANAGER);
    if is_headless(service) {
        labels.insert(HEADLESS, "");
    }
    labels
}

fn made(service: &Object, mut wanted: Value) -> Object {
    wanted.set_path(&["apiVersion"], "v1");
    wanted.set_path(&["kind"], "Endpoints");
    wanted.set_path(&["metadata", "name"], service.name());
    wanted.set_path(&["metadata", "namespace"], service.namespace());
    Object(wanted)
}

fn update(existing: &Object, wanted: &Value, plan: &mut Plan) {
    let mut current = value!({
        "metadata": { "labels": existing.map_at(&["metadata", "labels"]).clone() },
        "subsets": existing.at("subsets"),
    });
    if let Some(mark) = existing.annotation(OVER_CAPACITY) {
        current.set_path(&["metadata", "annotations", OVER_CAPACITY], mark);
    }
    let mut wanted = wanted.clone();
    if existing.annotation(OVER_CAPACITY).is_some()
        && wanted.path(&["metadata", "annotations"]).is_none()
    {
        wanted.set_path(&["metadata", "annotations"], Value::Map(Map::new()));
    }
    if let Some(patch) = merge_diff(&current, &wanted) {
        plan.patch(existing, patch);
    }
}

/// Addresses that have the same ports.
#[derive(Debug, Default)]
struct Subset {
    ports: Value,
    ready: Vec<(String, Value)>,
    not_ready: Vec<(String, Value)>,
}

#[derive(Debug, Default)]
struct Subsets(Vec<Subset>);

impl Subsets {
    fn add(&mut self, service: &Object, pod: &Object) {
        let family = Family::of_service(service).first().copied().unwrap_or(Family::V4);
        let Some(ip) = addresses_of(pod, family).first().map(|ip| (*ip).to_owned()) else { return };
        let published = service.bool_at(&["spec", "publishNotReadyAddresses"]) == Some(true);
        if pods::is_finished(pod) || (pod.is_terminating() && !published) {
            return;
        }
        let ports = ports_for(service, pod);
        let portless = ports.is_empty_value();
        if portless && !service.list_at(&["spec", "ports"]).is_empty() {
            return;
        }
        let ports = if portless { Value::Null } else { ports };
        let mut address = value!({ "ip": ip.as_str(), "targetRef": target_ref(pod) });
        if let Some(node) = pods::node(pod) {
            address.set_path(&["nodeName"], node);
        }
        let hostname = pod.str_at(&["spec", "hostname"]).filter(|name| !name.is_empty());
        if let Some(hostname) = hostname
            && pod.str_at(&["spec", "subdomain"]) == Some(service.name())
        {
            address.set_path(&["hostname"], hostname);
        }
        let at = self.0.iter().position(|subset| subset.ports == ports).unwrap_or_else(|| {
            self.0.push(Subset { ports, ..Subset::default() });
            self.0.len() - 1
        });
        let ready = pods::is_ready(pod) || published;
        let list = if ready { &mut self.0[at].ready } else { &mut self.0[at].not_ready };
        list.push((ip, address));
    }

    /// Keeps at most [`ADDRESSES_MAX`] addresses, ready ones first; whether some were left out.
    fn truncate(&mut self) -> bool {
        let mut room = ADDRESSES_MAX;
        let mut cut = false;
        let ready = |subset: &mut Subset| std::mem::take(&mut subset.ready);
        for subset in &mut self.0 {
            let mut list = ready(subset);
            list.sort_by(|one, other| one.0.cmp(&other.0));
            cut |= list.len() > room;
            list.truncate(room);
            room -= list.len();
            subset.ready = list;
        }
        for subset in &mut self.0 {
            subset.not_ready.sort_by(|one, other| one.0.cmp(&other.0));
            cut |= subset.not_ready.len() > room;
            subset.not_ready.truncate(room);
            room -= subset.not_ready.len();
        }
        cut
    }

    fn into_value(self) -> Value {
        let mut list = Vec::new();
        for subset in self.0 {
            let mut entry = Map::new();
            for (field, addresses) in
                [("addresses", subset.ready), ("notReadyAddresses", subset.not_ready)]
            {
                if !addresses.is_empty() {
                    let values: Vec<Value> = addresses.into_iter().map(|(_, one)| one).collect();
                    entry.insert(field, values);
                }
            }
            if entry.is_empty() {
                continue;
            }
            if !subset.ports.is_null() {
                entry.insert("ports", without_empty_names(subset.ports));
            }
            list.push(Value::Map(entry));
        }
        if list.is_empty() { Value::Null } else { Value::List(list) }
    }
}

/// An Endpoints port has no name where a slice's has an empty one.
fn without_empty_names(ports: Value) -> Value {
    let Value::List(mut list) = ports else { return ports };
    for port in &mut list {
        if port.at("name").as_str() == Some("") {
            port.remove_path(&["name"]);
        }
    }
    Value::List(list)
}

#[cfg(test)]
mod tests;
