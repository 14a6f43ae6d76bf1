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
              409 Conflict: Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again
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
fn nothing_is_made_in_a_namespace_that_ends_meanwhile() {
    let space = "POST /api/v1/namespaces\n  metadata: {name: m}\n";
    let maps = "POST /api/v1/namespaces/m/configmaps";
    let told = "POST /api/v1/namespaces/m/events";
    let event = "metadata: {name: e}\ninvolvedObject: {namespace: m}";
    let finalize = ("PUT /api/v1/namespaces/m/finalize", "metadata: {name: m}\nspec: {}");
    let late = [(maps, "metadata: {name: a}"), (told, event)];
    let label = ("MERGE /api/v1/namespaces/m", "metadata: {labels: {a: b}}");
    let delete = ("DELETE /api/v1/namespaces/m", "");
    let requests = [label, (maps, "metadata: {name: early}"), delete, late[0], finalize, late[1]];
    check(
        space,
        &requests,
        &expect![[r#"
            POST /api/v1/namespaces
              201 Namespace m @101
              + /registry/namespaces/m
            MERGE /api/v1/namespaces/m
              200 Namespace m @102
              + /registry/namespaces/m
            POST /api/v1/namespaces/m/configmaps
              201 ConfigMap early @103
              + /registry/configmaps/m/early
            DELETE /api/v1/namespaces/m
              200 Namespace m @104
              + /registry/namespaces/m
            POST /api/v1/namespaces/m/configmaps
              403 Forbidden: configmaps "a" is forbidden: unable to create new content in namespace m because it is being terminated
            PUT /api/v1/namespaces/m/finalize
              200 Namespace m @104
              - /registry/namespaces/m
            POST /api/v1/namespaces/m/events
              404 NotFound: namespaces "m" not found
        "#]],
    );
}

#[test]
fn who_has_not_heard_of_a_quota_charges_it_all_the_same() {
    let quotas = "POST /api/v1/namespaces/default/resourcequotas";
    let quota = "metadata: {name: q}\nspec: {hard: {configmaps: '2'}}";
    let one = "metadata: {generateName: m-}";
    let requests = [(quotas, quota), (ALL, one), (ALL, one), (ALL, one)];
    check(
        "",
        &requests,
        &expect![[r#"
        POST /api/v1/namespaces/default/resourcequotas
          201 ResourceQuota q @101
          + /registry/resourcequotas/default/q
        POST /api/v1/namespaces/default/configmaps
          201 ConfigMap m-6jqqn @102
          + /registry/configmaps/default/m-6jqqn
          + /registry/resourcequotas/default/q
        POST /api/v1/namespaces/default/configmaps
          201 ConfigMap m-z7fgh @104
          + /registry/configmaps/default/m-z7fgh
          + /registry/resourcequotas/default/q
        POST /api/v1/namespaces/default/configmaps
          403 Forbidden: configmaps "m-gpf99" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2
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
