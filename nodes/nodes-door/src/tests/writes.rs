//! Creating, replacing, patching: isolation, generation, revisions, refusals with field paths.

use expect_test::expect;

use super::check;

const DEPLOYMENT: &str = "
    POST /apis/apps/v1/namespaces/default/deployments
      metadata: {name: web}
      spec:
        replicas: 2
        selector: {matchLabels: {app: web}}
        template:
          metadata: {labels: {app: web}}
          spec: {containers: [{name: c, image: busybox}]}
      status: {replicas: 9}
";

fn check_deployment(rest: &str, expected: &expect_test::Expect) {
    check(&format!("{DEPLOYMENT}{rest}"), expected);
}

#[test]
fn a_new_object_is_the_servers_in_its_metadata() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps
          metadata:
            name: a
            uid: mine
            creationTimestamp: 2001-01-01T00:00:00Z
            deletionTimestamp: 2001-01-01T00:00:00Z
            generation: 7
          data: {k: v}
        ? metadata
        GET /api/v1/namespaces/default/configmaps/a
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
                metadata = {"name":"a","namespace":"default","uid":"b260b8a1-0343-4f5a-9dac-b4f1d32d06c4","creationTimestamp":"2026-11-21T08:05:00Z","managedFields":[{"manager":"test","operation":"Update","apiVersion":"v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:k":{}}}}],"resourceVersion":"101"}
            GET /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @101
            POST /api/v1/namespaces/default/configmaps
              409 AlreadyExists: configmaps "a" already exists
        "#]],
    );
}

