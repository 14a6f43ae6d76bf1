//! Which Endpoints are mirrored, and how.

use actors_controller::testing::Scene;
use actors_object::{Value, value};

use super::MirroringController;
use crate::kinds::{ENDPOINT_SLICE, ENDPOINTS};

fn scene(spec: Value) -> Scene {
    let mut service = value!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "db", "namespace": "d" },
    });
    service.set_path(&["spec"], spec);
    Scene::new().with(service).with(value!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": { "name": "db", "namespace": "d", "uid": "ep" },
        "subsets": [{
            "addresses": [{ "ip": "192.0.2.1" }, { "ip": "2001:db8::1" }],
            "notReadyAddresses": [{ "ip": "192.0.2.2" }],
            "ports": [{ "port": 5432, "protocol": "TCP" }],
        }],
    }))
}

fn slices(scene: &mut Scene) -> Vec<String> {
    scene.settle(&[&MirroringController]).expect("rest");
    let found = scene.world.iter().filter(|(key, _)| key.kind == ENDPOINT_SLICE);
    let mut lines: Vec<String> = found
        .map(|(_, slice)| {
            let addresses: Vec<String> = slice
                .list_at(&["endpoints"])
                .iter()
                .map(|one| {
                    let ready = one.bool_at(&["conditions", "ready"]) == Some(true);
                    let address = one.list_at(&["addresses"])[0].as_str().unwrap_or_default();
                    format!("{address}{}", if ready { "" } else { "!" })
                })
                .collect();
            format!("{} {}", slice.str_at(&["addressType"]).unwrap_or(""), addresses.join(" "))
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn endpoints_of_a_service_without_selector_are_mirrored_by_family() {
    let mut scene = scene(value!({ "ports": [{ "port": 5432 }] }));
    assert_eq!(slices(&mut scene), ["IPv4 192.0.2.1 192.0.2.2!", "IPv6 2001:db8::1"]);
    let slice = scene.world.iter().find(|(key, _)| key.kind == ENDPOINT_SLICE).expect("one").1;
    assert_eq!(slice.label("kubernetes.io/service-name"), Some("db"));
    assert_eq!(slice.at("ports"), &value!([{ "port": 5432, "protocol": "TCP", "name": "" }]));
}

#[test]
fn a_service_with_a_selector_and_the_skip_label_stop_the_mirror() {
    assert!(slices(&mut scene(value!({ "selector": { "app": "db" } }))).is_empty());
    let mut scene = scene(value!({}));
    assert_eq!(slices(&mut scene).len(), 2);
    scene.change(&ENDPOINTS, "d/db", |one| {
        one.set_label("endpointslice.kubernetes.io/skip-mirror", "true");
    });
    assert!(slices(&mut scene).is_empty());
}
