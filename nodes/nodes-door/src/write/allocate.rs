//! What Services are given and nobody else may have: addresses and node ports.
//!
//! Way in: [`for_new`], [`for_change`], [`operations`].
//! Owns: one record for each address and port, written in the same atomic proposal as the Service,
//! so that of two Services that were decided on one snapshot only one gets it; the other is decided
//! again.
//! Spec: Kubernetes documentation, "Service ClusterIP allocation", "type: NodePort"; `IPAddress`
//! objects are laid out as those of `networking.k8s.io/v1` (KEP-1880).

mod kept;

use std::{collections::BTreeSet, net::Ipv4Addr};

use actors_object::{ApiError, FieldError, FieldPath, Object, Value, json, timefmt, uid, value};
use store_mvcc::{Columns, Expect, Key, Op};

use crate::visit::Visit;

/// Random places that are looked at before all are looked at in order.
const PROBES: usize = 64;

/// Something that is given to one Service at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grant {
    Address(Ipv4Addr),
    Port(u16),
}

/// Gives a new Service what it needs. Other kinds pass.
pub(super) fn for_new(visit: &mut Visit<'_>, object: &mut Object) -> Result<(), ApiError> {
    if !visit.kind.is("", "Service") {
        return Ok(());
    }
    give(visit, object, &BTreeSet::new())
}

/// Lets a changed Service keep what it has, and gives it what it needs beside that.
pub(super) fn for_change(
    visit: &mut Visit<'_>,
    new: &mut Object,
    old: &Object,
) -> Result<(), ApiError> {
    if !visit.kind.is("", "Service") {
        return Ok(());
    }
    kept::keep(new, old);
    give(visit, new, &grants(old))
}

/// The operations that take and give back what differs between two states of a Service.
pub(super) fn operations(
    visit: &mut Visit<'_>,
    old: Option<&Object>,
    new: Option<&Object>,
) -> Vec<Op> {
    if !visit.kind.is("", "Service") {
        return Vec::new();
    }
    let had = old.map(grants).unwrap_or_default();
    let has = new.map(grants).unwrap_or_default();
    let taken = has.difference(&had).copied().zip(std::iter::repeat(new));
    let taken: Vec<Op> = taken
        .filter_map(|(grant, service)| service.map(|service| record(visit, grant, service)))
        .collect();
    let given = had.difference(&has);
    let given = given.map(|grant| Op::Delete { key: key(*grant), expect: Expect::Any });
    taken.into_iter().chain(given).collect()
}

/// What a Service holds.
fn grants(service: &Object) -> BTreeSet<Grant> {
    let addresses = service.list_at(&["spec", "clusterIPs"]).iter().filter_map(Value::as_str);
    let addresses = addresses.filter_map(|text| text.parse().ok()).map(Grant::Address);
    let ports = service.list_at(&["spec", "ports"]).iter();
    let ports = ports.filter_map(|port| port.at("nodePort").as_i64());
    let ports = ports.filter_map(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    addresses.chain(ports.map(Grant::Port)).collect()
}

fn key(grant: Grant) -> Key {
    match grant {
        Grant::Address(address) => {
            Key::object("networking.k8s.io", "ipaddresses", None, &address.to_string())
        }
        Grant::Port(port) => Key::object("starling.dev", "nodeports", None, &port.to_string()),
    }
}

/// The record that says who holds a grant.
fn record(visit: &mut Visit<'_>, grant: Grant, service: &Object) -> Op {
    let (kind, api_version, name) = match grant {
        Grant::Address(address) => ("IPAddress", "networking.k8s.io/v1", address.to_string()),
        Grant::Port(port) => ("NodePort", "starling.dev/v1", port.to_string()),
    };
    let uid = uid::random(visit.rng);
    let head = value!({ "kind": kind, "apiVersion": api_version, "metadata": { "name": name } });
    let parent = value!({
        "group": "",
        "resource": "services",
        "namespace": service.namespace(),
        "name": service.name(),
    });
    let created = timefmt::seconds(visit.now.wall);
    // The revision's place is behind the uid, as in every object.
    let mut text = json::to_string(&head);
    text.truncate(text.len() - 2);
    text.push_str(&format!(",\"uid\":{}", json::to_string(&value!(&uid))));
    let rv_at = u32::try_from(text.len()).unwrap_or(0);
    text.push_str(&format!(",\"creationTimestamp\":{}}}", json::to_string(&value!(created))));
    text.push_str(&format!(",\"spec\":{}}}", json::to_string(&value!({ "parentRef": parent }))));
    let columns = Columns { uid, rv_at, ..Columns::default() };
    let value = text.into_bytes().into();
    Op::Put { key: key(grant), value, columns, expect: Expect::Absent, lease: None }
}

fn give(
    visit: &mut Visit<'_>,
    service: &mut Object,
    had: &BTreeSet<Grant>,
) -> Result<(), ApiError> {
    let sort = service.str_at(&["spec", "type"]).unwrap_or_default().to_owned();
    if sort == "ExternalName" {
        return Ok(());
    }
    give_address(visit, service, had)?;
    let wants = service.bool_at(&["spec", "allocateLoadBalancerNodePorts"]).unwrap_or(true);
    give_ports(visit, service, (had, kept::has_ports(&sort) && (sort == "NodePort" || wants)))
}

fn give_address(
    visit: &mut Visit<'_>,
    service: &mut Object,
    had: &BTreeSet<Grant>,
) -> Result<(), ApiError> {
    let range = visit.door.config.service_cidr;
    let path = FieldPath::of(&["spec", "clusterIPs"]);
    let wanted = service.str_at(&["spec", "clusterIP"]).unwrap_or_default().to_owned();
    let refuse = |visit: &Visit<'_>, why: String| {
        let error = FieldError::invalid(&path, vec![wanted.clone()], why);
        Err(ApiError::invalid(&visit.group_kind(), service.name(), &[error]))
    };
    let address = match wanted.parse::<Ipv4Addr>() {
        Ok(address) if had.contains(&Grant::Address(address)) => wanted,
        Ok(address) if !range.contains(address) => {
            return refuse(
                visit,
                format!("is not in the range of this cluster's Services, {range}"),
            );
        }
        Ok(address) if is_taken(visit, Grant::Address(address)) => {
            return refuse(visit, "belongs to another Service".to_owned());
        }
        Ok(_) => wanted,
        // What is no address is `None`, or validation says what is wrong with it.
        Err(_) if !wanted.is_empty() => wanted,
        Err(_) => {
            let band = u64::from(range.static_band());
            let free = find_free(visit, (band, u64::from(range.size())), |offset| {
                u32::try_from(offset).ok().and_then(|at| range.address(at)).map(Grant::Address)
            });
            match free {
                Some(Grant::Address(address)) => address.to_string(),
                _ => {
                    let why = "no address is left for another Service";
                    return Err(ApiError::internal(why));
                }
            }
        }
    };
    let spec = service.0.make_map().entry_or_map("spec");
    spec.insert("clusterIP", &address);
    if spec.get("clusterIPs").is_none_or(Value::is_empty_value) {
        spec.insert("clusterIPs", vec![address]);
    }
    spec.set_default("ipFamilies", vec!["IPv4"]);
    spec.set_default("ipFamilyPolicy", "SingleStack");
    Ok(())
}

