//! Rules of single kinds that users rely on: what is refused, what is filled in, what may not change.

use serde_json::{Value, json};

use crate::door::Door;

fn in_namespace(door: &Door, plural: &str) -> String {
    format!("/api/v1/namespaces/{}/{plural}", door.namespace())
}

/// Where pods can be made.
fn pods(door: &Door) -> String {
    format!("/api/v1/namespaces/{}/pods", door.home())
}

fn pod(name: &str, spec: &Value) -> Value {
    let mut pod = json!({ "metadata": { "name": name }, "spec": spec });
    if pod["spec"].get("containers").is_none() {
        pod["spec"]["containers"] = json!([{ "name": "c", "image": "c:1" }]);
    }
    pod
}

#[test]
fn keys_of_config_maps_and_secrets_are_not_empty() {
    let door = Door::open();
    for plural in ["configmaps", "secrets"] {
        let all = in_namespace(door, plural);
        let object = json!({ "metadata": { "name": "a" }, "data": { "": "MQ==" } });
        let refused = door.post(&all, &object).expect_code(422).json();
        assert_eq!(refused["reason"], "Invalid");
    }
}

#[test]
fn what_is_immutable_stays_so_until_it_is_deleted() {
    let door = Door::open();
    for plural in ["configmaps", "secrets"] {
        let all = in_namespace(door, plural);
        let object = json!({ "metadata": { "name": "a" }, "data": { "k": "MQ==" } });
        door.post(&all, &object).expect_code(201);
        let one = format!("{all}/a");
        door.merge(&one, &json!({ "data": { "k": "Mg==" } })).expect_code(200);
        door.merge(&one, &json!({ "immutable": true })).expect_code(200);
        for change in [
            json!({ "data": { "k": "Mw==" } }),
            json!({ "immutable": false }),
            json!({ "immutable": null }),
        ] {
            door.merge(&one, &change).expect_code(422);
        }
        door.merge(&one, &json!({ "metadata": { "labels": { "a": "b" } } })).expect_code(200);
        door.delete(&one).expect_code(200);
    }
}

#[test]
fn namespaces_are_patched_and_updated() {
    let door = Door::open();
    let one = format!("/api/v1/namespaces/{}", door.namespace());
    let patch = json!({ "metadata": { "labels": { "patched": "true" } } });
    let patched = door.merge(&one, &patch).expect_code(200).json();
    assert_eq!(patched["metadata"]["labels"]["patched"], "true");
    let mut update = patched;
    update["metadata"]["labels"]["updated"] = json!("true");
    let updated = door.put(&one, &update).expect_code(200).json();
    assert_eq!(updated["metadata"]["labels"]["updated"], "true");
}

#[test]
fn the_status_of_a_namespace_is_changed_by_itself() {
    let door = Door::open();
    let status = format!("/api/v1/namespaces/{}/status", door.namespace());
    let condition =
        |kind: &str| json!({ "type": kind, "status": "True", "reason": "E2E", "message": "m" });
    let patch = json!({ "status": { "conditions": [condition("StatusPatch")] } });
    let patched = door.merge(&status, &patch).expect_code(200).json();
    assert_eq!(patched["status"]["conditions"][0]["type"], "StatusPatch");
    let mut update = door.get(&status).expect_code(200).json();
    update["status"]["conditions"].as_array_mut().unwrap().push(condition("StatusUpdate"));
    let updated = door.put(&status, &update).expect_code(200).json();
    assert_eq!(updated["status"]["conditions"][1]["type"], "StatusUpdate");
}

#[test]
fn a_namespace_takes_a_finalizer_and_lets_it_go() {
    let door = Door::open();
    let name = door.namespace();
    let one = format!("/api/v1/namespaces/{name}");
    let mut namespace = door.get(&one).expect_code(200).json();
    let own = json!(["kubernetes", "e2e.example.com/fake"]);
    namespace["spec"]["finalizers"] = own.clone();
    let path = format!("{one}/finalize");
    let set = door.put(&path, &namespace).expect_code(200).json();
    assert_eq!(set["spec"]["finalizers"], own);
    let mut namespace = door.get(&one).expect_code(200).json();
    namespace["spec"]["finalizers"] = json!(["kubernetes"]);
    let set = door.put(&path, &namespace).expect_code(200).json();
    assert_eq!(set["spec"]["finalizers"], json!(["kubernetes"]));
}

