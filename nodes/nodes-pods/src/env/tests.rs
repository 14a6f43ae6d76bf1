//! Environments from pods written as JSON.

use std::fmt::Write as _;

use actors_object::json;
use expect_test::{Expect, expect};

use super::*;
use crate::downward::NodeFacts;

fn check(container: &str, wanted: &Expect) {
    let pod = r#"{"metadata":{"name":"web-0","namespace":"shop","uid":"u1","labels":{"app":"web"}},
        "spec":{"nodeName":"n1","containers":[CONTAINER]}}"#
        .replace("CONTAINER", container);
    let pod = Object(json::from_slice(pod.as_bytes()).expect("a pod"));
    let keys = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect::<Keys>()
    };
    let sources = DataSources {
        config_maps: [("settings".to_owned(), keys(&[("MODE", "fast"), ("bad=key", "x")]))].into(),
        secrets: [("login".to_owned(), keys(&[("password", "s3cret")]))].into(),
        links: vec![("DB_SERVICE_HOST".to_owned(), "10.96.0.7".to_owned())],
    };
    let node = NodeFacts {
        name: "n1".into(),
        ips: vec!["192.0.2.1".into()],
        allocatable: vec![("cpu".into(), "2".into()), ("memory".into(), "8Gi".into())],
    };
    let facts = PodFacts { ips: vec!["10.42.0.5".into()], node };
    let container = pod.0.list_at(&["spec", "containers"])[0].clone();
    let mut text = String::new();
    match resolve_env(&pod, &container, &sources, &facts) {
        Ok(env) => {
            env.iter().for_each(|(name, value)| writeln!(text, "{name}={value}").expect("text"))
        }
        Err(error) => writeln!(text, "error: {error}").expect("text"),
    }
    wanted.assert_eq(&text);
}

#[test]
fn every_source_in_its_order() {
    check(
        r#"{"name":"app","resources":{"limits":{"cpu":"1500m"}},
            "envFrom":[{"configMapRef":{"name":"settings"},"prefix":"CFG_"}],
            "env":[{"name":"URL","value":"http://$(DB_SERVICE_HOST)/$(CFG_MODE)/$(LATER)"},
            {"name":"LATER","value":"$$(URL)"},
            {"name":"PASSWORD","valueFrom":{"secretKeyRef":{"name":"login","key":"password"}}},
            {"name":"POD","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},
            {"name":"APP","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['app']"}}},
            {"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},
            {"name":"CPU","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}},
            {"name":"MEMORY","valueFrom":
                {"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}},
            {"name":"GONE","valueFrom":
                {"configMapKeyRef":{"name":"none","key":"x","optional":true}}}]}"#,
        &expect![[r#"
            DB_SERVICE_HOST=10.96.0.7
            CFG_MODE=fast
            URL=http://10.96.0.7/fast/$(LATER)
            LATER=$(URL)
            PASSWORD=s3cret
            POD=web-0
            APP=web
            IP=10.42.0.5
            CPU=2
            MEMORY=8192
        "#]],
    );
}

#[test]
fn what_is_absent_is_named() {
    let missing =
        |from: &str| format!(r#"{{"name":"app","env":[{{"name":"X","valueFrom":{from}}}]}}"#);
    check(
        &missing(r#"{"secretKeyRef":{"name":"none","key":"x"}}"#),
        &expect![[r#"
            error: secret "none" not found
        "#]],
    );
    check(
        &missing(r#"{"secretKeyRef":{"name":"login","key":"user"}}"#),
        &expect![[r#"
            error: couldn't find key user in secret "login"
        "#]],
    );
    check(
        &missing(r#"{"fieldRef":{"fieldPath":"spec.hostname"}}"#),
        &expect![[r#"
            error: environment variable X: field "spec.hostname" is not available to containers
        "#]],
    );
}
