//! The text of whole tables.

use expect_test::{ExpectFile, expect, expect_file};

use super::*;
use crate::{Protocol, script};

fn config() -> ProxyConfig {
    ProxyConfig {
        table: "starling-demo".into(),
        pod_range: "10.42.0.0/24".parse().expect("a range"),
        cluster_range: "10.42.0.0/16".parse().expect("a range"),
        service_range: "10.96.0.0/16".parse().expect("a range"),
        bridge: "sl-0".into(),
    }
}

fn web(endpoints: &[&str]) -> Service {
    let endpoint = |text: &&str| Endpoint {
        address: text.parse().expect("an address"),
        port: 8080,
        local: text.starts_with("10.42.0."),
    };
    Service {
        name: "shop/web".into(),
        cluster_ip: "10.96.0.10".parse().expect("an address"),
        external_ips: Vec::new(),
        affinity_s: None,
        internal: Traffic::Cluster,
        external: Traffic::Cluster,
        ports: vec![ServicePort {
            name: "http".into(),
            protocol: Protocol::Tcp,
            port: 80,
            node_port: None,
            endpoints: endpoints.iter().map(endpoint).collect(),
        }],
    }
}

fn desired(services: Vec<Service>) -> Desired {
    Desired { services, ..Desired::default() }
}

fn check(before: Option<&Desired>, after: &Desired, wanted: &ExpectFile) {
    let before = before.map(|before| ruleset(&config(), before));
    wanted.assert_eq(&script(before.as_ref(), &ruleset(&config(), after)));
}

#[test]
fn the_whole_table_of_one_service() {
    check(
        None,
        &desired(vec![web(&["10.42.0.5", "10.42.1.6"])]),
        &expect_file!["snapshots/one_service.nft"],
    );
}

#[test]
fn a_change_keeps_what_clients_are_remembered_by_and_removes_what_is_gone() {
    let mut before = web(&["10.42.0.5", "10.42.0.6"]);
    before.affinity_s = Some(60);
    let mut after = web(&["10.42.0.5"]);
    after.affinity_s = Some(60);
    check(
        Some(&desired(vec![before])),
        &desired(vec![after]),
        &expect_file!["snapshots/endpoint_removed.nft"],
    );
}

#[test]
fn local_policies_and_node_ports() {
    let mut service = web(&["10.42.1.6"]);
    service.external = Traffic::Local;
    service.ports[0].node_port = Some(30_080);
    let rules = ruleset(&config(), &desired(vec![service.clone()]));
    let elements = |map: &str| rules.maps[map].1.clone().into_iter().collect::<Vec<_>>();
    assert_eq!(elements("refused-ports"), [("tcp . 30080".into(), "goto refuse".into())]);
    assert_eq!(elements("node-ports"), []);

    service.external = Traffic::Cluster;
    service.internal = Traffic::Local;
    let rules = ruleset(&config(), &desired(vec![service]));
    assert!(rules.maps["services"].1.is_empty(), "no endpoint is on this node");
    assert_eq!(rules.maps["node-ports"].1.len(), 1);
}

#[test]
fn ports_of_the_node_lead_to_pods() {
    let port = HostPort {
        protocol: Protocol::Udp,
        host_port: 53,
        address: "10.42.0.9".parse().expect("an address"),
        port: 5353,
    };
    let rules = ruleset(&config(), &Desired { host_ports: vec![port], ..Desired::default() });
    let expected = expect![[r#"
        [
            "ip saddr 10.42.0.9 meta mark set meta mark or 0x00004000",
            "meta l4proto udp dnat to 10.42.0.9:5353",
        ]
    "#]];
    expected.assert_debug_eq(&rules.chains["host-udp-53"].1);
}
