//! Kinds that are used with every verb: each is made, read, listed, watched, changed in every way, and deleted.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::door::{Answer, Door};

/// One kind and what an object of it says.
struct Kind {
    /// `/apis/coordination.k8s.io/v1`.
    version: &'static str,
    plural: &'static str,
    namespaced: bool,
    /// What stands beside its metadata; NAMESPACE is that of the test.
    body: Value,
    /// A merge patch of its status, and where to look for what it set.
    status: Option<(Value, &'static str)>,
}

impl Kind {
    fn cluster(version: &'static str, plural: &'static str, body: Value) -> Self {
        Self { version, plural, namespaced: false, body, status: None }
    }

    fn namespaced(version: &'static str, plural: &'static str, body: Value) -> Self {
        Self { version, plural, namespaced: true, body, status: None }
    }

    fn with_status(self, patch: Value, at: &'static str) -> Self {
        Self { status: Some((patch, at)), ..self }
    }
}

/// A condition in the status of a kind that has such.
fn with_condition(kind: Kind) -> Kind {
    let condition = json!({
        "type": "Tested", "status": "True", "reason": "Test", "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let patch = json!({ "status": { "conditions": [condition] } });
    kind.with_status(patch, "/status/conditions/0/type")
}

fn item(answer: &Answer) -> Value {
    answer.json()
}

/// Changes the status of an object, if its kind has one.
#[track_caller]
fn use_status(kind: &Kind, one: &str) {
    let Some((patch, at)) = &kind.status else { return };
    let door = Door::open();
    let path = format!("{one}/status");
    let changed = item(&door.merge(&path, patch).expect_code(200));
    let (set, wanted) = (changed.pointer(at), patch.pointer(at));
    assert_eq!(set, wanted, "{changed}");
    let mut update = item(&door.get(&path).expect_code(200));
    update["metadata"]["annotations"]["statusUpdated"] = json!("true");
    let put = item(&door.put(&path, &update).expect_code(200));
    assert_eq!(put.pointer(at), wanted, "{put}");
    // What is written to the object itself leaves the status alone.
    let whole = item(&door.merge(one, &json!({ "status": null })).expect_code(200));
    assert_eq!(whole.pointer(at), wanted, "{whole}");
}

/// Uses all verbs of a kind.
#[track_caller]
fn use_all_verbs(kind: &Kind) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let door = Door::open();
    let mark = format!("mark-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let namespace = if kind.namespaced { door.namespace() } else { String::new() };
    let all = match kind.namespaced {
        true => format!("{}/namespaces/{namespace}/{}", kind.version, kind.plural),
        false => format!("{}/{}", kind.version, kind.plural),
    };
    let marked = format!("{all}?labelSelector=test%3D{mark}");
    let discovered = door.get(kind.version).expect_code(200).json();
    let listed = discovered["resources"].as_array().unwrap();
    assert!(listed.iter().any(|one| one["name"] == kind.plural), "{} is not listed", kind.plural);
    let body = kind.body.to_string().replace("NAMESPACE", &namespace);
    let mut object: Value = serde_json::from_str(&body).unwrap();
    let name = |number: u64| format!("{mark}-{number}");
    object["metadata"] = json!({ "name": name(1), "labels": { "test": mark } });

    let start = item(&door.get(&marked).expect_code(200));
    let revision = start["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch = door.watch(&format!("{marked}&watch=true&resourceVersion={revision}"));
    let made = item(&door.post(&all, &object).expect_code(201));
    assert!(made["metadata"]["uid"].as_str().is_some_and(|uid| !uid.is_empty()));
    door.post(&all, &object).expect_code(409);
    let one = format!("{all}/{}", name(1));
    assert_eq!(item(&door.get(&one).expect_code(200))["metadata"], made["metadata"]);
    let everywhere = format!("{}/{}?labelSelector=test%3D{mark}", kind.version, kind.plural);
    for list in [&marked, &everywhere] {
        let items = item(&door.get(list).expect_code(200));
        assert_eq!(items["items"].as_array().unwrap().len(), 1, "{list}");
    }

    let patch = json!({ "metadata": { "annotations": { "patched": "true" } } });
    let patched = item(&door.merge(&one, &patch).expect_code(200));
    assert_eq!(patched["metadata"]["annotations"]["patched"], "true");
    let mut update = patched.clone();
    update["metadata"]["annotations"]["updated"] = json!("true");
    let updated = item(&door.put(&one, &update).expect_code(200));
    assert_eq!(updated["metadata"]["annotations"]["updated"], "true");
    // Whoever changes what is no longer there is told so.
    door.put(&one, &update).expect_code(409);
    watch.expect(&[
        &format!("ADDED {}", name(1)),
        &format!("MODIFIED {}", name(1)),
        &format!("MODIFIED {}", name(1)),
    ]);
    use_status(kind, &one);

    door.delete(&one).expect_code(200);
    loop {
        let (word, gone) = watch.event();
        assert_eq!(gone["metadata"]["name"], name(1));
        if word == "DELETED" {
            break;
        }
        assert_eq!(word, "MODIFIED");
    }
    door.get(&one).expect_code(404);
    for number in 2..5 {
        object["metadata"] = json!({ "name": name(number), "labels": { "test": mark } });
        door.post(&all, &object).expect_code(201);
    }
    door.delete(&marked).expect_code(200);
    let left = item(&door.get(&marked).expect_code(200));
    assert_eq!(left["items"], json!([]));
}

#[test]
fn config_maps_have_a_life() {
    use_all_verbs(&Kind::namespaced("/api/v1", "configmaps", json!({ "data": { "a": "1" } })));
}

#[test]
fn secrets_have_a_life() {
    let body = json!({ "data": { "a": "MQ==" }, "type": "Opaque" });
    use_all_verbs(&Kind::namespaced("/api/v1", "secrets", body));
}

#[test]
fn service_accounts_have_a_life() {
    let body = json!({ "automountServiceAccountToken": false });
    use_all_verbs(&Kind::namespaced("/api/v1", "serviceaccounts", body));
}

#[test]
fn pod_templates_have_a_life() {
    let body = json!({ "template": {
        "metadata": { "labels": { "a": "b" } },
        "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
    } });
    use_all_verbs(&Kind::namespaced("/api/v1", "podtemplates", body));
}

#[test]
fn limit_ranges_have_a_life() {
    let limit = json!({ "type": "Container", "max": { "cpu": "2" }, "default": { "cpu": "1" } });
    let body = json!({ "spec": { "limits": [limit] } });
    use_all_verbs(&Kind::namespaced("/api/v1", "limitranges", body));
}

#[test]
fn leases_have_a_life() {
    let body = json!({ "spec": { "holderIdentity": "me", "leaseDurationSeconds": 30 } });
    use_all_verbs(&Kind::namespaced("/apis/coordination.k8s.io/v1", "leases", body));
}

#[test]
fn events_of_their_own_group_have_a_life() {
    let body = json!({
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "action": "Do", "reason": "Test", "type": "Normal", "note": "n",
        "reportingController": "test", "reportingInstance": "test-1",
        "regarding": { "kind": "Pod", "name": "p", "namespace": "NAMESPACE" },
    });
    use_all_verbs(&Kind::namespaced("/apis/events.k8s.io/v1", "events", body));
}

#[test]
fn events_of_the_core_group_have_a_life() {
    let body = json!({
        "reason": "Test", "message": "m", "type": "Normal", "source": { "component": "test" },
        "involvedObject": { "kind": "Pod", "name": "p", "namespace": "NAMESPACE" },
    });
    use_all_verbs(&Kind::namespaced("/api/v1", "events", body));
}

#[test]
fn runtime_classes_have_a_life() {
    let body = json!({ "handler": "test" });
    use_all_verbs(&Kind::cluster("/apis/node.k8s.io/v1", "runtimeclasses", body));
}

#[test]
fn priority_classes_have_a_life() {
    let body = json!({ "value": 1000 });
    use_all_verbs(&Kind::cluster("/apis/scheduling.k8s.io/v1", "priorityclasses", body));
}

#[test]
fn csi_drivers_have_a_life() {
    let body = json!({ "spec": { "attachRequired": false } });
    use_all_verbs(&Kind::cluster("/apis/storage.k8s.io/v1", "csidrivers", body));
}

#[test]
fn csi_nodes_have_a_life() {
    let body = json!({ "spec": { "drivers": [] } });
    use_all_verbs(&Kind::cluster("/apis/storage.k8s.io/v1", "csinodes", body));
}

#[test]
fn csi_storage_capacities_have_a_life() {
    let body = json!({ "storageClassName": "fast" });
    use_all_verbs(&Kind::namespaced("/apis/storage.k8s.io/v1", "csistoragecapacities", body));
}

#[test]
fn storage_classes_have_a_life() {
    let body = json!({ "provisioner": "test.example.com" });
    use_all_verbs(&Kind::cluster("/apis/storage.k8s.io/v1", "storageclasses", body));
}

#[test]
fn volume_attachments_have_a_life() {
    let body = json!({ "spec": {
        "attacher": "test.example.com", "nodeName": "n",
        "source": { "persistentVolumeName": "pv" },
    } });
    let kind = Kind::cluster("/apis/storage.k8s.io/v1", "volumeattachments", body);
    use_all_verbs(&kind.with_status(json!({ "status": { "attached": true } }), "/status/attached"));
}

#[test]
fn ingresses_have_a_life() {
    let body = json!({ "spec": { "defaultBackend": {
        "service": { "name": "web", "port": { "number": 80 } },
    } } });
    let kind = Kind::namespaced("/apis/networking.k8s.io/v1", "ingresses", body);
    let status = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "169.1.1.1" }] } } });
    use_all_verbs(&kind.with_status(status, "/status/loadBalancer/ingress/0/ip"));
}