#[test]
fn status_and_spec_are_written_apart_and_generation_counts_specs() {
    check_deployment(
        "
    ? status
    ? metadata.generation
    MERGE /apis/apps/v1/namespaces/default/deployments/web
      spec: {replicas: 3}
      status: {replicas: 8}
    ? spec.replicas
    ? status
    ? metadata.generation
    MERGE /apis/apps/v1/namespaces/default/deployments/web/status
      metadata: {labels: {x: 'y'}}
      spec: {replicas: 4}
      status: {replicas: 3}
    ? spec.replicas
    ? status
    ? metadata.generation
    ? metadata.labels
    MERGE /apis/apps/v1/namespaces/default/deployments/web
      metadata: {annotations: {a: b}}
    ? metadata.generation
",
        &expect![[r#"
            POST /apis/apps/v1/namespaces/default/deployments
              201 Deployment web @101
              + /registry/apps/deployments/default/web
                status = {}
                metadata.generation = 1
            MERGE /apis/apps/v1/namespaces/default/deployments/web
              200 Deployment web @102
              + /registry/apps/deployments/default/web
                spec.replicas = 3
                status = {}
                metadata.generation = 2
            MERGE /apis/apps/v1/namespaces/default/deployments/web/status
              200 Deployment web @103
              + /registry/apps/deployments/default/web
                spec.replicas = 3
                status = {"replicas":3}
                metadata.generation = 2
                metadata.labels = {"x":"y"}
            MERGE /apis/apps/v1/namespaces/default/deployments/web
              200 Deployment web @104
              + /registry/apps/deployments/default/web
                metadata.generation = 2
        "#]],
    );
}

#[test]
fn what_changes_nothing_is_not_written() {
    check_deployment(
        "
    MERGE /apis/apps/v1/namespaces/default/deployments/web
      spec: {replicas: 2}
    STRATEGIC /apis/apps/v1/namespaces/default/deployments/web
      spec: {template: {spec: {containers: [{name: c, image: busybox}]}}}
    JSON /apis/apps/v1/namespaces/default/deployments/web
      - {op: test, path: /spec/replicas, value: 2}
",
        &expect![[r#"
            POST /apis/apps/v1/namespaces/default/deployments
              201 Deployment web @101
              + /registry/apps/deployments/default/web
            MERGE /apis/apps/v1/namespaces/default/deployments/web
              200 Deployment web @101
            STRATEGIC /apis/apps/v1/namespaces/default/deployments/web
              200 Deployment web @101
            JSON /apis/apps/v1/namespaces/default/deployments/web
              200 Deployment web @101
        "#]],
    );
}

#[test]
fn patches_of_each_sort_are_applied_or_refused() {
    check_deployment(
        "
    STRATEGIC /apis/apps/v1/namespaces/default/deployments/web
      spec: {template: {spec: {containers: [{name: d, image: x}]}}}
    ? spec.template.spec.containers.1.name
    JSON /apis/apps/v1/namespaces/default/deployments/web
      - {op: replace, path: /spec/replicas, value: 5}
    JSON /apis/apps/v1/namespaces/default/deployments/web
      - {op: test, path: /spec/replicas, value: 2}
    JSON /apis/apps/v1/namespaces/default/deployments/web
      - {op: replace, path: /metadata/name, value: other}
    MERGE /apis/apps/v1/namespaces/default/deployments/web
      spec: {replcas: 5}
    MERGE /apis/apps/v1/namespaces/default/deployments/web
      spec: {replicas: -5, selector: {matchLabels: {app: other}}}
    MERGE /apis/apps/v1/namespaces/default/deployments/web
      kind: Other
    MERGE /apis/apps/v1/namespaces/default/deployments/web
      - 1
    APPLY /apis/apps/v1/namespaces/default/deployments/web
      spec: {replicas: 5}
    MERGE /apis/apps/v1/namespaces/default/deployments/none
      spec: {replicas: 5}
",
        &expect![[r#"
            POST /apis/apps/v1/namespaces/default/deployments
              201 Deployment web @101
              + /registry/apps/deployments/default/web
            STRATEGIC /apis/apps/v1/namespaces/default/deployments/web
              200 Deployment web @102
              + /registry/apps/deployments/default/web
                spec.template.spec.containers.1.name = "d"
            JSON /apis/apps/v1/namespaces/default/deployments/web
              200 Deployment web @103
              + /registry/apps/deployments/default/web
            JSON /apis/apps/v1/namespaces/default/deployments/web
              422 Invalid: testing value /spec/replicas failed: test failed
            JSON /apis/apps/v1/namespaces/default/deployments/web
              400 BadRequest: metadata.name of the body is "other", but the path means "web"
            MERGE /apis/apps/v1/namespaces/default/deployments/web
              400 BadRequest: Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replcas"
            MERGE /apis/apps/v1/namespaces/default/deployments/web
              422 Invalid: Deployment.apps "web" is invalid: [spec.replicas: Invalid value: -5: must be greater than or equal to 0, spec.template.metadata.labels: Invalid value: {"app":"web"}: the selector does not select these labels, spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable]
            MERGE /apis/apps/v1/namespaces/default/deployments/web
              400 BadRequest: a patch may not change kind
            MERGE /apis/apps/v1/namespaces/default/deployments/web
              400 BadRequest: a merge patch must be an object
            APPLY /apis/apps/v1/namespaces/default/deployments/web
              400 BadRequest: fieldManager is required for an apply: who owns the fields?
            MERGE /apis/apps/v1/namespaces/default/deployments/none
              404 NotFound: deployments.apps "none" not found
        "#]],
    );
}

#[test]
fn a_revision_that_a_client_names_must_be_the_objects() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        PUT /api/v1/namespaces/default/configmaps/a
          metadata: {name: a, resourceVersion: '1'}
          data: {k: v}
        MERGE /api/v1/namespaces/default/configmaps/a
          metadata: {resourceVersion: '1'}
          data: {k: v}
        MERGE /api/v1/namespaces/default/configmaps/a
          metadata: {uid: other}
          data: {k: v}
        PUT /api/v1/namespaces/default/configmaps/a
          metadata: {name: a}
          data: {k: v}
        PUT /api/v1/namespaces/default/configmaps/b
          metadata: {name: b}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: c, resourceVersion: '1'}
        PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l
          metadata: {name: l}
          spec: {holderIdentity: me}
        PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l
          metadata: {name: l}
          spec: {holderIdentity: you}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            PUT /api/v1/namespaces/default/configmaps/a
              409 Conflict: Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again
            MERGE /api/v1/namespaces/default/configmaps/a
              409 Conflict: Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again
            MERGE /api/v1/namespaces/default/configmaps/a
              409 Conflict: Operation cannot be fulfilled on configmaps "a": Precondition failed: UID in precondition: other, UID in object meta: b260b8a1-0343-4f5a-9dac-b4f1d32d06c4
            PUT /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @102
              + /registry/configmaps/default/a
            PUT /api/v1/namespaces/default/configmaps/b
              404 NotFound: configmaps "b" not found
            POST /api/v1/namespaces/default/configmaps
              400 BadRequest: metadata.resourceVersion must be empty for a new object
            PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l
              201 Lease l @103
              + /registry/coordination.k8s.io/leases/default/l
            PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l
              422 Invalid: Lease.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update
        "#]],
    );
}

#[test]
fn unknown_and_repeated_fields_are_refused_warned_of_or_dropped() {
    check(
        "
        POST /apis/apps/v1/namespaces/default/deployments
          metadata: {name: web}
          spec: {replcas: 2, replicas: 1, replicas: 2}
        POST /api/v1/namespaces/default/configmaps?validation=Warn
          metadata: {name: a, labls: {}}
          data: {k: v, k: w}
        ? data
        POST /api/v1/namespaces/default/configmaps?validation=Ignore
          metadata: {name: b, labls: {}}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: c}
          data: {k: [1]}
        POST /apis/apps/v1/namespaces/default/deployments
          metadata: {name: web}
          spec: {replicas: two}
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {containers: [{name: c, image: i, resources: {limits: {cpu: lots}}}]}
        ",
        &expect![[r#"
            POST /apis/apps/v1/namespaces/default/deployments
              400 BadRequest: Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replcas", duplicate field "spec.replicas"
            POST /api/v1/namespaces/default/configmaps?validation=Warn
              201 ConfigMap a @101
                warning: unknown field "metadata.labls"
                warning: duplicate field "data.k"
              + /registry/configmaps/default/a
                data = {"k":"w"}
            POST /api/v1/namespaces/default/configmaps?validation=Ignore
              201 ConfigMap b @102
              + /registry/configmaps/default/b
            POST /api/v1/namespaces/default/configmaps
              400 BadRequest: ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal array into field data[k] of type string
            POST /apis/apps/v1/namespaces/default/deployments
              400 BadRequest: Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into field spec.replicas of type int32
            POST /api/v1/namespaces/default/pods
              400 BadRequest: Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string "lots" into field spec.containers[0].resources.limits[cpu] of type quantity (500m, 2, 128Mi)
        "#]],
    );
}

#[test]
fn bodies_that_are_not_what_the_path_says_are_refused() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps
          kind: Secret
          metadata: {name: a}
        POST /api/v1/namespaces/default/configmaps
          apiVersion: v2
          metadata: {name: a}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a, namespace: other}
        PUT /api/v1/namespaces/default/configmaps/a
          metadata: {name: b}
        POST /api/v1/namespaces/default/configmaps
          metadata: {}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: A_b}
        POST /api/v1/namespaces/default/configmaps
          [1, 2]
        POST /api/v1/namespaces/default/configmaps
          {\"metadata\": 
        POST /api/v1/configmaps
          metadata: {name: a}
        POST /api/v1/namespaces/default/gadgets
          metadata: {name: a}
        PUT /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              400 BadRequest: kind of the body is "Secret", but the path means "ConfigMap"
            POST /api/v1/namespaces/default/configmaps
              400 BadRequest: apiVersion of the body is "v2", but the path means "v1"
            POST /api/v1/namespaces/default/configmaps
              400 BadRequest: metadata.namespace of the body is "other", but the path means "default"
            PUT /api/v1/namespaces/default/configmaps/a
              400 BadRequest: metadata.name of the body is "b", but the path means "a"
            POST /api/v1/namespaces/default/configmaps
              422 Invalid: ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required
            POST /api/v1/namespaces/default/configmaps
              422 Invalid: ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            POST /api/v1/namespaces/default/configmaps
              400 BadRequest: the body cannot be read: an object is expected
            POST /api/v1/namespaces/default/configmaps
              400 BadRequest: the body cannot be read: unexpected end of JSON input at byte 14
            POST /api/v1/configmaps
              405 MethodNotAllowed: create is not supported on resources of kind "configmaps"
            POST /api/v1/namespaces/default/gadgets
              404 NotFound: the server could not find the requested resource
            PUT /api/v1/namespaces/default/configmaps
              400 BadRequest: name is required
        "#]],
    );
}

#[test]
fn names_are_generated_and_dry_runs_store_nothing() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps
          metadata: {generateName: web-}
        POST /api/v1/namespaces/default/configmaps?dryRun=All
          metadata: {name: a}
        GET /api/v1/namespaces/default/configmaps/a
        GET /api/v1/namespaces/default/configmaps
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap web-m29qv @101
              + /registry/configmaps/default/web-m29qv
            POST /api/v1/namespaces/default/configmaps?dryRun=All
              201 ConfigMap a @
            GET /api/v1/namespaces/default/configmaps/a
              404 NotFound: configmaps "a" not found
            GET /api/v1/namespaces/default/configmaps
              200 ConfigMapList [web-m29qv]
        "#]],
    );
}

#[test]
fn nothing_is_created_where_there_is_no_namespace() {
    check(
        "
        POST /api/v1/namespaces/none/configmaps
          metadata: {name: a}
        POST /api/v1/namespaces
          metadata: {name: going}
        ? metadata.labels
        ? spec
        ? status
        DELETE /api/v1/namespaces/going
        POST /api/v1/namespaces/going/configmaps
          metadata: {name: a}
        ? details.causes
        ",
        &expect![[r#"
            POST /api/v1/namespaces/none/configmaps
              404 NotFound: namespaces "none" not found
            POST /api/v1/namespaces
              201 Namespace going @101
              + /registry/namespaces/going
                metadata.labels = {"kubernetes.io/metadata.name":"going"}
                spec = {"finalizers":["kubernetes"]}
                status = {"phase":"Active"}
            DELETE /api/v1/namespaces/going
              200 Namespace going @102
              + /registry/namespaces/going
            POST /api/v1/namespaces/going/configmaps
              403 Forbidden: configmaps "a" is forbidden: unable to create new content in namespace going because it is being terminated
                details.causes = [{"reason":"NamespaceTerminating","message":"namespace going is being terminated","field":"metadata.namespace"}]
        "#]],
    );
}