#[test]
fn the_status_of_a_service_is_read_patched_and_updated() {
    let door = Door::open();
    let all = in_namespace(door, "services");
    let port = json!({ "name": "http", "port": 80, "targetPort": 80 });
    let body =
        json!({ "metadata": { "name": "a" }, "spec": { "type": "LoadBalancer", "ports": [port] } });
    door.post(&all, &body).expect_code(201);
    let status = format!("{all}/a/status");
    door.get(&status).expect_code(200);
    let ingress = json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.1" }] } });
    let patch = json!({ "metadata": { "annotations": { "p": "1" } }, "status": ingress });
    let patched = door.merge(&status, &patch).expect_code(200).json();
    assert_eq!(patched["status"]["loadBalancer"]["ingress"][0]["ip"], "203.0.113.1");
    let mut update = door.get(&status).expect_code(200).json();
    let condition = json!({
        "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    update["status"]["conditions"] = json!([condition]);
    let updated = door.put(&status, &update).expect_code(200).json();
    assert_eq!(updated["status"]["conditions"][0]["type"], "StatusUpdate");
    let patch = json!({ "metadata": { "labels": { "patched": "true" } } });
    let patched = door.merge(&format!("{all}/a"), &patch).expect_code(200).json();
    assert_eq!(patched["status"]["conditions"][0]["type"], "StatusUpdate");
    door.delete(&format!("{all}/a")).expect_code(200);
    door.get(&format!("{all}/a")).expect_code(404);
}

#[test]
fn services_are_found_in_all_namespaces_and_deleted_by_label() {
    let door = Door::open();
    let all = in_namespace(door, "services");
    let label = all.split('/').nth(4).unwrap().to_owned();
    for name in ["a", "b", "c"] {
        let labels = if name == "c" { json!({}) } else { json!({ "own": label }) };
        let spec = json!({ "ports": [{ "port": 80 }] });
        let body = json!({ "metadata": { "name": name, "labels": labels }, "spec": spec });
        door.post(&all, &body).expect_code(201);
    }
    let select = format!("labelSelector=own%3D{label}");
    let found = door.get(&format!("/api/v1/services?{select}")).expect_code(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 2);
    door.delete(&format!("{all}?{select}")).expect_code(200);
    let left = door.get(&all).expect_code(200).json();
    assert_eq!(left["items"][0]["metadata"]["name"], "c");
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[test]
fn the_api_has_a_service_of_its_own() {
    let door = Door::open();
    let service = door.get("/api/v1/namespaces/default/services/kubernetes").expect_code(200);
    let ports = service.json()["spec"]["ports"].clone();
    assert_eq!((&ports[0]["name"], &ports[0]["port"]), (&json!("https"), &json!(443)));
}

#[test]
fn pods_are_sorted_by_what_they_ask_for() {
    let door = Door::open();
    let all = pods(door);
    let same = json!({ "cpu": "100m", "memory": "100Mi" });
    let resources = json!({ "requests": same, "limits": same });
    let container = json!({ "name": "c", "image": "c:1", "resources": resources });
    let made = door.post(&all, &pod("a", &json!({ "containers": [container] }))).expect_code(201);
    assert_eq!(made.json()["status"]["qosClass"], "Guaranteed");
    let made = door.post(&all, &pod("b", &json!({}))).expect_code(201);
    assert_eq!(made.json()["status"]["qosClass"], "BestEffort");
}

#[test]
fn malformed_kernel_parameters_are_refused() {
    let door = Door::open();
    let all = pods(door);
    for name in ["foo-", "kernel.shmmax.", "safe-and-unsafe-"] {
        let sysctl = json!({ "name": name, "value": "1" });
        let spec = json!({ "securityContext": { "sysctls": [sysctl] } });
        door.post(&all, &pod("a", &spec)).expect_code(422);
    }
}

#[test]
fn pods_mount_no_token_where_they_or_their_account_say_so() {
    let door = Door::open();
    let pods = pods(door);
    let accounts = pods.replace("/pods", "/serviceaccounts");
    for (name, automount) in
        [("mount", json!(true)), ("nomount", json!(false)), ("unsaid", json!(null))]
    {
        let account =
            json!({ "metadata": { "name": name }, "automountServiceAccountToken": automount });
        door.post(&accounts, &account).expect_code(201);
        for (own, said) in [("yes", json!(true)), ("no", json!(false)), ("silent", json!(null))] {
            let spec = json!({ "serviceAccountName": name, "automountServiceAccountToken": said });
            let made =
                door.post(&pods, &pod(&format!("{name}-{own}"), &spec)).expect_code(201).json();
            let mounts = made["spec"]["containers"][0]["volumeMounts"].as_array();
            let has = mounts.is_some_and(|mounts| !mounts.is_empty());
            let wanted = said.as_bool().or(automount.as_bool()).unwrap_or(true);
            assert_eq!(has, wanted, "{name} {own}: {made}");
        }
    }
}

#[test]
fn unknown_and_repeated_fields_of_typed_objects_are_told() {
    let door = Door::open();
    let all = in_namespace(door, "configmaps").replace("/api/v1", "/apis/apps/v1");
    let all = all.replace("configmaps", "deployments");
    let template =
        r#"{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"c:1"}]}}"#;
    let body = |name: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}","unknownMeta":1}},"spec":{{"unknown":1,"replicas":1,"replicas":2,"selector":{{"matchLabels":{{"a":"b"}}}},"template":{template}}}}}"#
        )
    };
    let post = |how: &str, name: &str| {
        let head = [("content-type", "application/json")];
        let path = format!("{all}?fieldValidation={how}");
        door.ask("POST", &path, &head, body(name).as_bytes())
    };
    let refused = post("Strict", "strict").expect_code(400).json();
    let message = refused["message"].as_str().unwrap();
    for part in [
        r#"unknown field "metadata.unknownMeta""#,
        r#"unknown field "spec.unknown""#,
        r#"duplicate field "spec.replicas""#,
    ] {
        assert!(message.contains(part), "{message}");
    }
    let warned = post("Warn", "warned").expect_code(201);
    let warnings: Vec<&str> =
        warned.head.iter().filter(|(name, _)| name == "warning").map(|(_, text)| &**text).collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    let silent = post("Ignore", "silent").expect_code(201);
    assert_eq!(silent.header("warning"), "");
}

