//! Each score: which node it prefers.

use actors_object::{Object, Value, value};

use super::{Candidate, scores};
use crate::{
    filter::Prepared,
    pod::PodFacts,
    scenery::{cluster, node, pod, with},
};

/// The scores of the nodes, in their order.
fn score(nodes: &[Object], placed: &[(Object, &str)], pod: &Object) -> Vec<i64> {
    let cluster = cluster(nodes, placed);
    let facts = PodFacts::of(pod);
    let prepared = Prepared::new(&facts, &cluster);
    let candidates: Vec<Candidate<'_>> = cluster.iter().collect();
    scores(&prepared, &candidates, &cluster)
}

#[track_caller]
fn check_first_is_better(nodes: &[Object], placed: &[(Object, &str)], pod: &Object) {
    let scores = score(nodes, placed, pod);
    assert!(scores[0] > scores[1], "{scores:?}");
}

fn two() -> [Object; 2] {
    [node("n1", "z1"), node("n2", "z2")]
}

#[test]
fn the_emptier_node_is_better() {
    check_first_is_better(&two(), &[(pod("a", "x", "2"), "n2")], &pod("p", "web", "1"));
}

#[test]
fn a_node_whose_cpu_and_memory_fill_alike_is_better() {
    let mut lopsided = node("n2", "z1");
    lopsided
        .set_path(&["status", "allocatable"], value!({ "cpu": "1", "memory": "1Ti", "pods": 9 }));
    let mut even = node("n1", "z1");
    even.set_path(&["status", "allocatable"], value!({ "cpu": "2", "memory": "1Gi", "pods": 9 }));
    let asked = value!([{ "resources": { "requests": { "cpu": "1", "memory": "512Mi" } } }]);
    check_first_is_better(
        &[even, lopsided],
        &[],
        &with(pod("p", "web", "1"), &["containers"], asked),
    );
}

#[test]
fn a_node_without_advice_against_it_is_better() {
    let taints = value!([{ "key": "a", "effect": "PreferNoSchedule" }]);
    let nodes = [node("n1", "z1"), with(node("n2", "z1"), &["taints"], taints)];
    check_first_is_better(&nodes, &[], &pod("p", "web", "1"));
}

#[test]
fn a_preferred_node_is_better() {
    let preferred = value!([{ "weight": 1, "preference": { "matchExpressions": [
        { "key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"] },
    ] } }]);
    let path = ["affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"];
    check_first_is_better(&two(), &[], &with(pod("p", "web", "1"), &path, preferred));
}

#[test]
fn pods_of_one_controller_are_spread_by_default() {
    let owner = value!([{ "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": true }]);
    let mut ours = pod("p", "web", "100m");
    ours.set_path(&["metadata", "ownerReferences"], owner);
    // The other node is fuller, but has no pod like this one.
    let placed = [(pod("a", "web", "100m"), "n2"), (pod("b", "x", "200m"), "n1")];
    check_first_is_better(&two(), &placed, &ours);
    let alone = score(&two(), &placed, &pod("p", "web", "100m"));
    assert!(alone[0] < alone[1], "a pod without a controller goes to the emptier node: {alone:?}");
}

#[test]
fn a_liked_place_is_better_and_a_disliked_one_worse() {
    let term = value!({ "topologyKey": "topology.kubernetes.io/zone",
        "labelSelector": { "matchLabels": { "app": "db" } } });
    let preferred = |term: &Value| value!([{ "weight": 100, "podAffinityTerm": term }]);
    let path =
        |sort: &'static str| ["affinity", sort, "preferredDuringSchedulingIgnoredDuringExecution"];
    let likes = with(pod("p", "web", "1"), &path("podAffinity"), preferred(&term));
    check_first_is_better(&two(), &[(pod("db", "db", "1"), "n1")], &likes);
    let dislikes = with(pod("p", "web", "1"), &path("podAntiAffinity"), preferred(&term));
    check_first_is_better(&two(), &[(pod("db", "db", "0"), "n2")], &dislikes);
    // What is placed already has its say too.
    let mut web = term.clone();
    web.set_path(&["labelSelector", "matchLabels", "app"], "web");
    let fan = with(pod("db", "db", "1"), &path("podAffinity"), preferred(&web));
    check_first_is_better(&two(), &[(fan, "n1")], &pod("p", "web", "1"));
}

#[test]
fn a_node_with_the_image_is_better() {
    let mut first = node("n1", "z1");
    let images = value!([{ "names": ["web:1"], "sizeBytes": 1_000_000_000_i64 }]);
    first.set_path(&["status", "images"], images);
    check_first_is_better(&[first, node("n2", "z1")], &[], &pod("p", "web", "1"));
}
