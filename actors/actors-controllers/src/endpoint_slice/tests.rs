//! What a Service's slices hold.

use actors_controller::testing::Scene;
use actors_object::{Object, Value, value};

use super::EndpointSliceController;
use crate::{
    kinds::{ENDPOINT_SLICE, POD, SERVICE},
    scenery::pod,
};

fn service(spec: Value) -> Value {
    let mut service = value!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "web", "namespace": "d", "uid": "svc", "labels": { "team": "a" } },
    });
    service.set_path(&["spec"], spec);
    service
}

fn plain() -> Value {
    service(value!({
        "selector": { "app": "web" },
        "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }],
    }))
}

fn at(name: &str, state: &str, ip: &str) -> Object {
    let mut pod = pod(name, "web", state);
    pod.set_path(&["status", "podIP"], ip);
    pod.set_path(&["status", "podIPs"], value!([{ "ip": ip }]));
    pod
}

fn settle(scene: &mut Scene) -> Vec<Object> {
    scene.settle(&[&EndpointSliceController]).expect("rest");
    let slices = scene.world.iter().filter(|(key, _)| key.kind == ENDPOINT_SLICE);
    slices.map(|(_, slice)| (**slice).clone()).collect()
}

/// `address ready/serving/terminating` of each endpoint.
fn lines(slices: &[Object]) -> Vec<String> {
    let mut lines = Vec::new();
    for endpoint in slices.iter().flat_map(|slice| slice.list_at(&["endpoints"])) {
        let flags: Vec<&str> = ["ready", "serving", "terminating"]
            .into_iter()
            .filter(|name| endpoint.bool_at(&["conditions", name]) == Some(true))
            .collect();
        let address = endpoint.list_at(&["addresses"])[0].as_str().unwrap_or_default();
        lines.push(format!("{address} {}", flags.join("+")));
    }
    lines.sort();
    lines
}

#[test]
fn each_pod_with_an_address_is_an_endpoint_with_its_conditions() {
    let mut scene = Scene::new()
        .with(plain())
        .with(at("a", "ready", "10.0.0.1"))
        .with(at("b", "running", "10.0.0.2"))
        .with(at("c", "ending", "10.0.0.3"))
        .with(at("d", "failed", "10.0.0.4"))
        .with(pod("e", "web", "ready"))
        .with(pod("f", "other", "ready"));
    let slices = settle(&mut scene);
    assert_eq!(
        lines(&slices),
        ["10.0.0.1 ready+serving", "10.0.0.2 ", "10.0.0.3 serving+terminating"]
    );
    let slice = &slices[0];
    assert_eq!(slice.label("kubernetes.io/service-name"), Some("web"));
    assert_eq!(slice.label("team"), Some("a"));
    let manager = slice.label("endpointslice.kubernetes.io/managed-by");
    assert_eq!(manager, Some("endpointslice-controller.k8s.io"));
    assert_eq!(slice.str_at(&["addressType"]), Some("IPv4"));
    assert_eq!(slice.at("ports"), &value!([{ "name": "http", "port": 8080, "protocol": "TCP" }]));
    assert_eq!(slice.controller_of().map(|owner| owner.uid).as_deref(), Some("svc"));
    let endpoint = &slice.list_at(&["endpoints"])[0];
    assert_eq!(endpoint.str_at(&["nodeName"]), Some("n1"));
    assert_eq!(endpoint.str_at(&["targetRef", "uid"]), Some("pod-a"));
}

#[test]
fn addresses_may_be_published_before_their_pods_are_ready() {
    let mut service = plain();
    service.set_path(&["spec", "publishNotReadyAddresses"], true);
    let mut scene = Scene::new().with(service).with(at("a", "running", "10.0.0.1"));
    assert_eq!(lines(&settle(&mut scene)), ["10.0.0.1 ready"]);
}

