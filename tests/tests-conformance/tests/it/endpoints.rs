//! Endpoints and EndpointSlices: made for Services with a selector, and mirrored for those without.

use serde_json::{Value, json};

use crate::door::{Door, Watch};

/// A namespace with one Service.
struct Place {
    door: &'static Door,
    home: String,
}

impl Place {
    fn new(spec: Value) -> Self {
        let door = Door::open();
        let place = Self { door, home: door.namespace() };
        let body = json!({ "metadata": { "name": "web" }, "spec": spec });
        door.post(&place.path("services"), &body).expect_code(201);
        place
    }

    fn path(&self, plural: &str) -> String {
        format!("/api/v1/namespaces/{}/{plural}", self.home)
    }

    fn slices(&self) -> String {
        let select = "labelSelector=kubernetes.io%2Fservice-name%3Dweb";
        format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices?{select}", self.home)
    }

    fn watch_slices(&self) -> Watch {
        self.door.watch(&format!("{}&watch=true", self.slices()))
    }

    fn watch_endpoints(&self) -> Watch {
        self.door.watch(&format!("{}?watch=true", self.path("endpoints")))
    }
}

#[test]
fn a_service_with_a_selector_has_both_forms_until_it_goes() {
    let port = json!({ "name": "example", "port": 80, "protocol": "TCP" });
    let place =
        Place::new(json!({ "selector": { "does-not-match-anything": "x" }, "ports": [port] }));
    let (mut endpoints, mut slices) = (place.watch_endpoints(), place.watch_slices());
    let made = endpoints.until(|word, one| word == "ADDED" && one["metadata"]["name"] == "web");
    assert_eq!(made.get("subsets"), None);
    let slice = slices.until(|word, _| word == "ADDED");
    assert!(slice["endpoints"].as_array().is_none_or(Vec::is_empty), "{slice}");
    assert_eq!(slice["metadata"]["ownerReferences"][0]["kind"], "Service");
    let manager = &slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"];
    assert_eq!(manager, "endpointslice-controller.k8s.io");
    place.door.delete(&format!("{}/web", place.path("services"))).expect_code(200);
    assert_eq!(endpoints.gone()["metadata"]["name"], "web");
    slices.gone();
    place.door.get(&format!("{}/web", place.path("endpoints"))).expect_code(404);
    assert_eq!(place.door.get(&place.slices()).expect_code(200).json()["items"], json!([]));
}

#[test]
fn endpoints_of_ones_own_are_mirrored_until_they_go() {
    let port = json!({ "name": "example", "port": 80, "protocol": "TCP" });
    let place = Place::new(json!({ "ports": [port] }));
    let mut slices = place.watch_slices();
    let subset = |ip: &str, port: u16| {
        let ports = json!([{ "name": "example", "port": port, "protocol": "TCP" }]);
        json!({ "addresses": [{ "ip": ip }], "ports": ports })
    };
    let shows = |ip: &'static str, port: u16| {
        move |word: &str, slice: &Value| {
            word != "DELETED"
                && slice["addressType"] == "IPv4"
                && slice["endpoints"].as_array().is_some_and(|all| all.len() == 1)
                && slice["endpoints"][0]["addresses"] == json!([ip])
                && slice["ports"] == json!([{ "name": "example", "port": port, "protocol": "TCP" }])
        }
    };
    let body = json!({ "metadata": { "name": "web" }, "subsets": [subset("10.1.2.3", 80)] });
    place.door.post(&place.path("endpoints"), &body).expect_code(201);
    let slice = slices.until(shows("10.1.2.3", 80));
    let manager = &slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"];
    assert_eq!(manager, "endpointslicemirroring-controller.k8s.io");
    let one = format!("{}/web", place.path("endpoints"));
    let mut changed = place.door.get(&one).expect_code(200).json();
    changed["subsets"] = json!([subset("10.2.3.4", 9090)]);
    place.door.put(&one, &changed).expect_code(200);
    slices.until(shows("10.2.3.4", 9090));
    place.door.delete(&one).expect_code(200);
    while place.door.get(&place.slices()).expect_code(200).json()["items"] != json!([]) {
        slices.gone();
    }
}
