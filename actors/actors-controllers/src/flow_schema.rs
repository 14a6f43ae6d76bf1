//! Says of each FlowSchema whether the priority level that it leads to exists.
//!
//! Way in: [`FlowSchemaController`].  Writes: the condition `Dangling` in `FlowSchema.status`.
//! Spec: API reference of flowcontrol.apiserver.k8s.io/v1, FlowSchemaCondition; Kubernetes documentation, "API Priority
//! and Fairness".

use actors_controller::{Access, Controller, Key, Plan, Primary, Relations, World, WriteVerb};
use actors_core::Now;
use actors_object::{Object, value};

use crate::{
    conditions::{Conditions, Says},
    kinds::{FLOW_SCHEMA, PRIORITY_LEVEL},
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct FlowSchemaController;

impl Controller for FlowSchemaController {
    fn name(&self) -> &'static str {
        "flow-schema"
    }

    fn primary(&self) -> Primary {
        Primary::Of(FLOW_SCHEMA)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches(&PRIORITY_LEVEL, leading_to)
    }

    fn access(&self) -> Access {
        Access::reads(&[&FLOW_SCHEMA, &PRIORITY_LEVEL]).writes(
            &FLOW_SCHEMA,
            WriteVerb::Status,
            &["status"],
        )
    }

    fn reconcile(&self, schema: &Object, world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        if schema.is_terminating() {
            return plan;
        }
        let level = level_of(schema);
        let (status, reason, is) = match world.get(&PRIORITY_LEVEL, "", level) {
            Some(_) => ("False", "Found", "exists"),
            None => ("True", "NotFound", "does not exist"),
        };
        let message = format!("the PriorityLevelConfiguration {level:?} that it leads to {is}");
        let mut conditions = Conditions::of(schema, now.wall);
        conditions.set("Dangling", Says { status, reason, message: &message });
        plan.set_status(schema, &value!({ "conditions": (conditions.into_value()) }));
        plan
    }
}

fn level_of(schema: &Object) -> &str {
    let level = schema.spec().at("priorityLevelConfiguration").at("name");
    level.as_str().unwrap_or_default()
}

/// The schemas that lead to a level that came or went.
fn leading_to(level: &Object, world: &dyn World) -> Vec<Key> {
    let schemas = world.list(&FLOW_SCHEMA, None);
    let leads = |schema: &&std::sync::Arc<Object>| level_of(schema) == level.name();
    schemas.iter().filter(leads).map(|schema| Key::of(schema)).collect()
}

#[cfg(test)]
mod tests {
    use actors_controller::testing::Scene;
    use actors_object::Value;

    use super::*;

    fn dangling(scene: &mut Scene, name: &str) -> String {
        scene.settle(&[&FlowSchemaController]).expect("rest");
        let schema = scene.get(&FLOW_SCHEMA, name).expect("the schema");
        let condition = &schema.list_at(&["status", "conditions"])[0];
        let text = |field: &str| condition.at(field).as_str().unwrap_or_default().to_owned();
        format!("{}={} {}", text("type"), text("status"), text("reason"))
    }

    #[test]
    fn a_schema_dangles_as_long_as_its_level_is_not_there() {
        let schema = value!({
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema",
            "metadata": { "name": "s" },
            "spec": { "priorityLevelConfiguration": { "name": "l" } },
        });
        let level = |name: &str| -> Value {
            value!({
                "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
                "kind": "PriorityLevelConfiguration",
                "metadata": { "name": name },
            })
        };
        let mut scene = Scene::new().with(schema).with(level("other"));
        assert_eq!(dangling(&mut scene, "s"), "Dangling=True NotFound");
        scene = scene.with(level("l"));
        assert_eq!(dangling(&mut scene, "s"), "Dangling=False Found");
        scene.world.remove(&Key::new(&PRIORITY_LEVEL, "", "l"));
        assert_eq!(dangling(&mut scene, "s"), "Dangling=True NotFound");
    }
}
