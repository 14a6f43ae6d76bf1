//! Services, endpoints, endpoint slices.

use actors_core::Now;
use actors_object::{LabelSelector, Object, Value};

use super::{AGE, Layout, NAME, age, or_none, string, text, wide};

/// How many items of a list a cell shows.
const SHOWN_MAX: usize = 3;

pub(super) const LAYOUTS: &[Layout] = &[
    Layout {
        group: "",
        kind: "Service",
        columns: &[
            NAME,
            text("Type"),
            text("Cluster-IP"),
            text("External-IP"),
            text("Port(s)"),
            AGE,
            wide("Selector"),
        ],
        cells: service,
    },
    Layout {
        group: "",
        kind: "Endpoints",
        columns: &[NAME, text("Endpoints"), AGE],
        cells: endpoints,
    },
    Layout {
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        columns: &[NAME, text("AddressType"), text("Ports"), text("Endpoints"), AGE],
        cells: slice,
    },
];

fn service(object: &Object, now: Now) -> Vec<Value> {
    let selector = object.spec().at("selector").as_map();
    let selector = selector.map(|map| LabelSelector::from_map(map).to_string());
    vec![
        object.name().into(),
        string(object, &["spec", "type"]).into(),
        or_none(string(object, &["spec", "clusterIP"])),
        external_ip(object).into(),
        or_none(&ports(object)),
        age(object, now),
        or_none(&selector.unwrap_or_default()),
    ]
}

/// Where a Service is reached from outside.
fn external_ip(object: &Object) -> String {
    let own = object.list_at(&["spec", "externalIPs"]).iter().filter_map(Value::as_str);
    let sort = string(object, &["spec", "type"]);
    if sort == "ExternalName" {
        return string(object, &["spec", "externalName"]).to_owned();
    }
    let given = object.list_at(&["status", "loadBalancer", "ingress"]).iter();
    let given = given.map(|ingress| match string(ingress, &["ip"]) {
        "" => string(ingress, &["hostname"]),
        ip => ip,
    });
    let all: Vec<&str> =
        if sort == "LoadBalancer" { given.chain(own).collect() } else { own.collect() };
    match (all.is_empty(), sort) {
        (true, "LoadBalancer") => "<pending>".to_owned(),
        (true, _) => "<none>".to_owned(),
        (false, _) => all.join(","),
    }
}

/// `80/TCP`, `80:30080/TCP`.
fn ports(object: &Object) -> String {
    let one = |port: &Value| {
        let number = port.i64_at(&["port"]).unwrap_or(0);
        let protocol = string(port, &["protocol"]);
        match port.i64_at(&["nodePort"]).unwrap_or(0) {
            0 => format!("{number}/{protocol}"),
            node => format!("{number}:{node}/{protocol}"),
        }
    };
    object.list_at(&["spec", "ports"]).iter().map(one).collect::<Vec<_>>().join(",")
}

fn endpoints(object: &Object, now: Now) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in object.list_at(&["subsets"]) {
        let ports = subset.list_at(&["ports"]);
        for address in subset.list_at(&["addresses"]) {
            let ip = string(address, &["ip"]);
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
            let socket = |port: &Value| {
                let number = port.i64_at(&["port"]).unwrap_or(0);
                if ip.contains(':') { format!("[{ip}]:{number}") } else { format!("{ip}:{number}") }
            };
            all.extend(ports.iter().map(socket));
        }
    }
    vec![object.name().into(), or_none(&shortened(&all)), age(object, now)]
}

fn slice(object: &Object, now: Now) -> Vec<Value> {
    let port = |port: &Value| match (port.i64_at(&["port"]), string(port, &["name"])) {
        (Some(number), _) => number.to_string(),
        (None, "") => "*".to_owned(),
        (None, name) => name.to_owned(),
    };
    let ports: Vec<String> = object.list_at(&["ports"]).iter().map(port).collect();
    let all = object.list_at(&["endpoints"]).iter();
    let addresses = all.flat_map(|endpoint| endpoint.list_at(&["addresses"]));
    let addresses: Vec<String> =
        addresses.map(|address| address.as_str().unwrap_or_default().to_owned()).collect();
    let or_unset = |text: String| if text.is_empty() { "<unset>".to_owned() } else { text };
    vec![
        object.name().into(),
        string(object, &["addressType"]).into(),
        or_unset(shortened(&ports)).into(),
        or_unset(shortened(&addresses)).into(),
        age(object, now),
    ]
}

/// The first few, and how many more there are.
fn shortened(all: &[String]) -> String {
    let shown = all.get(..SHOWN_MAX).unwrap_or(all).join(",");
    match all.len().checked_sub(SHOWN_MAX) {
        Some(more) if more > 0 => format!("{shown} + {more} more..."),
        _ => shown,
    }
}
