//! Changes of a pod through `ephemeralcontainers` and `resize`.
//!
//! Spec: documentation, "ephemeral containers"; KEP-1287 (in-place update of pod resources).

use actors_object::{Object, Value};

use super::container;
use crate::{
    defaults::qos_class,
    validate::{Errors, Spot, is_same},
};

/// The mark of a pod that a machine's own files describe.
const STATIC: &str = "kubernetes.io/config.mirror";

/// Ephemeral containers are added; those that are there stay as they are.
pub(in crate::validate) fn validate_ephemeral(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (spec, before) = (new.field("spec"), old.field("spec"));
    let list = spec.field("ephemeralContainers");
    if is_static(new) {
        out.forbidden(&list, "pods that are a machine's own have no ephemeral containers");
    }
    container::validate_all(&spec, out);
    for known in before.each("ephemeralContainers") {
        let name = known.field("name");
        let same =
            spec.each("ephemeralContainers").find(|one| one.field("name").value == name.value);
        match same {
            None => out.forbidden(&list, &format!("{:?} cannot be taken away", name.text())),
            Some(same) if !is_same(same.value, known.value) => {
                out.forbidden(&list, &format!("{:?} cannot be changed", name.text()));
            }
            Some(_) => {}
        }
    }
}

/// Only amounts of processor and memory change, and not the class of the pod's quality of service.
pub(in crate::validate) fn validate_resize(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (spec, before) = (new.field("spec"), old.field("spec"));
    if is_static(new) {
        out.forbidden(&spec, "pods that are a machine's own cannot be resized");
    }
    let os = spec.field("os");
    if os.field("name").text() == "windows" {
        out.forbidden(&spec, "pods for windows cannot be resized");
    }
    container::validate_all(&spec, out);
    super::resources::validate(&spec, out);
    for (list, only_sidecars) in [("containers", false), ("initContainers", true)] {
        for (container, was) in spec.each(list).zip(before.each(list)) {
            validate_container(&container, &was, only_sidecars, out);
        }
    }
    let class = |pod: &Spot<'_>| qos_class(&Object(pod.value.clone()));
    if class(new) != class(old) {
        out.invalid(&spec, "a resize cannot change the class of the pod's quality of service");
    }
}

fn validate_container(container: &Spot<'_>, was: &Spot<'_>, only_sidecars: bool, out: &mut Errors) {
    let (resources, before) = (container.field("resources"), was.field("resources"));
    if is_same(resources.value, before.value) {
        return;
    }
    if only_sidecars && container.field("restartPolicy").text() != "Always" {
        out.forbidden(&resources, "of init containers only those that stay can be resized");
        return;
    }
    if !is_same(resources.value.at("claims"), before.value.at("claims")) {
        out.forbidden(&resources.field("claims"), "claims cannot be resized");
    }
    for list in ["limits", "requests"] {
        let (amounts, known) = (resources.field(list), before.field(list));
        for (name, _) in known.value.as_map().into_iter().flat_map(|map| map.iter()) {
            if amounts.value.at(name).is_null() {
                out.forbidden(&amounts, &format!("{list} of {name} cannot be taken away"));
            }
        }
        for (name, amount) in resources.entries(list) {
            let is_fixed = !matches!(name, "cpu" | "memory");
            if is_fixed && !is_same(amount.value, known.value.at(name)) {
                out.forbidden(&amount, "only cpu and memory can be resized");
            }
        }
    }
}

fn is_static(pod: &Spot<'_>) -> bool {
    pod.value.path(&["metadata", "annotations", STATIC]).is_some_and(|mark| *mark != Value::Null)
}
