//! `ResourceClaim` and `ResourceClaimTemplate`: the wish for devices, and which ones were found.

use actors_object::FieldError;

use super::{CONFIGS_MAX, GROUP, full_attribute_name, request, validate_config};
use crate::validate::{
    Errors, PLAIN, Rules, Spot, errors::is_same, metadata, pod, selector, storage, text,
};

/// The most of each list.
const REQUESTS_MAX: usize = 32;
const CONSTRAINTS_MAX: usize = 32;
const CONSUMERS_MAX: usize = 256;
const RESULTS_MAX: usize = 32;

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "ResourceClaim",
    object: |root, out| validate_spec(&root.field("spec"), out),
    change: |new, old, out| out.immutable(&new.field("spec"), &old.field("spec")),
    status: validate_status,
    ..PLAIN
};
pub(super) const TEMPLATE_RULES: Rules = Rules {
    group: GROUP,
    kind: "ResourceClaimTemplate",
    object: validate_template,
    change: |new, old, out| out.immutable(&new.field("spec"), &old.field("spec")),
    ..PLAIN
};

fn validate_template(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let metadata = spec.field("metadata");
    selector::validate_labels(&metadata, "labels", out);
    metadata::validate_annotations(&metadata, out);
    validate_spec(&spec.field("spec"), out);
}

fn validate_spec(spec: &Spot<'_>, out: &mut Errors) {
    let devices = spec.field("devices");
    out.too_many(&devices.field("requests"), REQUESTS_MAX);
    for one in devices.each("requests") {
        request::validate(&one, out);
    }
    out.unique(&devices, "requests", "name");
    out.too_many(&devices.field("constraints"), CONSTRAINTS_MAX);
    for constraint in devices.each("constraints") {
        validate_references(&constraint, &devices, out);
        let (same, other) =
            (constraint.field("matchAttribute"), constraint.field("distinctAttribute"));
        if !same.is_set() && !other.is_set() {
            out.required(&same, "");
        }
        out.check(&same, full_attribute_name);
        out.check(&other, full_attribute_name);
    }
    out.too_many(&devices.field("config"), CONFIGS_MAX);
    for config in devices.each("config") {
        validate_references(&config, &devices, out);
        validate_config(&config, out);
    }
}

/// Requests that are named exist: `main`, or `main/sub`. Each is named once.
fn validate_references(above: &Spot<'_>, devices: &Spot<'_>, out: &mut Errors) {
    for name in above.each("requests") {
        let (main, sub) = match name.text().split_once('/') {
            Some((main, sub)) => (main, Some(sub)),
            None => (name.text(), None),
        };
        let found = devices.each("requests").any(|one| {
            let has = |sub: &str| {
                one.each("firstAvailable").any(|it| it.value.str_at(&["name"]) == Some(sub))
            };
            one.value.str_at(&["name"]) == Some(main) && sub.is_none_or(has)
        });
        if !found {
            let detail = "must be the name of a request in the claim, or of a request and a \
                 subrequest with '/' between them";
            out.invalid(&name, detail);
        }
    }
    out.distinct(above, "requests");
}

/// Devices are found once, and kept while anybody uses them.
fn validate_status(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (status, before) = (new.field("status"), old.field("status"));
    let (allocation, old_allocation) = (status.field("allocation"), before.field("allocation"));
    let spec = new.field("spec");
    validate_allocation(&allocation, &spec, out);
    validate_consumers(&status, out);
    if allocation.is_set()
        && old_allocation.is_set()
        && !is_same(allocation.value, old_allocation.value)
    {
        out.invalid(&allocation, "field is immutable");
    }
    let consumers = status.field("reservedFor");
    if !consumers.is_empty() && !allocation.is_set() {
        out.forbidden(&consumers, "may not be specified when `allocated` is not set");
    }
    let is_going = new.field("metadata").field("deletionTimestamp").is_set();
    let known = before.value.at("reservedFor").as_list().unwrap_or_default();
    let is_new = |consumer: &Spot<'_>| {
        !known.iter().any(|other| other.at("uid") == consumer.value.at("uid"))
    };
    if is_going && status.each("reservedFor").any(|consumer| is_new(&consumer)) {
        out.forbidden(&consumers, "new entries may not be added while `deletionTimestamp` is set");
    }
}

fn validate_allocation(allocation: &Spot<'_>, spec: &Spot<'_>, out: &mut Errors) {
    let (devices, asked) = (allocation.field("devices"), spec.field("devices"));
    out.too_many(&devices.field("results"), RESULTS_MAX);
    let nodes = allocation.field("nodeSelector");
    if nodes.is_set() {
        pod::validate_node_selector(&nodes, out);
    }
    for config in devices.each("config") {
        out.one_of_required(&config.field("source"), &["FromClaim", "FromClass"]);
        validate_references(&config, &asked, out);
        validate_config(&config, out);
    }
    for result in devices.each("results") {
        let name = result.field("request");
        let main = name.text().split('/').next().unwrap_or_default();
        if !asked.each("requests").any(|one| one.value.str_at(&["name"]) == Some(main)) {
            out.invalid(&name, "must be the name of a request in the claim");
        }
        storage::validate_driver_name(&result.field("driver"), out);
        out.check_required(&result.field("pool"), crate::validate::domain::pool);
        out.check_required(&result.field("device"), text::dns_label);
    }
}

fn validate_consumers(status: &Spot<'_>, out: &mut Errors) {
    out.too_many(&status.field("reservedFor"), CONSUMERS_MAX);
    for consumer in status.each("reservedFor") {
        for name in ["name", "resource", "uid"] {
            out.filled(&consumer.field(name));
        }
    }
    let all = status.value.at("reservedFor").as_list().unwrap_or_default();
    for (index, consumer) in status.each("reservedFor").enumerate() {
        let before = all.get(..index).unwrap_or_default();
        if before.iter().any(|other| other.at("uid") == consumer.value.at("uid")) {
            out.push(FieldError::duplicate(
                &consumer.path().push_field("uid"),
                consumer.value.at("uid").clone(),
            ));
        }
    }
}
