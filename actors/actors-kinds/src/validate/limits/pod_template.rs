//! `PodTemplate`: a template that stands by itself.

use crate::validate::{PLAIN, Rules, pod};

pub(super) const RULES: Rules = Rules {
    kind: "PodTemplate",
    object: |root, out| pod::validate_template(&root.field("template"), out),
    ..PLAIN
};
