//! `FlowSchema`: which requests belong to which priority level.

use actors_object::FieldError;

use super::{EXEMPT, GROUP, mandatory};
use crate::validate::{Errors, PLAIN, Rules, Spot, text};

pub(super) const RULES: Rules =
    Rules { group: GROUP, kind: "FlowSchema", object: validate, ..PLAIN };

/// The last of the schemas in order.
const PRECEDENCE_MAX: i64 = 10_000;
/// What is done with resources and paths.
const VERBS: [&str; 9] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let (metadata, spec) = (root.field("metadata"), root.field("spec"));
    let precedence = spec.field("matchingPrecedence");
    match precedence.int() {
        Some(number) if number <= 0 => out.invalid(&precedence, "must be a positive value"),
        Some(number) if number > PRECEDENCE_MAX => {
            out.invalid(&precedence, &format!("must not be greater than {PRECEDENCE_MAX}"));
        }
        Some(1) if metadata.field("name").text() != EXEMPT => {
            let detail = "only the schema named 'exempt' may have matchingPrecedence 1";
            out.invalid(&precedence, detail);
        }
        _ => {}
    }
    let level = spec.field("priorityLevelConfiguration");
    out.check_required(&level.field("name"), text::dns_subdomain);
    let method = spec.field("distinguisherMethod");
    if method.is_set() {
        out.one_of_required(&method.field("type"), &["ByNamespace", "ByUser"]);
    }
    for rule in spec.each("rules") {
        validate_rule(&rule, out);
    }
    mandatory::validate_schema(root, out);
    validate_conditions(&root.field("status"), out);
}

fn validate_rule(rule: &Spot<'_>, out: &mut Errors) {
    let subjects = rule.field("subjects");
    if subjects.is_empty() {
        out.required(&subjects, "subjects must contain at least one value");
    }
    for subject in rule.each("subjects") {
        validate_subject(&subject, out);
    }
    if rule.field("resourceRules").is_empty() && rule.field("nonResourceRules").is_empty() {
        let detail = "at least one of resourceRules and nonResourceRules has to be non-empty";
        out.required(rule, detail);
    }
    for resource in rule.each("resourceRules") {
        validate_resource_rule(&resource, out);
    }
    for path in rule.each("nonResourceRules") {
        validate_words(&path, "verbs", Some(&VERBS), out);
        validate_words(&path, "nonResourceURLs", None, out);
        for url in path.each("nonResourceURLs") {
            validate_url(&url, out);
        }
    }
}

/// A subject has the fields of its kind, and no others.
fn validate_subject(subject: &Spot<'_>, out: &mut Errors) {
    let kind = subject.field("kind");
    let fields = [("Group", "group"), ("ServiceAccount", "serviceAccount"), ("User", "user")];
    out.one_of_required(&kind, &fields.map(|(kind, _)| kind));
    for (owner, name) in fields {
        let field = subject.field(name);
        if owner != kind.text() {
            if field.is_set() {
                out.forbidden(
                    &field,
                    &format!("{name} is forbidden when subject kind is not '{owner}'"),
                );
            }
        } else if field.is_set() {
            out.filled(&field.field("name"));
        } else {
            out.required(&field, &format!("{name} is required when subject kind is '{owner}'"));
        }
    }
    let account = subject.field("serviceAccount");
    if account.is_set() {
        out.check_required(&account.field("namespace"), any_or_label);
        out.check(&account.field("name"), any_or_subdomain);
    }
}

fn any_or_label(text: &str) -> text::Faults {
    if text == "*" { Vec::new() } else { text::dns_label(text) }
}

fn any_or_subdomain(text: &str) -> text::Faults {
    if text == "*" { Vec::new() } else { text::dns_subdomain(text) }
}

/// A list of words, of which `*` stands alone.
fn validate_words(above: &Spot<'_>, list: &str, known: Option<&[&str]>, out: &mut Errors) {
    let words = above.field(list);
    if words.is_empty() {
        out.required(&words, &format!("{list} must contain at least one value"));
    } else if words.len() > 1 && above.each(list).any(|word| word.text() == "*") {
        out.invalid(&words, &format!("if '*' is present, must not specify other {list}"));
    } else if let Some(known) = known
        && above.each(list).any(|word| word.text() != "*" && !known.contains(&word.text()))
    {
        let error = FieldError::not_supported(&words.path(), words.value.clone(), known);
        out.push(error);
    }
}

fn validate_resource_rule(rule: &Spot<'_>, out: &mut Errors) {
    validate_words(rule, "verbs", Some(&VERBS), out);
    validate_words(rule, "apiGroups", None, out);
    validate_words(rule, "resources", None, out);
    let namespaces = rule.field("namespaces");
    if namespaces.is_empty() {
        if !rule.field("clusterScope").is_true() {
            out.required(&namespaces, "is needed unless clusterScope is true");
        }
        return;
    }
    if namespaces.len() > 1 && rule.each("namespaces").any(|one| one.text() == "*") {
        out.invalid(&namespaces, "if '*' is present, must not specify other namespaces");
    }
    for namespace in rule.each("namespaces") {
        out.check_required(&namespace, any_or_label);
    }
}

/// A path, which may end with a whole part that is `*`.
fn validate_url(url: &Spot<'_>, out: &mut Errors) {
    let text = url.text();
    if text == "*" {
        return;
    }
    if text.is_empty() {
        out.invalid(url, "must not be empty");
    } else if !text.starts_with('/') {
        out.invalid(url, "must start with slash");
    } else if text.contains(' ') {
        out.invalid(url, "must not contain white-space");
    } else if text.contains("//") {
        out.invalid(url, "must not contain double slash");
    } else if text.strip_suffix("/*").unwrap_or(text).contains('*') {
        out.invalid(url, "wildcard can only do suffix matching");
    }
}

/// Conditions are complete, and each stands once.
fn validate_conditions(status: &Spot<'_>, out: &mut Errors) {
    for condition in status.each("conditions") {
        out.filled(&condition.field("type"));
    }
    out.unique(status, "conditions", "type");
}
