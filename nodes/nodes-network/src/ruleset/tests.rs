//! The text of whole tables.

use expect_test::{Expect, expect};

use super::*;
use crate::{Protocol, script};

fn config() -> ProxyConfig {
    ProxyConfig {
        table: "starling-demo".into(),
        pod_range: "10.42.0.0/24".parse().expect("a range"),
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
    Desired { services, host_ports: Vec::new() }
}

fn check(before: Option<&Desired>, after: &Desired, wanted: &Expect) {
    let before = before.map(|before| ruleset(&config(), before));
    wanted.assert_eq(&script(before.as_ref(), &ruleset(&config(), after)));
}

#[test]
fn the_whole_table_of_one_service() {
    check(
        None,
        &desired(vec![web(&["10.42.0.5", "10.42.1.6"])]),
        &expect![[r#"
            add table ip starling-demo
            delete table ip starling-demo
            add table ip starling-demo
            add chain ip starling-demo arriving { type nat hook prerouting priority dstnat; policy accept; }
            flush chain ip starling-demo arriving
            add chain ip starling-demo ep-7de9e68f35723257-10.42.0.5-8080
            flush chain ip starling-demo ep-7de9e68f35723257-10.42.0.5-8080
            add chain ip starling-demo ep-7de9e68f35723257-10.42.1.6-8080
            flush chain ip starling-demo ep-7de9e68f35723257-10.42.1.6-8080
            add chain ip starling-demo leaving { type nat hook postrouting priority srcnat; policy accept; }
            flush chain ip starling-demo leaving
            add chain ip starling-demo own { type nat hook output priority -100; policy accept; }
            flush chain ip starling-demo own
            add chain ip starling-demo refuse
            flush chain ip starling-demo refuse
            add chain ip starling-demo refuse-arriving { type filter hook input priority filter; policy accept; }
            flush chain ip starling-demo refuse-arriving
            add chain ip starling-demo refuse-forwarded { type filter hook forward priority filter; policy accept; }
            flush chain ip starling-demo refuse-forwarded
            add chain ip starling-demo refuse-own { type filter hook output priority filter; policy accept; }
            flush chain ip starling-demo refuse-own
            add chain ip starling-demo services
            flush chain ip starling-demo services
            add chain ip starling-demo svc-7de9e68f35723257
            flush chain ip starling-demo svc-7de9e68f35723257
            add map ip starling-demo node-ports { type inet_proto . inet_service : verdict; }
            flush map ip starling-demo node-ports
            add map ip starling-demo refused-ports { type inet_proto . inet_service : verdict; }
            flush map ip starling-demo refused-ports
            add map ip starling-demo services { type ipv4_addr . inet_proto . inet_service : verdict; }
            flush map ip starling-demo services
            add element ip starling-demo services { 10.96.0.10 . tcp . 80 : goto svc-7de9e68f35723257 }
            add rule ip starling-demo arriving jump services
            add rule ip starling-demo ep-7de9e68f35723257-10.42.0.5-8080 ip saddr 10.42.0.5 meta mark set meta mark or 0x00004000
            add rule ip starling-demo ep-7de9e68f35723257-10.42.0.5-8080 meta l4proto tcp dnat to 10.42.0.5:8080
            add rule ip starling-demo ep-7de9e68f35723257-10.42.1.6-8080 ip saddr 10.42.1.6 meta mark set meta mark or 0x00004000
            add rule ip starling-demo ep-7de9e68f35723257-10.42.1.6-8080 meta l4proto tcp dnat to 10.42.1.6:8080
            add rule ip starling-demo leaving meta mark & 0x00004000 == 0 ip saddr != 10.42.0.0/24 return
            add rule ip starling-demo leaving meta mark & 0x00004000 == 0x00004000 meta mark set meta mark xor 0x00004000 masquerade fully-random
            add rule ip starling-demo leaving ip saddr 10.42.0.0/24 oifname != "sl-0" oifname != "lo" masquerade fully-random
            add rule ip starling-demo own jump services
            add rule ip starling-demo refuse meta l4proto tcp reject with tcp reset
            add rule ip starling-demo refuse reject
            add rule ip starling-demo refuse-arriving ct state new fib daddr type local meta l4proto . th dport vmap @refused-ports
            add rule ip starling-demo refuse-forwarded ct state new ip daddr 10.96.0.0/16 goto refuse
            add rule ip starling-demo refuse-own ct state new ip daddr 10.96.0.0/16 goto refuse
            add rule ip starling-demo refuse-own ct state new fib daddr type local meta l4proto . th dport vmap @refused-ports
            add rule ip starling-demo services ip daddr . meta l4proto . th dport vmap @services
            add rule ip starling-demo services fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node-ports
            add rule ip starling-demo svc-7de9e68f35723257 numgen random mod 2 vmap { 0 : goto ep-7de9e68f35723257-10.42.0.5-8080, 1 : goto ep-7de9e68f35723257-10.42.1.6-8080 }
        "#]],
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
        &expect![[r#"
            add table ip starling-demo
            add chain ip starling-demo arriving { type nat hook prerouting priority dstnat; policy accept; }
            flush chain ip starling-demo arriving
            add chain ip starling-demo ep-7de9e68f35723257-10.42.0.5-8080
            flush chain ip starling-demo ep-7de9e68f35723257-10.42.0.5-8080
            add chain ip starling-demo leaving { type nat hook postrouting priority srcnat; policy accept; }
            flush chain ip starling-demo leaving
            add chain ip starling-demo own { type nat hook output priority -100; policy accept; }
            flush chain ip starling-demo own
            add chain ip starling-demo refuse
            flush chain ip starling-demo refuse
            add chain ip starling-demo refuse-arriving { type filter hook input priority filter; policy accept; }
            flush chain ip starling-demo refuse-arriving
            add chain ip starling-demo refuse-forwarded { type filter hook forward priority filter; policy accept; }
            flush chain ip starling-demo refuse-forwarded
            add chain ip starling-demo refuse-own { type filter hook output priority filter; policy accept; }
            flush chain ip starling-demo refuse-own
            add chain ip starling-demo services
            flush chain ip starling-demo services
            add chain ip starling-demo svc-7de9e68f35723257
            flush chain ip starling-demo svc-7de9e68f35723257
            add set ip starling-demo aff-7de9e68f35723257-10.42.0.5-8080 { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 60s; }
            add map ip starling-demo node-ports { type inet_proto . inet_service : verdict; }
            flush map ip starling-demo node-ports
            add map ip starling-demo refused-ports { type inet_proto . inet_service : verdict; }
            flush map ip starling-demo refused-ports
            add map ip starling-demo services { type ipv4_addr . inet_proto . inet_service : verdict; }
            flush map ip starling-demo services
            add element ip starling-demo services { 10.96.0.10 . tcp . 80 : goto svc-7de9e68f35723257 }
            add rule ip starling-demo arriving jump services
            add rule ip starling-demo ep-7de9e68f35723257-10.42.0.5-8080 ip saddr 10.42.0.5 meta mark set meta mark or 0x00004000
            add rule ip starling-demo ep-7de9e68f35723257-10.42.0.5-8080 update @aff-7de9e68f35723257-10.42.0.5-8080 { ip saddr }
            add rule ip starling-demo ep-7de9e68f35723257-10.42.0.5-8080 meta l4proto tcp dnat to 10.42.0.5:8080
            add rule ip starling-demo leaving meta mark & 0x00004000 == 0 ip saddr != 10.42.0.0/24 return
            add rule ip starling-demo leaving meta mark & 0x00004000 == 0x00004000 meta mark set meta mark xor 0x00004000 masquerade fully-random
            add rule ip starling-demo leaving ip saddr 10.42.0.0/24 oifname != "sl-0" oifname != "lo" masquerade fully-random
            add rule ip starling-demo own jump services
            add rule ip starling-demo refuse meta l4proto tcp reject with tcp reset
            add rule ip starling-demo refuse reject
            add rule ip starling-demo refuse-arriving ct state new fib daddr type local meta l4proto . th dport vmap @refused-ports
            add rule ip starling-demo refuse-forwarded ct state new ip daddr 10.96.0.0/16 goto refuse
            add rule ip starling-demo refuse-own ct state new ip daddr 10.96.0.0/16 goto refuse
            add rule ip starling-demo refuse-own ct state new fib daddr type local meta l4proto . th dport vmap @refused-ports
            add rule ip starling-demo services ip daddr . meta l4proto . th dport vmap @services
            add rule ip starling-demo services fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node-ports
            add rule ip starling-demo svc-7de9e68f35723257 ip saddr @aff-7de9e68f35723257-10.42.0.5-8080 goto ep-7de9e68f35723257-10.42.0.5-8080
            add rule ip starling-demo svc-7de9e68f35723257 numgen random mod 1 vmap { 0 : goto ep-7de9e68f35723257-10.42.0.5-8080 }
            flush chain ip starling-demo ep-7de9e68f35723257-10.42.0.6-8080
            delete chain ip starling-demo ep-7de9e68f35723257-10.42.0.6-8080
            delete set ip starling-demo aff-7de9e68f35723257-10.42.0.6-8080
        "#]],
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
    let rules = ruleset(&config(), &Desired { services: Vec::new(), host_ports: vec![port] });
    let expected = expect![[r#"
        [
            "ip saddr 10.42.0.9 meta mark set meta mark or 0x00004000",
            "meta l4proto udp dnat to 10.42.0.9:5353",
        ]
    "#]];
    expected.assert_debug_eq(&rules.chains["host-udp-53"].1);
}
