//! Two requests that were decided on the same snapshot.

use expect_test::expect;

use super::harness::Scene;

/// Decides all requests before the first is applied.
fn check(before: &str, requests: &[(&str, &str)], expected: &expect_test::Expect) {
    let mut scene = Scene::new();
    scene.run(before);
    let mut steps = Vec::new();
    for (line, body) in requests {
        let request = scene.parse(line, body.as_bytes());
        steps.push(scene.decide(&request));
    }
    for (step, (line, _)) in steps.into_iter().zip(requests) {
        scene.note(line);
        scene.finish(step);
    }
    expected.assert_eq(scene.trace());
}

const MAP: &str =
    "POST /api/v1/namespaces/default/configmaps\n  metadata: {name: a}\n  data: {n: '0'}\n";
const ONE: &str = "MERGE /api/v1/namespaces/default/configmaps/a";
const ALL: &str = "POST /api/v1/namespaces/default/configmaps";

#[test]
fn patches_are_applied_one_after_the_other() {
    check(
        MAP,
        &[(ONE, "data: {x: '1'}"), (ONE, "data: {y: '2'}"), (ONE, "{\"data\":{\"x\":\"1\"}}")],
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            MERGE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @102
              + /registry/configmaps/default/a
            MERGE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @103
              + /registry/configmaps/default/a
            MERGE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @103
        "#]],
    );
}

#[test]
fn who_named_a_revision_is_told_that_it_moved() {
    let named = "metadata: {resourceVersion: '101'}\ndata: {y: '2'}";
    check(
        MAP,
        &[(ONE, "data: {x: '1'}"), (ONE, named)],
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            MERGE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @102
              + /registry/configmaps/default/a
            MERGE /api/v1/namespaces/default/configmaps/a
              409 Conflict: Operation cannot be fulfilled on configmaps "a": it has changed since the version that this request was made from; read it again and repeat the change
        "#]],
    );
}

#[test]
fn of_two_creations_of_one_name_one_wins() {
    check(
        "",
        &[(ALL, "metadata: {name: b}"), (ALL, "metadata: {name: b}")],
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap b @101
              + /registry/configmaps/default/b
            POST /api/v1/namespaces/default/configmaps
              409 AlreadyExists: configmaps "b" already exists
        "#]],
    );
}

#[test]
fn what_is_deleted_meanwhile_is_not_found() {
    let gone = "DELETE /api/v1/namespaces/default/configmaps/a";
    check(
        MAP,
        &[(gone, ""), (ONE, "data: {x: '1'}"), (gone, "")],
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            DELETE /api/v1/namespaces/default/configmaps/a
              200 Success
              - /registry/configmaps/default/a
            MERGE /api/v1/namespaces/default/configmaps/a
              404 NotFound: configmaps "a" not found
            DELETE /api/v1/namespaces/default/configmaps/a
              404 NotFound: configmaps "a" not found
        "#]],
    );
}

#[test]
fn an_address_is_given_once() {
    let services = "POST /api/v1/namespaces/default/services";
    let wants = |name: &str| {
        format!(
            "metadata: {{name: {name}}}\nspec: {{clusterIP: 10.43.0.10, ports: [{{port: 80}}]}}\n"
        )
    };
    let (one, two) = (wants("a"), wants("b"));
    check(
        "",
        &[(services, &one), (services, &two)],
        &expect![[r#"
            POST /api/v1/namespaces/default/services
              201 Service a @101
              + /registry/services/default/a
              + /registry/networking.k8s.io/ipaddresses/10.43.0.10
            POST /api/v1/namespaces/default/services
              422 Invalid: Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.43.0.10"]: belongs to another Service
        "#]],
    );
}
