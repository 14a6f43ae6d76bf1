//! RuntimeClass: a pod's class of runtime exists, and says what it costs and where it runs.
//!
//! Way in: [`admit`].  Spec: Kubernetes documentation, "Runtime Class", "Pod Overhead";
//! "Admission Control in Kubernetes", RuntimeClass; KEP-585, KEP-688.

use std::sync::Arc;

use actors_kinds::amounts;
use actors_object::{ApiError, Object, Value, value};
use store_mvcc::Key;

use crate::visit::Visit;

/// Gives a new pod the overhead, the node selector and the tolerations of its runtime class.
///
/// # Errors
/// 403 if there is no such class, or the pod contradicts it.
pub(super) fn admit(visit: &Visit<'_>, pod: &mut Object) -> Result<(), ApiError> {
    let refuse =
        |pod: &Object, why: &str| Err(ApiError::forbidden(&visit.resource(), pod.name(), why));
    let class = match class_of(visit, pod) {
        Ok(class) => class,
        Err(name) => {
            let why = format!("pod rejected: RuntimeClass {name:?} not found");
            return refuse(pod, &why);
        }
    };
    let given = pod.path(&["spec", "overhead"]).filter(|list| !list.is_null());
    let fixed = class.as_ref().and_then(|class| class.path(&["overhead", "podFixed"]));
    match (given, fixed) {
        (Some(_), None) => {
            let why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined \
                       Overhead";
            return refuse(pod, why);
        }
        (Some(given), Some(fixed)) if amounts::of_list(given) != amounts::of_list(fixed) => {
            let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
            return refuse(pod, why);
        }
        (None, Some(fixed)) => pod.set_path(&["spec", "overhead"], fixed.clone()),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let scheduling = class.as_ref().and_then(|class| class.get("scheduling"));
    let Some(scheduling) = scheduling else { return Ok(()) };
    if let Err(why) = merge_selector(pod, scheduling) {
        return refuse(pod, &why);
    }
    add_tolerations(pod, scheduling);
    Ok(())
}

/// The class that a pod names; an error with its name if there is none.
fn class_of(visit: &Visit<'_>, pod: &Object) -> Result<Option<Arc<Object>>, String> {
    let Some(name) = pod.str_at(&["spec", "runtimeClassName"]) else { return Ok(None) };
    let found = visit.snapshot.get(&Key::object("node.k8s.io", "runtimeclasses", None, name));
    found.map(|class| Some(class.object())).ok_or_else(|| name.to_owned())
}

/// The pod runs where it wants and where its class is.
fn merge_selector(pod: &mut Object, scheduling: &Value) -> Result<(), String> {
    for (key, wanted) in scheduling.map_at(&["nodeSelector"]).iter() {
        let spec = pod.0.make_map().entry_or_map("spec");
        let own = spec.entry_or_map("nodeSelector").entry(key.clone(), || wanted.clone());
        if own != wanted {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (key, own, wanted) = (key.as_str(), text(own), text(wanted));
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; \
                 pod.spec.nodeSelector[{key}] = {own}"
            ));
        }
    }
    Ok(())
}

/// The pod bears what it says and what its class says; what both say stands once.
fn add_tolerations(pod: &mut Object, scheduling: &Value) {
    for toleration in scheduling.list_at(&["tolerations"]) {
        if !pod.list_at(&["spec", "tolerations"]).contains(toleration) {
            let spec = pod.0.make_map().entry_or_map("spec");
            spec.entry("tolerations", || value!([])).make_list().push(toleration.clone());
        }
    }
}
