//! Says for every PodDisruptionBudget how many of its pods may be disrupted now.
//!
//! Way in: [`DisruptionController`].  Writes: `PodDisruptionBudget.status`.
//! Never: a pod. Who evicts one asks the door, which notes it in `status.disruptedPods`: it does not count as healthy
//! from then on, until it is going or [`GOES_WITHIN`] has passed.
//! What a share is a share of is not the pods that there are, but those that their controllers want:
//! so a budget does not shrink with what is lost.
//! Spec: Kubernetes documentation, "Specifying a Disruption Budget for your Application"; `policy/v1`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_controller::{
    Access, Controller, EventType, Key, Kind, Plan, Primary, Relations, World, WriteVerb,
};
use actors_core::Now;
use actors_object::{
    FieldPath, IntOrPercent, LabelSelector, Map, Object, Round, Value, timefmt, value,
};

use crate::{
    conditions::{Conditions, Says},
    kinds::{
        DEPLOYMENT, DISRUPTION_BUDGET, POD, REPLICA_SET, REPLICATION_CONTROLLER, STATEFUL_SET,
    },
    pods,
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct DisruptionController;

/// The condition that says whether a pod may be disrupted.
const DISRUPTION_ALLOWED: &str = "DisruptionAllowed";

/// A pod that was evicted and is still there after this time was not evicted.
const GOES_WITHIN: Duration = Duration::from_secs(120);

/// The kinds that say how many pods they want. The last owner in line counts: a Deployment, not its set.
const SCALED: [&Kind; 4] = [&DEPLOYMENT, &REPLICA_SET, &REPLICATION_CONTROLLER, &STATEFUL_SET];

impl Controller for DisruptionController {
    fn name(&self) -> &'static str {
        "disruption"
    }

    fn primary(&self) -> Primary {
        Primary::Of(DISRUPTION_BUDGET)
    }

    fn relations(&self) -> Relations {
        let all = Relations::default().watches(&POD, budgets_of);
        SCALED.into_iter().fold(all, |all, kind| all.watches(kind, budgets_beside))
    }

    fn access(&self) -> Access {
        let [deployment, set, older, stateful] = SCALED;
        Access::reads(&[&DISRUPTION_BUDGET, &POD, deployment, set, older, stateful]).writes(
            &DISRUPTION_BUDGET,
            WriteVerb::Status,
            &["status"],
        )
    }

    fn reconcile(&self, budget: &Object, world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        let pods = match selector_of(budget) {
            Some(selector) => world.matching(&POD, Some(budget.namespace()), &selector),
            None => return Plan::reject("spec.selector", "must be a selector of labels"),
        };
        let going = disrupted(budget, &pods, now, &mut plan);
        let is_healthy = |pod: &&Arc<Object>| {
            !pod.is_terminating() && pods::is_ready(pod) && going.get(pod.name()).is_none()
        };
        let current = count(pods.iter().filter(is_healthy).count());
        let (numbers, reason, message) = match wanted(budget, &pods, world) {
            Ok(Wanted { expected, healthy: desired }) => {
                let spare = (current - desired).max(0);
                let allowed = if expected > 0 { spare } else { 0 };
                let reason = if allowed > 0 { "SufficientPods" } else { "InsufficientPods" };
                (Numbers { current, desired, allowed, expected }, reason, String::new())
            }
            Err(why) => {
                (Numbers { current, desired: 0, allowed: 0, expected: 0 }, "SyncFailed", why)
            }
        };
        let mut conditions = Conditions::of(budget, now.wall);
        let status = if numbers.allowed > 0 { "True" } else { "False" };
        conditions.set(DISRUPTION_ALLOWED, Says { status, reason, message: &message });
        // The door writes it, too: what it has noted meanwhile must not be lost.
        plan.set_status_exactly(
            budget,
            &value!({
                "disruptedPods": if going.is_empty() { Value::Null } else { Value::Map(going) },
                "disruptionsAllowed": numbers.allowed,
                "currentHealthy": numbers.current,
                "desiredHealthy": numbers.desired,
                "expectedPods": numbers.expected,
                "observedGeneration": budget.generation(),
                "conditions": conditions.into_value(),
            }),
        );
        plan
    }
}

