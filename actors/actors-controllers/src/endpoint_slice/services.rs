//! What a Service means for its pods: which it selects, at which addresses, on which ports.
//!
//! Way in: [`selected_pods`], [`addresses_of`], [`ports_for`].  Spec: Kubernetes documentation,
//! "Service".

use std::sync::Arc;

use actors_controller::{Key, World};
use actors_object::{LabelSelector, Object, Value, value};

use crate::kinds::{POD, SERVICE};

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// As the `addressType` of a slice.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The family of an address.
    pub(crate) fn of(address: &str) -> Self {
        if address.contains(':') { Self::V6 } else { Self::V4 }
    }

    /// The families that a Service serves; IPv4 if it does not say.
    pub(crate) fn of_service(service: &Object) -> Vec<Self> {
        let given = service.list_at(&["spec", "ipFamilies"]).iter().filter_map(Value::as_str);
        let families: Vec<Self> =
            given.map(|name| if name == "IPv6" { Self::V6 } else { Self::V4 }).collect();
        if families.is_empty() { vec![Self::V4] } else { families }
    }
}

/// Whether the Service chooses its pods itself.
pub(crate) fn has_selector(service: &Object) -> bool {
    let external = service.str_at(&["spec", "type"]) == Some("ExternalName");
    !external && !service.map_at(&["spec", "selector"]).is_empty()
}

/// Whether the Service has no address of its own.
pub(crate) fn is_headless(service: &Object) -> bool {
    service.str_at(&["spec", "clusterIP"]) == Some("None")
}

/// The pods that the Service selects, by name.
pub(crate) fn selected_pods(service: &Object, world: &dyn World) -> Vec<Arc<Object>> {
    let selector = LabelSelector::from_map(service.map_at(&["spec", "selector"]));
    world.matching(&POD, Some(service.namespace()), &selector)
}

/// The Services that select `pod`.
pub(crate) fn services_selecting(pod: &Object, world: &dyn World) -> Vec<Key> {
    let mut services = world.list(&SERVICE, Some(pod.namespace()));
    services.retain(|service| {
        let selector = LabelSelector::from_map(service.map_at(&["spec", "selector"]));
        has_selector(service) && selector.matches(pod)
    });
    services.iter().map(|service| Key::of(service)).collect()
}

/// The pod's addresses of one family.
pub(crate) fn addresses_of(pod: &Object, family: Family) -> Vec<&str> {
    let listed = pod.list_at(&["status", "podIPs"]).iter().filter_map(|one| one.at("ip").as_str());
    let mut all: Vec<&str> = listed.collect();
    if all.is_empty() {
        all.extend(pod.str_at(&["status", "podIP"]));
    }
    all.retain(|address| !address.is_empty() && Family::of(address) == family);
    all
}

/// The Service's ports as `pod` has them, as the `ports` of a slice; named ports that the pod lacks
/// are left out.
pub(crate) fn ports_for(service: &Object, pod: &Object) -> Value {
    let mut ports = Vec::new();
    for port in service.list_at(&["spec", "ports"]) {
        let protocol = port.at("protocol").as_str().unwrap_or("TCP");
        let target = match port.at("targetPort") {
            Value::String(name) => container_port(pod, name, protocol),
            target => target.as_i64().filter(|number| *number > 0).or(port.at("port").as_i64()),
        };
        if let Some(number) = target {
            let mut entry = value!({
                "name": port.at("name").as_str().unwrap_or_default(),
                "port": number,
                "protocol": protocol,
            });
            if let Some(application) = port.at("appProtocol").as_str() {
                entry.set_path(&["appProtocol"], application);
            }
            ports.push(entry);
        }
    }
    Value::List(ports)
}

/// The number of the port that a container of the pod calls `name`; a text of digits is a number
/// itself.
fn container_port(pod: &Object, name: &str, protocol: &str) -> Option<i64> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let sidecars = pod.list_at(&["spec", "initContainers"]).iter();
    let sidecars = sidecars.filter(|one| one.at("restartPolicy").as_str() == Some("Always"));
    let containers = pod.list_at(&["spec", "containers"]).iter().chain(sidecars);
    let mut ports = containers.flat_map(|container| container.list_at(&["ports"]));
    let fits = |port: &&Value| {
        port.at("name").as_str() == Some(name)
            && port.at("protocol").as_str().unwrap_or("TCP") == protocol
    };
    ports.find(fits).and_then(|port| port.at("containerPort").as_i64())
}

/// A reference to `pod`.
pub(crate) fn target_ref(pod: &Object) -> Value {
    value!({
        "kind": "Pod",
        "name": pod.name(),
        "namespace": pod.namespace(),
        "uid": pod.uid(),
    })
}
