//! `CSINode`: which drivers of volumes a node has.

use actors_object::Value;

use super::{GROUP, validate_driver_name};
use crate::validate::{Errors, PLAIN, Rules, Spot, text};

/// The longest name that a driver can have for a node, in bytes.
const NODE_ID_LEN_MAX: usize = 192;

pub(super) const RULES: Rules =
    Rules { group: GROUP, kind: "CSINode", object: validate, change: validate_change, ..PLAIN };

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    for driver in spec.each("drivers") {
        validate_driver_name(&driver.field("name"), out);
        let id = driver.field("nodeID");
        out.filled(&id);
        if id.text().len() > NODE_ID_LEN_MAX {
            out.invalid(&id, &format!("must be {NODE_ID_LEN_MAX} characters or less"));
        }
        out.at_least(&driver.field("allocatable").field("count"), 0);
        validate_keys(&driver, out);
    }
    out.unique(&spec, "drivers", "name");
}

/// Keys of labels, each once; an error names the driver.
fn validate_keys(driver: &Spot<'_>, out: &mut Errors) {
    let keys: Vec<&str> =
        driver.value.list_at(&["topologyKeys"]).iter().filter_map(Value::as_str).collect();
    for (index, key) in keys.iter().enumerate() {
        if key.is_empty() {
            out.required(driver, "");
        }
        if keys.get(..index).unwrap_or_default().contains(key) {
            out.duplicate(driver, &(*key).into());
        }
        for detail in text::qualified_name(key) {
            out.invalid_value(driver, *key, &detail);
        }
    }
}

/// A driver that stays says what it said before, but for how many volumes it can have.
fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("spec"), old.field("spec"));
    let before = old.value.at("drivers").as_list().unwrap_or_default();
    for driver in new.each("drivers") {
        let twin = before.iter().find(|known| known.at("name") == driver.value.at("name"));
        let is_kept = |known: &Value| {
            ["nodeID", "topologyKeys"].iter().all(|name| known.at(name) == driver.value.at(name))
        };
        if twin.is_some_and(|known| !is_kept(known)) {
            out.invalid_value(&new.field("drivers"), driver.value.clone(), "field is immutable");
        }
    }
}
