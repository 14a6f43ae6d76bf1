//! Quotas: what is counted, what is charged and given back, and that many servers exceed none.

use serde_json::{Value, json};

use crate::door::{Answer, Door, Watch};

/// A namespace with quotas.
struct Place {
    door: &'static Door,
    home: String,
}

impl Place {
    fn new() -> Self {
        let door = Door::open();
        // What every namespace is given is there before anything is counted.
        let home = door.home();
        let config = format!("/api/v1/namespaces/{home}/configmaps");
        let only = "fieldSelector=metadata.name%3Dkube-root-ca.crt";
        door.watch(&format!("{config}?watch=true&{only}")).expect(&["ADDED kube-root-ca.crt"]);
        Self { door, home }
    }

    fn path(&self, plural: &str) -> String {
        match plural {
            "replicasets" => format!("/apis/apps/v1/namespaces/{}/{plural}", self.home),
            _ => format!("/api/v1/namespaces/{}/{plural}", self.home),
        }
    }

    fn quota(&self, name: &str) -> String {
        format!("{}/{name}", self.path("resourcequotas"))
    }

    fn watch(&self, quota: &str) -> Watch {
        let only = format!("fieldSelector=metadata.name%3D{quota}");
        self.door.watch(&format!("{}?watch=true&{only}", self.path("resourcequotas")))
    }

    /// Makes a quota, and waits until it is counted and every server knows of it.
    fn limit(&self, name: &str, spec: &Value) {
        let body = json!({ "metadata": { "name": name }, "spec": spec });
        self.door.post(&self.path("resourcequotas"), &body).expect_code(201);
        self.watch(name).until(|_, quota| {
            quota["status"]["hard"] == spec["hard"] && quota["status"].get("used").is_some()
        });
        self.door.caught_up();
    }

    /// Waits until so much is used.
    #[track_caller]
    fn expect_used(&self, name: &str, used: &Value) {
        let wanted = used.as_object().unwrap();
        self.watch(name).until(|_, quota| {
            let told = &quota["status"]["used"];
            wanted.iter().all(|(name, amount)| told[name] == *amount)
        });
        self.door.caught_up();
    }

    fn make(&self, plural: &str, body: &Value) -> Answer {
        self.door.post(&self.path(plural), body)
    }

    fn delete(&self, plural: &str, name: &str) {
        let code = self.door.delete(&format!("{}/{name}", self.path(plural))).code;
        assert!(code == 200 || code == 202, "{code}");
    }

    fn config_maps(&self) -> usize {
        let list = self.door.get(&self.path("configmaps")).expect_code(200).json();
        list["items"].as_array().unwrap().len()
    }
}

/// A pod with one container.
fn pod(name: &str, resources: &Value) -> Value {
    let container = json!({ "name": "c", "image": "c:1", "resources": resources });
    json!({
        "metadata": { "name": name },
        "spec": { "terminationGracePeriodSeconds": 0, "containers": [container] },
    })
}

#[track_caller]
fn expect_refusal(answer: Answer, words: &str) {
    let refused = answer.expect_code(403).json();
    assert_eq!(refused["reason"], "Forbidden");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
}

#[test]
fn a_new_quota_is_counted_promptly() {
    let place = Place::new();
    place.limit("q", &json!({ "hard": { "pods": "5", "configmaps": "3", "services": "2" } }));
    place.expect_used("q", &json!({ "pods": "0", "configmaps": "1", "services": "0" }));
}

/// Makes an object, and sees that it is charged; deletes it, and sees that it is given back.
#[track_caller]
fn live(word: &str, plural: &str, body: &Value) {
    let place = Place::new();
    let count = format!("count/{plural}");
    let grouped = match plural {
        "replicasets" => format!("{count}.apps"),
        _ => count,
    };
    let hard = json!({ word: "5", grouped.clone(): "5" });
    place.limit("q", &json!({ "hard": hard }));
    let quota = place.door.get(&place.quota("q")).expect_code(200).json();
    let before: u32 = quota["status"]["used"][word].as_str().unwrap().parse().unwrap();
    let used = |more: u32| {
        let amount = (before + more).to_string();
        json!({ word: amount, grouped.clone(): amount })
    };
    place.make(plural, body).expect_code(201);
    place.expect_used("q", &used(1));
    place.delete(plural, body["metadata"]["name"].as_str().unwrap());
    place.expect_used("q", &used(0));
}

