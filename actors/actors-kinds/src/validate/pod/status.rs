//! The status of pods.
//!
//! Spec: documentation, "pod lifecycle", "container states"; API reference of `PodStatus`.

use actors_object::Value;

use crate::validate::{Errors, Spot, is_same, text};

/// Containers that have ended for good stay so, addresses are addresses, and the class of service stays.
pub(in crate::validate) fn validate(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (status, before) = (new.field("status"), old.field("status"));
    let nominated = status.field("nominatedNodeName");
    out.check(&nominated, text::dns_subdomain);
    out.at_least(&status.field("observedGeneration"), 0);
    let (class, was) = (status.field("qosClass"), before.field("qosClass"));
    if was.is_set() && !is_same(class.value, was.value) {
        out.immutable(&class, &was);
    }
    for list in ["podIPs", "hostIPs"] {
        validate_addresses(&status, list, out);
    }
    for condition in status.each("conditions") {
        out.at_least(&condition.field("observedGeneration"), 0);
        out.one_of(&condition.field("status"), &["False", "True", "Unknown"]);
    }
    let (spec, policy) = (new.field("spec"), "restartPolicy");
    for (list, containers) in
        [("containerStatuses", "containers"), ("initContainerStatuses", "initContainers")]
    {
        for container in status.each(list) {
            let name = container.field("name");
            let own = spec.each(containers).find(|one| one.field("name").value == name.value);
            let stays = own.is_some_and(|own| {
                let own_policy = own.field(policy);
                let shown =
                    if own_policy.is_empty() { spec.value.at(policy) } else { own_policy.value };
                let has_rules = !own.field("restartPolicyRules").is_empty();
                !has_rules && is_final(shown, &before, (list, name.text()))
            });
            let state = container.field("state");
            if stays && !state.field("terminated").is_set() {
                out.forbidden(&state, "a container that has ended for good cannot run again");
            }
        }
    }
}

/// Whether a container had ended and its policy does not start it again.
fn is_final(policy: &Value, before: &Spot<'_>, (list, name): (&str, &str)) -> bool {
    let mut all = before.value.at(list).as_list().unwrap_or_default().iter();
    let Some(was) = all.find(|one| one.at("name").as_str() == Some(name)) else { return false };
    let Some(code) = was.i64_at(&["state", "terminated", "exitCode"]) else { return false };
    match policy.as_str() {
        Some("Never") => true,
        Some("OnFailure") => code == 0,
        _ => false,
    }
}

/// At most one address of each family, each an address.
fn validate_addresses(status: &Spot<'_>, list: &str, out: &mut Errors) {
    let mut families = Vec::new();
    for entry in status.each(list) {
        let address = entry.field("ip");
        out.check_required(&address, text::ip);
        families.push(address.text().contains(':'));
    }
    out.unique(status, list, "ip");
    let is_twice = families.iter().filter(|six| **six).count() > 1
        || families.iter().filter(|six| !**six).count() > 1;
    if is_twice {
        out.invalid(&status.field(list), "may hold one address of each family");
    }
}
