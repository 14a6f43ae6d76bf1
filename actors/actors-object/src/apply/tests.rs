//! Owners as a script: who applies or updates what, and who owns what then.

use expect_test::{Expect, expect};

use super::{Form, How, Key, Manager, Managers, Operation, Place, Reach};
use crate::{Value, json, yaml};

/// A schema like a Deployment's: containers by name, their ports by number and protocol, finalizers as a set.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Root,
    Labels,
    Containers,
    Ports,
    Finalizers,
    Selector,
    Fields,
}

impl Place for Shape {
    fn form(&self) -> Form {
        let key = |name: &str, default: Option<&str>| Key {
            name: name.into(),
            default: default.map(Value::from),
        };
        match self {
            Self::Root | Self::Fields => Form::Fields,
            Self::Labels => Form::Entries,
            Self::Containers => Form::Keyed(vec![key("name", None)]),
            Self::Ports => Form::Keyed(vec![key("port", None), key("protocol", Some("TCP"))]),
            Self::Finalizers => Form::Set,
            Self::Selector => Form::Whole,
        }
    }

    fn field(&self, name: &str) -> Self {
        match name {
            "labels" => Self::Labels,
            "containers" => Self::Containers,
            "ports" => Self::Ports,
            "finalizers" => Self::Finalizers,
            "selector" => Self::Selector,
            "metadata" | "spec" | "status" => Self::Fields,
            _ => Self::Fields,
        }
    }

    fn item(&self) -> Self {
        Self::Fields
    }
}

const ALL: Reach<'_> = Reach::AllBut(&[]);

/// Runs lines of `WHO apply|force|update YAML` (the object in YAML's flow form) and shows the object and its owners.
fn check(script: &str, expected: &Expect) {
    let mut live = json::from_slice(b"{}").expect("JSON");
    let mut managers = Managers::default();
    let mut trace = String::new();
    for (number, line) in script.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate()
    {
        let (who, rest) = line.split_once(' ').expect("who");
        let (verb, text) = rest.split_once(' ').expect("a verb");
        let given = yaml::parse(text.as_bytes(), json::Limits::default()).expect("YAML").value;
        let operation = if verb == "update" { Operation::Update } else { Operation::Apply };
        let manager = Manager {
            operation,
            name: who.to_owned(),
            api_version: "v1".to_owned(),
            subresource: String::new(),
        };
        let now = format!("t{number}");
        if operation == Operation::Update {
            managers.update(&Shape::Root, (&live, &given), (&manager, &now), ALL);
            live = given;
        } else {
            let how = How { reach: ALL, force: verb == "force", complete: &|_| {} };
            match managers.apply(&Shape::Root, (&live, &given), (&manager, &now), how) {
                Ok(applied) => (live, managers) = (applied.object, applied.managers),
                Err(conflicts) => {
                    for conflict in conflicts {
                        let paths = conflict.paths.join(" ");
                        trace.push_str(&format!(
                            "{who} conflicts with {}: {paths}\n",
                            conflict.manager.name
                        ));
                    }
                    continue;
                }
            }
        }
        trace.push_str(&format!("{who} {verb}: {}\n", json::to_string(&live)));
    }
    for row in managers.to_value().as_list().into_iter().flatten() {
        let text = |name: &str| row.at(name).as_str().unwrap_or_default().to_owned();
        let fields = json::to_string(row.at("fieldsV1"));
        trace.push_str(&format!(
            "{} {} {}: {fields}\n",
            text("manager"),
            text("operation"),
            text("time")
        ));
    }
    expected.assert_eq(&trace);
}

