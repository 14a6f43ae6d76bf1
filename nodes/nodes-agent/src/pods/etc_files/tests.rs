//! Files of pods written as JSON.

use std::net::Ipv4Addr;

use actors_object::{Object, json};
use expect_test::expect;

use super::*;

fn pod(spec: &str) -> Object {
    let text = format!(r#"{{"metadata":{{"name":"web-0","namespace":"shop"}},"spec":{spec}}}"#);
    Object(json::from_slice(text.as_bytes()).expect("a pod"))
}

const HOST: &str = "nameserver 192.0.2.53\nsearch example.com\noptions timeout:2\n";

fn resolver(spec: &str, dns: bool) -> String {
    let dns = dns.then_some(Ipv4Addr::new(10, 96, 0, 2));
    let config = crate::agent::tests::config("/nowhere".as_ref(), dns);
    resolv_conf(&config, &pod(spec), HOST)
}

#[test]
fn names_are_resolved_by_the_cluster_or_as_the_node_does() {
    let cluster = expect![[r#"
        nameserver 10.96.0.2
        search shop.svc.cluster.local svc.cluster.local cluster.local example.com
        options ndots:5
    "#]];
    cluster.assert_eq(&resolver(r#"{"dnsPolicy":"ClusterFirst"}"#, true));
    for (spec, dns) in
        [(r#"{"dnsPolicy":"Default"}"#, true), (r#"{"dnsPolicy":"ClusterFirst"}"#, false)]
    {
        assert_eq!(resolver(spec, dns), HOST);
    }
    let own = expect![[r#"
        nameserver 192.0.2.1
        search own.example
        options ndots:2 edns0
    "#]];
    own.assert_eq(&resolver(
        r#"{"dnsPolicy":"None","dnsConfig":{"nameservers":["192.0.2.1"],"searches":["own.example"],
            "options":[{"name":"ndots","value":"2"},{"name":"edns0"}]}}"#,
        true,
    ));
}

#[test]
fn hosts_have_the_pod_and_its_aliases() {
    let pod = pod(r#"{"subdomain":"db","hostAliases":[{"ip":"192.0.2.9","hostnames":["a","b"]}]}"#);
    let text = hosts(&pod, "cluster.local", &["10.42.0.5".to_owned()]);
    let own: Vec<&str> = text.lines().skip(6).collect();
    assert_eq!(own, ["10.42.0.5\tweb-0.db.shop.svc.cluster.local\tweb-0", "192.0.2.9\ta\tb"]);
}
