//! What objects take of quotas.

use actors_object::{Value, value};

use super::*;

const NOW: Wall = Wall(1_795_248_300_000_000_000);

fn quota(spec: Value) -> Quota {
    Quota::of(&Object(value!({ "spec": spec })))
}

fn of(resource: &str) -> GroupResource {
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    GroupResource::new(group, resource)
}

/// Compares what an object takes of a quota of these names with a text.
#[track_caller]
fn check(names: &str, (resource, object): (&str, Value), expected: &str) {
    let mut hard = actors_object::Map::new();
    for name in names.split(' ') {
        hard.insert(name, "100");
    }
    let quota = quota(value!({ "hard": hard }));
    let taken = quota.taken(&of(resource), &Object(object), NOW);
    let shown: Vec<String> =
        taken.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    assert_eq!(shown.join(" "), expected);
}

fn pod(requests: Value, limits: Value) -> Value {
    value!({
        "spec": {
            "containers": [{
                "name": "c", "resources": { "requests": requests, "limits": limits },
            }],
        },
    })
}

#[test]
fn objects_are_counted_by_their_resource_and_some_also_by_a_plain_name() {
    let nothing = || value!({});
    check("count/deployments.apps", ("deployments.apps", nothing()), "count/deployments.apps=1");
    check("count/deployments.apps", ("deployments.other", nothing()), "");
    check("count/secrets secrets", ("secrets", nothing()), "count/secrets=1 secrets=1");
    check("configmaps", ("configmaps", nothing()), "configmaps=1");
    check("configmaps", ("configmaps.other", nothing()), "");
    check("count/events", ("events", nothing()), "");
    check("count/leases.coordination.k8s.io", ("pods", nothing()), "");
}

#[test]
fn pods_take_what_their_containers_ask_for() {
    let pod = pod(
        value!({ "cpu": "500m", "memory": "64Mi", "demo.dev/gpu": "2", "hugepages-2Mi": "4Mi" }),
        value!({ "cpu": "1", "ephemeral-storage": "1Gi", "demo.dev/gpu": "2" }),
    );
    check(
        "pods cpu requests.cpu limits.cpu memory requests.memory limits.memory",
        ("pods", pod.clone()),
        "cpu=500m limits.cpu=1 memory=64Mi pods=1 requests.cpu=500m requests.memory=64Mi",
    );
    check(
        "requests.demo.dev/gpu limits.ephemeral-storage hugepages-2Mi requests.hugepages-2Mi",
        ("pods", pod),
        "hugepages-2Mi=4Mi limits.ephemeral-storage=1Gi requests.demo.dev/gpu=2 \
         requests.hugepages-2Mi=4Mi",
    );
}

#[test]
fn a_pod_that_has_ended_is_still_an_object_but_takes_nothing() {
    let mut ended = pod(value!({ "cpu": "1" }), Value::Null);
    ended.set_path(&["status", "phase"], "Failed");
    check("pods count/pods cpu", ("pods", ended), "count/pods=1");
}

#[test]
fn a_pod_that_should_be_gone_long_ago_takes_nothing() {
    let mut lost = pod(value!({ "cpu": "1" }), Value::Null);
    lost.set_path(&["metadata", "deletionGracePeriodSeconds"], 30);
    lost.set_path(&["metadata", "deletionTimestamp"], "2026-11-21T08:04:31Z");
    check("pods cpu", ("pods", lost.clone()), "cpu=1 pods=1");
    lost.set_path(&["metadata", "deletionTimestamp"], "2026-11-21T08:04:29Z");
    check("pods cpu", ("pods", lost), "");
}

#[test]
fn services_take_ports_and_balancers() {
    let names = "services services.nodeports services.loadbalancers";
    let service = |sort: &str, wants: bool| {
        value!({ "spec": {
            "type": sort,
            "allocateLoadBalancerNodePorts": wants,
            "ports": [{ "port": 1, "nodePort": 30000 }, { "port": 2 }],
        } })
    };
    let shown = |ports: i64, balancers: i64| {
        format!("services=1 services.loadbalancers={balancers} services.nodeports={ports}")
    };
    check(names, ("services", service("ClusterIP", true)), &shown(0, 0));
    check(names, ("services", service("NodePort", true)), &shown(2, 0));
    check(names, ("services", service("LoadBalancer", true)), &shown(2, 1));
    check(names, ("services", service("LoadBalancer", false)), &shown(1, 1));
}

#[test]
fn claims_take_storage_also_of_their_class() {
    let claim = value!({
        "spec": { "storageClassName": "gold", "resources": { "requests": { "storage": "1Gi" } } },
        "status": { "allocatedResources": { "storage": "2Gi" } },
    });
    check(
        "persistentvolumeclaims requests.storage gold.storageclass.storage.k8s.io/requests.storage \
         gold.storageclass.storage.k8s.io/persistentvolumeclaims \
         lead.storageclass.storage.k8s.io/requests.storage",
        ("persistentvolumeclaims", claim),
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims=1 \
         gold.storageclass.storage.k8s.io/requests.storage=2Gi persistentvolumeclaims=1 \
         requests.storage=2Gi",
    );
}

