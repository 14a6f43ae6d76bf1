//! `ValidatingAdmissionPolicy`: expressions that objects must fulfil.

use super::{GROUP, matching, validate_expression};
use crate::validate::{Errors, PLAIN, Rules, Spot, text};

/// The longest expression of an annotation, in bytes.
const ANNOTATION_LEN_MAX: usize = 5 * 1024;
/// The longest name of a key of an annotation, with the policy's name before it.
const KEY_LEN_MAX: usize = 63;
/// The most annotations of one policy.
const ANNOTATIONS_MAX: usize = 20;
/// What an error says of an expression that is not there.
const UNSAID: &str = "expression is not specified";
const REASONS: [&str; 4] = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
/// Words that no variable can be named by.
const RESERVED: [&str; 23] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "variables",
    "object",
];

pub(super) const RULES: Rules =
    Rules { group: GROUP, kind: "ValidatingAdmissionPolicy", object: validate, ..PLAIN };

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    out.one_of_required(&spec.field("failurePolicy"), &["Fail", "Ignore"]);
    let kind = spec.field("paramKind");
    if kind.is_set() {
        validate_kind(&kind, out);
    }
    let constraints = spec.field("matchConstraints");
    if constraints.is_set() {
        matching::validate_match(&constraints, true, out);
    } else {
        out.required(&constraints, "");
    }
    matching::validate_conditions(&spec, out);
    for variable in spec.each("variables") {
        validate_variable(&variable, out);
    }
    out.unique(&spec, "variables", "name");
    if spec.field("validations").is_empty() && spec.field("auditAnnotations").is_empty() {
        for name in ["validations", "auditAnnotations"] {
            let detail = "validations or auditAnnotations must contain at least one item";
            out.required(&spec.field(name), detail);
        }
    }
    for validation in spec.each("validations") {
        validate_validation(&validation, out);
    }
    let annotations = spec.field("auditAnnotations");
    if annotations.len() > ANNOTATIONS_MAX {
        let detail = format!("must not have more than {ANNOTATIONS_MAX} auditAnnotations");
        out.invalid(&annotations, &detail);
    }
    for annotation in spec.each("auditAnnotations") {
        let (key, value) = (annotation.field("key"), annotation.field("valueExpression"));
        out.check_required(&key, text::qualified_name);
        out.too_long(&key, KEY_LEN_MAX);
        validate_expression(&value, "valueExpression is not specified", out);
        out.too_long(&value, ANNOTATION_LEN_MAX);
    }
    out.unique(&spec, "auditAnnotations", "key");
}

/// The kind of parameters: a group and version, and a name.
fn validate_kind(kind: &Spot<'_>, out: &mut Errors) {
    let (version, name) = (kind.field("apiVersion"), kind.field("kind"));
    out.check_required(&version, |version| match version.split_once('/') {
        Some((group, version)) => {
            let mut faults = text::dns_subdomain(group);
            faults.extend(text::dns_1035(version));
            faults
        }
        None => text::dns_1035(version),
    });
    out.check_required(&name, |name| text::dns_1035(&name.to_ascii_lowercase()));
}

fn validate_variable(variable: &Spot<'_>, out: &mut Errors) {
    let name = variable.field("name");
    let is_word = |text: &str| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if name.is_empty() {
        out.required(&name, "name is not specified");
    } else if !is_word(name.text()) || RESERVED.contains(&name.text()) {
        out.invalid(&name, "name is not a valid CEL identifier");
    }
    validate_expression(&variable.field("expression"), UNSAID, out);
}

fn validate_validation(validation: &Spot<'_>, out: &mut Errors) {
    let message = validation.field("message");
    validate_expression(&validation.field("expression"), UNSAID, out);
    let spoken = validation.field("messageExpression");
    if spoken.is_set() && spoken.text().trim().is_empty() {
        out.invalid(&spoken, "must be non-empty if specified");
    }
    if message.is_set() && message.text().trim().is_empty() {
        out.invalid(&message, "message must be non-empty if specified");
    } else if message.text().trim().contains('\n') {
        out.invalid(&message, "message must not contain line breaks");
    }
    out.one_of(&validation.field("reason"), &REASONS);
}