#[test]
fn a_named_port_may_differ_from_pod_to_pod() {
    let service = service(value!({
        "selector": { "app": "web" },
        "ports": [{ "port": 80, "targetPort": "http" }],
    }));
    let mut scene = Scene::new().with(service);
    for (name, ip, port) in [("a", "10.0.0.1", 8080), ("b", "10.0.0.2", 9090)] {
        let mut pod = at(name, "ready", ip);
        let ports = value!([{ "name": "http", "containerPort": port }]);
        pod.set_path(&["spec", "containers"], value!([{ "name": "main", "ports": ports }]));
        scene.world.put(pod);
    }
    let slices = settle(&mut scene);
    let mut ports: Vec<i64> =
        slices.iter().filter_map(|slice| slice.list_at(&["ports"])[0].i64_at(&["port"])).collect();
    ports.sort_unstable();
    assert_eq!(ports, [8080, 9090]);
}

#[test]
fn a_headless_service_names_its_hosts() {
    let service = service(value!({ "selector": { "app": "web" }, "clusterIP": "None" }));
    let mut pod = at("a", "ready", "10.0.0.1");
    pod.set_path(&["spec", "hostname"], "a");
    pod.set_path(&["spec", "subdomain"], "web");
    let slices = settle(&mut Scene::new().with(service).with(pod));
    assert_eq!(slices[0].label("service.kubernetes.io/headless"), Some(""));
    assert_eq!(slices[0].list_at(&["endpoints"])[0].str_at(&["hostname"]), Some("a"));
}

#[test]
fn a_slice_holds_at_most_a_hundred_and_endpoints_stay_where_they_are() {
    let mut scene = Scene::new().with(plain());
    for number in 0..250 {
        scene.world.put(at(&format!("p{number:03}"), "ready", &format!("10.0.1.{number}")));
    }
    let slices = settle(&mut scene);
    let sizes = |slices: &[Object]| -> Vec<usize> {
        let mut sizes: Vec<_> =
            slices.iter().map(|one| one.list_at(&["endpoints"]).len()).collect();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes(&slices), [50, 100, 100]);
    scene.world.remove(&actors_controller::Key::new(&POD, "d", "p000"));
    let plan = scene.text(&EndpointSliceController, "d/web");
    assert_eq!(plan.lines().count(), 1, "one slice changes: {plan}");
    assert_eq!(sizes(&settle(&mut scene)), [50, 99, 100]);
}

#[test]
fn a_service_without_pods_keeps_one_empty_slice_and_reuses_it() {
    let mut scene = Scene::new().with(plain());
    let empty = settle(&mut scene);
    assert_eq!(empty.len(), 1);
    assert_eq!(empty[0].at("ports"), &value!([]));
    scene.world.put(at("a", "ready", "10.0.0.1"));
    let filled = settle(&mut scene);
    assert_eq!((filled.len(), filled[0].name()), (1, empty[0].name()));
    scene.world.remove(&actors_controller::Key::new(&POD, "d", "a"));
    let emptied = settle(&mut scene);
    assert_eq!((emptied.len(), emptied[0].name()), (1, empty[0].name()));
}

#[test]
fn each_family_has_its_slices() {
    let mut service = plain();
    service.set_path(&["spec", "ipFamilies"], value!(["IPv4", "IPv6"]));
    let mut pod = at("a", "ready", "10.0.0.1");
    pod.set_path(&["status", "podIPs"], value!([{ "ip": "10.0.0.1" }, { "ip": "fd00::1" }]));
    let slices = settle(&mut Scene::new().with(service).with(pod));
    let mut types: Vec<_> = slices.iter().filter_map(|one| one.str_at(&["addressType"])).collect();
    types.sort_unstable();
    assert_eq!(types, ["IPv4", "IPv6"]);
}

#[test]
fn a_service_without_a_selector_is_left_alone() {
    for spec in [
        value!({ "ports": [{ "port": 80 }] }),
        value!({
            "type": "ExternalName", "selector": { "app": "web" },
        }),
    ] {
        let scene = Scene::new().with(service(spec)).with(at("a", "ready", "10.0.0.1"));
        scene.check(&EndpointSliceController, "d/web", "");
    }
}

#[test]
fn a_pod_wakes_the_services_that_select_it() {
    let scene = Scene::new().with(plain());
    let keys = super::services_selecting(&pod("a", "web", "ready"), &scene.world);
    assert_eq!(keys, [actors_controller::Key::new(&SERVICE, "d", "web")]);
    assert!(super::services_selecting(&pod("a", "x", "ready"), &scene.world).is_empty());
}
