//! Services and slices as a cluster has them.

use actors_object::json;
use expect_test::{Expect, expect};

use super::*;

fn check(service: &str, endpoints: &str, wanted: &Expect) {
    let service = format!(r#"{{"metadata":{{"name":"web","namespace":"shop"}},{service}}}"#);
    let slice = format!(
        r#"{{"metadata":{{"name":"web-1","namespace":"shop",
            "labels":{{"kubernetes.io/service-name":"web"}}}},
        "addressType":"IPv4","ports":[{{"name":"http","port":8080,"protocol":"TCP"}}],
        "endpoints":[{endpoints}]}}"#
    );
    let read = |text: &str| Object(json::from_slice(text.as_bytes()).expect("an object"));
    let (service, slice) = (read(&service), read(&slice));
    let found = desired_services([&service].into_iter(), [&slice].into_iter(), "n1");
    let mut text = String::new();
    for service in &found {
        text.push_str(&format!(
            "{} {} {:?}\n",
            service.name, service.cluster_ip, service.affinity_s
        ));
        for port in &service.ports {
            let all: Vec<String> = port
                .endpoints
                .iter()
                .map(|one| {
                    format!("{}:{}{}", one.address, one.port, if one.local { " here" } else { "" })
                })
                .collect();
            let node_port = port.node_port.unwrap_or(0);
            text.push_str(&format!(
                "  {} {} {node_port} -> {}\n",
                port.protocol.as_str(),
                port.port,
                all.join(", ")
            ));
        }
    }
    wanted.assert_eq(&text);
}

const SPEC: &str =
    r#""spec":{"clusterIP":"10.96.0.10","ports":[{"name":"http","port":80,"nodePort":30080}]}"#;

#[test]
fn ready_endpoints_take_traffic_and_serving_ones_only_if_there_is_none() {
    let ready = r#"{"addresses":["10.42.0.5"],"nodeName":"n1","conditions":{"ready":true}}"#;
    let ending = r#"{"addresses":["10.42.1.6"],"nodeName":"n2",
        "conditions":{"ready":false,"serving":true,"terminating":true}}"#;
    let broken = r#"{"addresses":["10.42.0.7"],"nodeName":"n1",
        "conditions":{"ready":false,"serving":false,"terminating":false}}"#;
    check(
        SPEC,
        &[ready, ending, broken].join(","),
        &expect![[r#"
            shop/web 10.96.0.10 None
              tcp 80 30080 -> 10.42.0.5:8080 here
        "#]],
    );
    check(
        SPEC,
        &[ending, broken].join(","),
        &expect![[r#"
            shop/web 10.96.0.10 None
              tcp 80 30080 -> 10.42.1.6:8080
        "#]],
    );
}

#[test]
fn headless_services_are_left_to_dns_and_affinity_has_its_default() {
    check(r#""spec":{"clusterIP":"None","ports":[{"port":80}]}"#, "", &expect![[""]]);
    check(
        r#""spec":{"clusterIP":"10.96.0.11","sessionAffinity":"ClientIP",
            "ports":[{"name":"http","port":80}]}"#,
        "",
        &expect![[r#"
            shop/web 10.96.0.11 Some(10800)
              tcp 80 0 -> 
        "#]],
    );
}
