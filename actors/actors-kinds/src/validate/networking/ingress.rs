//! `Ingress`: which requests from outside go to which Service.

use actors_object::{FieldError, FieldPath};

use super::{GROUP, validate_named, validate_points};
use crate::validate::{Errors, PLAIN, Rules, Spot, domain, text};

/// The annotation that named a class before there was a field for it.
const CLASS: &str = "kubernetes.io/ingress.class";

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "Ingress",
    create: validate_new,
    object: validate,
    status: |new, _, out| validate_points(&new.field("status").field("loadBalancer"), out),
    ..PLAIN
};

/// A new one names one class, if it does so in two ways.
fn validate_new(root: &Spot<'_>, out: &mut Errors) {
    let class = root.field("spec").field("ingressClassName").text().to_owned();
    let metadata = root.field("metadata");
    let annotation = metadata.value.at("annotations").at(CLASS);
    let is_other = annotation.as_str().is_some_and(|annotation| annotation != class);
    if is_other && root.value.at("spec").at("ingressClassName").as_str().is_some() {
        let path = FieldPath::root().push_field("annotations").push_field(CLASS);
        let detail = "must match `ingressClassName` when both are specified";
        out.push(FieldError::invalid(&path, annotation.clone(), detail));
    }
}

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let (rules, fallback) = (spec.field("rules"), spec.field("defaultBackend"));
    if rules.is_empty() && !fallback.is_set() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        out.invalid_value(&spec, rules.value.clone(), detail);
    }
    if fallback.is_set() {
        validate_backend(&fallback, out);
    }
    for tls in spec.each("tls") {
        for host in tls.each("hosts") {
            out.invalid_each(&host, &domain::wildcard(host.text()));
        }
        out.check(&tls.field("secretName"), text::dns_subdomain);
    }
    for rule in spec.each("rules") {
        validate_rule(&rule, out);
    }
    out.check(&spec.field("ingressClassName"), text::dns_subdomain);
}

fn validate_rule(rule: &Spot<'_>, out: &mut Errors) {
    let host = rule.field("host");
    if domain::is_ip(host.text()) {
        out.invalid(&host, "must be a DNS name, not an IP address");
    } else {
        out.check(&host, domain::wildcard);
    }
    let http = rule.field("http");
    if !http.is_set() {
        return;
    }
    out.filled(&http.field("paths"));
    for path in http.each("paths") {
        validate_path(&path, out);
        validate_backend(&path.field("backend"), out);
    }
}

/// A path: how it is compared decides what it may hold.
fn validate_path(rule: &Spot<'_>, out: &mut Errors) {
    /// What no path that is compared by its parts holds.
    const NEVER: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
    const NEVER_LAST: [&str; 2] = ["/..", "/."];
    let (path, sort) = (rule.field("path"), rule.field("pathType"));
    if !sort.is_set() {
        out.required(&sort, "pathType must be specified");
        return;
    }
    let is_absolute = path.text().starts_with('/');
    match sort.text() {
        "Exact" | "Prefix" => {
            if !is_absolute {
                out.invalid(&path, "must be an absolute path");
            }
            for part in NEVER.into_iter().filter(|part| path.text().contains(part)) {
                out.invalid(&path, &format!("must not contain '{part}'"));
            }
            for part in NEVER_LAST.into_iter().filter(|part| path.text().ends_with(part)) {
                out.invalid(&path, &format!("cannot end with '{part}'"));
            }
        }
        "ImplementationSpecific" if !path.is_empty() && !is_absolute => {
            out.invalid(&path, "must be an absolute path");
        }
        _ => out.one_of(&sort, &["Exact", "ImplementationSpecific", "Prefix"]),
    }
}

/// A Service and one of its ports, or another object.
fn validate_backend(backend: &Spot<'_>, out: &mut Errors) {
    let (service, resource) = (backend.field("service"), backend.field("resource"));
    match (service.is_set(), resource.is_set()) {
        (true, true) => {
            out.invalid_value(backend, "", "cannot set both resource and service backends");
        }
        (false, false) => out.invalid_value(backend, "", "resource or service backend is required"),
        (true, false) => {
            out.check_required(&service.field("name"), text::dns_1035);
            validate_port(backend, &service.field("port"), out);
        }
        (false, true) => {
            out.check(&resource.field("apiGroup"), text::dns_subdomain);
            validate_named(&resource, out);
        }
    }
}

fn validate_port(backend: &Spot<'_>, port: &Spot<'_>, out: &mut Errors) {
    let (name, number) = (port.field("name"), port.field("number"));
    match (name.is_empty(), number.int().unwrap_or(0) == 0) {
        (false, false) => {
            out.invalid_value(backend, "", "cannot set both port name & port number");
        }
        (true, true) => out.required(backend, "port name or number is required"),
        (false, true) => out.check(&name, text::port_name),
        (true, false) => out.port(&number),
    }
}