#[test]
fn every_namespace_has_the_authority_and_keeps_it() {
    let door = Door::open();
    let maps = in_namespace(door, "configmaps");
    let only = "watch=true&fieldSelector=metadata.name%3Dkube-root-ca.crt";
    let mut watch = door.watch(&format!("{maps}?{only}"));
    let (word, made) = watch.event();
    assert_eq!(word, "ADDED");
    assert!(made["data"]["ca.crt"].as_str().unwrap().contains("BEGIN CERTIFICATE"));
    let one = format!("{maps}/kube-root-ca.crt");
    door.delete(&one).expect_code(200);
    watch.expect(&["DELETED kube-root-ca.crt", "ADDED kube-root-ca.crt"]);
    door.merge(&one, &json!({ "data": { "ca.crt": "" } })).expect_code(200);
    assert_eq!(watch.event().1["data"]["ca.crt"], "");
    assert_eq!(watch.event().1["data"], made["data"]);
}

#[test]
fn the_api_has_endpoints_and_slices() {
    let door = Door::open();
    let endpoints = "/api/v1/namespaces/default/endpoints/kubernetes";
    let endpoints = door.get(endpoints).expect_code(200).json();
    let address = &endpoints["subsets"][0]["addresses"][0]["ip"];
    assert_eq!(address, "10.20.30.40");
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    let select = "labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes";
    let slices = door.get(&format!("{slices}?{select}")).expect_code(200).json();
    assert_eq!(slices["items"][0]["endpoints"][0]["addresses"][0], *address);
}

#[test]
fn pods_are_deleted_by_label() {
    let door = Door::open();
    let all = pods(door);
    for name in ["a", "b", "c"] {
        let mut object = pod(name, &json!({ "terminationGracePeriodSeconds": 1 }));
        object["metadata"]["labels"] = json!({ "type": "Testing" });
        door.post(&all, &object).expect_code(201);
    }
    let select = format!("{all}?labelSelector=type%3DTesting");
    let mut watch = door.watch(&format!("{select}&watch=true"));
    assert_eq!(door.get(&select).json()["items"].as_array().unwrap().len(), 3);
    door.delete(&select).expect_code(200);
    for _ in 0..3 {
        watch.gone();
    }
    assert_eq!(door.get(&select).json()["items"], json!([]));
}

#[test]
fn what_is_in_a_namespace_goes_with_it() {
    let door = Door::open();
    let name = door.namespace();
    let services = format!("/api/v1/namespaces/{name}/services");
    let body = json!({ "metadata": { "name": "a" }, "spec": { "ports": [{ "port": 80 }] } });
    door.post(&services, &body).expect_code(201);
    let only = format!("watch=true&fieldSelector=metadata.name%3D{name}");
    let mut watch = door.watch(&format!("/api/v1/namespaces?{only}"));
    door.delete(&format!("/api/v1/namespaces/{name}")).expect_code(200);
    while watch.event().0 != "DELETED" {}
    door.post("/api/v1/namespaces", &json!({ "metadata": { "name": name } })).expect_code(201);
    assert_eq!(door.get(&services).expect_code(200).json()["items"], json!([]));
}
