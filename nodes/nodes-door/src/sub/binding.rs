//! `binding`: a pod gets its node, once.
//!
//! Spec: Kubernetes API reference, `Binding`; the condition `PodScheduled` becomes true in the same
//! write.

use actors_object::{ApiError, FieldError, FieldPath, Gvk, Object, Value, timefmt, value};

use super::success;
use crate::{
    Step, decode,
    visit::{Decision, Visit},
    write::{self, Change, Scope},
};

/// Binds the pod that the path, or the body's name, means.
pub(crate) fn bind(visit: &mut Visit<'_>) -> Decision {
    let shape = visit.door.registry.shape_named("core.v1.Binding");
    let gvk = Gvk::new("", "v1", "Binding");
    let binding = decode::body(visit, &decode::Expected { gvk: &gvk, shape: &shape })?;
    let node = check(&binding)?;
    let pods = visit.door.registry.served("", "v1", "pods");
    visit.kind = pods.ok_or_else(ApiError::no_such_resource)?;
    let name = visit.request.target.name.as_deref().unwrap_or_else(|| binding.name());
    let found = visit.snapshot.get(&visit.key(name));
    let item = found.ok_or_else(|| ApiError::not_found(&visit.resource(), name))?;
    let pod = visit.object(&item)?;
    let refuse = |why: String| {
        let resource = actors_object::GroupResource::new("", "pods/binding");
        Err(ApiError::conflict(&resource, name, why))
    };
    if !binding.uid().is_empty() && binding.uid() != pod.uid() {
        let (asked, found) = (binding.uid(), pod.uid());
        return refuse(format!(
            "Precondition failed: UID in precondition: {asked}, UID in object meta: {found}"
        ));
    }
    if pod.is_terminating() {
        return refuse(format!("pod {name} is being deleted"));
    }
    if let Some(bound) = pod.str_at(&["spec", "nodeName"]).filter(|node| !node.is_empty()) {
        return refuse(format!("pod {name} is bound to node {bound:?} already"));
    }
    if !pod.list_at(&["spec", "schedulingGates"]).is_empty() {
        return refuse(format!("pod {name} still has scheduling gates"));
    }
    let mut new = (*pod).clone();
    new.set_path(&["spec", "nodeName"], &node);
    for (key, text) in binding.annotations() {
        new.set_annotation(key, text);
    }
    set_scheduled(&mut new, &timefmt::seconds(visit.now.wall));
    let change = Change { item, new, scope: Scope::Server, render: None, conditional: true };
    answered(write::replace(visit, change)?)
}

/// The node's name, if the binding is one.
fn check(binding: &Object) -> Result<String, ApiError> {
    let path = FieldPath::new("target");
    let text = |field: &str| binding.str_at(&["target", field]).unwrap_or_default();
    let mut errors = Vec::new();
    if !matches!(text("kind"), "" | "Node") {
        let found = text("kind");
        errors.push(FieldError::not_supported(
            &path.push_field("kind"),
            found,
            &["Node", "<empty>"],
        ));
    }
    if text("name").is_empty() {
        errors.push(FieldError::required(&path.push_field("name"), ""));
    }
    if errors.is_empty() {
        return Ok(text("name").to_owned());
    }
    let kind = actors_object::GroupKind::new("", "Binding");
    Err(ApiError::invalid(&kind, binding.name(), &errors))
}

fn set_scheduled(pod: &mut Object, stamp: &str) {
    let condition = value!({
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": null,
        "lastTransitionTime": stamp,
    });
    let status = pod.0.make_map().entry_or_map("status");
    let conditions = status.entry("conditions", || value!([])).make_list();
    conditions.retain(|known| known.at("type").as_str() != Some("PodScheduled"));
    conditions.push(condition);
    let nulls = |condition: &mut Value| {
        if let Some(map) = condition.as_map_mut() {
            map.retain(|_, value| !value.is_null());
        }
    };
    conditions.iter_mut().for_each(nulls);
}

/// A binding is answered by a status, not by the pod.
fn answered(step: Step) -> Decision {
    Ok(match step {
        Step::Reply(_) => Step::Reply(success(201)),
        Step::Propose { proposal, mut pending } => {
            pending.answer_with(success(201));
            Step::Propose { proposal, pending }
        }
        other @ (Step::Sign(_) | Step::Verify(_)) => other,
    })
}