#[test]
fn appliers_share_what_they_agree_on_and_conflict_where_they_do_not() {
    check(
        "
        a apply {metadata: {name: x, labels: {app: web}}, spec: {replicas: 2, selector: {app: web}}}
        b apply {spec: {replicas: 2}}
        b apply {spec: {replicas: 3}}
        b force {spec: {replicas: 3}}
        a apply {metadata: {labels: {app: web}}, spec: {selector: {app: web}}}
        b apply {spec: {}}
        ",
        &expect![[r#"
            a apply: {"metadata":{"name":"x","labels":{"app":"web"}},"spec":{"replicas":2,"selector":{"app":"web"}}}
            b apply: {"metadata":{"name":"x","labels":{"app":"web"}},"spec":{"replicas":2,"selector":{"app":"web"}}}
            b conflicts with a: .spec.replicas
            b force: {"metadata":{"name":"x","labels":{"app":"web"}},"spec":{"replicas":3,"selector":{"app":"web"}}}
            a apply: {"metadata":{"name":"x","labels":{"app":"web"}},"spec":{"replicas":3,"selector":{"app":"web"}}}
            b apply: {"metadata":{"name":"x","labels":{"app":"web"}},"spec":{"selector":{"app":"web"}}}
            a Apply t3: {"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:selector":{}}}
        "#]],
    );
}

#[test]
fn what_an_applier_drops_is_gone_unless_somebody_else_owns_it() {
    check(
        "
        a apply {spec: {containers: [{name: c, image: i, ports: [{port: 80}, {port: 443}]}, {name: d, image: i}]}}
        b update {spec: {replicas: 5, containers: [{name: c, image: i, ports: [{port: 80, protocol: TCP}, {port: 443}]}, {name: d, image: i, tty: true}]}}
        a apply {spec: {containers: [{name: c, image: j, ports: [{port: 443}]}]}}
        a apply {spec: {containers: [{name: e, image: k}, {name: c, image: j, ports: [{port: 443}]}]}}
        ",
        &expect![[r#"
            a apply: {"spec":{"containers":[{"name":"c","image":"i","ports":[{"port":80},{"port":443}]},{"name":"d","image":"i"}]}}
            b update: {"spec":{"replicas":5,"containers":[{"name":"c","image":"i","ports":[{"port":80,"protocol":"TCP"},{"port":443}]},{"name":"d","image":"i","tty":true}]}}
            a apply: {"spec":{"replicas":5,"containers":[{"name":"c","image":"j","ports":[{"port":443}]}]}}
            a apply: {"spec":{"replicas":5,"containers":[{"name":"e","image":"k"},{"name":"c","image":"j","ports":[{"port":443}]}]}}
            a Apply t3: {"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{"k:{\"port\":443,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}},"k:{\"name\":\"e\"}":{".":{},"f:image":{},"f:name":{}}}}}
            b Update t2: {"f:spec":{"f:replicas":{}}}
        "#]],
    );
}

#[test]
fn sets_and_entries_have_owners_one_by_one() {
    check(
        "
        a apply {metadata: {finalizers: [one, two], labels: {a: '1'}}}
        b apply {metadata: {finalizers: [two, three], labels: {b: '2'}}}
        a apply {metadata: {finalizers: [one]}}
        c update {metadata: {finalizers: [three], labels: {b: '3'}}}
        ",
        &expect![[r#"
            a apply: {"metadata":{"finalizers":["one","two"],"labels":{"a":"1"}}}
            b apply: {"metadata":{"finalizers":["one","two","three"],"labels":{"a":"1","b":"2"}}}
            a apply: {"metadata":{"finalizers":["one","two","three"],"labels":{"b":"2"}}}
            c update: {"metadata":{"finalizers":["three"],"labels":{"b":"3"}}}
            b Apply t3: {"f:metadata":{"f:finalizers":{"v:\"three\"":{}}}}
            c Update t3: {"f:metadata":{"f:labels":{"f:b":{}}}}
        "#]],
    );
}

#[test]
fn an_apply_that_changes_nothing_changes_no_owner_and_no_time() {
    check(
        "
        a apply {spec: {replicas: 2}}
        a apply {spec: {replicas: 2}}
        ",
        &expect![[r#"
            a apply: {"spec":{"replicas":2}}
            a apply: {"spec":{"replicas":2}}
            a Apply t0: {"f:spec":{"f:replicas":{}}}
        "#]],
    );
}

#[test]
fn written_sets_are_read_back_and_nonsense_is_refused() {
    let text = br#"{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{}}},"f:x":{"v:1":{},"i:0":{}}}}"#;
    let value = json::from_slice(text).expect("JSON");
    let set = super::FieldSet::from_value(&value).expect("a set");
    assert_eq!(set.to_value(), value);
    expect![[r#"
        .spec.containers[name="c"]
        .spec.containers[name="c"].image
        .spec.x[0]
        .spec.x[1]"#]]
    .assert_eq(&set.paths().join("\n"));
    for bad in [r#"{"x":{}}"#, r#"{"k:[1]":{}}"#, r#"{"f:a":1}"#, "[]", r#"{"i:-1":{}}"#] {
        let value = json::from_slice(bad.as_bytes()).expect("JSON");
        assert!(super::FieldSet::from_value(&value).is_err(), "{bad}");
    }
}