#[test]
fn the_life_of_a_config_map_is_charged() {
    live("configmaps", "configmaps", &json!({ "metadata": { "name": "m" } }));
}

#[test]
fn the_life_of_a_secret_is_charged() {
    live("secrets", "secrets", &json!({ "metadata": { "name": "s" } }));
}

/// A controller of no pods.
fn controller(selector: &Value) -> Value {
    let labels = json!({ "app": "a" });
    let spec = json!({ "containers": [{ "name": "c", "image": "c:1" }] });
    json!({
        "metadata": { "name": "r" },
        "spec": {
            "replicas": 0,
            "selector": selector,
            "template": { "metadata": { "labels": labels }, "spec": spec },
        },
    })
}

#[test]
fn the_life_of_a_replication_controller_is_charged() {
    let body = controller(&json!({ "app": "a" }));
    live("replicationcontrollers", "replicationcontrollers", &body);
}

#[test]
fn the_life_of_a_replica_set_is_charged() {
    let body = controller(&json!({ "matchLabels": { "app": "a" } }));
    live("count/replicasets.apps", "replicasets", &body);
}

#[test]
fn the_life_of_services_is_charged_by_their_types() {
    let place = Place::new();
    let hard = json!({ "services": "3", "services.nodeports": "1", "services.loadbalancers": "1" });
    place.limit("q", &json!({ "hard": hard }));
    let service = |name: &str, sort: &str| {
        let spec = json!({ "type": sort, "ports": [{ "port": 80 }] });
        json!({ "metadata": { "name": name }, "spec": spec })
    };
    place.make("services", &service("plain", "ClusterIP")).expect_code(201);
    place.make("services", &service("port", "NodePort")).expect_code(201);
    let used = json!({ "services": "2", "services.nodeports": "1", "services.loadbalancers": "0" });
    place.expect_used("q", &used);
    // It would take a port of every node, too.
    expect_refusal(
        place.make("services", &service("balanced", "LoadBalancer")),
        "exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1, \
         limited: services.nodeports=1",
    );
    let path = format!("{}/port", place.path("services"));
    place.door.merge(&path, &json!({ "spec": { "type": "ClusterIP" } })).expect_code(200);
    place.expect_used("q", &json!({ "services": "2", "services.nodeports": "0" }));
    place.make("services", &service("balanced", "LoadBalancer")).expect_code(201);
    let used = json!({ "services": "3", "services.nodeports": "1", "services.loadbalancers": "1" });
    place.expect_used("q", &used);
    for name in ["plain", "port", "balanced"] {
        place.delete("services", name);
    }
    let used = json!({ "services": "0", "services.nodeports": "0", "services.loadbalancers": "0" });
    place.expect_used("q", &used);
}

