//! Endpoints and endpoint slices.
//!
//! Spec: documentation, "service" (endpoints), "endpoint slices"; API reference of `EndpointSlice`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Errors, Spot, text};

/// The most endpoints, addresses of an endpoint, and ports of one slice.
const ENDPOINTS_MAX: usize = 1_000;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;

/// The older kind: one object a Service.
pub(super) fn validate_endpoints(root: &Spot<'_>, out: &mut Errors) {
    for subset in root.each("subsets") {
        let addresses = subset.field("addresses");
        if addresses.is_empty() && subset.field("notReadyAddresses").is_empty() {
            out.required(&subset, "must have `addresses` or `notReadyAddresses`");
        }
        for list in ["addresses", "notReadyAddresses"] {
            for address in subset.each(list) {
                validate_address(&address.field("ip"), out);
                out.check(&address.field("hostname"), text::dns_label);
                out.check(&address.field("nodeName"), text::dns_subdomain);
            }
        }
        let needs_names = subset.field("ports").len() > 1;
        for port in subset.each("ports") {
            let name = port.field("name");
            if needs_names && name.is_empty() {
                out.required(&name, "");
            }
            out.check(&name, text::dns_label);
            out.port(&port.field("port"));
            out.one_of_required(&port.field("protocol"), &["SCTP", "TCP", "UDP"]);
            out.check(&port.field("appProtocol"), text::qualified_name);
        }
    }
}

/// An address that an endpoint can have: one that other machines can reach.
fn validate_address(spot: &Spot<'_>, out: &mut Errors) {
    if spot.is_empty() {
        out.required(spot, "");
        return;
    }
    let Ok(address) = spot.text().parse::<IpAddr>() else {
        out.invalid_each(spot, &text::ip(spot.text()));
        return;
    };
    if address.is_unspecified() {
        out.invalid(spot, "may not be unspecified");
    }
    if address.is_loopback() {
        out.invalid(spot, "must not be a loopback address");
    }
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.octets().starts_with(&[224, 0, 0]),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.segments()[0] == 0xff02,
    };
    if is_link_local {
        out.invalid(spot, "must not be a link-local address");
    }
}

/// The newer kind: many objects a Service.
pub(super) fn validate_slice(root: &Spot<'_>, out: &mut Errors) {
    let family = root.field("addressType");
    out.one_of_required(&family, &["FQDN", "IPv4", "IPv6"]);
    let endpoints = root.field("endpoints");
    if endpoints.len() > ENDPOINTS_MAX {
        too_many(&endpoints, ENDPOINTS_MAX, out);
    }
    for endpoint in root.each("endpoints") {
        validate_endpoint(&endpoint, family.text(), out);
    }
    if root.field("ports").len() > PORTS_MAX {
        too_many(&root.field("ports"), PORTS_MAX, out);
    }
    for port in root.each("ports") {
        out.check(&port.field("name"), text::dns_label);
        if port.field("port").is_set() {
            out.port(&port.field("port"));
        }
        out.one_of_required(&port.field("protocol"), &["SCTP", "TCP", "UDP"]);
        out.check(&port.field("appProtocol"), text::qualified_name);
    }
    let ports = root.value.at("ports").as_list().unwrap_or_default();
    for (index, port) in root.each("ports").enumerate() {
        let name = port.field("name");
        let before = ports.get(..index).unwrap_or_default();
        if before.iter().any(|other| other.str_at(&["name"]).unwrap_or_default() == name.text()) {
            out.duplicate(&name, &name.text().into());
        }
    }
}

fn validate_endpoint(endpoint: &Spot<'_>, family: &str, out: &mut Errors) {
    let addresses = endpoint.field("addresses");
    if addresses.is_empty() {
        out.required(&addresses, "an endpoint has one address or more");
    } else if addresses.len() > ADDRESSES_MAX {
        too_many(&addresses, ADDRESSES_MAX, out);
    }
    for address in endpoint.each("addresses") {
        match family {
            "IPv4" if address.text().parse::<Ipv4Addr>().is_err() => {
                out.invalid(&address, "must be an IPv4 address");
            }
            "IPv6" if address.text().parse::<Ipv6Addr>().is_err() => {
                out.invalid(&address, "must be an IPv6 address");
            }
            "IPv4" | "IPv6" => validate_address(&address, out),
            "FQDN" => out.check_required(&address, text::dns_subdomain),
            _ => {}
        }
    }
    out.check(&endpoint.field("nodeName"), text::dns_subdomain);
    out.check(&endpoint.field("hostname"), text::dns_label);
    let hints = endpoint.field("hints");
    for list in ["forNodes", "forZones"] {
        if hints.field(list).len() > 8 {
            too_many(&hints.field(list), 8, out);
        }
        for hint in hints.each(list) {
            out.check_required(&hint.field("name"), text::label_value);
        }
        out.unique(&hints, list, "name");
    }
}

fn too_many(spot: &Spot<'_>, max: usize, out: &mut Errors) {
    out.push(actors_object::FieldError::too_many(&spot.path(), spot.len(), max));
}

/// A slice keeps its family of addresses for good.
pub(super) fn validate_slice_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    out.immutable(&new.field("addressType"), &old.field("addressType"));
}

#[cfg(test)]
mod tests;
