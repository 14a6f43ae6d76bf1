//! Deleting: grace, finalizers, preconditions, namespaces, collections.

use expect_test::expect;

use super::check;

const BOUND_POD: &str = "
    POST /api/v1/namespaces/default/pods
      metadata: {name: p}
      spec: {containers: [{name: c, image: i}]}
    POST /api/v1/namespaces/default/pods/p/binding
      target: {kind: Node, name: n1}
";

#[test]
fn a_pod_that_nobody_runs_goes_at_once() {
    check(
        "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {containers: [{name: c, image: i}]}
        DELETE /api/v1/namespaces/default/pods/p
        ? details.kind
        DELETE /api/v1/namespaces/default/pods/p
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
            DELETE /api/v1/namespaces/default/pods/p
              200 Success
              - /registry/pods/default/p
                details.kind = "pods"
            DELETE /api/v1/namespaces/default/pods/p
              404 NotFound: pods "p" not found
        "#]],
    );
}

#[test]
fn a_running_pod_has_its_grace_which_only_shrinks() {
    check(
        &format!(
            "{BOUND_POD}
    DELETE /api/v1/namespaces/default/pods/p
    ? metadata.deletionTimestamp
    ? metadata.deletionGracePeriodSeconds
    +5s
    DELETE /api/v1/namespaces/default/pods/p
    DELETE /api/v1/namespaces/default/pods/p?grace=60
    DELETE /api/v1/namespaces/default/pods/p?grace=10
    ? metadata.deletionTimestamp
    ? metadata.deletionGracePeriodSeconds
    DELETE /api/v1/namespaces/default/pods/p?grace=0
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
            POST /api/v1/namespaces/default/pods/p/binding
              201 Success
              + /registry/pods/default/p
            DELETE /api/v1/namespaces/default/pods/p
              200 Pod p @103
              + /registry/pods/default/p
                metadata.deletionTimestamp = "2026-11-21T08:05:30Z"
                metadata.deletionGracePeriodSeconds = 30
            DELETE /api/v1/namespaces/default/pods/p
              200 Pod p @103
            DELETE /api/v1/namespaces/default/pods/p?grace=60
              200 Pod p @103
            DELETE /api/v1/namespaces/default/pods/p?grace=10
              200 Pod p @104
              + /registry/pods/default/p
                metadata.deletionTimestamp = "2026-11-21T08:05:15Z"
                metadata.deletionGracePeriodSeconds = 10
            DELETE /api/v1/namespaces/default/pods/p?grace=0
              200 Success
              - /registry/pods/default/p
        "#]],
    );
}

#[test]
fn finalizers_hold_until_the_last_is_gone() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a, finalizers: [x.io/a, x.io/b]}
        DELETE /api/v1/namespaces/default/configmaps/a
        ? metadata.deletionTimestamp
        DELETE /api/v1/namespaces/default/configmaps/a
        MERGE /api/v1/namespaces/default/configmaps/a
          metadata: {finalizers: [x.io/a, x.io/c]}
        MERGE /api/v1/namespaces/default/configmaps/a
          metadata: {finalizers: [x.io/b], deletionTimestamp: null}
        ? metadata.deletionTimestamp
        MERGE /api/v1/namespaces/default/configmaps/a
          metadata: {finalizers: null}
        GET /api/v1/namespaces/default/configmaps/a
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            DELETE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @102
              + /registry/configmaps/default/a
                metadata.deletionTimestamp = "2026-11-21T08:05:00Z"
            DELETE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @102
            MERGE /api/v1/namespaces/default/configmaps/a
              422 Invalid: ConfigMap "a" is invalid: metadata.finalizers: Forbidden: finalizers cannot be added once the object is being deleted
            MERGE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @103
              + /registry/configmaps/default/a
                metadata.deletionTimestamp = "2026-11-21T08:05:00Z"
            MERGE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @103
              - /registry/configmaps/default/a
            GET /api/v1/namespaces/default/configmaps/a
              404 NotFound: configmaps "a" not found
        "#]],
    );
}

