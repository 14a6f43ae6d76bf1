//! Kinds that are used with every verb: each is found by discovery, made, read, listed, watched, changed in every way,
//! and deleted, by the calls that a client library offers for it.

use std::sync::atomic::{AtomicU64, Ordering};

use kube::api::ListParams;
use serde_json::{Value, json};
use tests_conformance::objects::{Objects, refusal};

use crate::door::Door;

/// One kind and what an object of it says.
struct Kind {
    /// `coordination.k8s.io/v1`.
    api_version: &'static str,
    plural: &'static str,
    namespaced: bool,
    /// What stands beside its metadata; NAMESPACE is that of the test.
    body: Value,
    /// A merge patch of its status, and where to look for what it set.
    status: Option<(Value, &'static str)>,
    /// The condition that the cluster itself sets on each new one.
    judged: Option<&'static str>,
}

impl Kind {
    fn cluster(api_version: &'static str, plural: &'static str, body: Value) -> Self {
        Self { api_version, plural, namespaced: false, body, status: None, judged: None }
    }

    fn namespaced(api_version: &'static str, plural: &'static str, body: Value) -> Self {
        Self { api_version, plural, namespaced: true, body, status: None, judged: None }
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

/// The verbs of a kind that can be used in every way.
const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Changes the status of an object, if its kind has one.
#[track_caller]
fn use_status(kind: &Kind, objects: &Objects, name: &str) {
    let Some((patch, at)) = &kind.status else { return };
    let changed = objects.merge_status(name, patch).unwrap();
    let (set, wanted) = (changed.data.pointer(at), patch.pointer(at));
    assert!(wanted.is_some());
    assert_eq!(set, wanted, "{changed:?}");
    let mut update = objects.get_status(name).unwrap();
    let annotations = update.metadata.annotations.get_or_insert_default();
    annotations.insert("statusUpdated".to_owned(), "true".to_owned());
    let put = objects.replace_status(name, &update).unwrap();
    assert_eq!(put.data.pointer(at), wanted, "{put:?}");
    // What is written to the object itself leaves the status alone.
    let whole = objects.merge(name, &json!({ "status": null })).unwrap();
    assert_eq!(whole.data.pointer(at), wanted, "{whole:?}");
}

/// Reads, patches and updates an object that somebody watches.
#[track_caller]
fn change(objects: &Objects, name: &str) {
    let patch = json!({ "metadata": { "annotations": { "patched": "true" } } });
    let patched = objects.merge(name, &patch).unwrap();
    assert_eq!(patched.metadata.annotations.as_ref().unwrap()["patched"], "true");
    let mut update = patched;
    let annotations = update.metadata.annotations.get_or_insert_default();
    annotations.insert("updated".to_owned(), "true".to_owned());
    let updated = objects.replace(name, &update).unwrap();
    assert_eq!(updated.metadata.annotations.as_ref().unwrap()["updated"], "true");
    assert_eq!(objects.get(name).unwrap().metadata, updated.metadata);
    // Whoever changes what is no longer there is told so.
    assert_eq!(refusal(objects.replace(name, &update)), 409);
}

/// Uses all verbs of a kind.
#[track_caller]
fn use_all_verbs(kind: &Kind) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let door = Door::open();
    let mark = format!("mark-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let namespace = kind.namespaced.then(|| door.namespace());
    let objects = Objects::of(door, kind.api_version, kind.plural, namespace.as_deref());
    assert_eq!(objects.are_namespaced(), kind.namespaced);
    for verb in VERBS {
        assert!(objects.have_verb(verb), "{verb} is not listed");
    }
    let body = kind.body.to_string().replace("NAMESPACE", namespace.as_deref().unwrap_or(""));
    let rest: Value = serde_json::from_str(&body).unwrap();
    let name = |number: u64| format!("{mark}-{number}");
    let object = |number: u64| objects.object(&name(number), ("test", &mark), rest.clone());
    let labels = format!("test={mark}");
    let marked = ListParams::default().labels(&labels);

    let start = objects.list(&marked).unwrap().metadata.resource_version.unwrap();
    let mut watch = objects.watch(&labels, &start).unwrap();
    let made = objects.create(&object(1)).unwrap();
    assert!(made.metadata.uid.as_ref().is_some_and(|uid| !uid.is_empty()));
    assert_eq!(made.types, object(1).types);
    assert_eq!(refusal(objects.create(&object(1))), 409);
    let one = name(1);
    let made = match kind.judged {
        None => {
            watch.expect(&[&format!("ADDED {one}")]);
            made
        }
        Some(condition) => {
            let at = "/status/conditions/0/type";
            watch.until(|_, object| object.pointer(at).is_some_and(|set| set == condition));
            objects.get(&one).unwrap()
        }
    };
    assert_eq!(objects.get(&one).unwrap().metadata, made.metadata);
    assert_eq!(objects.list(&marked).unwrap().items.len(), 1);
    assert_eq!(objects.everywhere().list(&marked).unwrap().items.len(), 1);
    change(&objects, &one);
    watch.expect(&[&format!("MODIFIED {one}"), &format!("MODIFIED {one}")]);
    use_status(kind, &objects, &one);

    objects.delete(&one).unwrap();
    loop {
        let (word, gone) = watch.event();
        assert_eq!(gone["metadata"]["name"], one);
        if word == "DELETED" {
            break;
        }
        assert_eq!(word, "MODIFIED");
    }
    assert_eq!(refusal(objects.get(&one)), 404);
    for number in 2..5 {
        objects.create(&object(number)).unwrap();
    }
    objects.delete_all(&marked).unwrap();
    assert_eq!(objects.list(&marked).unwrap().items, []);
}

#[test]
fn config_maps_have_a_life() {
    use_all_verbs(&Kind::namespaced("v1", "configmaps", json!({ "data": { "a": "1" } })));
}

#[test]
fn secrets_have_a_life() {
    let body = json!({ "data": { "a": "MQ==" }, "type": "Opaque" });
    use_all_verbs(&Kind::namespaced("v1", "secrets", body));
}

#[test]
fn service_accounts_have_a_life() {
    let body = json!({ "automountServiceAccountToken": false });
    use_all_verbs(&Kind::namespaced("v1", "serviceaccounts", body));
}

#[test]
fn pod_templates_have_a_life() {
    let body = json!({ "template": {
        "metadata": { "labels": { "a": "b" } },
        "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
    } });
    use_all_verbs(&Kind::namespaced("v1", "podtemplates", body));
}

#[test]
fn limit_ranges_have_a_life() {
    let limit = json!({ "type": "Container", "max": { "cpu": "2" }, "default": { "cpu": "1" } });
    let body = json!({ "spec": { "limits": [limit] } });
    use_all_verbs(&Kind::namespaced("v1", "limitranges", body));
}

#[test]
fn leases_have_a_life() {
    let body = json!({ "spec": { "holderIdentity": "me", "leaseDurationSeconds": 30 } });
    use_all_verbs(&Kind::namespaced("coordination.k8s.io/v1", "leases", body));
}

#[test]
fn events_of_their_own_group_have_a_life() {
    let body = json!({
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "action": "Do", "reason": "Test", "type": "Normal", "note": "n",
        "reportingController": "test", "reportingInstance": "test-1",
        "regarding": { "kind": "Pod", "name": "p", "namespace": "NAMESPACE" },
    });
    use_all_verbs(&Kind::namespaced("events.k8s.io/v1", "events", body));
}

#[test]
fn events_of_the_core_group_have_a_life() {
    let body = json!({
        "reason": "Test", "message": "m", "type": "Normal", "source": { "component": "test" },
        "involvedObject": { "kind": "Pod", "name": "p", "namespace": "NAMESPACE" },
    });
    use_all_verbs(&Kind::namespaced("v1", "events", body));
}

#[test]
fn runtime_classes_have_a_life() {
    let body = json!({ "handler": "test" });
    use_all_verbs(&Kind::cluster("node.k8s.io/v1", "runtimeclasses", body));
}

#[test]
fn priority_classes_have_a_life() {
    let body = json!({ "value": 1000 });
    use_all_verbs(&Kind::cluster("scheduling.k8s.io/v1", "priorityclasses", body));
}

#[test]
fn csi_drivers_have_a_life() {
    let body = json!({ "spec": { "attachRequired": false } });
    use_all_verbs(&Kind::cluster("storage.k8s.io/v1", "csidrivers", body));
}

#[test]
fn csi_nodes_have_a_life() {
    let body = json!({ "spec": { "drivers": [] } });
    use_all_verbs(&Kind::cluster("storage.k8s.io/v1", "csinodes", body));
}

#[test]
fn csi_storage_capacities_have_a_life() {
    let body = json!({ "storageClassName": "fast" });
    use_all_verbs(&Kind::namespaced("storage.k8s.io/v1", "csistoragecapacities", body));
}

#[test]
fn storage_classes_have_a_life() {
    let body = json!({ "provisioner": "test.example.com" });
    use_all_verbs(&Kind::cluster("storage.k8s.io/v1", "storageclasses", body));
}

#[test]
fn volume_attachments_have_a_life() {
    let body = json!({ "spec": {
        "attacher": "test.example.com", "nodeName": "n",
        "source": { "persistentVolumeName": "pv" },
    } });
    let kind = Kind::cluster("storage.k8s.io/v1", "volumeattachments", body);
    use_all_verbs(&kind.with_status(json!({ "status": { "attached": true } }), "/status/attached"));
}

#[test]
fn ingresses_have_a_life() {
    let body = json!({ "spec": { "defaultBackend": {
        "service": { "name": "web", "port": { "number": 80 } },
    } } });
    let kind = Kind::namespaced("networking.k8s.io/v1", "ingresses", body);
    let status = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "169.1.1.1" }] } } });
    use_all_verbs(&kind.with_status(status, "/status/loadBalancer/ingress/0/ip"));
}

