//! `CSIDriver`: what a driver of volumes needs and can do.

use super::{GROUP, validate_driver_name};
use crate::validate::{Errors, PLAIN, Rules, Spot};

/// The shortest and the longest life of a token that a driver asks for, in seconds.
const TOKEN_SECONDS_MIN: i64 = 600;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;
/// How often a driver may at most say anew how many volumes a node can have, in seconds.
const UPDATE_PERIOD_SECONDS_MIN: i64 = 10;

pub(super) const RULES: Rules =
    Rules { group: GROUP, kind: "CSIDriver", object: validate, change: validate_change, ..PLAIN };

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let metadata = root.field("metadata");
    validate_driver_name(&metadata.field("name"), out);
    let spec = root.field("spec");
    let policies = ["File", "None", "ReadWriteOnceWithFSType"];
    out.one_of(&spec.field("fsGroupPolicy"), &policies);
    for mode in spec.each("volumeLifecycleModes") {
        out.one_of_required(&mode, &["Ephemeral", "Persistent"]);
    }
    for request in spec.each("tokenRequests") {
        let seconds = request.field("expirationSeconds");
        match seconds.int() {
            Some(short) if short < TOKEN_SECONDS_MIN => {
                out.invalid(&seconds, "must be 600 (10 minutes) or more");
            }
            Some(long) if long > TOKEN_SECONDS_MAX => {
                out.invalid(&seconds, "must be 4294967296 or less");
            }
            _ => {}
        }
    }
    validate_audiences(&spec, out);
    out.at_least(&spec.field("nodeAllocatableUpdatePeriodSeconds"), UPDATE_PERIOD_SECONDS_MIN);
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
    for name in ["attachRequired", "volumeLifecycleModes"] {
        out.immutable(&new.field(name), &old.field(name));
    }
}