#[test]
fn propagation_policies_leave_their_finalizer() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        DELETE /api/v1/namespaces/default/configmaps/a?propagation=Foreground
        ? metadata.finalizers
        DELETE /api/v1/namespaces/default/configmaps/a?propagation=Orphan
        ? metadata.finalizers
        DELETE /api/v1/namespaces/default/configmaps/a?propagation=Sideways
        DELETE /api/v1/namespaces/default/configmaps/a?propagation=Background
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            DELETE /api/v1/namespaces/default/configmaps/a?propagation=Foreground
              200 ConfigMap a @102
              + /registry/configmaps/default/a
                metadata.finalizers = ["foregroundDeletion"]
            DELETE /api/v1/namespaces/default/configmaps/a?propagation=Orphan
              200 ConfigMap a @103
              + /registry/configmaps/default/a
                metadata.finalizers = ["orphan"]
            DELETE /api/v1/namespaces/default/configmaps/a?propagation=Sideways
              422 Invalid: DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sideways": supported values: "Background", "Foreground", "Orphan"
            DELETE /api/v1/namespaces/default/configmaps/a?propagation=Background
              200 Success
              - /registry/configmaps/default/a
        "#]],
    );
}

#[test]
fn preconditions_must_hold() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        DELETE /api/v1/namespaces/default/configmaps/a?uid=other
        DELETE /api/v1/namespaces/default/configmaps/a?ifrv=1
        DELETE /api/v1/namespaces/default/configmaps/a?dryRun=All
        GET /api/v1/namespaces/default/configmaps/a
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            DELETE /api/v1/namespaces/default/configmaps/a?uid=other
              409 Conflict: Operation cannot be fulfilled on configmaps "a": Precondition failed: UID in precondition: other, UID in object meta: b260b8a1-0343-4f5a-9dac-b4f1d32d06c4
            DELETE /api/v1/namespaces/default/configmaps/a?ifrv=1
              409 Conflict: Operation cannot be fulfilled on configmaps "a": Precondition failed: ResourceVersion in precondition: 1, ResourceVersion in object meta: 101
            DELETE /api/v1/namespaces/default/configmaps/a?dryRun=All
              200 Success
            GET /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @101
        "#]],
    );
}

#[test]
fn a_namespace_goes_when_it_is_finalized() {
    check(
        "
        DELETE /api/v1/namespaces/kube-system
        POST /api/v1/namespaces
          metadata: {name: a}
        DELETE /api/v1/namespaces/a
        ? status
        DELETE /api/v1/namespaces/a
        MERGE /api/v1/namespaces/a
          spec: {finalizers: []}
        ? spec
        PUT /api/v1/namespaces/a/finalize
          metadata: {name: a}
          spec: {finalizers: []}
        GET /api/v1/namespaces/a
        ",
        &expect![[r#"
            DELETE /api/v1/namespaces/kube-system
              403 Forbidden: namespaces "kube-system" is forbidden: this namespace may not be deleted
            POST /api/v1/namespaces
              201 Namespace a @101
              + /registry/namespaces/a
            DELETE /api/v1/namespaces/a
              200 Namespace a @102
              + /registry/namespaces/a
                status = {"phase":"Terminating"}
            DELETE /api/v1/namespaces/a
              200 Namespace a @102
            MERGE /api/v1/namespaces/a
              200 Namespace a @102
                spec = {"finalizers":["kubernetes"]}
            PUT /api/v1/namespaces/a/finalize
              200 Namespace a @102
              - /registry/namespaces/a
            GET /api/v1/namespaces/a
              404 NotFound: namespaces "a" not found
        "#]],
    );
}

#[test]
fn a_collection_is_deleted_one_by_one() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a, labels: {x: '1'}}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: b, labels: {x: '1'}, finalizers: [x.io/a]}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: c}
        DELETE /api/v1/namespaces/default/configmaps?labels=x=1
        DELETE /api/v1/namespaces/default/configmaps?labels=x=1
        GET /api/v1/namespaces/default/configmaps
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap b @102
              + /registry/configmaps/default/b
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap c @103
              + /registry/configmaps/default/c
            DELETE /api/v1/namespaces/default/configmaps?labels=x=1
              200 ConfigMapList [a b]
              - /registry/configmaps/default/a
              + /registry/configmaps/default/b
            DELETE /api/v1/namespaces/default/configmaps?labels=x=1
              200 ConfigMapList []
            GET /api/v1/namespaces/default/configmaps
              200 ConfigMapList [b c]
        "#]],
    );
}
