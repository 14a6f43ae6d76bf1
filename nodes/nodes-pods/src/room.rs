//! Decides whether a node has room for other resources of a pod that runs on it.
//!
//! Way in: [`room_for`].  Never: a pod that is over; whoever calls leaves those out.
//! Spec: KEP-1287, "Kubelet and API server interaction": what a node cannot have at all is infeasible, what others have
//! now is deferred; to want less is always granted.

use actors_object::{Object, Quantity, Value};

use crate::{
    event::RoomRefusal,
    resizing::{RESIZED, amount},
};

/// Why the node does not grant `pod` what is `wanted` (containers' `resources` by name), if so; `others` are the pods
/// beside it, `allocatable` is what the node has for all of them.
#[must_use]
pub fn room_for<'a>(
    (pod, wanted): (&Object, &[(String, Value)]),
    others: impl Iterator<Item = &'a Object> + Clone,
    allocatable: &[(String, String)],
) -> Option<RoomRefusal> {
    let mut deferred = None;
    for name in RESIZED {
        let capacity = allocatable.iter().find(|(own, _)| own == name);
        let capacity = capacity.and_then(|(_, text)| Quantity::parse(text).ok())?.milli();
        let asked = overhead(pod, name) + sum(wanted.iter().map(|(_, amounts)| amounts), name);
        if asked <= granted(pod, name) {
            continue;
        }
        let shown = |milli: i64| Quantity::from_milli(milli).to_string();
        if asked > capacity {
            let message = format!(
                "the node never has enough {name}: asked for {}, it has {}",
                shown(asked),
                shown(capacity)
            );
            return Some(RoomRefusal::Infeasible(message));
        }
        let used: i64 = others.clone().map(|other| granted(other, name)).sum();
        if asked + used > capacity {
            let message = format!(
                "the node has not enough {name} now: asked for {}, others have {} of {}",
                shown(asked),
                shown(used),
                shown(capacity)
            );
            deferred.get_or_insert(RoomRefusal::Deferred(message));
        }
    }
    deferred
}

/// What a pod has been granted, in thousandths: what its status says of each container, else what the container asks
/// for.
fn granted(pod: &Object, name: &str) -> i64 {
    let statuses = ["containerStatuses", "initContainerStatuses"];
    let of = |container: &Value| {
        let mut all = statuses.iter().flat_map(|list| pod.list_at(&["status", list]));
        let told = all.find(|one| one.at("name") == container.at("name"));
        let told = told.and_then(|one| one.path(&["allocatedResources", name]));
        let told = told.and_then(|given| Quantity::from_value(given).ok());
        told.or_else(|| amount(container.at("resources"), "requests", name))
            .map_or(0, |amount| amount.milli())
    };
    let apps = pod.list_at(&["spec", "containers"]).iter();
    let inits = pod.list_at(&["spec", "initContainers"]).iter();
    let sidecars = inits.filter(|one| one.at("restartPolicy").as_str() == Some("Always"));
    overhead(pod, name) + apps.chain(sidecars).map(of).sum::<i64>()
}

fn overhead(pod: &Object, name: &str) -> i64 {
    let given = pod.path(&["spec", "overhead", name]);
    given.and_then(|given| Quantity::from_value(given).ok()).map_or(0, |amount| amount.milli())
}

fn sum<'a>(all: impl Iterator<Item = &'a Value>, name: &str) -> i64 {
    all.filter_map(|one| amount(one, "requests", name)).map(|amount| amount.milli()).sum()
}

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;

    fn pod(cpu: &str) -> Object {
        let resources = value!({ "requests": { "cpu": cpu } });
        Object(value!({ "spec": { "containers": [{ "name": "a", "resources": resources }] } }))
    }

    #[track_caller]
    fn check(now: &str, wanted: &str, others: &[Object], expected: Option<&str>) {
        let wanted = vec![("a".to_owned(), value!({ "requests": { "cpu": wanted } }))];
        let node = [("cpu".to_owned(), "4".to_owned()), ("memory".to_owned(), "1Gi".to_owned())];
        let refusal = room_for((&pod(now), &wanted), others.iter(), &node);
        let told = refusal.map(|refusal| match refusal {
            RoomRefusal::Infeasible(message) => format!("never: {message}"),
            RoomRefusal::Deferred(message) => format!("not now: {message}"),
        });
        assert_eq!(told.as_deref(), expected);
    }

    #[test]
    fn more_is_granted_where_there_is_room() {
        check("1", "2", &[pod("2")], None);
        check(
            "1",
            "2500m",
            &[pod("2")],
            Some("not now: the node has not enough cpu now: asked for 2500m, others have 2 of 4"),
        );
        check("1", "5", &[], Some("never: the node never has enough cpu: asked for 5, it has 4"));
    }

    #[test]
    fn less_is_always_granted() {
        check("3", "2", &[pod("4"), pod("4")], None);
    }

    #[test]
    fn what_a_status_says_was_granted_counts() {
        let mut other = pod("4");
        let statuses = value!([{ "name": "a", "allocatedResources": { "cpu": "1" } }]);
        other.0.set_path(&["status", "containerStatuses"], statuses);
        check("1", "3", &[other], None);
    }
}
