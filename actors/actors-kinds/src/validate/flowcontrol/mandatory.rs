//! The levels and schemas that every cluster has, as they must be.
//!
//! Spec: documentation, "API priority and fairness", "mandatory configuration objects".

use actors_object::{Value, value};

use super::EXEMPT;
use crate::validate::{Errors, Spot};

/// The level and the schema of what no other schema is about.
const CATCH_ALL: &str = "catch-all";

/// A schema of these names is as it must be.
pub(super) fn validate_schema(root: &Spot<'_>, out: &mut Errors) {
    let group = |name: &str| value!({ "kind": "Group", "group": { "name": name } });
    let rules = |subjects: Vec<Value>| {
        value!([{
            "subjects": subjects,
            "resourceRules": [{
                "verbs": ["*"],
                "apiGroups": ["*"],
                "resources": ["*"],
                "clusterScope": true,
                "namespaces": ["*"],
            }],
            "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }],
        }])
    };
    let expected = match name(root).as_str() {
        EXEMPT => value!({
            "priorityLevelConfiguration": { "name": EXEMPT },
            "matchingPrecedence": 1,
            "rules": (rules(vec![group("system:masters")])),
        }),
        CATCH_ALL => {
            let subjects = vec![group("system:unauthenticated"), group("system:authenticated")];
            value!({
                "priorityLevelConfiguration": { "name": CATCH_ALL },
                "matchingPrecedence": 10_000,
                "distinguisherMethod": { "type": "ByUser" },
                "rules": (rules(subjects)),
            })
        }
        _ => return,
    };
    compare(root, &expected, out);
}

/// A level of this name is as it must be; how much of the server is exempt may be said.
pub(super) fn validate_level(root: &Spot<'_>, out: &mut Errors) {
    if name(root) == CATCH_ALL {
        let expected = value!({
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 5,
                "lendablePercent": 0,
                "limitResponse": { "type": "Reject" },
            },
        });
        compare(root, &expected, out);
    }
}

fn name(root: &Spot<'_>) -> String {
    root.field("metadata").field("name").text().to_owned()
}

fn compare(root: &Spot<'_>, expected: &Value, out: &mut Errors) {
    let spec = root.field("spec");
    if spec.value != expected {
        out.invalid(&spec, &format!("spec of '{}' must equal the fixed value", name(root)));
    }
}
