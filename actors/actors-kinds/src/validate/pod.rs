//! Pods and pod templates.
//!
//! Way in: [`validate`], [`validate_template`], [`validate_change`].
//! Spec: documentation, "pods", "pod lifecycle", "init containers", and the API reference of `PodSpec`.

mod change;
mod claims;
mod container;
mod environment;
mod host;
mod part;
mod probe;
mod resources;
mod scheduling;
mod security;
mod source;
mod status;
mod volume;

pub(super) use change::validate_change;
pub(super) use part::{validate_ephemeral, validate_resize};
pub(super) use resources::validate_list as validate_amounts;
pub(super) use scheduling::{validate_node_selector, validate_toleration};
pub(super) use status::validate as validate_status;

use super::{Errors, Spot, metadata, selector, text};

/// A pod.
pub(super) fn validate(root: &Spot<'_>, out: &mut Errors) {
    validate_spec(&root.field("spec"), out);
}

/// A pod that is created: what is only added later must be absent.
pub(super) fn validate_new(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let ephemeral = spec.field("ephemeralContainers");
    if !ephemeral.is_empty() {
        out.forbidden(&ephemeral, "is only added to a pod that exists");
    }
}

/// A pod template: the metadata that its pods will have, and their spec.
pub(super) fn validate_template(template: &Spot<'_>, out: &mut Errors) {
    let metadata = template.field("metadata");
    selector::validate_labels(&metadata, "labels", out);
    metadata::validate_annotations(&metadata, out);
    let spec = template.field("spec");
    validate_spec(&spec, out);
    if !spec.field("ephemeralContainers").is_empty() {
        out.forbidden(
            &spec.field("ephemeralContainers"),
            "a template cannot have ephemeral containers",
        );
    }
}

/// The spec of a pod.
fn validate_spec(spec: &Spot<'_>, out: &mut Errors) {
    volume::validate_all(spec, out);
    container::validate_all(spec, out);
    out.one_of_required(&spec.field("restartPolicy"), &["Always", "Never", "OnFailure"]);
    validate_dns(spec, out);
    out.at_least(&spec.field("terminationGracePeriodSeconds"), 0);
    out.between(&spec.field("activeDeadlineSeconds"), 1, i64::from(i32::MAX));
    validate_names(spec, out);
    for secret in spec.each("imagePullSecrets") {
        out.check_required(&secret.field("name"), text::dns_subdomain);
    }
    validate_host_aliases(spec, out);
    for gate in spec.each("readinessGates") {
        out.check_required(&gate.field("conditionType"), text::qualified_name);
    }
    out.one_of(&spec.field("preemptionPolicy"), &["Never", "PreemptLowerPriority"]);
    let os = spec.field("os");
    if os.is_set() {
        out.one_of_required(&os.field("name"), &["linux", "windows"]);
    }
    resources::validate_list(spec, "overhead", out);
    scheduling::validate(spec, out);
    security::validate_pod(spec, out);
    resources::validate(spec, out);
    claims::validate(spec, out);
    host::validate(spec, out);
}

/// The names that a spec gives or refers to.
fn validate_names(spec: &Spot<'_>, out: &mut Errors) {
    out.check(&spec.field("serviceAccountName"), text::dns_subdomain);
    out.check(&spec.field("nodeName"), text::dns_subdomain);
    out.check(&spec.field("priorityClassName"), text::dns_subdomain);
    out.check(&spec.field("runtimeClassName"), text::dns_subdomain);
    out.check(&spec.field("hostname"), text::dns_label);
    out.check(&spec.field("subdomain"), text::dns_label);
    out.check_required(&spec.field("schedulerName"), text::dns_subdomain);
    selector::validate_labels(spec, "nodeSelector", out);
}

/// The DNS policy, and what the pod adds to the resolver's configuration.
fn validate_dns(spec: &Spot<'_>, out: &mut Errors) {
    let policy = spec.field("dnsPolicy");
    out.one_of_required(&policy, &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]);
    let config = spec.field("dnsConfig");
    let servers = config.field("nameservers");
    if policy.text() == "None" && servers.is_empty() {
        out.required(&servers, "a nameserver is needed, since `dnsPolicy` is None");
    }
    // What a resolver's configuration file takes at most.
    if servers.len() > 3 {
        out.invalid(&servers, "at most 3 nameservers fit");
    }
    for server in config.each("nameservers") {
        out.check(&server, text::ip);
    }
    let searches = config.field("searches");
    if searches.len() > 32 {
        out.invalid(&searches, "at most 32 search paths fit");
    }
    for search in config.each("searches") {
        let name = search.text().trim_end_matches('.');
        if !name.is_empty() {
            out.invalid_each(&search, &text::dns_subdomain(&name.replace('_', "-")));
        }
    }
    for option in config.each("options") {
        let name = option.field("name");
        if name.is_empty() {
            out.required(&name, "must not be empty");
        }
    }
}

/// Lines for the pod's hosts file.
fn validate_host_aliases(spec: &Spot<'_>, out: &mut Errors) {
    for alias in spec.each("hostAliases") {
        out.check_required(&alias.field("ip"), text::ip);
        for name in alias.each("hostnames") {
            out.check(&name, text::dns_subdomain);
        }
    }
}

#[cfg(test)]
mod tests;
