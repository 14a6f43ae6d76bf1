//! `DeviceClass`: devices under one name, and what their driver is told.

use super::{CONFIGS_MAX, GROUP, validate_config, validate_selectors};
use crate::validate::{Errors, PLAIN, Rules, Spot, text};

pub(super) const RULES: Rules =
    Rules { group: GROUP, kind: "DeviceClass", object: validate, ..PLAIN };

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    validate_selectors(&spec, out);
    out.too_many(&spec.field("config"), CONFIGS_MAX);
    for config in spec.each("config") {
        validate_config(&config, out);
    }
    out.check(&spec.field("extendedResourceName"), |name| {
        let is_own = name.contains('/') && !name.contains("kubernetes.io/");
        if is_own && !name.starts_with("requests.") {
            text::qualified_name(name)
        } else {
            vec!["must be a valid extended resource name".to_owned()]
        }
    });
}
