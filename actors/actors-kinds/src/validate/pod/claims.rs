//! Claims on devices, restarts by rules, and how amounts change: what containers say of them.
//!
//! Spec: documentation, "dynamic resource allocation", "resize CPU and memory resources", "pod lifecycle", "container
//! restart rules"; KEP-4381, KEP-1287, KEP-5307, KEP-2837 (resources of a whole pod).

use actors_object::{FieldError, Quantity};

use crate::validate::{Errors, Spot, text};

const RULES_MAX: usize = 20;
const CODES_MAX: usize = 255;

/// The claims of a pod: each by its own name or by a template.
pub(super) fn validate(spec: &Spot<'_>, out: &mut Errors) {
    for claim in spec.each("resourceClaims") {
        out.check_required(&claim.field("name"), text::dns_label);
        let (own, template) =
            (claim.field("resourceClaimName"), claim.field("resourceClaimTemplateName"));
        match (own.is_set(), template.is_set()) {
            (true, true) => {
                out.invalid(
                    &claim,
                    "takes resourceClaimName or resourceClaimTemplateName, not both",
                );
            }
            (false, false) => {
                out.required(&claim, "needs resourceClaimName or resourceClaimTemplateName");
            }
            _ => {}
        }
        out.check(&own, text::dns_subdomain);
        out.check(&template, text::dns_subdomain);
    }
    out.unique(spec, "resourceClaims", "name");
    validate_whole(spec, out);
}

/// Amounts of the whole pod: processor, memory and huge pages, and at least what its containers ask for.
fn validate_whole(spec: &Spot<'_>, out: &mut Errors) {
    let resources = spec.field("resources");
    if !resources.field("claims").is_empty() {
        out.forbidden(&resources.field("claims"), "cannot be set for a whole pod");
    }
    for list in ["limits", "requests"] {
        for (name, amount) in resources.entries(list) {
            if !matches!(name, "cpu" | "memory") && !name.starts_with("hugepages-") {
                let supported = ["cpu", "hugepages-SIZE", "memory"];
                out.push(FieldError::not_supported(
                    &resources.field(list).path(),
                    name,
                    &supported,
                ));
                continue;
            }
            let Ok(whole) = Quantity::from_value(amount.value) else { continue };
            let of = |container: &Spot<'_>| {
                let resources = container.field("resources");
                let amounts = resources.field(list);
                let read = Quantity::from_value(amounts.field(name).value);
                read.map_or(0, |read| read.nanos())
            };
            let parts: Vec<i128> =
                spec.each("containers").map(|container| of(&container)).collect();
            // Requests add up; no container may have more than the whole.
            let least = match list {
                "requests" => parts.iter().fold(0_i128, |sum, part| sum.saturating_add(*part)),
                _ => parts.into_iter().max().unwrap_or(0),
            };
            if least > whole.nanos() {
                out.invalid(
                    &amount,
                    &format!("must not be less than the {list} of the containers"),
                );
            }
        }
    }
}

/// What one container says: which claims it uses, when it restarts, and whether a resize restarts it.
pub(super) fn validate_container(container: &Spot<'_>, spec: &Spot<'_>, out: &mut Errors) {
    let resources = container.field("resources");
    for claim in resources.each("claims") {
        let name = claim.field("name");
        let is_there =
            spec.each("resourceClaims").any(|known| known.field("name").value == name.value);
        if !name.is_empty() && !is_there {
            out.not_found(&name);
        }
    }
    for policy in container.each("resizePolicy") {
        out.one_of_required(&policy.field("resourceName"), &["cpu", "memory"]);
        out.one_of_required(&policy.field("restartPolicy"), &["NotRequired", "RestartContainer"]);
    }
    out.unique(container, "resizePolicy", "resourceName");
    validate_restarts(container, out);
}

/// Rules of restarts: exit codes that restart a container whatever its policy says.
fn validate_restarts(container: &Spot<'_>, out: &mut Errors) {
    let rules = container.field("restartPolicyRules");
    if rules.is_empty() {
        return;
    }
    let policy = container.field("restartPolicy");
    if policy.is_empty() {
        out.required(&policy, "is needed with `restartPolicyRules`");
    }
    out.too_many(&rules, RULES_MAX);
    for rule in container.each("restartPolicyRules") {
        out.one_of_required(&rule.field("action"), &["Restart", "RestartAllContainers"]);
        let codes = rule.field("exitCodes");
        if !codes.is_set() {
            out.required(&codes, "");
            continue;
        }
        out.one_of_required(&codes.field("operator"), &["In", "NotIn"]);
        out.too_many(&codes.field("values"), CODES_MAX);
        out.distinct(&codes, "values");
    }
}
