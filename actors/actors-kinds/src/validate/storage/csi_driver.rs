//! `CSIDriver`: what a driver of volumes needs and can do.

use actors_object::FieldError;

use super::GROUP;
use crate::validate::{Errors, PLAIN, Rules, Spot};

/// The shortest and the longest life of a token that a driver asks for, in seconds.
const TOKEN_SECONDS_MIN: i64 = 600;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;
/// How often a driver may at most say anew how many volumes a node can have, in seconds.
const UPDATE_PERIOD_SECONDS_MIN: i64 = 10;

pub(super) const RULES: Rules =
    Rules { group: GROUP, kind: "CSIDriver", object: validate, change: validate_change, ..PLAIN };

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let policies = ["File", "None", "ReadWriteOnceWithFSType"];
    out.one_of(&spec.field("fsGroupPolicy"), &policies);
    out.all_of(&spec, "volumeLifecycleModes", &["Persistent", "Ephemeral"]);
    for request in spec.each("tokenRequests") {
        let seconds = request.field("expirationSeconds");
        match seconds.int() {
            Some(short) if short < TOKEN_SECONDS_MIN => {
                out.invalid(&seconds, "may not specify a duration less than 10 minutes");
            }
            Some(long) if long > TOKEN_SECONDS_MAX => {
                out.invalid(&seconds, "may not specify a duration larger than 2^32 seconds");
            }
            _ => {}
        }
    }
    validate_audiences(&spec, out);
    let period = spec.field("nodeAllocatableUpdatePeriodSeconds");
    if period.int().is_some_and(|seconds| seconds < UPDATE_PERIOD_SECONDS_MIN) {
        out.invalid(&period, "must be greater than or equal to 10 seconds");
    }
}

/// One token for each audience; the empty one is the API server's.
fn validate_audiences(spec: &Spot<'_>, out: &mut Errors) {
    let mut seen: Vec<String> = Vec::new();
    for request in spec.each("tokenRequests") {
        let audience = request.field("audience");
        let text = audience.text().to_owned();
        if seen.contains(&text) {
            out.duplicate(&audience, &text.as_str().into());
        }
        seen.push(text);
    }
}

fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("spec"), old.field("spec"));
    let (attaches, before) = (new.field("attachRequired"), old.field("attachRequired"));
    if attaches.is_true() != before.is_true() {
        // Clients know this field's errors by another word.
        let path = new.field("attachedRequired").path();
        out.push(FieldError::invalid(&path, attaches.value.clone(), "field is immutable"));
    }
    out.immutable(&new.field("volumeLifecycleModes"), &old.field("volumeLifecycleModes"));
}
