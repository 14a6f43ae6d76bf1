//! A node writes only what is its own.

use expect_test::{Expect, expect};

use super::check;

const PODS: &str = "
    POST /api/v1/namespaces/default/pods
      metadata: {name: mine}
      spec: {nodeName: n1, containers: [{name: c, image: i}]}
    POST /api/v1/namespaces/default/pods
      metadata: {name: other}
      spec: {nodeName: n2, containers: [{name: c, image: i}]}
    @ system:node:n1 system:nodes
";

fn check_node(script: &str, expected: &Expect) {
    check(&format!("{PODS}{script}"), expected);
}

#[test]
fn a_node_writes_itself_and_its_lease() {
    check_node(
        "
    POST /api/v1/nodes
      metadata: {name: n1}
      status: {capacity: {cpu: '2'}}
    ? status.allocatable
    POST /api/v1/nodes
      metadata: {name: n2}
    MERGE /api/v1/nodes/n1/status
      status: {nodeInfo: {architecture: amd64}}
    PUT /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1
      metadata: {name: n1}
      spec: {holderIdentity: n1}
    PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/n1
      metadata: {name: n1}
      spec: {holderIdentity: n1}
",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod mine @101
              + /registry/pods/default/mine
            POST /api/v1/namespaces/default/pods
              201 Pod other @102
              + /registry/pods/default/other
            POST /api/v1/nodes
              201 Node n1 @103
              + /registry/nodes/n1
                status.allocatable = {"cpu":"2"}
            POST /api/v1/nodes
              403 Forbidden: nodes "n2" is forbidden: node "n1" can only write its own Node
            MERGE /api/v1/nodes/n1/status
              200 Node n1 @104
              + /registry/nodes/n1
            PUT /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1
              201 Lease n1 @105
              + /registry/coordination.k8s.io/leases/kube-node-lease/n1
            PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/n1
              403 Forbidden: leases.coordination.k8s.io "n1" is forbidden: User "system:node:n1" cannot update resource "leases" in API group "coordination.k8s.io" in the namespace "default": can only access leases in the "kube-node-lease" system namespace
        "#]],
    );
}

#[test]
fn a_node_writes_the_pods_that_run_on_it() {
    check_node(
        "
    MERGE /api/v1/namespaces/default/pods/mine/status
      status: {phase: Running}
    MERGE /api/v1/namespaces/default/pods/other/status
      status: {phase: Failed}
    DELETE /api/v1/namespaces/default/pods/other?grace=0
    DELETE /api/v1/namespaces/default/pods/mine?grace=0
    POST /api/v1/namespaces/default/pods
      metadata: {name: made}
      spec: {nodeName: n1, containers: [{name: c, image: i}]}
    POST /api/v1/namespaces/default/pods
      metadata: {name: mirror, annotations: {kubernetes.io/config.mirror: x}}
      spec: {nodeName: n1, containers: [{name: c, image: i}]}
",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod mine @101
              + /registry/pods/default/mine
            POST /api/v1/namespaces/default/pods
              201 Pod other @102
              + /registry/pods/default/other
            MERGE /api/v1/namespaces/default/pods/mine/status
              200 Pod mine @103
              + /registry/pods/default/mine
            MERGE /api/v1/namespaces/default/pods/other/status
              403 Forbidden: pods "other" is forbidden: node "n1" can only write pods that run on it
            DELETE /api/v1/namespaces/default/pods/other?grace=0
              403 Forbidden: pods "other" is forbidden: node "n1" can only write pods that run on it
            DELETE /api/v1/namespaces/default/pods/mine?grace=0
              200 Success
              - /registry/pods/default/mine
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "made" is forbidden: node "n1" can only create mirror pods of its own
            POST /api/v1/namespaces/default/pods
              201 Pod mirror @105
              + /registry/pods/default/mirror
        "#]],
    );
}

