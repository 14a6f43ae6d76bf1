//! Keeps the node's Service rules in step with Services, EndpointSlices and pods' host ports.
//!
//! Way in: [`run`], the service.  Owns: the proxy.
//! Time and order: a change is in force within milliseconds; changes that come together are applied
//! together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_object::Object;
use actors_runtime::{Failure, Service};
use nodes_door::Options;
use nodes_network::{Desired, HostPort, NftCommand, Protocol, ServiceProxy, desired_services};
use tokio::sync::Notify;

use crate::{
    blocking::off_loop,
    mirror::{News, follow, pause},
    shared::{Shared, lock, target},
};

/// The pause after the kernel refused the rules.
const RETRY: Duration = Duration::from_secs(2);

/// Objects by `namespace/name`.
type Objects = BTreeMap<String, Arc<Object>>;

/// The service.
pub(crate) async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let slices: Mutex<Objects> = Mutex::default();
    // Rules of what is not known yet would cut off what an earlier agent's rules still serve.
    let lists = Lists::default();
    let changed = Notify::new();
    let everything = |resource, group, version| {
        (target(group, version, resource, None, None), Options::default())
    };
    let services = follow(&service, &shared.calls, everything("services", "", "v1"), |news| {
        let is_list = matches!(news, News::All(_));
        take(&shared.services, news, (&lists.services, &changed));
        if is_list {
            shared.services_known.send_replace(true);
        }
    });
    let endpoints = everything("endpointslices", "discovery.k8s.io", "v1");
    let endpoints = follow(&service, &shared.calls, endpoints, |news| {
        take(&slices, news, (&lists.slices, &changed));
    });
    let applying = apply(&shared, &service, (&slices, &lists), &changed);
    tokio::join!(services, endpoints, applying);
    Ok(())
}

/// Which lists have come.
#[derive(Default)]
struct Lists {
    services: Mutex<bool>,
    slices: Mutex<bool>,
}

impl Lists {
    fn are_complete(&self) -> bool {
        *lock(&self.services) && *lock(&self.slices)
    }
}

fn take(objects: &Mutex<Objects>, news: News, (listed, changed): (&Mutex<bool>, &Notify)) {
    let name = |object: &Object| format!("{}/{}", object.namespace(), object.name());
    match news {
        News::All(all) => {
            *lock(objects) = all.into_iter().map(|object| (name(&object), object)).collect();
            *lock(listed) = true;
        }
        News::Changed(object) => drop(lock(objects).insert(name(&object), object)),
        News::Gone(object) => drop(lock(objects).remove(&name(&object))),
        News::Pause => changed.notify_one(),
    }
}

async fn apply(
    shared: &Arc<Shared>,
    service: &Service,
    (slices, lists): (&Mutex<Objects>, &Lists),
    changed: &Notify,
) {
    let mut proxy = Some(ServiceProxy::new(shared.config.proxy(), Box::new(NftCommand)));
    loop {
        tokio::select! {
            () = service.stopping() => return,
            () = changed.notified() => {}
            () = shared.ports_changed.notified() => {}
        }
        let Some(mut working) = proxy.take().filter(|_| lists.are_complete()) else {
            proxy = Some(ServiceProxy::new(shared.config.proxy(), Box::new(NftCommand)));
            continue;
        };
        *lock(&shared.endpoints) = Some(named_pods(slices));
        let desired = desired(shared, slices);
        let done = off_loop(move || {
            let result = working.apply(&desired);
            (working, result.map_err(|error| nodes_oci::chain(&error)))
        });
        let Ok((working, result)) = done.await else { return };
        proxy = Some(working);
        if let Err(message) = result {
            tracing::warn!(message, "Services are not reachable as they should be");
            if pause(service, RETRY).await {
                return;
            }
            changed.notify_one();
        }
    }
}

/// Pods that some slice names, whatever their condition: a proxy may send to them.
fn named_pods(slices: &Mutex<Objects>) -> BTreeSet<String> {
    let slices = lock(slices);
    let endpoints = slices.values().flat_map(|slice| slice.0.list_at(&["endpoints"]));
    endpoints
        .filter_map(|endpoint| endpoint.str_at(&["targetRef", "uid"]).map(str::to_owned))
        .collect()
}

fn desired(shared: &Shared, slices: &Mutex<Objects>) -> Desired {
    // Copied, so that nobody waits for the computation.
    let services: Vec<Arc<Object>> = lock(&shared.services).values().cloned().collect();
    let slices: Vec<Arc<Object>> = lock(slices).values().cloned().collect();
    let all = services.iter().map(|one| &**one);
    let services = desired_services(all, slices.iter().map(|one| &**one), &shared.config.node);
    let mut host_ports: Vec<HostPort> = shared
        .pods
        .all()
        .iter()
        .flat_map(|record| {
            let ips = record.ips();
            let pod = record.object();
            let ports = pod.as_deref().map(|pod| host_ports(pod, &ips)).unwrap_or_default();
            ports.into_iter()
        })
        .collect();
    host_ports.sort_unstable();
    Desired { services, host_ports, nodes: lock(&shared.neighbours).clone() }
}

/// Ports of the node that this pod has, while it has an address.
fn host_ports(pod: &Object, ips: &[String]) -> Vec<HostPort> {
    let spec = pod.0.at("spec");
    let Some(address) = ips.first().and_then(|ip| ip.parse().ok()) else { return Vec::new() };
    if spec.at("hostNetwork").as_bool() == Some(true) {
        return Vec::new();
    }
    let number =
        |value: &actors_object::Value| value.as_i64().and_then(|number| u16::try_from(number).ok());
    let containers = spec.list_at(&["containers"]).iter().chain(spec.list_at(&["initContainers"]));
    let ports = containers.flat_map(|container| container.list_at(&["ports"]));
    ports
        .filter_map(|port| {
            Some(HostPort {
                protocol: Protocol::from_word(port.at("protocol").as_str()),
                host_port: number(port.at("hostPort")).filter(|port| *port > 0)?,
                address,
                port: number(port.at("containerPort"))?,
            })
        })
        .collect()
}
