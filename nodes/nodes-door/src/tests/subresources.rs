//! Scale, binding, eviction, tokens.

use expect_test::expect;

use super::check;
use crate::token_identity;

#[test]
fn a_scale_sets_the_replicas() {
    check(
        "
        POST /apis/apps/v1/namespaces/default/deployments
          metadata: {name: web}
          spec:
            selector: {matchLabels: {app: web}}
            template:
              metadata: {labels: {app: web}}
              spec: {containers: [{name: c, image: busybox}]}
        GET /apis/apps/v1/namespaces/default/deployments/web/scale
        ? spec
        ? status
        MERGE /apis/apps/v1/namespaces/default/deployments/web/scale
          spec: {replicas: 3}
        ? spec
        PUT /apis/apps/v1/namespaces/default/deployments/web/scale
          metadata: {name: web, resourceVersion: '1'}
          spec: {replicas: 4}
        PUT /apis/apps/v1/namespaces/default/deployments/web/scale
          metadata: {name: web}
          spec: {replicas: -4}
        GET /apis/apps/v1/namespaces/default/deployments/web
        ? metadata.generation
        ? spec.replicas
        ",
        &expect![[r#"
            POST /apis/apps/v1/namespaces/default/deployments
              201 Deployment web @101
              + /registry/apps/deployments/default/web
            GET /apis/apps/v1/namespaces/default/deployments/web/scale
              200 Scale web @101
                spec = {"replicas":1}
                status = {"replicas":0,"selector":"app=web"}
            MERGE /apis/apps/v1/namespaces/default/deployments/web/scale
              200 Scale web @102
              + /registry/apps/deployments/default/web
                spec = {"replicas":3}
            PUT /apis/apps/v1/namespaces/default/deployments/web/scale
              409 Conflict: Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again
            PUT /apis/apps/v1/namespaces/default/deployments/web/scale
              422 Invalid: Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -4: must be greater than or equal to 0
            GET /apis/apps/v1/namespaces/default/deployments/web
              200 Deployment web @102
                metadata.generation = 2
                spec.replicas = 3
        "#]],
    );
}

#[test]
fn a_pod_is_bound_once() {
    check(
        "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {containers: [{name: c, image: i}]}
        POST /api/v1/namespaces/default/pods/p/binding
          metadata: {name: p, uid: other}
          target: {kind: Node, name: n1}
        POST /api/v1/namespaces/default/pods/p/binding
          target: {kind: Pod}
        POST /api/v1/namespaces/default/pods/p/binding
          metadata: {name: p, annotations: {a: b}}
          target: {kind: Node, name: n1}
        GET /api/v1/namespaces/default/pods/p
        ? spec.nodeName
        ? status.conditions
        ? metadata.annotations
        POST /api/v1/namespaces/default/bindings
          metadata: {name: p}
          target: {kind: Node, name: n2}
        GET /api/v1/pods?fields=spec.nodeName=n1
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
            POST /api/v1/namespaces/default/pods/p/binding
              409 Conflict: Operation cannot be fulfilled on pods/binding "p": Precondition failed: UID in precondition: other, UID in object meta: f9b4585c-805f-4532-9d77-3647bb05a5a7
            POST /api/v1/namespaces/default/pods/p/binding
              422 Invalid: Binding "" is invalid: [target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>", target.name: Required value]
            POST /api/v1/namespaces/default/pods/p/binding
              201 Success
              + /registry/pods/default/p
            GET /api/v1/namespaces/default/pods/p
              200 Pod p @102
                spec.nodeName = "n1"
                status.conditions = [{"type":"PodScheduled","status":"True","lastTransitionTime":"2026-11-21T08:05:00Z"}]
                metadata.annotations = {"a":"b"}
            POST /api/v1/namespaces/default/bindings
              409 Conflict: Operation cannot be fulfilled on pods/binding "p": pod p is bound to node "n1" already
            GET /api/v1/pods?fields=spec.nodeName=n1
              200 PodList [p]
        "#]],
    );
}

#[test]
fn a_token_is_bound_and_dies_with_its_pod() {
    check(
        "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {nodeName: n1, containers: [{name: c, image: i}]}
        POST /api/v1/namespaces/default/serviceaccounts/default/token
          spec: {boundObjectRef: {kind: Pod, name: p}, audiences: [a]}
        ? status
        POST /api/v1/namespaces/default/serviceaccounts/default/token
          spec: {expirationSeconds: 60}
        POST /api/v1/namespaces/default/serviceaccounts/default/token
          spec: {boundObjectRef: {kind: Pod, name: none}}
        @ system:node:n2 system:nodes
        POST /api/v1/namespaces/default/serviceaccounts/default/token
          spec: {boundObjectRef: {kind: Pod, name: p}}
        @ system:node:n1 system:nodes
        POST /api/v1/namespaces/default/serviceaccounts/default/token
          spec: {boundObjectRef: {kind: Pod, name: p}}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
            POST /api/v1/namespaces/default/serviceaccounts/default/token
              201 TokenRequest default @
                status = {"token":"signed","expirationTimestamp":"2026-11-21T09:05:00Z"}
            POST /api/v1/namespaces/default/serviceaccounts/default/token
              422 Invalid: TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes
            POST /api/v1/namespaces/default/serviceaccounts/default/token
              404 NotFound: pods "none" not found
            POST /api/v1/namespaces/default/serviceaccounts/default/token
              403 Forbidden: serviceaccounts "default" is forbidden: User "system:node:n2" cannot create resource "serviceaccounts/token" in API group "" in the namespace "default": no relationship found between node 'n2' and this object
            POST /api/v1/namespaces/default/serviceaccounts/default/token
              201 TokenRequest default @
        "#]],
    );
}

#[test]
fn claims_are_an_identity_while_what_they_are_bound_to_lives() {
    use actors_core::Turn;
    use actors_object::value;

    let mut scene = super::harness::Scene::new();
    scene.run("POST /api/v1/namespaces/default/pods\n  metadata: {name: p}\n  spec: {containers: [{name: c, image: i}]}\n");
    let line = "POST /api/v1/namespaces/default/serviceaccounts/default/token";
    let request = scene.parse(line, b"spec: {boundObjectRef: {kind: Pod, name: p}}");
    let snapshot = scene.catalog.snapshot();
    let mut rng = actors_core::Rng::from_number(1);
    let mut turn = Turn { now: actors_core::Now::default(), rng: &mut rng, view: &snapshot };
    let crate::Step::Sign(ticket) = scene.door.decide(&request, &mut turn) else {
        panic!("a token is signed");
    };
    let who = token_identity(&ticket.claims, &snapshot).expect("all of it lives");
    assert_eq!(who.user, "system:serviceaccount:default:default");
    let told = |key: &str| {
        let key = format!("authentication.kubernetes.io/{key}");
        who.extra.iter().find(|(own, _)| *own == key).map(|(_, texts)| texts.join(","))
    };
    assert_eq!(told("pod-name").as_deref(), Some("p"));
    assert!(told("credential-id").is_some_and(|id| id.starts_with("JTI=")));
    scene.run("DELETE /api/v1/namespaces/default/pods/p");
    assert_eq!(token_identity(&ticket.claims, &scene.catalog.snapshot()), None);
    assert_eq!(token_identity(&value!({}), &snapshot), None);
}

#[test]
fn a_token_that_admission_gave_a_pod_outlives_the_hour_that_its_bearer_is_told() {
    use actors_core::Turn;

    let mut scene = super::harness::Scene::new();
    scene.run("POST /api/v1/namespaces/default/pods\n  metadata: {name: p}\n  spec: {containers: [{name: c, image: i}]}\n");
    // Seconds that it lives, seconds after which to warn, and the end that the bearer is told.
    let check = |spec: &str, wanted: (i64, Option<i64>, &str)| {
        let line = "POST /api/v1/namespaces/default/serviceaccounts/default/token";
        let request = scene.parse(line, format!("spec: {spec}").as_bytes());
        let snapshot = scene.catalog.snapshot();
        let mut rng = actors_core::Rng::from_number(1);
        let now = actors_core::Now {
            wall: actors_core::Wall(1_795_248_300_000_000_000),
            ..actors_core::Now::default()
        };
        let mut turn = Turn { now, rng: &mut rng, view: &snapshot };
        let crate::Step::Sign(ticket) = scene.door.decide(&request, &mut turn) else {
            panic!("a token is signed");
        };
        let of = |path: &[&str]| ticket.claims.i64_at(path).map(|at| at - now.wall.as_secs());
        let (exp, warn) = (of(&["exp"]).expect("an end"), of(&["kubernetes.io", "warnafter"]));
        let told = ticket.finish("signed").into_object().expect("a token");
        let told = told.str_at(&["status", "expirationTimestamp"]).unwrap_or_default();
        assert_eq!((exp, warn, told), wanted, "{spec}");
    };
    let pod = "boundObjectRef: {kind: Pod, name: p}";
    let year = 365 * 86_400;
    let hour = "2026-11-21T09:05:07Z";
    check(&format!("{{expirationSeconds: 3607, {pod}}}"), (year, Some(3_607), hour));
    check("{expirationSeconds: 3607}", (3_607, None, hour));
    check(&format!("{{expirationSeconds: 3607, audiences: [a], {pod}}}"), (3_607, None, hour));
    check(&format!("{{expirationSeconds: 3600, {pod}}}"), (3_600, None, "2026-11-21T09:05:00Z"));
}
