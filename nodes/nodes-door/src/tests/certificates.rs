//! Certificate signing requests at the door: who asks, who decides, who signs.

use expect_test::expect;

use super::check;

/// A request of `O=system:masters, CN=jane`, and one of `O=devs, CN=jane`: base64 of PEM.
const MASTERS: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIa01JR0tBZ0VBTUNneEZ6QVZCZ05WQkFvTURuTjVjM1JsYlRwdFlYTjBaWEp6TVEwd0N3WURWUVFEREFScQpZVzVsTUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowREFRY0RRZ0FFMkVRdHk2eUN2K3ByUE9BMDVGTU9HWGxsClREVVNVZVNaMTFNa0oydDJwVHpCS2VMK1FWbXpsZGFGNmNodG9tc2Z2SFFWQnJRME5QaTQxeVNFS3QxcHNhQUEKTUFvR0NDcUdTTTQ5QkFNQ0Ewa0FNRVlDSVFEVUlxNkR3N2V2Y0V4Snp2d2I2ckxNbThSNU5pZkQrTUZRRlc3dgpseEIvOGdJaEFOWkszaXBZNkIzcGhoLzB3U3psNmtBb3NOSjhnWDg2UTc1akY5c2V4ckw1Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=";
const DEVS: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIWU1JR0FBZ0VBTUI0eERUQUxCZ05WQkFvTUJHUmxkbk14RFRBTEJnTlZCQU1NQkdwaGJtVXdXVEFUQmdjcQpoa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVRZUkMzTHJJSy82bXM4NERUa1V3NFplV1ZNTlJKUjVKblhVeVFuCmEzYWxQTUVwNHY1QldiT1Yxb1hweUcyaWF4KzhkQlVHdERRMCtMalhKSVFxM1dteG9BQXdDZ1lJS29aSXpqMEUKQXdJRFJ3QXdSQUlnUGdFV0hGdHBTSWJlaVBEM0Mza1crd2hZU3IyUkdOb1padlk2b2pCZnc2NENJRm50N3dUMwp5MjhQUkJuMEd5NDhZWTJhMkpRWHJqT280QzN5Y2N5RCtSdVUKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==";

/// Who may ask and decide at all, and who may approve requests of one signer.
const PREPARED: &str = "
        POST /apis/rbac.authorization.k8s.io/v1/clusterroles
          metadata: {name: asks}
          rules:
          - {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [create, get, update]}
          - {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update, patch]}
          - {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/status], verbs: [patch]}
        POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings
          metadata: {name: asks}
          roleRef: {kind: ClusterRole, name: asks}
          subjects: [{kind: User, name: jane}, {kind: User, name: boss}]
        POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings
          metadata: {name: approves}
          roleRef: {kind: ClusterRole, name: 'system:certificates.k8s.io:kube-apiserver-client-approver'}
          subjects: [{kind: User, name: boss}]
";

fn script(text: &str) -> String {
    let text = text.replace("MASTERS", MASTERS).replace("DEVS", DEVS);
    text.replace("        PREPARED\n", PREPARED)
}

#[test]
fn the_server_writes_down_who_asks_and_only_approvers_decide() {
    check(
        &script(
            "
        PREPARED
        @ jane devs
        POST /apis/certificates.k8s.io/v1/certificatesigningrequests
          metadata: {name: jane}
          spec: {request: DEVS, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], username: admin, groups: ['system:masters']}
        ? spec.username
        ? spec.groups
        POST /apis/certificates.k8s.io/v1/certificatesigningrequests
          metadata: {name: master}
          spec: {request: MASTERS, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}
        MERGE /apis/certificates.k8s.io/v1/certificatesigningrequests/jane/approval
          status: {conditions: [{type: Approved, status: 'True'}]}
        @ boss
        MERGE /apis/certificates.k8s.io/v1/certificatesigningrequests/jane/approval
          spec: {username: boss}
          status: {conditions: [{type: Approved, status: 'True', reason: ByHand}]}
        ? status.conditions.0.type
        ? spec.username
        MERGE /apis/certificates.k8s.io/v1/certificatesigningrequests/jane/status
          status: {certificate: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmVBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=}
        @ admin system:masters
        MERGE /apis/certificates.k8s.io/v1/certificatesigningrequests/jane/status
          status: {certificate: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmVBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=}
        ? status.conditions.0.type
        ",
        ),
        &expect![[r#"
            POST /apis/rbac.authorization.k8s.io/v1/clusterroles
              201 ClusterRole asks @101
              + /registry/rbac.authorization.k8s.io/clusterroles/asks
            POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings
              201 ClusterRoleBinding asks @102
              + /registry/rbac.authorization.k8s.io/clusterrolebindings/asks
            POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings
              201 ClusterRoleBinding approves @103
              + /registry/rbac.authorization.k8s.io/clusterrolebindings/approves
            POST /apis/certificates.k8s.io/v1/certificatesigningrequests
              201 CertificateSigningRequest jane @104
              + /registry/certificates.k8s.io/certificatesigningrequests/jane
                spec.username = "jane"
                spec.groups = ["devs","system:authenticated"]
            POST /apis/certificates.k8s.io/v1/certificatesigningrequests
              403 Forbidden: certificatesigningrequests.certificates.k8s.io "master" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed
            MERGE /apis/certificates.k8s.io/v1/certificatesigningrequests/jane/approval
              403 Forbidden: certificatesigningrequests.certificates.k8s.io "jane" is forbidden: user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"
            MERGE /apis/certificates.k8s.io/v1/certificatesigningrequests/jane/approval
              200 CertificateSigningRequest jane @105
              + /registry/certificates.k8s.io/certificatesigningrequests/jane
                status.conditions.0.type = "Approved"
                spec.username = "jane"
            MERGE /apis/certificates.k8s.io/v1/certificatesigningrequests/jane/status
              403 Forbidden: certificatesigningrequests.certificates.k8s.io "jane" is forbidden: user not permitted to sign requests with signerName "kubernetes.io/kube-apiserver-client"
            MERGE /apis/certificates.k8s.io/v1/certificatesigningrequests/jane/status
              200 CertificateSigningRequest jane @106
              + /registry/certificates.k8s.io/certificatesigningrequests/jane
                status.conditions.0.type = "Approved"
        "#]],
    );
}
