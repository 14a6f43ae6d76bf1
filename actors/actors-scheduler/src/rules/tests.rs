//! Node selectors, tolerations and host ports, term by term.

use actors_object::{Value, value};

use super::{HostPort, Labels, NodeRules, Taint, Toleration};

fn labels() -> Labels {
    vec![("cores".into(), "8".into()), ("disk".into(), "ssd".into())]
}

#[track_caller]
fn check(spec: Value, allowed: bool) {
    assert_eq!(NodeRules::of(&spec).allow("n1", &labels()), allowed, "{spec:?}");
}

fn required(requirement: Value) -> Value {
    terms(value!([{ "matchExpressions": [requirement] }]))
}

fn terms(terms: Value) -> Value {
    let required = value!({ "nodeSelectorTerms": terms });
    let mut spec = Value::Null;
    let path = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    spec.set_path(&path, required);
    spec
}

#[test]
fn a_node_selector_needs_all_labels() {
    check(value!({ "nodeSelector": { "disk": "ssd", "cores": "8" } }), true);
    check(value!({ "nodeSelector": { "disk": "ssd", "cores": "9" } }), false);
    check(value!({}), true);
}

#[test]
fn each_operator_holds_as_documented() {
    for (requirement, allowed) in [
        (value!({ "key": "disk", "operator": "In", "values": ["ssd", "nvme"] }), true),
        (value!({ "key": "disk", "operator": "NotIn", "values": ["ssd"] }), false),
        (value!({ "key": "gone", "operator": "NotIn", "values": ["ssd"] }), true),
        (value!({ "key": "disk", "operator": "Exists" }), true),
        (value!({ "key": "disk", "operator": "DoesNotExist" }), false),
        (value!({ "key": "cores", "operator": "Gt", "values": ["7"] }), true),
        (value!({ "key": "cores", "operator": "Lt", "values": ["8"] }), false),
        (value!({ "key": "disk", "operator": "Gt", "values": ["7"] }), false),
        (value!({ "key": "disk", "operator": "Like" }), false),
    ] {
        check(required(requirement), allowed);
    }
}

#[test]
fn one_term_is_enough_and_an_empty_one_matches_nothing() {
    let ssd = value!({ "matchExpressions": [{ "key": "disk", "operator": "Exists" }] });
    let named = value!({ "matchFields": [
        { "key": "metadata.name", "operator": "In", "values": ["n1"] },
    ] });
    check(terms(value!([{}])), false);
    check(terms(value!([{}, ssd])), true);
    check(terms(value!([named])), true);
    check(terms(value!([])), false);
}

#[test]
fn preferences_are_summed() {
    let mut spec = Value::Null;
    let term = |key: &str| value!({ "matchExpressions": [{ "key": key, "operator": "Exists" }] });
    let preferred = value!([
        { "weight": 30, "preference": term("disk") },
        { "weight": 50, "preference": term("gone") },
        { "weight": 7, "preference": term("cores") },
    ]);
    let path = ["affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"];
    spec.set_path(&path, preferred);
    assert_eq!(NodeRules::of(&spec).preference("n1", &labels()), 37);
}

#[test]
fn tolerations_bear_taints_by_key_value_and_effect() {
    let taint = Taint::of(&value!({ "key": "a", "value": "b", "effect": "NoSchedule" }));
    for (toleration, bears) in [
        (value!({ "key": "a", "value": "b" }), true),
        (value!({ "key": "a", "value": "c" }), false),
        (value!({ "key": "a", "operator": "Exists", "effect": "NoSchedule" }), true),
        (value!({ "key": "a", "operator": "Exists", "effect": "NoExecute" }), false),
        (value!({ "operator": "Exists" }), true),
        (value!({ "value": "b" }), false),
    ] {
        assert_eq!(Toleration::of(&toleration).bears(&taint), bears, "{toleration:?}");
    }
}

#[test]
fn host_ports_conflict_by_port_protocol_and_address() {
    let port = |address: &str, protocol: &str| HostPort {
        port: 80,
        protocol: protocol.into(),
        address: address.into(),
    };
    assert!(port("0.0.0.0", "TCP").conflicts(&port("10.0.0.1", "TCP")));
    assert!(port("10.0.0.1", "TCP").conflicts(&port("10.0.0.1", "TCP")));
    assert!(!port("10.0.0.2", "TCP").conflicts(&port("10.0.0.1", "TCP")));
    assert!(!port("0.0.0.0", "UDP").conflicts(&port("0.0.0.0", "TCP")));
}