#[test]
fn the_life_of_a_pod_is_charged() {
    let place = Place::new();
    let gpu = "requests.example.com/dongle";
    let hard = json!({
        "pods": "5", "cpu": "1", "memory": "500Mi", "requests.ephemeral-storage": "50Gi", gpu: "3",
    });
    place.limit("q", &json!({ "hard": hard }));
    let asks = |cpu: &str, memory: &str, dongles: &str| {
        let dongle = json!({ "example.com/dongle": dongles });
        let mut requests = json!({ "cpu": cpu, "memory": memory, "ephemeral-storage": "30Gi" });
        requests["example.com/dongle"] = dongle["example.com/dongle"].clone();
        json!({ "requests": requests, "limits": dongle })
    };
    place.make("pods", &pod("p", &asks("500m", "252Mi", "2"))).expect_code(201);
    let used = json!({
        "pods": "1", "cpu": "500m", "memory": "252Mi", "requests.ephemeral-storage": "30Gi",
        gpu: "2",
    });
    place.expect_used("q", &used);
    expect_refusal(
        place.make("pods", &pod("more", &asks("600m", "100Mi", "1"))),
        "exceeded quota: q, requested: cpu=600m,requests.ephemeral-storage=30Gi, used: \
         cpu=500m,requests.ephemeral-storage=30Gi, limited: \
         cpu=1,requests.ephemeral-storage=50Gi",
    );
    expect_refusal(
        place.make("pods", &pod("more", &asks("1m", "1Mi", "2"))),
        "requested: requests.ephemeral-storage=30Gi,requests.example.com/dongle=2",
    );
    expect_refusal(
        place.make("pods", &pod("silent", &json!({}))),
        "failed quota: q: must specify cpu for: c; memory for: c",
    );
    // What a pod asks for is not changed by an update.
    let path = format!("{}/p", place.path("pods"));
    let more = json!([{ "op": "replace", "path": "/spec/containers/0/resources/requests/cpu",
        "value": "600m" }]);
    place.door.send("PATCH", &path, "application/json-patch+json", &more).expect_code(422);
    place.expect_used("q", &used);
    place.delete("pods", "p");
    let used = json!({
        "pods": "0", "cpu": "0", "memory": "0", "requests.ephemeral-storage": "0", gpu: "0",
    });
    place.expect_used("q", &used);
}

