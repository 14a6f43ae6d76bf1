//! What a Service's Endpoints hold.

use actors_controller::testing::Scene;
use actors_object::{Object, Value, value};
use expect_test::{Expect, expect};

use super::EndpointsController;
use crate::{
    kinds::{ENDPOINTS, SERVICE},
    scenery::pod,
};

fn service(spec: Value) -> Value {
    let mut service = value!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "web", "namespace": "d", "uid": "svc" },
    });
    service.set_path(&["spec"], spec);
    service
}

fn at(name: &str, state: &str, ip: &str) -> Object {
    let mut pod = pod(name, "web", state);
    pod.set_path(&["status", "podIP"], ip);
    pod
}

/// Each address as `ready 10.0.0.1 POD NODE`, each port as `port NUMBER/PROTOCOL`.
fn check(scene: &mut Scene, expected: &Expect) {
    scene.settle(&[&EndpointsController]).expect("rest");
    let endpoints = scene.get(&ENDPOINTS, "d/web").expect("endpoints");
    let mut lines = String::new();
    for subset in endpoints.list_at(&["subsets"]) {
        for (field, word) in [("addresses", "ready"), ("notReadyAddresses", "unready")] {
            for address in subset.list_at(&[field]) {
                let text = |path: &[&str]| address.str_at(path).unwrap_or("-").to_owned();
                let (pod, node) = (text(&["targetRef", "name"]), text(&["nodeName"]));
                lines += &format!("{word} {} {pod} {node}\n", text(&["ip"]));
            }
        }
        for port in subset.list_at(&["ports"]) {
            let number = port.i64_at(&["port"]).unwrap_or(0);
            lines += &format!("port {number}/{}\n", port.str_at(&["protocol"]).unwrap_or("-"));
        }
    }
    expected.assert_eq(&lines);
}

#[test]
fn ready_and_unready_addresses_stand_apart_and_ending_pods_are_out() {
    let service = service(value!({ "selector": { "app": "web" }, "ports": [{ "port": 80 }] }));
    let mut scene = Scene::new()
        .with(service)
        .with(at("a", "ready", "10.0.0.2"))
        .with(at("b", "running", "10.0.0.1"))
        .with(at("c", "ending", "10.0.0.3"));
    check(
        &mut scene,
        &expect![[r#"
            ready 10.0.0.2 a n1
            unready 10.0.0.1 b n1
            port 80/TCP
        "#]],
    );
}

#[test]
fn without_pods_there_are_no_subsets() {
    let service = service(value!({ "selector": { "app": "web" }, "ports": [{ "port": 80 }] }));
    check(&mut Scene::new().with(service), &expect![[""]]);
}

#[test]
fn more_than_a_thousand_addresses_are_cut_and_marked() {
    let service = service(value!({ "selector": { "app": "web" }, "ports": [{ "port": 80 }] }));
    let mut scene = Scene::new().with(service);
    for number in 0..1_001 {
        let ip = format!("10.0.{}.{}", number / 250, number % 250);
        scene.world.put(at(&format!("p{number}"), "ready", &ip));
    }
    scene.settle(&[&EndpointsController]).expect("rest");
    let endpoints = scene.get(&ENDPOINTS, "d/web").expect("endpoints");
    assert_eq!(endpoints.list_at(&["subsets"])[0].list_at(&["addresses"]).len(), 1_000);
    assert_eq!(endpoints.annotation("endpoints.kubernetes.io/over-capacity"), Some("truncated"));
    scene.world.remove(&actors_controller::Key::new(&crate::kinds::POD, "d", "p7"));
    scene.settle(&[&EndpointsController]).expect("rest");
    let endpoints = scene.get(&ENDPOINTS, "d/web").expect("endpoints");
    assert_eq!(endpoints.annotation("endpoints.kubernetes.io/over-capacity"), None);
}

#[test]
fn they_go_with_their_service() {
    let service = service(value!({ "selector": { "app": "web" }, "ports": [{ "port": 80 }] }));
    let mut scene = Scene::new().with(service);
    scene.settle(&[&EndpointsController]).expect("rest");
    scene.world.remove(&actors_controller::Key::new(&SERVICE, "d", "web"));
    scene.check(&EndpointsController, "d/web", "delete Endpoints/web\n");
}
