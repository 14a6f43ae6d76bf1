//! `CustomResourceDefinition`: its names, versions and conversion. What a schema says is read where objects are
//! held against it.

use actors_object::{FieldError, Value};

use crate::validate::{Errors, PLAIN, Rules, Spot, text};

/// The types of a column, and their formats.
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 9] =
    ["byte", "date", "date-time", "double", "float", "int32", "int64", "password", "name"];

pub(super) const RULES: Rules = Rules {
    group: "apiextensions.k8s.io",
    kind: "CustomResourceDefinition",
    object: validate,
    change: validate_change,
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let (metadata, spec) = (root.field("metadata"), root.field("spec"));
    let (names, group) = (spec.field("names"), spec.field("group"));
    let (name, plural) = (metadata.field("name"), names.field("plural"));
    if name.text() != format!("{}.{}", plural.text(), group.text()) {
        out.invalid(&name, "must be spec.names.plural+\".\"+spec.group");
    }
    if group.is_empty() {
        out.required(&group, "");
    } else if !group.text().contains('.') {
        out.invalid(&group, "should be a domain with at least one dot");
    } else {
        out.check(&group, text::dns_subdomain);
    }
    out.one_of_required(&spec.field("scope"), &["Cluster", "Namespaced"]);
    if spec.field("preserveUnknownFields").is_true() {
        let field = spec.field("preserveUnknownFields");
        out.invalid(&field, "must be false: a schema says what is kept");
    }
    validate_names(&names, out);
    validate_versions(&spec, out);
    validate_conversion(&spec.field("conversion"), out);
}

/// Names are labels; those of kinds may have capitals.
fn validate_names(names: &Spot<'_>, out: &mut Errors) {
    let lower = |text: &str| text::dns_1035(&text.to_ascii_lowercase());
    out.check_required(&names.field("plural"), text::dns_1035);
    out.check_required(&names.field("singular"), text::dns_1035);
    out.check_required(&names.field("kind"), lower);
    out.check_required(&names.field("listKind"), lower);
    for list in ["categories", "shortNames"] {
        for name in names.each(list) {
            out.check_required(&name, text::dns_1035);
        }
    }
    let list = names.field("listKind");
    if !list.is_empty() && list.text() == names.field("kind").text() {
        out.invalid(&list, "kind and listKind may not be the same");
    }
}

/// Versions: named apart, each with a schema, and one of them stored.
fn validate_versions(spec: &Spot<'_>, out: &mut Errors) {
    let versions = spec.field("versions");
    if versions.is_empty() {
        out.required(&versions, "must have at least one version");
    }
    for version in spec.each("versions") {
        out.check_required(&version.field("name"), text::dns_1035);
        validate_schema(&version, out);
        let warning = version.field("deprecationWarning");
        if warning.is_set() && !version.field("deprecated").is_true() {
            out.invalid(&warning, "can only be set for deprecated versions");
        }
        for column in version.each("additionalPrinterColumns") {
            validate_column(&column, out);
        }
        validate_scale(&version.field("subresources").field("scale"), out);
    }
    out.unique(spec, "versions", "name");
    let stored = spec.each("versions").filter(|version| version.field("storage").is_true()).count();
    if stored != 1 {
        out.invalid(&versions, "must have exactly one version marked as storage version");
    }
}

fn validate_schema(version: &Spot<'_>, out: &mut Errors) {
    let above = version.field("schema");
    let schema = above.field("openAPIV3Schema");
    if !schema.is_set() {
        out.required(&schema, "schemas are required");
        return;
    }
    let sort = schema.field("type");
    if sort.is_empty() {
        out.required(&sort, "must not be empty at the root");
    } else if sort.text() != "object" {
        out.invalid(&sort, "must be object at the root");
    }
}

fn validate_column(column: &Spot<'_>, out: &mut Errors) {
    out.filled(&column.field("name"));
    out.one_of_required(&column.field("type"), &COLUMN_TYPES);
    out.one_of(&column.field("format"), &COLUMN_FORMATS);
    let path = column.field("jsonPath");
    out.filled(&path);
    if !path.is_empty() && !path.text().starts_with('.') {
        out.invalid(&path, "must be a simple path, such as .spec.replicas");
    }
}

/// Where the numbers of a scale are.
fn validate_scale(scale: &Spot<'_>, out: &mut Errors) {
    if !scale.is_set() {
        return;
    }
    for (name, root) in [("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")] {
        let path = scale.field(name);
        if path.is_empty() {
            out.required(&path, "");
        } else if !path.text().starts_with(root) {
            out.invalid(
                &path,
                &format!("should be a json path under {}", root.trim_end_matches('.')),
            );
        }
    }
    let selector = scale.field("labelSelectorPath");
    let is_below = |root: &str| selector.text().starts_with(root);
    if !selector.is_empty() && !is_below(".spec.") && !is_below(".status.") {
        out.invalid(&selector, "should be a json path under .spec or .status");
    }
}

fn validate_conversion(conversion: &Spot<'_>, out: &mut Errors) {
    let (strategy, webhook) = (conversion.field("strategy"), conversion.field("webhook"));
    out.one_of_required(&strategy, &["None", "Webhook"]);
    match strategy.text() {
        "None" if webhook.is_set() => {
            out.forbidden(&webhook, "should not be set when strategy is not set to Webhook");
        }
        "Webhook" if !webhook.is_set() => {
            out.required(&webhook, "required when strategy is set to Webhook");
        }
        "Webhook" => {
            out.filled(&webhook.field("conversionReviewVersions"));
            let client = webhook.field("clientConfig");
            if client.field("url").is_set() == client.field("service").is_set() {
                out.required(&client, "exactly one of url or service is required");
            }
        }
        _ => {}
    }
}

/// Once clients know a kind, its names stay, and versions that objects were stored in as well.
fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (spec, before) = (new.field("spec"), old.field("spec"));
    out.immutable(&spec.field("group"), &before.field("group"));
    let (names, old_names) = (spec.field("names"), before.field("names"));
    out.immutable(&names.field("plural"), &old_names.field("plural"));
    if is_established(old.value) {
        out.immutable(&spec.field("scope"), &before.field("scope"));
        out.immutable(&names.field("kind"), &old_names.field("kind"));
    }
    let stored = old.value.at("status").at("storedVersions").as_list().unwrap_or_default();
    let has = |name: &Value| spec.each("versions").any(|version| version.value.at("name") == name);
    for (index, name) in stored.iter().enumerate().filter(|(_, name)| !has(name)) {
        let path = new.field("status").field("storedVersions").path().push_index(index);
        let detail = "missing from spec.versions; objects may be stored in this version";
        out.push(FieldError::invalid(&path, name.clone(), detail));
    }
}

fn is_established(definition: &Value) -> bool {
    let conditions = definition.at("status").at("conditions").as_list().unwrap_or_default();
    conditions.iter().any(|one| {
        one.str_at(&["type"]) == Some("Established") && one.str_at(&["status"]) == Some("True")
    })
}
