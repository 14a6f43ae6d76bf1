//! `MutatingWebhookConfiguration` and `ValidatingWebhookConfiguration`.

use super::{GROUP, matching};
use crate::validate::{Errors, PLAIN, Rules, Spot, domain, text};

pub(super) const MUTATING: Rules =
    Rules { group: GROUP, kind: "MutatingWebhookConfiguration", object: validate, ..PLAIN };
pub(super) const VALIDATING: Rules =
    Rules { group: GROUP, kind: "ValidatingWebhookConfiguration", object: validate, ..PLAIN };

/// The versions of a review that are sent.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];
/// How long a webhook is waited for, in seconds.
const TIMEOUT_SECONDS: std::ops::RangeInclusive<i64> = 1..=30;

fn validate(root: &Spot<'_>, out: &mut Errors) {
    for hook in root.each("webhooks") {
        validate_hook(&hook, out);
    }
    out.unique(root, "webhooks", "name");
}

fn validate_hook(hook: &Spot<'_>, out: &mut Errors) {
    out.check_required(&hook.field("name"), domain::fully_qualified);
    validate_reviews(hook, out);
    for rule in hook.each("rules") {
        matching::validate_rule(&rule, false, out);
    }
    out.one_of(&hook.field("failurePolicy"), &["Fail", "Ignore"]);
    out.one_of(&hook.field("matchPolicy"), &["Equivalent", "Exact"]);
    out.one_of(&hook.field("reinvocationPolicy"), &["IfNeeded", "Never"]);
    let effects = hook.field("sideEffects");
    if !effects.is_set() {
        out.required(&effects, "must specify one of None, NoneOnDryRun");
    }
    out.one_of(&effects, &["None", "NoneOnDryRun"]);
    let timeout = hook.field("timeoutSeconds");
    if timeout.int().is_some_and(|seconds| !TIMEOUT_SECONDS.contains(&seconds)) {
        out.invalid(&timeout, "the timeout value must be between 1 and 30 seconds");
    }
    matching::validate_selectors(hook, out);
    validate_client(&hook.field("clientConfig"), out);
    matching::validate_conditions(hook, out);
}

/// A webhook understands a version of the review that is sent.
fn validate_reviews(hook: &Spot<'_>, out: &mut Errors) {
    let versions = hook.field("admissionReviewVersions");
    if versions.is_empty() {
        out.required(&versions, "must specify one of v1, v1beta1");
        return;
    }
    let known = versions.value.as_list().unwrap_or_default();
    for (index, version) in hook.each("admissionReviewVersions").enumerate() {
        if known.get(..index).unwrap_or_default().contains(version.value) {
            out.invalid(&version, "duplicate version");
        } else {
            out.invalid_each(&version, &text::dns_1035(version.text()));
        }
    }
    if !hook.each("admissionReviewVersions").any(|version| REVIEWS.contains(&version.text())) {
        out.invalid(&versions, "must include at least one of v1, v1beta1");
    }
}

/// Where a webhook is: at a URL or behind a Service.
fn validate_client(client: &Spot<'_>, out: &mut Errors) {
    let (url, service) = (client.field("url"), client.field("service"));
    match (url.is_set(), service.is_set()) {
        (false, false) | (true, true) => {
            out.required(client, "exactly one of url or service is required");
        }
        (true, false) => validate_url(&url, out),
        (false, true) => validate_service(&service, out),
    }
}

/// An HTTPS URL with a host, and without a user, a query or a fragment.
fn validate_url(url: &Spot<'_>, out: &mut Errors) {
    let text = url.text();
    let Some((scheme, rest)) = text.split_once("://") else {
        out.invalid(url, "must be a URL, such as https://host[:port]/path");
        return;
    };
    if scheme != "https" {
        out.invalid(url, "'https' is the only allowed URL scheme");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        out.invalid(url, "host must be specified");
    }
    if authority.contains('@') {
        out.invalid(url, "user information is not permitted in the URL");
    }
    if rest.contains('#') {
        out.invalid(url, "fragments are not permitted in the URL");
    }
    if rest.contains('?') {
        out.invalid(url, "query parameters are not permitted in the URL");
    }
}

fn validate_service(service: &Spot<'_>, out: &mut Errors) {
    let (name, namespace) = (service.field("name"), service.field("namespace"));
    for (field, what) in [(&name, "name"), (&namespace, "namespace")] {
        if field.is_empty() {
            out.required(field, &format!("service {what} is required"));
        }
    }
    let port = service.field("port");
    if port.is_set() && !text::port_number(port.int().unwrap_or(0)).is_empty() {
        out.invalid(&port, "port is not valid: must be between 1 and 65535, inclusive");
    }
    let path = service.field("path");
    if path.is_empty() || path.text() == "/" {
        return;
    }
    if !path.text().starts_with('/') {
        out.invalid(&path, "must start with a '/'");
        return;
    }
    for (at, part) in path.text().trim_matches('/').split('/').enumerate() {
        if part.is_empty() {
            out.invalid(&path, &format!("segment[{at}] may not be empty"));
        } else {
            let faults = text::dns_subdomain(part);
            let faults = faults.iter().map(|fault| format!("segment[{at}]: {fault}"));
            out.invalid_each(&path, &faults.collect::<Vec<_>>());
        }
    }
}