fn give_ports(
    visit: &mut Visit<'_>,
    service: &mut Object,
    (had, wants): (&BTreeSet<Grant>, bool),
) -> Result<(), ApiError> {
    let (first, last) = visit.door.config.node_ports;
    let name = service.name().to_owned();
    let Some(ports) = service.list_at_mut(&["spec", "ports"]) else { return Ok(()) };
    let chosen = |port: &Value| port.at("nodePort").as_i64().unwrap_or(0);
    let mut taken: BTreeSet<i64> = ports.iter().map(chosen).collect();
    let mut errors = Vec::new();
    for (number, port) in ports.iter_mut().enumerate() {
        let path = FieldPath::of(&["spec", "ports"]).push_index(number).push_field("nodePort");
        match u16::try_from(chosen(port)) {
            Ok(0) if wants => {
                let size = u64::from(last - first) + 1;
                // The low end is kept for those who choose a port themselves (KEP-3668).
                let band = (size / 32).clamp(16, 128).min(size / 2);
                let free = find_free(visit, (band, size), |offset| {
                    let port = first + u16::try_from(offset).unwrap_or(0);
                    (!taken.contains(&i64::from(port))).then_some(Grant::Port(port))
                });
                let Some(Grant::Port(found)) = free else {
                    let why = "no node port is left";
                    return Err(ApiError::internal(why));
                };
                taken.insert(found.into());
                port.make_map().insert("nodePort", found);
            }
            Ok(0) => {}
            Ok(asked) if had.contains(&Grant::Port(asked)) => {}
            Ok(asked) if !(first..=last).contains(&asked) => {
                let why = format!("must be from {first} to {last}");
                errors.push(FieldError::invalid(&path, asked, why));
            }
            Ok(asked) if is_taken(visit, Grant::Port(asked)) => {
                let why = "belongs to another Service";
                errors.push(FieldError::invalid(&path, asked, why));
            }
            // What is no port is refused by validation.
            Ok(_) | Err(_) => {}
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(&visit.group_kind(), &name, &errors))
}

/// A free grant: at random places behind the static band, then anywhere in order.
fn find_free(
    visit: &mut Visit<'_>,
    (band, size): (u64, u64),
    at: impl Fn(u64) -> Option<Grant>,
) -> Option<Grant> {
    for _ in 0..PROBES {
        let offset = visit.rng.between(band, size.saturating_sub(1));
        if let Some(grant) = at(offset).filter(|grant| !is_taken(visit, *grant)) {
            return Some(grant);
        }
    }
    let mut all = (band..size).chain(0..band).filter_map(at);
    all.find(|grant| !is_taken(visit, *grant))
}

fn is_taken(visit: &Visit<'_>, grant: Grant) -> bool {
    visit.snapshot.get(&key(grant)).is_some()
}
