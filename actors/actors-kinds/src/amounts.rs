//! What a pod asks for, resource by resource: its containers together or the largest step of its
//! start, what it says as a whole, and its overhead.
//!
//! Way in: [`of_list`], [`of_containers`], [`of_pod`]; [`of_pod_held`] for what it holds while it is
//! being resized.
//! Spec: Kubernetes documentation, "Resource Management for Pods and Containers", "Sidecar
//! Containers", "Pod Overhead"; KEP-753 (sidecar containers), KEP-1287 (resizing in place), KEP-2837
//! (resources of the pod as a whole).

use std::collections::BTreeMap;

use actors_object::{Object, Quantity, Value};

/// Amounts by the name of the resource.
pub type Amounts = BTreeMap<String, Quantity>;

/// Which of the two lists of a container is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// What must be there for it.
    Requests,
    /// What it may not go beyond.
    Limits,
}

impl Bound {
    /// As the field of `resources`.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

/// The amounts of a list: `{ "cpu": "500m" }`. What is no quantity counts as nothing.
#[must_use]
pub fn of_list(list: &Value) -> Amounts {
    let entries = list.as_map().into_iter().flat_map(|map| map.iter());
    entries
        .map(|(name, amount)| {
            (name.to_string(), Quantity::from_value(amount).unwrap_or(Quantity::ZERO))
        })
        .collect()
}

/// What the containers of a pod ask for together, without the overhead of their runtime. What the
/// pod says as a whole stands in place of the sum.
#[must_use]
pub fn of_containers(pod: &Object, bound: Bound) -> Amounts {
    together(pod, bound, |container, _| wanted(container, bound))
}

/// What a holder of `resources` wants.
fn wanted(holder: &Value, bound: Bound) -> Amounts {
    of_list(holder.at("resources").at(bound.field()))
}

/// Sums up containers; `of` says what one takes, given the list in which its status is told.
fn together(pod: &Object, bound: Bound, of: impl Fn(&Value, Option<&str>) -> Amounts) -> Amounts {
    let spec = pod.spec();
    let mut sidecars = Amounts::new();
    let mut start = Amounts::new();
    for container in spec.list_at(&["initContainers"]) {
        if container.at("restartPolicy").as_str() == Some("Always") {
            add(&mut sidecars, &of(container, Some("initContainerStatuses")));
            raise(&mut start, &sidecars);
        } else {
            let mut step = of(container, None);
            add(&mut step, &sidecars);
            raise(&mut start, &step);
        }
    }
    let mut total = sidecars;
    for container in spec.list_at(&["containers"]) {
        add(&mut total, &of(container, Some("containerStatuses")));
    }
    raise(&mut total, &start);
    total.extend(wanted(spec, bound));
    total
}

/// What a pod takes: its containers and the overhead of its runtime. Overhead adds to limits only
/// where there is one.
#[must_use]
pub fn of_pod(pod: &Object, bound: Bound) -> Amounts {
    with_overhead(pod, bound, of_containers(pod, bound))
}

/// As [`of_pod`], but for each container the most of what it wants, what it was promised and what it
/// has: until a resize is done, both are held. What is wanted and can never be had does not count.
#[must_use]
pub fn of_pod_held(pod: &Object, bound: Bound) -> Amounts {
    let is_vain = pod.list_at(&["status", "conditions"]).iter().any(|condition| {
        let is = |field: &str, text: &str| condition.at(field).as_str() == Some(text);
        is("type", "PodResizePending") && is("reason", "Infeasible")
    });
    let held = |container: &Value, statuses: Option<&str>| {
        let mut amounts = wanted(container, bound);
        let name = container.at("name");
        let statuses = statuses.map(|list| pod.list_at(&["status", list])).unwrap_or_default();
        let status = statuses.iter().find(|status| status.at("name") == name);
        let Some(status) = status.filter(|status| !status.at("resources").is_null()) else {
            return amounts;
        };
        if is_vain {
            amounts.clear();
        }
        raise(&mut amounts, &wanted(status, bound));
        if bound == Bound::Requests {
            raise(&mut amounts, &of_list(status.at("allocatedResources")));
        }
        amounts
    };
    with_overhead(pod, bound, together(pod, bound, held))
}

fn with_overhead(pod: &Object, bound: Bound, containers: Amounts) -> Amounts {
    let mut total = containers;
    let mut overhead = of_list(pod.spec().at("overhead"));
    if bound == Bound::Limits {
        overhead.retain(|name, _| total.get(name).is_some_and(|limit| !limit.is_zero()));
    }
    add(&mut total, &overhead);
    total
}

/// Adds amounts to others.
pub fn add(total: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let own = total.entry(name.clone()).or_insert(Quantity::ZERO);
        *own = *own + *amount;
    }
}

