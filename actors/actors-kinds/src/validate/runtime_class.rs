//! `RuntimeClass`: how containers of a pod are run.
//!
//! Spec: documentation, "runtime class", "pod overhead".

use super::{Errors, PLAIN, Rules, Spot, pod, selector, text};

/// The rules of this kind.
pub(super) const RULES: &[Rules] = &[Rules {
    group: "node.k8s.io",
    kind: "RuntimeClass",
    object: validate,
    change: |new, old, out| out.immutable(&new.field("handler"), &old.field("handler")),
    ..PLAIN
}];

fn validate(root: &Spot<'_>, out: &mut Errors) {
    out.check_required(&root.field("handler"), text::dns_label);
    pod::validate_amounts(&root.field("overhead"), "podFixed", out);
    let scheduling = root.field("scheduling");
    selector::validate_labels(&scheduling, "nodeSelector", out);
    for toleration in scheduling.each("tolerations") {
        pod::validate_toleration(&toleration, out);
    }
    out.distinct(&scheduling, "tolerations");
}
