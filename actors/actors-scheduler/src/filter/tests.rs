//! Each filter: whom it refuses, in which words.

use actors_object::{Object, Value, value};

use crate::scenery::{cluster, node, pod, refusals, with};

#[track_caller]
fn check(nodes: &[Object], placed: &[(Object, &str)], pod: &Object, expected: &[&str]) {
    assert_eq!(refusals(&cluster(nodes, placed), pod), expected);
}

fn tainted(name: &str, effect: &str) -> Object {
    let taints = value!([{ "key": "gpu", "value": "yes", "effect": effect }]);
    with(node(name, "z1"), &["taints"], taints)
}

#[test]
fn a_cordoned_node_is_refused_unless_borne() {
    let nodes = [with(node("n1", "z1"), &["unschedulable"], true.into())];
    check(&nodes, &[], &pod("p", "web", "1"), &["n1: node(s) are cordoned"]);
    let bears = value!([{ "key": "node.kubernetes.io/unschedulable", "operator": "Exists" }]);
    check(&nodes, &[], &with(pod("p", "web", "1"), &["tolerations"], bears), &["n1: "]);
}

#[test]
fn a_named_node_excludes_all_others() {
    let nodes = [node("n1", "z1"), node("n2", "z1")];
    let pod = with(pod("p", "web", "1"), &["nodeName"], "n2".into());
    check(&nodes, &[], &pod, &["n1: node(s) are not the one that the pod names", "n2: "]);
}

#[test]
fn a_taint_keeps_away_whom_it_should() {
    let nodes = [
        tainted("n1", "NoSchedule"),
        tainted("n2", "NoExecute"),
        tainted("n3", "PreferNoSchedule"),
    ];
    check(
        &nodes,
        &[],
        &pod("p", "web", "1"),
        &[
            "n1: node(s) had untolerated taint {gpu: yes}",
            "n2: node(s) had untolerated taint {gpu: yes}",
            "n3: ",
        ],
    );
    let bears = value!([{ "key": "gpu", "operator": "Exists", "effect": "NoSchedule" }]);
    check(
        &nodes,
        &[],
        &with(pod("p", "web", "1"), &["tolerations"], bears),
        &["n1: ", "n2: node(s) had untolerated taint {gpu: yes}", "n3: "],
    );
}

#[test]
fn node_rules_are_obeyed() {
    let pod =
        with(pod("p", "web", "1"), &["nodeSelector"], value!({ "kubernetes.io/hostname": "n2" }));
    let nodes = [node("n1", "z1"), node("n2", "z1")];
    check(
        &nodes,
        &[],
        &pod,
        &["n1: node(s) do not meet the pod's node selector or affinity", "n2: "],
    );
}

#[test]
fn a_host_port_is_taken_once() {
    let with_port = |name: &str| {
        let ports = value!([{ "name": "main", "ports": [{ "hostPort": 80 }] }]);
        with(pod(name, "web", "1"), &["containers"], ports)
    };
    let nodes = [node("n1", "z1"), node("n2", "z1")];
    check(
        &nodes,
        &[(with_port("a"), "n1")],
        &with_port("b"),
        &["n1: node(s) have a wanted host port in use", "n2: "],
    );
}

#[test]
fn resources_that_lack_are_all_named() {
    let mut small = node("n1", "z1");
    small.set_path(&["status", "allocatable", "memory"], "1Mi");
    let mut full = node("n2", "z1");
    full.set_path(&["status", "allocatable", "pods"], "1");
    let asked = value!([{ "name": "main", "resources": {
        "requests": { "cpu": "3", "memory": "1Gi", "demo.dev/gpu": "1" },
    } }]);
    let pod = with(pod("p", "web", "1"), &["containers"], asked);
    let placed = [(crate::scenery::pod("a", "web", "2"), "n2")];
    check(
        &[small, full, node("n3", "z1")],
        &placed,
        &pod,
        &[
            "n1: Insufficient memory; Insufficient demo.dev/gpu",
            "n2: Insufficient pods; Insufficient cpu; Insufficient demo.dev/gpu",
            "n3: Insufficient demo.dev/gpu",
        ],
    );
}

#[test]
fn a_pod_that_asks_for_nothing_fits_on_an_overcommitted_node() {
    let placed = [(pod("a", "web", "5"), "n1")];
    check(&[node("n1", "z1")], &placed, &pod("p", "web", "0"), &["n1: "]);
}

fn spread(pod: Object, key: &str, extra: &[(&str, Value)]) -> Object {
    let mut rule = value!({
        "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": { "matchLabels": { "app": "web" } },
    });
    for (field, value) in extra {
        rule.set_path(&[field], value);
    }
    with(pod, &["topologySpreadConstraints"], value!([rule]))
}

const ZONE: &str = "topology.kubernetes.io/zone";
const SKEW: &str = "node(s) would break a topology spread constraint";

#[test]
fn a_place_may_not_be_ahead_by_more_than_the_skew() {
    let mut bare = node("n4", "z1");
    bare.remove_path(&["metadata", "labels", ZONE]);
    let nodes = [node("n1", "z1"), node("n2", "z1"), node("n3", "z2"), bare];
    let placed = [(pod("a", "web", "1"), "n1"), (pod("b", "other", "1"), "n3")];
    let skew = [
        format!("n1: {SKEW}"),
        format!("n2: {SKEW}"),
        "n3: ".to_owned(),
        "n4: node(s) lack the label of a topology spread constraint".to_owned(),
    ];
    let skew: Vec<&str> = skew.iter().map(String::as_str).collect();
    check(&nodes, &placed, &spread(pod("p", "web", "1"), ZONE, &[]), &skew);
}