#[test]
fn ingress_classes_have_a_life() {
    let body = json!({ "spec": { "controller": "example.com/controller" } });
    use_all_verbs(&Kind::cluster("networking.k8s.io/v1", "ingressclasses", body));
}

#[test]
fn endpoint_slices_have_a_life() {
    let body = json!({
        "addressType": "IPv4", "endpoints": [{ "addresses": ["10.1.2.3"] }],
        "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }],
    });
    use_all_verbs(&Kind::namespaced("discovery.k8s.io/v1", "endpointslices", body));
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
    let kind = Kind::cluster("flowcontrol.apiserver.k8s.io/v1", "flowschemas", body);
    let mut kind = with_condition(Kind { judged: Some("Dangling"), ..kind });
    // What the cluster says of it stays as it is, so that nobody else writes meanwhile.
    let found = json!({
        "type": "Dangling", "status": "False", "reason": "Found",
        "message": "the PriorityLevelConfiguration \"global-default\" that it leads to exists",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let conditions = kind.status.as_mut().and_then(|(patch, _)| {
        patch.pointer_mut("/status/conditions").and_then(Value::as_array_mut)
    });
    conditions.unwrap().push(found);
    use_all_verbs(&kind);
}

#[test]
fn priority_level_configurations_have_a_life() {
    let limited = json!({ "nominalConcurrencyShares": 2, "limitResponse": { "type": "Reject" } });
    let body = json!({ "spec": { "type": "Limited", "limited": limited } });
    let version = "flowcontrol.apiserver.k8s.io/v1";
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
    let version = "admissionregistration.k8s.io/v1";
    use_all_verbs(&with_condition(Kind::cluster(version, "validatingadmissionpolicies", body)));
}

#[test]
fn admission_policy_bindings_have_a_life() {
    let body = json!({ "spec": { "policyName": "none", "validationActions": ["Deny"] } });
    let version = "admissionregistration.k8s.io/v1";
    use_all_verbs(&Kind::cluster(version, "validatingadmissionpolicybindings", body));
}

#[test]
fn cron_jobs_have_a_life() {
    let template = json!({ "spec": {
        "restartPolicy": "OnFailure", "containers": [{ "name": "c", "image": "c:1" }],
    } });
    let job = json!({ "spec": { "template": template } });
    let body = json!({ "spec": { "schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": job } });
    let kind = Kind::namespaced("batch/v1", "cronjobs", body);
    let status = json!({ "status": { "lastScheduleTime": "2026-01-01T00:00:00Z" } });
    use_all_verbs(&kind.with_status(status, "/status/lastScheduleTime"));
}

/// Its controller comes later: nobody runs it, whether it is suspended or not.
#[test]
fn jobs_have_a_life() {
    let spec = json!({ "restartPolicy": "Never", "containers": [{ "name": "c", "image": "c:1" }] });
    let body = json!({ "spec": { "suspend": true, "template": { "spec": spec } } });
    let kind = Kind::namespaced("batch/v1", "jobs", body);
    use_all_verbs(&kind.with_status(json!({ "status": { "ready": 0 } }), "/status/ready"));
}

#[test]
fn endpoints_have_a_life() {
    let body = json!({ "subsets": [{
        "addresses": [{ "ip": "10.1.2.4" }], "ports": [{ "name": "http", "port": 80 }],
    }] });
    use_all_verbs(&Kind::namespaced("v1", "endpoints", body));
}