/// Which pods are meant; without a selector none, with an empty one all of the namespace.
fn selector_of(budget: &Object) -> Option<LabelSelector> {
    LabelSelector::from_value(budget.spec().at("selector"), &FieldPath::root()).ok()
}

/// How many pods there should be, and how many of them must stay healthy.
struct Wanted {
    expected: i64,
    healthy: i64,
}

/// What a status says in numbers.
struct Numbers {
    current: i64,
    desired: i64,
    allowed: i64,
    expected: i64,
}

/// What the budget asks for; why it cannot be said, if a pod has no controller that wants a number.
fn wanted(budget: &Object, pods: &[Arc<Object>], world: &dyn World) -> Result<Wanted, String> {
    let spec = budget.spec();
    if let Some(most) = IntOrPercent::from_value(spec.at("maxUnavailable")) {
        let expected = expected(pods, world)?;
        let healthy = (expected - most.scaled(expected, Round::Up)).max(0);
        return Ok(Wanted { expected, healthy });
    }
    let (least, expected) = match IntOrPercent::from_value(spec.at("minAvailable")) {
        Some(least @ IntOrPercent::Percent(_)) => (least, expected(pods, world)?),
        Some(least) => (least, count(pods.len())),
        // Who asks for nothing is promised nothing.
        None => (IntOrPercent::Int(0), 0),
    };
    Ok(Wanted { expected, healthy: least.scaled(expected, Round::Up) })
}

/// How many pods the controllers of these want together.
fn expected(pods: &[Arc<Object>], world: &dyn World) -> Result<i64, String> {
    let mut wanted = BTreeMap::new();
    for pod in pods {
        let scaled = last_controller(pod, world)
            .ok_or_else(|| format!("pod {} has no controller with a scale", pod.name()))?;
        let replicas = scaled.spec().at("replicas").as_i64().unwrap_or(1);
        wanted.insert(scaled.uid().to_owned(), replicas.max(0));
    }
    Ok(wanted.values().sum())
}

/// The last in the line of controllers of an object that has a scale.
fn last_controller(object: &Object, world: &dyn World) -> Option<Arc<Object>> {
    let owner = object.controller_of()?;
    let kind = SCALED.into_iter().find(|kind| pods::is_owned_as(&owner, kind))?;
    let found = world.get(kind, object.namespace(), &owner.name)?;
    if found.uid() != owner.uid {
        return None;
    }
    Some(last_controller(&found, world).unwrap_or(found))
}

/// The pods that were evicted and have not begun to go, with the time of their eviction.
fn disrupted(budget: &Object, pods: &[Arc<Object>], now: Now, plan: &mut Plan) -> Map {
    let mut going = Map::default();
    for pod in pods.iter().filter(|pod| !pod.is_terminating()) {
        let Some(stamp) = budget.path(&["status", "disruptedPods", pod.name()]) else { continue };
        let since = stamp.as_str().and_then(timefmt::parse).unwrap_or(now.wall);
        match GOES_WITHIN.checked_sub(now.wall.since(since)) {
            Some(rest) if !rest.is_zero() => {
                plan.requeue(rest);
                going.insert(pod.name(), stamp.clone());
            }
            _ => {
                let message = "The pod was to be evicted for this budget, and is still there.";
                plan.event(pod, EventType::Warning, "NotDeleted", message);
            }
        }
    }
    going
}

/// The budgets that mean a pod.
fn budgets_of(pod: &Object, world: &dyn World) -> Vec<Key> {
    let mut budgets = world.list(&DISRUPTION_BUDGET, Some(pod.namespace()));
    budgets.retain(|budget| selector_of(budget).is_some_and(|selector| selector.matches(pod)));
    budgets.iter().map(|budget| Key::of(budget)).collect()
}

/// The budgets of a namespace where the scale of a controller has changed.
fn budgets_beside(scaled: &Object, world: &dyn World) -> Vec<Key> {
    let budgets = world.list(&DISRUPTION_BUDGET, Some(scaled.namespace()));
    budgets.iter().map(|budget| Key::of(budget)).collect()
}

fn count(many: usize) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