#[test]
fn ingress_classes_have_a_life() {
    let body = json!({ "spec": { "controller": "example.com/controller" } });
    use_all_verbs(&Kind::cluster("/apis/networking.k8s.io/v1", "ingressclasses", body));
}

#[test]
fn endpoint_slices_have_a_life() {
    let body = json!({
        "addressType": "IPv4", "endpoints": [{ "addresses": ["10.1.2.3"] }],
        "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }],
    });
    use_all_verbs(&Kind::namespaced("/apis/discovery.k8s.io/v1", "endpointslices", body));
}

#[test]
fn flow_schemas_have_a_life() {
    let body = json!({ "spec": {
        "matchingPrecedence": 10_000,
        "priorityLevelConfiguration": { "name": "global-default" },
        "rules": [{
            "subjects": [{ "kind": "User", "user": { "name": "test" } }],
            "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }],
        }],
    } });
    let kind = Kind::cluster("/apis/flowcontrol.apiserver.k8s.io/v1", "flowschemas", body);
    use_all_verbs(&with_condition(kind));
}

#[test]
fn priority_level_configurations_have_a_life() {
    let limited = json!({ "nominalConcurrencyShares": 2, "limitResponse": { "type": "Reject" } });
    let body = json!({ "spec": { "type": "Limited", "limited": limited } });
    let version = "/apis/flowcontrol.apiserver.k8s.io/v1";
    use_all_verbs(&with_condition(Kind::cluster(version, "prioritylevelconfigurations", body)));
}