/// Raises each amount to at least the other's.
fn raise(total: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let own = total.entry(name.clone()).or_insert(*amount);
        *own = (*own).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;

    #[track_caller]
    fn check(spec: Value, bound: Bound, expected: &str) {
        let pod = Object(value!({ "spec": spec }));
        let shown: Vec<String> =
            of_pod(&pod, bound).iter().map(|(name, amount)| format!("{name}={amount}")).collect();
        assert_eq!(shown.join(" "), expected);
    }

    fn asks(cpu: &str) -> Value {
        value!({ "resources": { "requests": { "cpu": cpu }, "limits": { "cpu": "2" } } })
    }

    fn sidecar(cpu: &str) -> Value {
        let mut container = asks(cpu);
        container.set_path(&["restartPolicy"], "Always");
        container
    }

    #[test]
    fn containers_are_summed_and_overhead_is_added() {
        let overhead = value!({ "cpu": "100m", "memory": "64Mi" });
        let spec = value!({ "containers": [asks("500m"), asks("1")], "overhead": overhead });
        check(spec.clone(), Bound::Requests, "cpu=1600m memory=64Mi");
        check(spec, Bound::Limits, "cpu=4100m");
    }

    #[test]
    fn the_largest_step_of_the_start_counts_if_it_is_more() {
        let init = value!([asks("3"), sidecar("200m"), asks("1")]);
        let spec = value!({ "initContainers": init, "containers": [asks("1")] });
        check(spec, Bound::Requests, "cpu=3");
        let init = value!([sidecar("200m"), asks("1500m")]);
        let spec = value!({ "initContainers": init, "containers": [asks("1")] });
        check(spec, Bound::Requests, "cpu=1700m");
    }

    #[test]
    fn while_a_pod_is_resized_it_holds_the_most_of_what_it_wants_and_what_it_has() {
        let held = |wants: &str, status: Value, reason: &str| {
            let mut sidecar = sidecar("100m");
            sidecar.set_path(&["name"], "s");
            let mut main = asks(wants);
            main.set_path(&["name"], "c");
            let condition = value!({ "type": "PodResizePending", "reason": reason });
            let pod = Object(value!({
                "spec": { "initContainers": [sidecar], "containers": [main] },
                "status": { "containerStatuses": [status], "conditions": [condition] },
            }));
            of_pod_held(&pod, Bound::Requests)["cpu"].to_string()
        };
        let has = |allocated: &str, actual: &str| {
            let resources = value!({ "requests": { "cpu": actual } });
            let allocated = value!({ "cpu": allocated });
            value!({ "name": "c", "allocatedResources": allocated, "resources": resources })
        };
        assert_eq!(held("500m", value!({ "name": "c" }), ""), "600m", "nothing is told yet");
        assert_eq!(held("2", has("500m", "500m"), "Deferred"), "2100m", "it waits for more");
        assert_eq!(held("300m", has("300m", "500m"), ""), "600m", "it has not shrunk yet");
        assert_eq!(held("1", has("1", "500m"), ""), "1100m", "it has not grown yet");
        assert_eq!(held("64", has("500m", "500m"), "Infeasible"), "600m", "it never will");
        assert_eq!(held("500m", has("2", "2"), ""), "2100m");
    }

    #[test]
    fn what_the_pod_says_as_a_whole_stands_in_place_of_the_sum() {
        let whole = value!({ "requests": { "cpu": "700m" } });
        let spec = value!({ "containers": [asks("500m"), asks("1")], "resources": whole });
        check(spec, Bound::Requests, "cpu=700m");
    }
}