#[test]
fn a_node_reads_what_its_pods_name_and_itself() {
    check(
        "
    POST /api/v1/namespaces/default/pods
      metadata: {name: mine}
      spec: {nodeName: n1, containers: [{name: c, image: i, envFrom: [{secretRef: {name: mine}}]}]}
    POST /api/v1/namespaces/default/pods
      metadata: {name: other}
      spec: {nodeName: n2, containers: [{name: c, image: i, envFrom: [{secretRef: {name: theirs}}]}]}
    POST /api/v1/namespaces/default/configmaps
      metadata: {name: kube-root-ca.crt}
    @ system:node:n1 system:nodes
    GET /api/v1/namespaces/default/secrets/mine
    GET /api/v1/namespaces/default/secrets/theirs
    GET /api/v1/namespaces/default/secrets
    GET /api/v1/namespaces/default/secrets?fields=metadata.name=mine
    GET /api/v1/namespaces/default/configmaps/kube-root-ca.crt
    GET /api/v1/namespaces/default/configmaps/other
    GET /api/v1/namespaces/default/pods/mine
    GET /api/v1/namespaces/default/pods/other
    GET /api/v1/namespaces/default/pods/none
    GET /api/v1/pods
    GET /api/v1/pods?fields=spec.nodeName=n2
    GET /api/v1/pods?fields=spec.nodeName=n1
    GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n2
    GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1
    POST /api/v1/namespaces/default/serviceaccounts/robot/token
      spec: {}
",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod mine @101
              + /registry/pods/default/mine
            POST /api/v1/namespaces/default/pods
              201 Pod other @102
              + /registry/pods/default/other
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap kube-root-ca.crt @103
              + /registry/configmaps/default/kube-root-ca.crt
            GET /api/v1/namespaces/default/secrets/mine
              404 NotFound: secrets "mine" not found
            GET /api/v1/namespaces/default/secrets/theirs
              403 Forbidden: secrets "theirs" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node 'n1' and this object
            GET /api/v1/namespaces/default/secrets
              403 Forbidden: secrets is forbidden: User "system:node:n1" cannot list resource "secrets" in API group "" in the namespace "default": No Object name found
            GET /api/v1/namespaces/default/secrets?fields=metadata.name=mine
              200 SecretList []
            GET /api/v1/namespaces/default/configmaps/kube-root-ca.crt
              200 ConfigMap kube-root-ca.crt @103
            GET /api/v1/namespaces/default/configmaps/other
              403 Forbidden: configmaps "other" is forbidden: User "system:node:n1" cannot get resource "configmaps" in API group "" in the namespace "default": no relationship found between node 'n1' and this object
            GET /api/v1/namespaces/default/pods/mine
              200 Pod mine @101
            GET /api/v1/namespaces/default/pods/other
              403 Forbidden: pods "other" is forbidden: User "system:node:n1" cannot get resource "pods" in API group "" in the namespace "default": no relationship found between node 'n1' and this object
            GET /api/v1/namespaces/default/pods/none
              404 NotFound: pods "none" not found
            GET /api/v1/pods
              403 Forbidden: pods is forbidden: User "system:node:n1" cannot list resource "pods" in API group "" at the cluster scope: can only list/watch pods with spec.nodeName field selector
            GET /api/v1/pods?fields=spec.nodeName=n2
              403 Forbidden: pods is forbidden: User "system:node:n1" cannot list resource "pods" in API group "" at the cluster scope: can only list/watch pods with spec.nodeName field selector
            GET /api/v1/pods?fields=spec.nodeName=n1
              200 PodList [mine]
            GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n2
              403 Forbidden: leases.coordination.k8s.io "n2" is forbidden: User "system:node:n1" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "kube-node-lease": can only access node lease with the same name as the requesting node
            GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1
              404 NotFound: leases.coordination.k8s.io "n1" not found
            POST /api/v1/namespaces/default/serviceaccounts/robot/token
              403 Forbidden: serviceaccounts "robot" is forbidden: User "system:node:n1" cannot create resource "serviceaccounts/token" in API group "" in the namespace "default": no relationship found between node 'n1' and this object
        "#]],
    );
}

