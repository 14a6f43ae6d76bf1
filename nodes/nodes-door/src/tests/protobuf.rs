//! Bodies in Kubernetes' protobuf form, as typed clients send them.

use actors_core::Rng;
use actors_kinds::{
    Registry,
    protobuf::{Envelope, encode},
};
use actors_object::{Gvk, json};
use expect_test::expect;

use super::harness::Scene;

/// A body of this kind, from its JSON form.
fn body(api_version: &str, kind: &str, text: &str) -> Vec<u8> {
    let registry = Registry::builtin().expect("the tables are good");
    let gvk = Gvk::from_api_version(api_version, kind);
    let shape = registry.schema().shape_of_kind(&gvk).expect("a kind of the table");
    let tree = json::from_slice(text.as_bytes()).expect("JSON");
    let message = encode(registry.schema(), &shape, &tree).expect("it has the shape");
    Envelope::seal(api_version, kind, &message)
}

#[test]
fn a_body_in_protobuf_is_an_object_like_any_other() {
    let mut scene = Scene::new();
    let map =
        r#"{"metadata":{"name":"a","namespace":"","creationTimestamp":null},"data":{"k":"dg=="}}"#;
    let maps = "POST /api/v1/namespaces/default/configmaps";
    let deployment = r#"{"metadata":{"name":"web"},"spec":{"replicas":0,"selector":{"matchLabels":
        {"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":
        [{"name":"c","image":"i","ports":[{"containerPort":80}]}]}}}}"#;
    for (line, body) in [
        (maps, body("v1", "ConfigMap", map)),
        // The path and the envelope must mean the same.
        (maps, body("v1", "Secret", map)),
        (maps, b"k8s\0\x0a\xff".to_vec()),
        (
            "POST /apis/apps/v1/namespaces/default/deployments",
            body("apps/v1", "Deployment", deployment),
        ),
        ("STRATEGIC /api/v1/namespaces/default/configmaps/a", body("v1", "ConfigMap", map)),
    ] {
        scene.note(line);
        scene.request(line, &body);
    }
    scene.run(
        "
        GET /api/v1/namespaces/default/configmaps/a
        ? data
        GET /apis/apps/v1/namespaces/default/deployments/web
        ? spec.replicas
        ? spec.template.spec.containers
        ",
    );
    expect![[r#"
        POST /api/v1/namespaces/default/configmaps
          201 ConfigMap a @101
          + /registry/configmaps/default/a
        POST /api/v1/namespaces/default/configmaps
          400 BadRequest: kind of the body is "Secret", but the path means "ConfigMap"
        POST /api/v1/namespaces/default/configmaps
          400 BadRequest: the body cannot be read: the bytes of the envelope are no protobuf: they end too early
        POST /apis/apps/v1/namespaces/default/deployments
          201 Deployment web @102
          + /registry/apps/deployments/default/web
        STRATEGIC /api/v1/namespaces/default/configmaps/a
          415 UnsupportedMediaType: the body has a media type that is not supported; supported are: application/json, application/yaml, application/vnd.kubernetes.protobuf
        GET /api/v1/namespaces/default/configmaps/a
          200 ConfigMap a @101
            data = {"k":"dg=="}
        GET /apis/apps/v1/namespaces/default/deployments/web
          200 Deployment web @102
            spec.replicas = 0
            spec.template.spec.containers = [{"name":"c","image":"i","ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{},"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"Always","terminationMessagePolicy":"File"}]
    "#]].assert_eq(scene.trace());
}

#[test]
fn no_body_in_protobuf_is_called_our_fault() {
    let mut rng = Rng::from_number(29);
    let mut scene = Scene::new();
    let whole = body(
        "v1",
        "Pod",
        r#"{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}"#,
    );
    for _ in 0..2_000 {
        let mut bytes = whole.clone();
        for _ in 0..=rng.below(3) {
            let at = usize::try_from(rng.between(4, whole.len() as u64 - 1)).unwrap_or(4);
            bytes[at] = u8::try_from(rng.below(256)).unwrap_or(0);
        }
        bytes.truncate(usize::try_from(rng.between(4, whole.len() as u64)).unwrap_or(4));
        let response = scene.request("POST /api/v1/namespaces/default/pods", &bytes);
        assert_ne!(response.code, 500, "{bytes:?}");
    }
}
