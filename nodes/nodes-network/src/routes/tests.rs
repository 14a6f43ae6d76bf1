//! Routes as a table of Node objects and networks gives them.

use actors_object::value;

use super::*;

fn node(name: &str, address: &str, range: &str) -> Object {
    Object(value!({
        "metadata": { "name": name },
        "spec": { "podCIDR": range },
        "status": { "addresses": [
            { "type": "Hostname", "address": name },
            { "type": "InternalIP", "address": address },
        ] },
    }))
}

fn link(interface: u32, address: &str, prefix: u8) -> Link {
    Link { interface, address: address.parse().expect("an address"), prefix }
}

/// Each route as `range way`.
fn check(links: &[Link], nodes: &[Object], wanted: &[&str]) {
    let range = |text: &str| text.parse().expect("a range");
    let place = Place {
        node: "a",
        pod_range: range("10.42.0.0/24"),
        cluster_range: range("10.42.0.0/16"),
        links,
    };
    let text = |route: &NodeRoute| match route.way {
        Way::Direct { interface, gateway, source } => {
            format!("{} via {gateway} dev {interface} src {source}", route.range)
        }
        Way::Tunnel { remote } => format!("{} in packets to {remote}", route.range),
    };
    let routes = desired_routes(&place, &machines(nodes.iter()));
    assert_eq!(routes.iter().map(text).collect::<Vec<_>>(), wanted);
}

#[test]
fn a_node_on_the_same_network_is_the_next_hop_others_are_reached_through_the_tunnel() {
    check(
        &[link(2, "192.0.2.1", 24), link(3, "192.0.2.129", 28)],
        &[
            node("c", "198.51.100.3", "10.42.2.0/24"),
            node("b", "192.0.2.2", "10.42.1.0/24"),
            node("d", "192.0.2.130", "10.42.3.0/24"),
        ],
        &[
            "10.42.1.0/24 via 192.0.2.2 dev 2 src 192.0.2.1",
            "10.42.2.0/24 in packets to 198.51.100.3",
            "10.42.3.0/24 via 192.0.2.130 dev 3 src 192.0.2.129",
        ],
    );
    check(
        &[link(2, "192.0.2.1", 32)],
        &[node("b", "192.0.2.2", "10.42.1.0/24")],
        &["10.42.1.0/24 in packets to 192.0.2.2"],
    );
    check(
        &[link(2, "192.0.2.1", 0)],
        &[node("b", "203.0.113.9", "10.42.1.0/24")],
        &["10.42.1.0/24 via 203.0.113.9 dev 2 src 192.0.2.1"],
    );
}

#[test]
fn no_node_can_take_what_is_not_its_own() {
    check(
        &[link(2, "192.0.2.1", 24)],
        &[
            node("a", "192.0.2.1", "10.42.0.0/24"),
            node("b", "192.0.2.2", "0.0.0.0/0"),
            node("c", "192.0.2.3", "10.42.0.128/25"),
            node("d", "192.0.2.4", "10.42.4.0/24"),
            node("e", "192.0.2.5", "10.42.4.0/25"),
            node("f", "192.0.2.1", "10.42.5.0/24"),
            node("g", "192.0.2.7", "192.0.2.0/24"),
            Object(value!({ "metadata": { "name": "h" }, "spec": { "podCIDR": "10.42.7.0/24" } })),
            node("i", "fd00::1", "10.42.8.0/24"),
        ],
        &["10.42.4.0/24 via 192.0.2.4 dev 2 src 192.0.2.1"],
    );
}
