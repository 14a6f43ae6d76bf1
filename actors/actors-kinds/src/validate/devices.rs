//! Devices: what nodes have, classes of it, and claims on it. Structure only: expressions are compiled where they
//! are run.
//!
//! Spec: documentation, "dynamic resource allocation"; API reference of resource.k8s.io/v1; KEP-4381.

mod claim;
mod class;
mod request;
mod slice;

use actors_object::json;

use super::{Errors, Rules, Spot, storage, text};

const GROUP: &str = "resource.k8s.io";

/// The rules of this group.
pub(super) const RULES: &[Rules] =
    &[claim::RULES, claim::TEMPLATE_RULES, class::RULES, slice::RULES];

/// The most of each list, and the largest texts.
const SELECTORS_MAX: usize = 32;
const CONFIGS_MAX: usize = 32;
const EXPRESSION_LEN_MAX: usize = 10 * 1024;
const PARAMETERS_LEN_MAX: usize = 10 * 1024;
const ATTRIBUTE_LEN_MAX: usize = 32;

/// Expressions that choose devices.
fn validate_selectors(above: &Spot<'_>, out: &mut Errors) {
    out.too_many(&above.field("selectors"), SELECTORS_MAX);
    for selector in above.each("selectors") {
        let cel = selector.field("cel");
        if !cel.is_set() {
            out.required(&cel, "");
            continue;
        }
        let expression = cel.field("expression");
        out.filled(&expression);
        out.too_long(&expression, EXPRESSION_LEN_MAX);
    }
}

/// What a driver is told about the devices that it prepares.
fn validate_config(config: &Spot<'_>, out: &mut Errors) {
    let opaque = config.field("opaque");
    if !opaque.is_set() {
        out.required(&opaque, "");
        return;
    }
    storage::validate_driver_name(&opaque.field("driver"), out);
    let parameters = opaque.field("parameters");
    if !parameters.is_set() {
        out.required(&parameters, "");
    } else if parameters.value.as_map().is_none() {
        out.invalid(&parameters, "must be a valid JSON object");
    } else if json::to_vec(parameters.value).len() > PARAMETERS_LEN_MAX {
        let path = parameters.path();
        out.push(actors_object::FieldError::too_long(&path, PARAMETERS_LEN_MAX));
    }
}

/// A word that an expression can be written with: a C identifier, with or without a domain before it.
fn attribute_name(name: &str) -> text::Faults {
    let (domain, word) = match name.split_once('/') {
        Some((domain, word)) => (Some(domain), word),
        None => (None, name),
    };
    let mut faults = domain.map(text::dns_subdomain).unwrap_or_default();
    let mut bytes = word.bytes();
    let is_word = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_word {
        faults.push("must be letters, digits and '_', beginning with no digit".to_owned());
    }
    if word.len() > ATTRIBUTE_LEN_MAX {
        faults.push(format!("must be no more than {ATTRIBUTE_LEN_MAX} bytes"));
    }
    faults
}

/// An attribute whose domain is said.
fn full_attribute_name(name: &str) -> text::Faults {
    if name.contains('/') { attribute_name(name) } else { vec!["must include a domain".to_owned()] }
}
