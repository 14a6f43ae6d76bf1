//! `APIService`: who serves a version of a group.

use actors_object::FieldError;

use crate::validate::{Errors, PLAIN, Rules, Spot, text};

/// The highest priorities of a group and of a version in it.
const GROUP_PRIORITY_MAX: i64 = 20_000;
const VERSION_PRIORITY_MAX: i64 = 1_000;

pub(super) const RULES: Rules = Rules {
    group: "apiregistration.k8s.io",
    kind: "APIService",
    name: text::path_segment,
    object: validate,
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let (group, version) = (spec.field("group"), spec.field("version"));
    let metadata = root.field("metadata");
    let expected = format!("{}.{}", version.text(), group.text());
    let name = metadata.field("name");
    if name.text() != expected {
        out.invalid(&name, &format!("must be `spec.version+\".\"+spec.group`: \"{expected}\""));
    }
    out.check(&group, text::dns_subdomain);
    out.check_required(&version, text::dns_1035);
    validate_priority(&spec.field("groupPriorityMinimum"), GROUP_PRIORITY_MAX, out);
    validate_priority(&spec.field("versionPriority"), VERSION_PRIORITY_MAX, out);
    validate_service(&spec, out);
}

fn validate_priority(priority: &Spot<'_>, max: i64, out: &mut Errors) {
    if !(1..=max).contains(&priority.int().unwrap_or(0)) {
        let detail = format!("must be positive and not greater than {max}");
        let value = priority.int().unwrap_or(0);
        out.push(FieldError::invalid(&priority.path(), value, detail));
    }
}

/// A Service, trusted by a bundle or not checked; without one, this server itself.
fn validate_service(spec: &Spot<'_>, out: &mut Errors) {
    let service = spec.field("service");
    let (bundle, unchecked) = (spec.field("caBundle"), spec.field("insecureSkipTLSVerify"));
    if !service.is_set() {
        if !bundle.is_empty() {
            out.invalid(&bundle, "local APIServices may not have a caBundle");
        }
        if unchecked.is_true() {
            out.invalid(&unchecked, "local APIServices may not have insecureSkipTLSVerify");
        }
        return;
    }
    out.filled(&service.field("namespace"));
    out.filled(&service.field("name"));
    let port = service.field("port");
    if port.is_set() {
        out.port(&port);
    }
    if unchecked.is_true() && !bundle.is_empty() {
        out.invalid(&unchecked, "may not be true if caBundle is present");
    }
}