#[test]
fn ending_pods_are_not_counted_and_places_may_be_missing() {
    let mut ending = pod("a", "web", "1");
    ending.set_deletion_timestamp("2026-01-01T00:00:00Z");
    let nodes = [node("n1", "z1"), node("n2", "z2")];
    let rule = spread(pod("p", "web", "1"), ZONE, &[]);
    check(&nodes, &[(ending, "n1")], &rule, &["n1: ", "n2: "]);
    let rule = spread(pod("p", "web", "1"), ZONE, &[("minDomains", 3.into())]);
    let placed = [(pod("a", "web", "1"), "n1"), (pod("b", "web", "1"), "n2")];
    let refused = [format!("n1: {SKEW}"), format!("n2: {SKEW}")];
    check(&nodes, &placed, &rule, &refused.each_ref().map(String::as_str));
}

#[test]
fn nodes_that_the_pod_cannot_take_are_not_counted_as_places() {
    let placed = [(pod("a", "web", "1"), "n1")];
    let nodes = [node("n1", "z1"), node("n2", "z2")];
    let rule = spread(pod("p", "web", "1"), ZONE, &[]);
    let rule = with(rule, &["nodeSelector"], value!({ ZONE: "z1" }));
    check(
        &nodes,
        &placed,
        &rule,
        &["n1: ", "n2: node(s) do not meet the pod's node selector or affinity"],
    );
}

fn term(app: &str, key: &str) -> Value {
    value!({ "topologyKey": key, "labelSelector": { "matchLabels": { "app": app } } })
}

fn with_affinity(pod: Object, sort: &str, term: Value) -> Object {
    let path = ["affinity", sort, "requiredDuringSchedulingIgnoredDuringExecution"];
    with(pod, &path, value!([term]))
}

#[test]
fn affinity_needs_a_pod_in_the_same_place() {
    let nodes = [node("n1", "z1"), node("n2", "z1"), node("n3", "z2")];
    let near_db = with_affinity(pod("p", "web", "1"), "podAffinity", term("db", ZONE));
    let refused = "node(s) are not near pods that this one must be near";
    check(
        &nodes,
        &[(pod("db", "db", "1"), "n1")],
        &near_db,
        &["n1: ", "n2: ", &format!("n3: {refused}")],
    );
    let all = ["n1", "n2", "n3"].map(|name| format!("{name}: {refused}"));
    check(&nodes, &[], &near_db, &all.each_ref().map(String::as_str));
}

#[test]
fn the_first_of_those_that_want_to_be_together_may_go_anywhere() {
    let nodes = [node("n1", "z1"), node("n2", "z2")];
    let together = with_affinity(pod("p", "web", "1"), "podAffinity", term("web", ZONE));
    check(&nodes, &[], &together, &["n1: ", "n2: "]);
    let placed = [(pod("a", "web", "1"), "n1")];
    check(
        &nodes,
        &placed,
        &together,
        &["n1: ", "n2: node(s) are not near pods that this one must be near"],
    );
}

#[test]
fn anti_affinity_works_both_ways() {
    let nodes = [node("n1", "z1"), node("n2", "z2")];
    let alone = with_affinity(pod("p", "web", "1"), "podAntiAffinity", term("web", ZONE));
    check(
        &nodes,
        &[(pod("a", "web", "1"), "n1")],
        &alone,
        &["n1: node(s) are near pods that this one avoids", "n2: "],
    );
    check(
        &nodes,
        &[(alone, "n1")],
        &pod("b", "web", "1"),
        &["n1: node(s) are near pods that avoid this one", "n2: "],
    );
}

#[test]
fn a_term_looks_in_the_namespaces_that_it_names() {
    let nodes = [node("n1", "z1")];
    let mut far = pod("a", "web", "1");
    far.set_namespace("elsewhere");
    let placed = [(far, "n1")];
    let anti = |extra: &[(&str, Value)]| {
        let mut term = term("web", ZONE);
        for (field, value) in extra {
            term.set_path(&[field], value);
        }
        with_affinity(pod("p", "web", "1"), "podAntiAffinity", term)
    };
    let refused = "n1: node(s) are near pods that this one avoids";
    check(&nodes, &placed, &anti(&[]), &["n1: "]);
    check(&nodes, &placed, &anti(&[("namespaces", value!(["elsewhere"]))]), &[refused]);
    check(&nodes, &placed, &anti(&[("namespaceSelector", value!({}))]), &[refused]);
    let by_label = value!({ "matchLabels": { "team": "a" } });
    check(&nodes, &placed, &anti(&[("namespaceSelector", by_label.clone())]), &["n1: "]);
    let mut known = cluster(&nodes, &placed);
    known.set_namespace("elsewhere", Some(vec![("team".into(), "a".into())]));
    assert_eq!(refusals(&known, &anti(&[("namespaceSelector", by_label)])), [refused]);
}

#[test]
fn label_keys_narrow_a_term_to_the_pods_own_values() {
    let nodes = [node("n1", "z1")];
    let mut old = pod("a", "web", "1");
    old.set_label("hash", "1");
    let mut new = pod("p", "web", "1");
    new.set_label("hash", "2");
    let mut narrowed = term("web", ZONE);
    narrowed.set_path(&["matchLabelKeys"], value!(["hash"]));
    let anti = with_affinity(new, "podAntiAffinity", narrowed);
    check(&nodes, &[(old, "n1")], &anti, &["n1: "]);
}
