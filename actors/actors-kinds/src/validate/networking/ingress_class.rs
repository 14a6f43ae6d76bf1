//! `IngressClass`: which controller serves the ingresses of one name.

use super::{GROUP, validate_named};
use crate::validate::{Errors, PLAIN, Rules, Spot, domain, text};

/// The longest name of a controller, in bytes.
const CONTROLLER_LEN_MAX: usize = 250;

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "IngressClass",
    object: validate,
    change: |new, old, out| {
        let (new, old) = (new.field("spec"), old.field("spec"));
        out.immutable(&new.field("controller"), &old.field("controller"));
    },
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let controller = spec.field("controller");
    out.too_long(&controller, CONTROLLER_LEN_MAX);
    out.check_required(&controller, domain::prefixed_path);
    let parameters = spec.field("parameters");
    if !parameters.is_set() {
        return;
    }
    out.check(&parameters.field("apiGroup"), text::dns_subdomain);
    validate_named(&parameters, out);
    let (scope, namespace) = (parameters.field("scope"), parameters.field("namespace"));
    out.one_of_required(&scope, &["Cluster", "Namespace"]);
    match scope.text() {
        "Namespace" if !namespace.is_set() => {
            out.required(&namespace, "`parameters.scope` is set to 'Namespace'");
        }
        "Namespace" => out.invalid_each(&namespace, &text::dns_label(namespace.text())),
        "Cluster" if namespace.is_set() => {
            out.forbidden(&namespace, "`parameters.scope` is set to 'Cluster'");
        }
        _ => {}
    }
}
