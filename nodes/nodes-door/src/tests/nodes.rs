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
              403 Forbidden: leases.coordination.k8s.io "n1" is forbidden: node "n1" can only write its own Lease in kube-node-lease
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
