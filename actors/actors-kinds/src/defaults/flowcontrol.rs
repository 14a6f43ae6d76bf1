//! Which requests of the API wait, and how.

use actors_object::{Map, Value};

use super::{Row, inner};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";

/// The defaults of this group.
pub(super) const DEFAULTS: &[Row] = &[
    (GROUP, "FlowSchema", |root| {
        root.entry_or_map("spec").set_default("matchingPrecedence", 1_000);
    }),
    (GROUP, "PriorityLevelConfiguration", default_level),
];

/// A level: a share of 30 and 64 queues; what is exempt has no share of its own.
fn default_level(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    if spec.get("type").and_then(Value::as_str) == Some("Exempt") {
        let exempt = spec.entry_or_map("exempt");
        exempt.set_default("nominalConcurrencyShares", 0);
        exempt.set_default("lendablePercent", 0);
    }
    let Some(limited) = inner(spec, "limited") else { return };
    limited.set_default("nominalConcurrencyShares", 30);
    limited.set_default("lendablePercent", 0);
    let queuing = inner(limited, "limitResponse").and_then(|response| inner(response, "queuing"));
    if let Some(queuing) = queuing {
        for (name, count) in [("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)] {
            if queuing.get(name).is_none_or(Value::is_empty_value) {
                queuing.insert(name, count);
            }
        }
    }
}
