//! LimitRanger: what a container of a namespace gets where it says nothing, and how small and how
//! large a single object may be.
//!
//! Way in: [`fill_in`], [`check`].  Reads: the LimitRanges of the object's namespace.
//! Spec: Kubernetes documentation, "Limit Ranges"; "Admission Control in Kubernetes", LimitRanger.
//! Bounds are checked when an object is made, when a pod is resized and when a claim changes.

mod bounds;

use std::sync::Arc;

use actors_kinds::amounts::{self, Amounts, Bound};
use actors_object::{ApiError, Map, Object, Value};
use bounds::Asked;
use store_mvcc::Key;

use crate::visit::Visit;

/// Tells what was filled in.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// The containers of a pod, and what people call them.
const CONTAINERS: [(&str, &str); 2] =
    [("containers", "container"), ("initContainers", "init container")];

/// Gives the containers of a new pod what the namespace's ranges say where they say nothing.
pub(super) fn fill_in(visit: &Visit<'_>, pod: &mut Object) {
    for range in ranges(visit) {
        let limits = range.list_at(&["spec", "limits"]).iter();
        let limits = limits.filter(|limit| limit.at("type").as_str() == Some("Container"));
        // A list for one bound comes from all its entries; of two amounts the later one counts.
        let (mut requests, mut most) = (Map::new(), Map::new());
        for limit in limits {
            for (list, to) in [("defaultRequest", &mut requests), ("default", &mut most)] {
                for (name, amount) in limit.map_at(&[list]).iter() {
                    to.insert(name.clone(), amount.clone());
                }
            }
        }
        let told = fill_containers(pod, (&requests, &most));
        if !told.is_empty() {
            let text = format!("LimitRanger plugin set: {}", told.join("; "));
            pod.set_annotation(ANNOTATION, &text);
        }
    }
}

/// Fills in what is missing; returns a sentence about each container that got something.
fn fill_containers(pod: &mut Object, (requests, limits): (&Map, &Map)) -> Vec<String> {
    let mut told = Vec::new();
    for (list, called) in CONTAINERS {
        for container in pod.list_at_mut(&["spec", list]).into_iter().flatten() {
            let name = container.at("name").as_str().unwrap_or_default().to_owned();
            let of = container.make_map().entry_or_map("resources");
            for (bound, defaults) in [("requests", requests), ("limits", limits)] {
                let mut set = fill_list(of, (bound, defaults));
                if !set.is_empty() {
                    set.sort_unstable();
                    let word = bound.trim_end_matches('s');
                    told.push(format!("{} {word} for {called} {name}", set.join(", ")));
                }
            }
        }
    }
    told
}

/// Adds the amounts that a list lacks; returns their names.
fn fill_list<'a>(resources: &mut Map, (bound, defaults): (&str, &'a Map)) -> Vec<&'a str> {
    let has = |name: &str, resources: &Map| {
        resources.get(bound).is_some_and(|list| list.get(name).is_some())
    };
    let missing: Vec<_> =
        defaults.iter().filter(|(name, _)| !has(name.as_str(), resources)).collect();
    for (name, amount) in &missing {
        resources.entry_or_map(bound).insert((*name).clone(), (*amount).clone());
    }
    missing.into_iter().map(|(name, _)| name.as_str()).collect()
}

/// Whether an object of the request's kind keeps to the bounds of its namespace.
///
/// # Errors
/// 403 with everything that one of the ranges has against it.
pub(super) fn check(visit: &Visit<'_>, object: &Object) -> Result<(), ApiError> {
    let is_claim = visit.kind.is("", "PersistentVolumeClaim");
    if (!is_claim && !visit.kind.is("", "Pod")) || object.is_terminating() {
        return Ok(());
    }
    for range in ranges(visit) {
        let mut faults: Vec<String> = Vec::new();
        for limit in range.list_at(&["spec", "limits"]) {
            let found = match limit.at("type").as_str() {
                Some("PersistentVolumeClaim") if is_claim => bounds::of_claim(limit, object),
                Some("Pod") if !is_claim => bounds::of("Pod", limit, &of_pod(object)),
                Some("Container") if !is_claim => of_containers(limit, object),
                _ => continue,
            };
            faults.extend(found);
        }
        // What is wrong with several containers is told once.
        let mut told: Vec<&str> = Vec::new();
        for fault in &faults {
            if !told.contains(&fault.as_str()) {
                told.push(fault);
            }
        }
        match told[..] {
            [] => {}
            [one] => return Err(refusal(visit, object, one)),
            ref all => return Err(refusal(visit, object, &format!("[{}]", all.join(", ")))),
        }
    }
    Ok(())
}

fn of_pod(pod: &Object) -> Asked {
    Asked {
        requests: amounts::of_containers(pod, Bound::Requests),
        limits: amounts::of_containers(pod, Bound::Limits),
    }
}

fn of_containers(limit: &Value, pod: &Object) -> Vec<String> {
    let each = CONTAINERS.iter().flat_map(|(list, _)| pod.list_at(&["spec", list]));
    let list = |container: &Value, bound: Bound| -> Amounts {
        amounts::of_list(container.at("resources").at(bound.field()))
    };
    let each = each.map(|container| Asked {
        requests: list(container, Bound::Requests),
        limits: list(container, Bound::Limits),
    });
    each.flat_map(|asked| bounds::of("Container", limit, &asked)).collect()
}

fn refusal(visit: &Visit<'_>, object: &Object, why: &str) -> ApiError {
    ApiError::forbidden(&visit.resource(), object.name(), why)
}

/// The LimitRanges of the request's namespace, by name.
fn ranges(visit: &Visit<'_>) -> Vec<Arc<Object>> {
    let prefix = Key::prefix("", "limitranges", Some(visit.namespace()));
    visit.snapshot.list(&prefix, None, usize::MAX).map(|item| item.object()).collect()
}
