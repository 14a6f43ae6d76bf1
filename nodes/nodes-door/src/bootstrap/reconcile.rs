//! What a role or binding that exists lacks of what it should have; what was added to it stays.
//!
//! Way in: [`repair`].  Spec: Kubernetes documentation, "Using RBAC Authorization",
//! "Auto-reconciliation": at each start missing rules and subjects are added; the annotation
//! `rbac.authorization.kubernetes.io/autoupdate` with the value `false` forbids it.

use actors_object::{Map, Object, Value};

use super::flow_control;
use crate::authz::lacking;

const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What is to be done with an object that exists.
#[derive(Debug, Clone, PartialEq)]
pub enum Repair {
    /// Nothing.
    Nothing,
    /// Merge this patch into it.
    Patch(Value),
    /// Delete it and create what it should be: its `roleRef`, which cannot be changed, is another.
    Replace,
}

/// Compares a role or binding with what it should at least be, and an object of flow control with
/// what it should be. Other kinds need nothing.
#[must_use]
pub fn repair(wanted: &Object, found: &Object) -> Repair {
    if wanted.api_version().starts_with("flowcontrol.apiserver.k8s.io/") {
        return flow_control::repair(wanted, found);
    }
    let is_rbac = wanted.api_version().starts_with("rbac.authorization.k8s.io/");
    if !is_rbac || found.annotation(AUTOUPDATE) == Some("false") {
        return Repair::Nothing;
    }
    let mut patch = Value::Map(Map::default());
    add_metadata(&mut patch, wanted, found);
    if wanted.kind().ends_with("Binding") {
        if wanted.at("roleRef") != found.at("roleRef") {
            return Repair::Replace;
        }
        let held = found.list_at(&["subjects"]);
        let missing = wanted.list_at(&["subjects"]).iter().filter(|one| !held.contains(one));
        add(&mut patch, "subjects", (held, missing.cloned().collect()));
    } else if wanted.at("aggregationRule").is_null() {
        let held = found.list_at(&["rules"]);
        add(&mut patch, "rules", (held, lacking(held, wanted.list_at(&["rules"]))));
    } else {
        // Its rules are its controller's; what it gathers from is ours to complete.
        let path = ["aggregationRule", "clusterRoleSelectors"];
        let held = found.list_at(&path);
        let missing: Vec<Value> =
            wanted.list_at(&path).iter().filter(|one| !held.contains(one)).cloned().collect();
        if !missing.is_empty() {
            patch.set_path(&path, [held, &missing].concat());
        }
    }
    match patch.as_map().is_none_or(Map::is_empty) {
        true => Repair::Nothing,
        false => Repair::Patch(patch),
    }
}

fn add(patch: &mut Value, field: &str, (held, missing): (&[Value], Vec<Value>)) {
    if !missing.is_empty() {
        patch.set_path(&[field], [held, &missing].concat());
    }
}

/// Labels and annotations that are not there; those that are stay as somebody set them.
fn add_metadata(patch: &mut Value, wanted: &Object, found: &Object) {
    for (key, text) in wanted.labels().filter(|(key, _)| found.label(key).is_none()) {
        patch.set_path(&["metadata", "labels", key], text);
    }
    for (key, text) in wanted.annotations().filter(|(key, _)| found.annotation(key).is_none()) {
        patch.set_path(&["metadata", "annotations", key], text);
    }
}

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;

    fn role(rules: Value) -> Object {
        Object(value!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": "r" }, "rules": rules,
        }))
    }

    fn binding(role: &str, subjects: Value) -> Object {
        Object(value!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": { "name": "r" }, "roleRef": { "name": role }, "subjects": subjects,
        }))
    }

    #[test]
    fn missing_rules_are_added_and_additions_stay() {
        let get = value!({ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"] });
        let more = value!({ "verbs": ["delete"], "apiGroups": [""], "resources": ["pods"] });
        let wanted = role(value!([get.clone()]));
        assert_eq!(repair(&wanted, &role(value!([get.clone(), more.clone()]))), Repair::Nothing);
        let both = value!([more.clone(), get]);
        let patch = value!({ "rules": both });
        assert_eq!(repair(&wanted, &role(value!([more.clone()]))), Repair::Patch(patch));
        let mut kept = role(value!([more]));
        kept.set_annotation(AUTOUPDATE, "false");
        assert_eq!(repair(&wanted, &kept), Repair::Nothing);
    }

    #[test]
    fn missing_subjects_are_added_and_another_role_is_bound_anew() {
        let (jane, bob) = (value!({ "name": "jane" }), value!({ "name": "bob" }));
        let wanted = binding("r", value!([jane.clone()]));
        let found = binding("r", value!([bob.clone()]));
        let both = value!({ "subjects": [bob, jane.clone()] });
        assert_eq!(repair(&wanted, &found), Repair::Patch(both));
        assert_eq!(repair(&wanted, &binding("q", value!([jane]))), Repair::Replace);
    }

    #[test]
    fn what_a_role_has_gathered_is_left_alone() {
        let gathers = |rules: Value| {
            let mut role = role(rules);
            let path = ["aggregationRule", "clusterRoleSelectors"];
            role.set_path(&path, value!([{ "matchLabels": { "a": "b" } }]));
            role
        };
        assert_eq!(
            repair(&gathers(value!([{ "verbs": ["x"] }])), &gathers(value!([]))),
            Repair::Nothing
        );
        let patch = value!({
            "aggregationRule": { "clusterRoleSelectors": [{ "matchLabels": { "a": "b" } }] },
        });
        assert_eq!(repair(&gathers(value!([])), &role(value!([]))), Repair::Patch(patch));
    }
}
