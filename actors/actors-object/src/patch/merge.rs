//! JSON merge patch: maps are merged, `null` removes, everything else replaces.
//!
//! Spec: RFC 7386 section 2.

use crate::Value;

/// Applies a merge patch. It cannot fail; a patch that is not a map replaces the target.
pub fn merge_patch(target: &mut Value, patch: Value) {
    let Value::Map(fields) = patch else {
        *target = patch;
        return;
    };
    target.make_map().merge(fields, |_, place, change| {
        let stays = !change.is_null();
        if stays {
            merge_patch(place, change);
        }
        stays
    });
}
