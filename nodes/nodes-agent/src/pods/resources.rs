//! Turns requests and limits into what cgroups know.
//!
//! Way in: [`of_container`], [`of_pod`], [`oom_score`].
//! Spec: Kubernetes documentation, "Resource Management for Pods and Containers", "Node-pressure
//! Eviction" (scores).

use actors_object::{Object, Quantity, Value};
use nodes_oci::Resources;
use nodes_pods::{QosClass, qos_class};

/// The length of a CPU period.
const PERIOD_US: u64 = 100_000;
/// The least share of a CPU that the kernel can express.
const QUOTA_MIN_US: i64 = 1_000;
/// The least weight against neighbours.
const SHARES_MIN: u64 = 2;

/// The limits of one container.
pub(crate) fn of_container(container: &Value) -> Resources {
    limits(
        amount(container, "requests", "cpu").or_else(|| amount(container, "limits", "cpu")),
        amount(container, "limits", "cpu"),
        amount(container, "limits", "memory"),
    )
}

/// The limits of the pod as a whole: sums, where every container has one.
pub(crate) fn of_pod(pod: &Object) -> Resources {
    let apps = pod.0.list_at(&["spec", "containers"]);
    let all = |list: &str, name: &str| {
        let amounts: Option<Vec<Quantity>> =
            apps.iter().map(|app| amount(app, list, name)).collect();
        amounts
    };
    // Init containers run beside the apps only as sidecars; a pod that has any is limited by its
    // containers alone.
    let has_inits = !pod.0.list_at(&["spec", "initContainers"]).is_empty();
    let sum = |list: &str, name: &str| {
        let amounts = all(list, name).filter(|_| !has_inits)?;
        Some(Quantity::from_milli(amounts.iter().map(Quantity::milli).sum()))
    };
    let requested = apps
        .iter()
        .filter_map(|app| amount(app, "requests", "cpu").or_else(|| amount(app, "limits", "cpu")));
    let requested = Quantity::from_milli(requested.map(|amount| amount.milli()).sum());
    limits(Some(requested), sum("limits", "cpu"), sum("limits", "memory"))
}

fn limits(request: Option<Quantity>, cpu: Option<Quantity>, memory: Option<Quantity>) -> Resources {
    let shares =
        request.map_or(0, |request| u64::try_from(request.milli()).unwrap_or(0)) * 1_024 / 1_000;
    let quota = cpu.map(|cpu| (cpu.milli() * 100).max(QUOTA_MIN_US));
    Resources {
        cpu_shares: Some(shares.max(SHARES_MIN)),
        cpu_quota_us: quota,
        cpu_period_us: quota.map(|_| PERIOD_US),
        memory_limit_bytes: memory.map(|memory| memory.value()),
        pids_max: None,
    }
}

/// Who is killed first when memory runs out; `capacity` is the node's memory in bytes.
pub(crate) fn oom_score(pod: &Object, container: &Value, capacity: i64) -> i32 {
    match qos_class(pod) {
        QosClass::Guaranteed => -997,
        QosClass::BestEffort => 1_000,
        QosClass::Burstable => {
            let request =
                amount(container, "requests", "memory").map_or(0, |request| request.value());
            let used = i128::from(request) * 1_000 / i128::from(capacity.max(1));
            i32::try_from(1_000 - used).unwrap_or(2).clamp(2, 999)
        }
    }
}

fn amount(container: &Value, list: &str, name: &str) -> Option<Quantity> {
    container.path(&["resources", list, name]).and_then(|given| Quantity::from_value(given).ok())
}

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;

    fn pod(resources: Value) -> Object {
        Object(value!({ "spec": { "containers": [{ "name": "app", "resources": resources }] } }))
    }

    #[test]
    fn limits_and_scores_follow_the_documented_rules() {
        let burstable = pod(value!({
            "requests": { "cpu": "250m", "memory": "1Gi" },
            "limits": { "cpu": "1500m" },
        }));
        let app = &burstable.0.list_at(&["spec", "containers"])[0];
        let found = of_container(app);
        assert_eq!((found.cpu_shares, found.cpu_quota_us), (Some(256), Some(150_000)));
        assert_eq!(found.memory_limit_bytes, None);
        assert_eq!(oom_score(&burstable, app, 4 << 30), 750);
        let nothing = pod(value!({}));
        let app = &nothing.0.list_at(&["spec", "containers"])[0];
        assert_eq!((of_container(app).cpu_shares, oom_score(&nothing, app, 1)), (Some(2), 1_000));
    }
}
