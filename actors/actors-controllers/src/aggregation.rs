//! ClusterRoles that are gathered from others: the rules of all that a role's selectors match.
//!
//! Way in: [`AggregationController`].  Writes: `rules` of ClusterRoles with an `aggregationRule`.
//! Spec: Kubernetes documentation, "Using RBAC Authorization", "Aggregated ClusterRoles": the control plane overwrites
//! what is written there by hand.

use actors_controller::{Access, Controller, Key, Plan, Primary, Relations, World, WriteVerb};
use actors_core::Now;
use actors_object::{FieldPath, LabelSelector, Object, Value, value};

use crate::kinds::CLUSTER_ROLE;

/// Gathers the rules of aggregated ClusterRoles.
#[derive(Debug, Clone, Copy, Default)]
pub struct AggregationController;

impl Controller for AggregationController {
    fn name(&self) -> &'static str {
        "clusterrole-aggregation"
    }

    fn primary(&self) -> Primary {
        Primary::Of(CLUSTER_ROLE)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches(&CLUSTER_ROLE, gathering)
    }

    fn access(&self) -> Access {
        Access::reads(&[&CLUSTER_ROLE]).writes(&CLUSTER_ROLE, WriteVerb::Patch, &["rules"])
    }

    fn reconcile(&self, role: &Object, world: &dyn World, _now: Now) -> Plan {
        let mut plan = Plan::default();
        let selectors = selectors_of(role);
        if selectors.is_empty() || role.is_terminating() {
            return plan;
        }
        let mut rules: Vec<Value> = Vec::new();
        for other in world.list(&CLUSTER_ROLE, None) {
            let matches = selectors.iter().any(|selector| selector.matches(&*other));
            if !matches || other.uid() == role.uid() {
                continue;
            }
            for rule in other.list_at(&["rules"]) {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
        if rules != role.list_at(&["rules"]) {
            plan.patch_exactly(role, value!({ "rules": rules }));
        }
        plan
    }
}

/// The roles that may gather this one, before or after its change.
fn gathering(changed: &Object, world: &dyn World) -> Vec<Key> {
    let gather = |role: &&std::sync::Arc<Object>| {
        selectors_of(role).iter().any(|selector| selector.matches(changed))
    };
    world.list(&CLUSTER_ROLE, None).iter().filter(gather).map(|role| Key::of(role)).collect()
}

/// What a role gathers; nothing for a selector that is wrong.
fn selectors_of(role: &Object) -> Vec<LabelSelector> {
    let path = FieldPath::root();
    let selectors = role.list_at(&["aggregationRule", "clusterRoleSelectors"]).iter();
    selectors.filter_map(|selector| LabelSelector::from_value(selector, &path).ok()).collect()
}

#[cfg(test)]
mod tests {
    use actors_controller::testing::Scene;

    use super::*;

    fn role(name: &str, label: (&str, &str), verbs: &[&str]) -> Value {
        value!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": name, "labels": { (label.0): (label.1) } },
            "rules": [{ "verbs": (verbs.to_vec()), "apiGroups": [""], "resources": ["pods"] }],
        })
    }

    fn gathers(name: &str, own: (&str, &str), from: &str) -> Value {
        let mut role = role(name, own, &[]);
        role.set_path(&["rules"], Value::List(Vec::new()));
        role.set_path(
            &["aggregationRule", "clusterRoleSelectors"],
            value!([{ "matchLabels": { (from): "true" } }]),
        );
        role
    }

    fn verbs(scene: &Scene, name: &str) -> Vec<String> {
        let role = scene.get(&CLUSTER_ROLE, name).expect("the role");
        let rules = role.list_at(&["rules"]).iter().flat_map(|rule| rule.list_at(&["verbs"]));
        rules.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    #[test]
    fn roles_are_gathered_by_label_through_several_steps() {
        let mut scene = Scene::new()
            .with(gathers("edit", ("x", "y"), "to-edit"))
            .with(gathers("view", ("to-edit", "true"), "to-view"))
            .with(role("reads", ("to-view", "true"), &["get"]))
            .with(role("writes", ("to-edit", "true"), &["update"]))
            .with(role("other", ("x", "y"), &["delete"]));
        scene.settle(&[&AggregationController]).expect("rest");
        assert_eq!(verbs(&scene, "view"), ["get"]);
        assert_eq!(verbs(&scene, "edit"), ["get", "update"]);
        scene.change(&CLUSTER_ROLE, "reads", |role| {
            role.set_path(&["rules"], value!([{ "verbs": ["list"] }]));
        });
        scene.change(&CLUSTER_ROLE, "edit", |role| {
            role.set_path(&["rules"], value!([{ "verbs": ["by-hand"] }]));
        });
        scene.settle(&[&AggregationController]).expect("rest");
        assert_eq!(verbs(&scene, "edit"), ["list", "update"]);
        assert_eq!(verbs(&scene, "other"), ["delete"]);
    }
}