/// Asserts for which of the pods a quota with these scopes counts.
#[track_caller]
fn check_scope(scopes: Value, expected: &str) {
    let mut spec = scopes;
    spec.set_path(&["hard", "pods"], "5");
    let quota = quota(spec);
    let with = |path: &[&str], value: Value| {
        let mut pod = pod(Value::Null, Value::Null);
        pod.set_path(path, value);
        pod
    };
    let far = value!([{ "namespaceSelector": {} }]);
    let far_path = ["spec", "affinity", "podAntiAffinity", REQUIRED];
    let pods = [
        ("plain", pod(Value::Null, Value::Null)),
        ("ending", with(&["spec", "activeDeadlineSeconds"], Value::Int(60))),
        ("asking", pod(value!({ "cpu": "1" }), Value::Null)),
        ("gold", with(&["spec", "priorityClassName"], value!("gold"))),
        ("far", with(&far_path, far)),
    ];
    let counted = pods
        .into_iter()
        .filter(|(_, pod)| !quota.taken(&of("pods"), &Object(pod.clone()), NOW).is_empty());
    let names: Vec<&str> = counted.map(|(name, _)| name).collect();
    assert_eq!(names.join(" "), expected);
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

fn selects(scope: &str, operator: &str, values: &[&str]) -> Value {
    let values: Vec<&str> = values.to_vec();
    let term = value!({ "scopeName": scope, "operator": operator, "values": values });
    value!({ "scopeSelector": { "matchExpressions": [term] } })
}

#[test]
fn scopes_say_which_pods_count() {
    check_scope(value!({}), "plain ending asking gold far");
    check_scope(value!({ "scopes": ["Terminating"] }), "ending");
    check_scope(value!({ "scopes": ["NotTerminating"] }), "plain asking gold far");
    check_scope(value!({ "scopes": ["BestEffort"] }), "plain ending gold far");
    check_scope(value!({ "scopes": ["NotBestEffort"] }), "asking");
    check_scope(value!({ "scopes": ["BestEffort", "NotTerminating"] }), "plain gold far");
    check_scope(value!({ "scopes": ["PriorityClass"] }), "gold");
    check_scope(value!({ "scopes": ["CrossNamespacePodAffinity"] }), "far");
    check_scope(selects("PriorityClass", "In", &["gold", "lead"]), "gold");
    check_scope(selects("PriorityClass", "In", &["lead"]), "");
    check_scope(selects("PriorityClass", "NotIn", &["gold"]), "plain ending asking far");
    check_scope(selects("PriorityClass", "DoesNotExist", &[]), "plain ending asking far");
    check_scope(selects("BestEffort", "Exists", &[]), "plain ending gold far");
}

#[test]
fn what_has_a_scope_counts_nothing_else() {
    let quota = quota(value!({ "hard": { "count/secrets": "1" }, "scopes": ["BestEffort"] }));
    assert!(!quota.counts(&of("secrets")));
    assert!(quota.taken(&of("secrets"), &Object(value!({})), NOW).is_empty());
}

#[test]
fn what_is_limited_must_be_named_by_every_container() {
    let hard = value!({ "limits.cpu": "1", "requests.memory": "1Gi", "pods": "5" });
    let quota = quota(value!({ "hard": hard }));
    let mut pod = value!({ "spec": { "containers": [
        { "name": "b" },
        { "name": "a", "resources": { "requests": { "memory": "1Mi" } } },
    ] } });
    let unsaid = |pod: &Value| quota.unsaid(&Object(pod.clone()));
    let text = "limits.cpu for: a,b; requests.memory for: b";
    assert_eq!(unsaid(&pod).as_deref(), Some(text));
    pod.set_path(&["spec", "resources", "limits", "cpu"], "1");
    assert_eq!(unsaid(&pod).as_deref(), Some("requests.memory for: b"));
    pod.set_path(&["spec", "resources", "requests", "memory"], "1Gi");
    assert_eq!(unsaid(&pod), None);
}

#[test]
fn all_together_take_the_sum_and_nothing_is_told_as_zero() {
    let quota = quota(value!({ "hard": { "pods": "5", "cpu": "1", "secrets": "2" } }));
    let one = Object(pod(value!({ "cpu": "300m" }), Value::Null));
    let pods = of("pods");
    let total = quota.total([(&pods, &one), (&pods, &one)], NOW);
    let shown: Vec<String> =
        total.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    assert_eq!(shown.join(" "), "cpu=600m pods=2 secrets=0");
}
