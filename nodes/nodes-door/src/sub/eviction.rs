//! `eviction`: a deletion that a budget of disruptions may refuse.
//!
//! Way in: [`evict`].  Invariant: the pod goes and its budget is charged in one entry of the store, so that two
//! evictions at once, on whichever servers, never share what is left.
//! Spec: Kubernetes documentation, "API-initiated Eviction", "Specifying a Disruption Budget for your Application"
//! (unhealthy pods); `policy/v1 Eviction`.

use actors_kinds::KindFacts;
use actors_object::{ApiError, FieldPath, LabelSelector, Object, Value, timefmt};
use store_catalog::Item;
use store_mvcc::{Key, Op};

use super::success;
use crate::{
    Step, decode,
    visit::{Decision, Visit},
    write::{self, DeleteOptions},
};

/// When a client may ask again that came before the budget was counted. Who is refused by the budget itself is told no
/// time: clients with a pause of their own would ask again and again before that.
const AGAIN_AFTER_SECS: u32 = 10;

/// Most pods that a budget waits for.
const DISRUPTED_MAX: usize = 2_000;

/// Evicts the pod that the path names.
pub(super) fn evict(visit: &mut Visit<'_>) -> Decision {
    let Some(sub) = visit.sub else { return Err(ApiError::no_such_resource()) };
    let eviction = decode::body(visit, &decode::Expected { gvk: &sub.gvk, shape: &sub.shape })?;
    let name = visit.name()?;
    if !eviction.name().is_empty() && eviction.name() != name {
        let given = eviction.name();
        return Err(ApiError::bad_request(format!(
            "metadata.name of the body is {given:?}, but the path means {name:?}"
        )));
    }
    let item = visit.current()?;
    let charge = charge(visit, &item)?;
    let text = |path: &[&str]| eviction.str_at(path).map(str::to_owned);
    let options = DeleteOptions {
        grace_seconds: eviction.i64_at(&["deleteOptions", "gracePeriodSeconds"]),
        propagation: text(&["deleteOptions", "propagationPolicy"]),
        uid: text(&["deleteOptions", "preconditions", "uid"]),
        resource_version: text(&["deleteOptions", "preconditions", "resourceVersion"]),
    };
    // Said in the body or in the query: `kubectl drain --dry-run=server` says it in the body.
    let is_tried = !eviction.list_at(&["deleteOptions", "dryRun"]).is_empty();
    Ok(match write::delete_item(visit, &item, &options)? {
        Step::Reply(_) => Step::Reply(success(201)),
        Step::Propose { .. } if is_tried => Step::Reply(success(201)),
        Step::Propose { mut proposal, mut pending } => {
            proposal.ops.extend(charge);
            pending.answer_with(success(201));
            Step::Propose { proposal, pending }
        }
        other @ (Step::Sign(_) | Step::Verify(_)) => other,
    })
}

/// The operation that charges the pod's budget; none if no budget protects it.
///
/// # Errors
/// 429 if the budget allows no disruption now, 500 if several claim the pod.
fn charge(visit: &mut Visit<'_>, pod: &Item) -> Result<Option<Op>, ApiError> {
    let pod = pod.object();
    let ends = matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed" | "Pending"));
    if ends || pod.is_terminating() {
        return Ok(None);
    }
    let (door, snapshot) = (visit.door, visit.snapshot);
    let kind = door.registry.resource("policy", "v1", "poddisruptionbudgets");
    let kind: &KindFacts = kind.ok_or_else(ApiError::no_such_resource)?;
    let prefix = Key::prefix(&kind.storage.group, &kind.storage.resource, Some(pod.namespace()));
    let mut budgets = snapshot.list(&prefix, None, usize::MAX).filter(|budget| {
        let budget = budget.object();
        let selector = budget.spec().at("selector");
        let selector = LabelSelector::from_value(selector, &FieldPath::root());
        selector.is_ok_and(|selector| selector.matches(&*pod))
    });
    let Some(item) = budgets.next() else { return Ok(None) };
    if budgets.next().is_some() {
        let why = format!("pod {} has more than one PodDisruptionBudget", pod.name());
        return Err(ApiError::internal(why));
    }
    let mut budget = (*item.object()).clone();
    if is_unprotected(&pod, &budget) {
        return Ok(None);
    }
    check(&budget)?;
    let allowed = budget.i64_at(&["status", "disruptionsAllowed"]).unwrap_or(0);
    budget.set_path(&["status", "disruptionsAllowed"], allowed - 1);
    let now = timefmt::seconds(visit.now.wall);
    budget.set_path(&["status", "disruptedPods", pod.name()], now);
    write::beside(visit, kind, (budget, item)).map(Some)
}

/// Whether a pod that is not ready may go whatever the budget has left.
fn is_unprotected(pod: &Object, budget: &Object) -> bool {
    let mut conditions = pod.list_at(&["status", "conditions"]).iter();
    let is_ready = conditions.any(|one| {
        one.str_at(&["type"]) == Some("Ready") && one.str_at(&["status"]) == Some("True")
    });
    if is_ready {
        return false;
    }
    let status = |name: &str| budget.i64_at(&["status", name]).unwrap_or(0);
    match budget.str_at(&["spec", "unhealthyPodEvictionPolicy"]) {
        Some("AlwaysAllow") => true,
        _ => status("desiredHealthy") > 0 && status("currentHealthy") >= status("desiredHealthy"),
    }
}

/// Whether the budget allows one more disruption.
fn check(budget: &Object) -> Result<(), ApiError> {
    let status = |name: &str| budget.i64_at(&["status", name]).unwrap_or(0);
    let name = budget.name();
    let refused = |why: String, after: u32| {
        let message = "Cannot evict pod: its disruption budget does not allow that now";
        Err(ApiError::too_many_requests(message, after).with_cause("DisruptionBudget", why, ""))
    };
    if status("observedGeneration") < budget.generation() {
        let why = format!("the budget {name} was changed and not counted yet");
        return refused(why, AGAIN_AFTER_SECS);
    }
    let waited_for = budget.path(&["status", "disruptedPods"]).and_then(Value::as_map);
    if waited_for.is_some_and(|pods| pods.len() >= DISRUPTED_MAX) {
        return refused(format!("the budget {name} waits for {DISRUPTED_MAX} pods to go"), 0);
    }
    if status("disruptionsAllowed") < 1 {
        let (wanted, there) = (status("desiredHealthy"), status("currentHealthy"));
        let why = format!("the budget {name} needs {wanted} healthy pods and has {there} now");
        return refused(why, 0);
    }
    Ok(())
}