#[test]
fn admission_policies_have_a_life() {
    let rule = json!({
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": ["deployments"],
    });
    let body = json!({ "spec": {
        "matchConstraints": { "resourceRules": [rule] },
        "validations": [{ "expression": "object.spec.replicas > 0" }],
    } });
    let version = "/apis/admissionregistration.k8s.io/v1";
    use_all_verbs(&with_condition(Kind::cluster(version, "validatingadmissionpolicies", body)));
}

#[test]
fn admission_policy_bindings_have_a_life() {
    let body = json!({ "spec": { "policyName": "none", "validationActions": ["Deny"] } });
    let version = "/apis/admissionregistration.k8s.io/v1";
    use_all_verbs(&Kind::cluster(version, "validatingadmissionpolicybindings", body));
}

#[test]
fn cron_jobs_have_a_life() {
    let template = json!({ "spec": {
        "restartPolicy": "OnFailure", "containers": [{ "name": "c", "image": "c:1" }],
    } });
    let job = json!({ "spec": { "template": template } });
    let body = json!({ "spec": { "schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": job } });
    let kind = Kind::namespaced("/apis/batch/v1", "cronjobs", body);
    let status = json!({ "status": { "lastScheduleTime": "2026-01-01T00:00:00Z" } });
    use_all_verbs(&kind.with_status(status, "/status/lastScheduleTime"));
}

#[test]
fn endpoints_have_a_life() {
    let body = json!({ "subsets": [{
        "addresses": [{ "ip": "10.1.2.4" }], "ports": [{ "name": "http", "port": 80 }],
    }] });
    use_all_verbs(&Kind::namespaced("/api/v1", "endpoints", body));
}
