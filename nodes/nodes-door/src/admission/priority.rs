//! Priority: a pod's class becomes its number.

use actors_object::{ApiError, Object, Value};
use store_mvcc::Key;

use crate::visit::Visit;

const GROUP: &str = "scheduling.k8s.io";

/// Sets `spec.priority` and `spec.preemptionPolicy` from the pod's class, or from the default one.
pub(super) fn admit(visit: &Visit<'_>, pod: &mut Object) -> Result<(), ApiError> {
    let name = pod.str_at(&["spec", "priorityClassName"]).unwrap_or_default().to_owned();
    let class = if name.is_empty() {
        default_class(visit)
    } else {
        let found = visit.snapshot.get(&Key::object(GROUP, "priorityclasses", None, &name));
        let class = found.ok_or_else(|| {
            let why = format!("no PriorityClass with name {name} was found");
            ApiError::forbidden(&visit.resource(), pod.name(), why)
        })?;
        Some(class.object())
    };
    let number = class.as_ref().and_then(|class| class.i64_at(&["value"])).unwrap_or(0);
    let given = pod.i64_at(&["spec", "priority"]);
    if given.is_some_and(|given| given != number) {
        let why = format!(
            "the integer value of priority must not be provided in pod spec; the class gives \
             {number}"
        );
        return Err(ApiError::forbidden(&visit.resource(), pod.name(), why));
    }
    let policy = class.as_ref().and_then(|class| class.str_at(&["preemptionPolicy"]));
    let policy = policy.unwrap_or("PreemptLowerPriority").to_owned();
    let spec = pod.0.make_map().entry_or_map("spec");
    if let (true, Some(class)) = (name.is_empty(), &class) {
        spec.insert("priorityClassName", class.name());
    }
    spec.insert("priority", number);
    spec.set_default("preemptionPolicy", policy);
    Ok(())
}

/// A changed pod keeps what its class gave it, if it says nothing else.
pub(super) fn keep(new: &mut Object, old: &Object) {
    for field in ["priorityClassName", "priority", "preemptionPolicy"] {
        if let (None, Some(was)) = (new.path(&["spec", field]), old.path(&["spec", field])) {
            let was: Value = was.clone();
            new.set_path(&["spec", field], was);
        }
    }
}

/// The class that is marked as the default: of several the one with the lowest number.
fn default_class(visit: &Visit<'_>) -> Option<std::sync::Arc<Object>> {
    let prefix = Key::prefix(GROUP, "priorityclasses", None);
    let classes = visit.snapshot.list(&prefix, None, usize::MAX).map(|item| item.object());
    classes
        .filter(|class| class.bool_at(&["globalDefault"]) == Some(true))
        .min_by_key(|class| class.i64_at(&["value"]))
}
