//! Events, in both groups that show them.
//!
//! Spec: KEP-383; API reference of `Event`. Events of the core group are what old clients write, so that they are
//! checked less.

use super::{Errors, Spot, text};

/// The longest texts of an event, in bytes.
const ACTION_LEN_MAX: usize = 128;
const NOTE_LEN_MAX: usize = 1_024;

/// An event of the core group; one with `eventTime` is of the new sort, and complete.
pub(super) fn validate_core(root: &Spot<'_>, out: &mut Errors) {
    validate_place(root, "involvedObject", out);
    if root.field("eventTime").is_set() {
        validate_texts(root, &Names { controller: "reportingComponent", note: "message" }, out);
    }
}

/// An event of its own group.
pub(super) fn validate(root: &Spot<'_>, out: &mut Errors) {
    validate_place(root, "regarding", out);
    let time = root.field("eventTime");
    if !time.is_set() {
        out.required(&time, "");
    }
    validate_texts(root, &Names { controller: "reportingController", note: "note" }, out);
    out.one_of_required(&root.field("type"), &["Normal", "Warning"]);
    let series = root.field("series");
    if series.is_set() {
        out.at_least(&series.field("count"), 2);
        if !series.field("lastObservedTime").is_set() {
            out.required(&series.field("lastObservedTime"), "");
        }
    }
}

/// What the two groups call the same things.
struct Names {
    controller: &'static str,
    note: &'static str,
}

/// An event lies in the namespace of its object; events about objects without one, in `default`.
fn validate_place(root: &Spot<'_>, object: &str, out: &mut Errors) {
    let about = root.field(object);
    let (about, metadata) = (about.field("namespace"), root.field("metadata"));
    let namespace = metadata.field("namespace");
    let is_system = about.is_empty() && matches!(namespace.text(), "default" | "kube-system");
    if about.text() != namespace.text() && !is_system {
        out.invalid(&about, "must be the namespace of the event itself");
    }
}

fn validate_texts(root: &Spot<'_>, names: &Names, out: &mut Errors) {
    out.check_required(&root.field(names.controller), text::qualified_name);
    for name in ["reportingInstance", "action", "reason"] {
        let field = root.field(name);
        if field.is_empty() {
            out.required(&field, "");
        }
        not_longer(&field, ACTION_LEN_MAX, out);
    }
    not_longer(&root.field(names.note), NOTE_LEN_MAX, out);
}

fn not_longer(field: &Spot<'_>, max: usize, out: &mut Errors) {
    if field.text().len() > max {
        out.invalid(field, &format!("must not be longer than {max} bytes"));
    }
}

/// Only its series changes: the same thing, seen again.
pub(super) fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    for name in [
        "action",
        "eventTime",
        "note",
        "reason",
        "regarding",
        "related",
        "reportingController",
        "reportingInstance",
        "type",
    ] {
        out.immutable(&new.field(name), &old.field(name));
    }
}

#[cfg(test)]
mod tests;
