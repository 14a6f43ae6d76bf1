//! `IPAddress`: one address of Services, and which one has it.

use super::GROUP;
use crate::validate::{Errors, PLAIN, Rules, Spot, domain, text};

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "IPAddress",
    name: domain::canonical_ip,
    object: validate,
    change: |new, old, out| {
        let (new, old) = (new.field("spec"), old.field("spec"));
        out.immutable(&new.field("parentRef"), &old.field("parentRef"));
    },
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let parent = spec.field("parentRef");
    if !parent.is_set() {
        out.required(&parent, "");
        return;
    }
    out.check(&parent.field("group"), text::dns_subdomain);
    out.check_required(&parent.field("resource"), text::path_segment);
    out.check_required(&parent.field("name"), text::path_segment);
    out.check(&parent.field("namespace"), text::path_segment);
}
