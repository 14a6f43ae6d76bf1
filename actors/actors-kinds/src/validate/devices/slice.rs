//! `ResourceSlice`: devices that a driver has on a node, or that many nodes share.

use actors_object::FieldError;

use super::{GROUP, attribute_name};
use crate::validate::{Errors, PLAIN, Rules, Spot, amount, domain, pod, storage, text};

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "ResourceSlice",
    object: validate,
    change: validate_change,
    ..PLAIN
};

/// The most of each list, and the longest texts, in bytes.
const DEVICES_MAX: usize = 128;
const COMPLEX_DEVICES_MAX: usize = 64;
const ATTRIBUTES_MAX: usize = 32;
const TAINTS_MAX: usize = 16;
const COUNTER_SETS_MAX: usize = 8;
const COUNTERS_MAX: usize = 32;
const CONSUMED_SETS_MAX: usize = 2;
const VALUE_LEN_MAX: usize = 64;
const POOL_LEN_MAX: usize = 253;

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    storage::validate_driver_name(&spec.field("driver"), out);
    let pool = spec.field("pool");
    out.check_required(&pool.field("name"), domain::pool);
    out.too_long(&pool.field("name"), POOL_LEN_MAX);
    if pool.field("resourceSliceCount").int().unwrap_or(0) <= 0 {
        out.invalid(&pool.field("resourceSliceCount"), "must be greater than zero");
    }
    out.at_least(&pool.field("generation"), 0);
    validate_nodes(&spec, out);
    validate_devices(&spec, out);
    out.too_many(&spec.field("sharedCounters"), COUNTER_SETS_MAX);
    for set in spec.each("sharedCounters") {
        out.check_required(&set.field("name"), text::dns_label);
        validate_counters(&set, out);
    }
    out.unique(&spec, "sharedCounters", "name");
}

/// Which nodes reach the devices: said in one way.
fn validate_nodes(spec: &Spot<'_>, out: &mut Errors) {
    let (name, selector) = (spec.field("nodeName"), spec.field("nodeSelector"));
    let flags = ["allNodes", "perDeviceNodeSelection"];
    for flag in flags {
        if spec.field(flag).value.as_bool() == Some(false) {
            out.invalid(&spec.field(flag), "must be either unset or set to true");
        }
    }
    let ways = [
        ("nodeName", !name.is_empty()),
        ("nodeSelector", selector.is_set()),
        (flags[0], spec.field(flags[0]).is_true()),
        (flags[1], spec.field(flags[1]).is_true()),
    ];
    let detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` \
         is required";
    let used = ways.iter().filter(|(_, is_used)| *is_used).map(|(way, _)| format!("`{way}`"));
    let used: Vec<String> = used.collect();
    match used.len() {
        0 => out.required(spec, detail),
        1 => {}
        _ => {
            let detail = format!("{detail}, but multiple fields are set");
            out.invalid_value(spec, format!("{{{}}}", used.join(", ")), &detail);
        }
    }
    out.check(&name, text::dns_subdomain);
    if name.is_set() && name.is_empty() {
        out.invalid(&name, "must be either unset or set to a non-empty string");
    }
    if selector.is_set() {
        pod::validate_node_selector(&selector, out);
        if selector.field("nodeSelectorTerms").len() > 1 {
            out.invalid(
                &selector.field("nodeSelectorTerms"),
                "must have exactly one node selector term",
            );
        }
    }
}

/// Devices with names of their own; fewer of them if they have taints or share counters.
fn validate_devices(spec: &Spot<'_>, out: &mut Errors) {
    let is_complex = |device: Spot<'_>| {
        !device.field("taints").is_empty() || !device.field("consumesCounters").is_empty()
    };
    let max = if spec.each("devices").any(is_complex) { COMPLEX_DEVICES_MAX } else { DEVICES_MAX };
    out.too_many(&spec.field("devices"), max);
    let per_device = spec.field("perDeviceNodeSelection").is_true();
    for device in spec.each("devices") {
        validate_device(&device, out);
        let is_placed =
            ["allNodes", "nodeName", "nodeSelector"].iter().any(|name| device.field(name).is_set());
        if per_device && !is_placed {
            out.required(
                &device,
                "must say which nodes reach it, since `perDeviceNodeSelection` is true",
            );
        } else if !per_device && is_placed {
            out.forbidden(
                &device,
                "may only say which nodes reach it if `perDeviceNodeSelection` is true",
            );
        }
    }
    out.unique(spec, "devices", "name");
    if !spec.field("devices").is_empty() && !spec.field("sharedCounters").is_empty() {
        out.invalid_value(spec, "", "only one of `sharedCounters` or `devices` is allowed");
    }
}

fn validate_device(device: &Spot<'_>, out: &mut Errors) {
    out.check_required(&device.field("name"), text::dns_label);
    let count = device.field("attributes").len() + device.field("capacity").len();
    if count > ATTRIBUTES_MAX {
        out.push(FieldError::too_many(&device.path(), count, ATTRIBUTES_MAX));
    }
    for (name, attribute) in device.entries("attributes") {
        validate_name(device, "attributes", name, out);
        validate_attribute(&attribute, out);
    }
    for (name, capacity) in device.entries("capacity") {
        validate_name(device, "capacity", name, out);
        amount::check_not_negative(&capacity.field("value"), out);
    }
    out.too_many(&device.field("taints"), TAINTS_MAX);
    for taint in device.each("taints") {
        out.check_required(&taint.field("key"), text::qualified_name);
        out.check(&taint.field("value"), text::label_value);
        out.one_of_required(&taint.field("effect"), &["NoExecute", "NoSchedule", "None"]);
    }
    out.too_many(&device.field("consumesCounters"), CONSUMED_SETS_MAX);
    for set in device.each("consumesCounters") {
        out.check_required(&set.field("counterSet"), text::dns_label);
        validate_counters(&set, out);
    }
    out.unique(device, "consumesCounters", "counterSet");
}

fn validate_name(device: &Spot<'_>, list: &str, name: &str, out: &mut Errors) {
    for detail in attribute_name(name) {
        out.push(FieldError::invalid(&device.field(list).path(), name, detail));
    }
}

/// One value, of one sort.
fn validate_attribute(attribute: &Spot<'_>, out: &mut Errors) {
    let fields = ["bool", "int", "string", "version"];
    match fields.iter().filter(|name| attribute.field(name).is_set()).count() {
        0 => out.required(attribute, "exactly one value must be specified"),
        1 => {}
        _ => out.invalid(attribute, "exactly one value must be specified"),
    }
    for name in ["string", "version"] {
        out.too_long(&attribute.field(name), VALUE_LEN_MAX);
    }
}

fn validate_counters(set: &Spot<'_>, out: &mut Errors) {
    let counters = set.field("counters");
    if counters.is_empty() {
        out.required(&counters, "");
    }
    out.too_many(&counters, COUNTERS_MAX);
    for (name, counter) in set.entries("counters") {
        for detail in text::dns_label(name) {
            out.push(FieldError::invalid(&counters.path(), name, detail));
        }
        amount::check_not_negative(&counter.field("value"), out);
    }
}

/// Whose devices these are never changes.
fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("spec"), old.field("spec"));
    out.immutable(&new.field("driver"), &old.field("driver"));
    out.immutable(&new.field("pool").field("name"), &old.field("pool").field("name"));
    out.immutable(&new.field("nodeName"), &old.field("nodeName"));
}
