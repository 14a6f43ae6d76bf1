//! What the cluster adds to pods.

use expect_test::expect;

use super::check;

const POD: &str = "
    POST /api/v1/namespaces/default/pods
      metadata: {name: p}
      spec: {containers: [{name: c, image: i}]}
";

#[test]
fn a_pod_gets_an_account_a_token_tolerations_and_a_priority() {
    check(
        &format!(
            "{POD}
    ? spec.serviceAccountName
    ? spec.volumes.0
    ? spec.containers.0.volumeMounts
    ? spec.tolerations
    ? spec.priority
    ? spec.preemptionPolicy
    ? status
    ? metadata.generation
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
                spec.serviceAccountName = "default"
                spec.volumes.0 = {"name":"kube-api-access-m29qv","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}}
                spec.containers.0.volumeMounts = [{"name":"kube-api-access-m29qv","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}]
                spec.tolerations = [{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}]
                spec.priority = 0
                spec.preemptionPolicy = "PreemptLowerPriority"
                status = {"phase":"Pending","qosClass":"BestEffort"}
                metadata.generation = 1
        "#]],
    );
}

#[test]
fn what_a_pod_says_itself_stays() {
    check(
        "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec:
            automountServiceAccountToken: false
            priorityClassName: system-node-critical
            tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute}]
            containers: [{name: c, image: i}]
        ? spec.volumes
        ? spec.priority
        ? spec.tolerations.1.key
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
                spec.volumes = null
                spec.priority = 2000001000
                spec.tolerations.1.key = "node.kubernetes.io/unreachable"
        "#]],
    );
}

#[test]
fn accounts_and_classes_must_be_there() {
    check(
        "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {serviceAccountName: none, containers: [{name: c, image: i}]}
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {priorityClassName: none, containers: [{name: c, image: i}]}
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {priority: 5, containers: [{name: c, image: i}]}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "p" is forbidden: service account "default/none" not found
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "p" is forbidden: no PriorityClass with name none was found
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "p" is forbidden: the integer value of priority must not be provided in pod spec; the class gives 0
        "#]],
    );
}

#[test]
fn a_pod_changes_only_where_it_may() {
    check(
        &format!(
            "{POD}
    MERGE /api/v1/namespaces/default/pods/p
      spec: {{nodeName: n1}}
    STRATEGIC /api/v1/namespaces/default/pods/p
      spec: {{containers: [{{name: c, image: j}}]}}
    ? spec.containers.0.image
    MERGE /api/v1/namespaces/default/pods/p/status
      status: {{phase: Running}}
    ? status.phase
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
            MERGE /api/v1/namespaces/default/pods/p
              422 Invalid: Pod "p" is invalid: spec.nodeName: Forbidden: pod updates may only change images of containers, `activeDeadlineSeconds`, scheduling gates, and add tolerations
            STRATEGIC /api/v1/namespaces/default/pods/p
              200 Pod p @102
              + /registry/pods/default/p
                spec.containers.0.image = "j"
            MERGE /api/v1/namespaces/default/pods/p/status
              200 Pod p @103
              + /registry/pods/default/p
                status.phase = "Running"
        "#]],
    );
}