#[test]
fn a_quota_is_changed_and_deleted() {
    let place = Place::new();
    place.limit("q", &json!({ "hard": { "cpu": "1", "memory": "500Mi" } }));
    let mut quota = place.door.get(&place.quota("q")).expect_code(200).json();
    assert_eq!(quota["spec"]["hard"], json!({ "cpu": "1", "memory": "500Mi" }));
    quota["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    quota["spec"]["hard"] = json!({ "cpu": "2", "memory": "1Gi" });
    let put = place.door.put(&place.quota("q"), &quota).expect_code(200).json();
    assert_eq!(put["spec"]["hard"], quota["spec"]["hard"]);
    place.watch("q").until(|_, known| known["status"]["hard"] == quota["spec"]["hard"]);
    place.delete("resourcequotas", "q");
    place.door.get(&place.quota("q")).expect_code(404);
}

#[test]
fn quotas_are_listed_patched_and_deleted_together() {
    let place = Place::new();
    let body = json!({
        "metadata": { "name": "q", "labels": { "mark": place.home } },
        "spec": { "hard": { "services": "10" } },
    });
    place.make("resourcequotas", &body).expect_code(201);
    place.door.get(&place.quota("q")).expect_code(200);
    let marked = format!("labelSelector=mark%3D{}", place.home);
    let everywhere = format!("/api/v1/resourcequotas?{marked}");
    let listed = place.door.get(&everywhere).expect_code(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let patch = json!({
        "metadata": { "labels": { "patched": "yes" } },
        "spec": { "hard": { "memory": "750Mi" } },
    });
    let patched = place.door.merge(&place.quota("q"), &patch).expect_code(200).json();
    assert_eq!(patched["metadata"]["labels"]["patched"], "yes");
    assert_eq!(patched["spec"]["hard"], json!({ "services": "10", "memory": "750Mi" }));
    place.door.caught_up();
    let all = format!("{}?{marked}", place.path("resourcequotas"));
    place.door.delete(&all).expect_code(200);
    let listed = place.door.get(&everywhere).expect_code(200).json();
    assert_eq!(listed["items"], json!([]));
}

#[test]
fn the_status_of_a_quota_is_changed_and_put_right() {
    let place = Place::new();
    place.limit("q", &json!({ "hard": { "cpu": "500m", "memory": "500Mi" } }));
    let path = format!("{}/status", place.quota("q"));
    let mut watch = place.watch("q");
    let mut known = watch.until(|_, quota| quota["status"].get("used").is_some());
    known["status"]["hard"] = json!({ "cpu": "600m", "memory": "600Mi" });
    known["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let put = place.door.put(&path, &known).expect_code(200).json();
    assert_eq!(put["status"]["hard"]["cpu"], "600m");
    assert_eq!(put["spec"]["hard"]["cpu"], "500m");
    watch.until(|_, quota| quota["status"]["hard"]["memory"] == "600Mi");
    watch.until(|_, quota| quota["status"]["hard"] == quota["spec"]["hard"]);
    let patch = json!({
        "metadata": { "annotations": { "patched": "yes" } },
        "status": { "hard": { "cpu": "700m" } },
    });
    let patched = place.door.merge(&path, &patch).expect_code(200).json();
    assert_eq!(patched["metadata"]["annotations"]["patched"], "yes");
    assert_eq!(patched["status"]["hard"]["cpu"], "700m");
    watch.until(|_, quota| quota["status"]["hard"]["cpu"] == "700m");
    watch.until(|_, quota| quota["status"]["hard"] == quota["spec"]["hard"]);
}

#[test]
fn a_quota_for_the_best_effort_is_about_no_other_pods() {
    let place = Place::new();
    let hard = json!({ "pods": "5" });
    place.limit("best", &json!({ "hard": hard, "scopes": ["BestEffort"] }));
    place.limit("other", &json!({ "hard": hard, "scopes": ["NotBestEffort"] }));
    place.make("pods", &pod("p", &json!({}))).expect_code(201);
    place.expect_used("best", &json!({ "pods": "1" }));
    place.expect_used("other", &json!({ "pods": "0" }));
    place.delete("pods", "p");
    place.expect_used("best", &json!({ "pods": "0" }));
    let asks = json!({ "requests": { "cpu": "500m" } });
    place.make("pods", &pod("q", &asks)).expect_code(201);
    place.expect_used("other", &json!({ "pods": "1" }));
    place.expect_used("best", &json!({ "pods": "0" }));
    place.delete("pods", "q");
    place.expect_used("other", &json!({ "pods": "0" }));
}

#[test]
fn a_quota_for_what_ends_is_about_no_other_pods() {
    let place = Place::new();
    let hard = json!({ "pods": "5", "requests.cpu": "1" });
    place.limit("ends", &json!({ "hard": hard, "scopes": ["Terminating"] }));
    place.limit("stays", &json!({ "hard": hard, "scopes": ["NotTerminating"] }));
    let asks = json!({ "requests": { "cpu": "500m" } });
    let one = json!({ "pods": "1", "requests.cpu": "500m" });
    let none = json!({ "pods": "0", "requests.cpu": "0" });
    place.make("pods", &pod("long", &asks)).expect_code(201);
    place.expect_used("stays", &one);
    place.expect_used("ends", &none);
    place.delete("pods", "long");
    place.expect_used("stays", &none);
    let mut short = pod("short", &asks);
    short["spec"]["activeDeadlineSeconds"] = json!(3600);
    place.make("pods", &short).expect_code(201);
    place.expect_used("ends", &one);
    place.expect_used("stays", &none);
    place.delete("pods", "short");
    place.expect_used("ends", &none);
}

#[test]
fn many_creators_at_three_servers_never_exceed_a_quota() {
    let place = Place::new();
    place.limit("q", &json!({ "hard": { "configmaps": "20" } }));
    let before = place.config_maps();
    let create = |creator: usize| {
        let door = place.door.at(creator);
        let path = place.path("configmaps");
        let mut granted = 0;
        for number in 0..5 {
            let body = json!({ "metadata": { "name": format!("m-{creator}-{number}") } });
            let answer = door.post(&path, &body);
            match answer.code {
                201 => granted += 1,
                403 => expect_refusal(answer, "exceeded quota: q, requested: configmaps=1"),
                other => panic!("{other} {}", answer.text()),
            }
        }
        granted
    };
    let granted: usize = std::thread::scope(|scope| {
        let creators: Vec<_> = (0..9).map(|it| scope.spawn(move || create(it))).collect();
        creators.into_iter().map(|creator| creator.join().unwrap()).sum()
    });
    assert_eq!(before + granted, 20);
    assert_eq!(place.config_maps(), 20);
    place.expect_used("q", &json!({ "configmaps": "20" }));
}