#[test]
fn a_node_gives_itself_no_label_that_others_trust_and_no_taint() {
    check_node(
        "
    POST /api/v1/nodes
      metadata: {name: n1, labels: {node-role.kubernetes.io/control-plane: ''}}
    POST /api/v1/nodes
      metadata: {name: n1, labels: {kubernetes.io/hostname: n1, pool: a}}
    MERGE /api/v1/nodes/n1
      spec: {taints: [{key: a, effect: NoSchedule}]}
    MERGE /api/v1/nodes/n1/status
      status: {conditions: [{type: Ready, status: 'True'}]}
    MERGE /api/v1/nodes/n1
      spec: {taints: []}
    MERGE /api/v1/nodes/n1
      metadata: {labels: {node-restriction.kubernetes.io/secure: 'yes'}}
    MERGE /api/v1/nodes/n1
      metadata: {labels: {pool: b}}
    MERGE /api/v1/namespaces/default/pods/mine/status
      metadata: {labels: {app: web}}
      status: {phase: Running}
    POST /api/v1/namespaces/default/pods
      metadata: {name: mirror, annotations: {kubernetes.io/config.mirror: x}}
      spec: {nodeName: n1, containers: [{name: c, image: i, envFrom: [{secretRef: {name: s}}]}]}
",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod mine @101
              + /registry/pods/default/mine
            POST /api/v1/namespaces/default/pods
              201 Pod other @102
              + /registry/pods/default/other
            POST /api/v1/nodes
              403 Forbidden: nodes "n1" is forbidden: node "n1" is not allowed to modify labels: node-role.kubernetes.io/control-plane
            POST /api/v1/nodes
              201 Node n1 @103
              + /registry/nodes/n1
            MERGE /api/v1/nodes/n1
              200 Node n1 @104
              + /registry/nodes/n1
            MERGE /api/v1/nodes/n1/status
              200 Node n1 @105
              + /registry/nodes/n1
            MERGE /api/v1/nodes/n1
              403 Forbidden: nodes "n1" is forbidden: node "n1" is not allowed to modify taints
            MERGE /api/v1/nodes/n1
              403 Forbidden: nodes "n1" is forbidden: node "n1" is not allowed to modify labels: node-restriction.kubernetes.io/secure
            MERGE /api/v1/nodes/n1
              200 Node n1 @106
              + /registry/nodes/n1
            MERGE /api/v1/namespaces/default/pods/mine/status
              403 Forbidden: pods "mine" is forbidden: node "n1" can not change labels of pods
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "mirror" is forbidden: node "n1" can not create pods that reference secrets, configmaps or claims
        "#]],
    );
}

#[test]
fn a_node_asks_for_the_tokens_that_its_pods_ask_for() {
    check(
        "
    POST /api/v1/namespaces/default/pods
      metadata: {name: mine}
      spec:
        nodeName: n1
        containers: [{name: c, image: i}]
        volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t, audience: vault}}]}}]
    @ system:node:n1 system:nodes
    POST /api/v1/namespaces/default/serviceaccounts/default/token
      spec: {boundObjectRef: {kind: Pod, name: mine}}
    POST /api/v1/namespaces/default/serviceaccounts/default/token
      spec: {audiences: [vault], boundObjectRef: {kind: Pod, name: mine}}
    POST /api/v1/namespaces/default/serviceaccounts/default/token
      spec: {audiences: [bank], boundObjectRef: {kind: Pod, name: mine}}
    POST /api/v1/namespaces/default/serviceaccounts/default/token
      spec: {}
",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod mine @101
              + /registry/pods/default/mine
            POST /api/v1/namespaces/default/serviceaccounts/default/token
              201 TokenRequest default @
            POST /api/v1/namespaces/default/serviceaccounts/default/token
              201 TokenRequest default @
            POST /api/v1/namespaces/default/serviceaccounts/default/token
              403 Forbidden: serviceaccounts "default" is forbidden: audience "bank" not found in pod spec volume
            POST /api/v1/namespaces/default/serviceaccounts/default/token
              403 Forbidden: serviceaccounts "default" is forbidden: node "n1" may only request tokens bound to pods that run on it
        "#]],
    );
}
