//! As whom somebody acts, and whose a token is.

use actors_core::Wall;
use expect_test::expect;

use super::{check, harness::Scene};
use crate::{Identity, Impersonation, bootstrap_identity};

const NOW: Wall = Wall(1_795_248_300_000_000_000);

#[test]
fn every_part_of_another_identity_must_be_allowed() {
    let mut scene = Scene::new();
    scene.run(
        "
        POST /apis/rbac.authorization.k8s.io/v1/clusterroles
          metadata: {name: acts}
          rules:
          - {apiGroups: [''], resources: [users], verbs: [impersonate], resourceNames: [bob]}
          - {apiGroups: [''], resources: [groups], verbs: [impersonate], resourceNames: [devs]}
          - {apiGroups: [authentication.k8s.io], resources: [userextras/scopes], verbs: [impersonate], resourceNames: [view]}
          - {apiGroups: [authentication.k8s.io], resources: [uids], verbs: [impersonate]}
        POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings
          metadata: {name: acts}
          roleRef: {kind: ClusterRole, name: acts}
          subjects: [{kind: User, name: jane}]
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
          metadata: {name: edits}
          roleRef: {kind: ClusterRole, name: edit}
          subjects: [{kind: User, name: jane}]
        ",
    );
    let snapshot = scene.catalog.snapshot();
    let jane = Identity::new("jane", &[]);
    let act = |wanted: Impersonation| {
        scene.door.impersonate(&jane, &wanted, &snapshot).map_err(|error| error.message)
    };
    let text = |text: &str| text.to_owned();
    let bob = Impersonation { user: text("bob"), ..Impersonation::default() };
    assert_eq!(act(bob.clone()), Ok(Identity::new("bob", &[])));
    let all = Impersonation {
        uid: text("u1"),
        groups: vec![text("devs")],
        extra: vec![(text("scopes"), vec![text("view")])],
        ..bob.clone()
    };
    let told = act(all.clone()).expect("allowed");
    assert_eq!(told.groups, ["devs", "system:authenticated"]);
    assert_eq!((told.uid.as_str(), told.extra), ("u1", all.extra.clone()));
    let refused = |wanted: Impersonation| act(wanted).expect_err("refused");
    assert_eq!(
        refused(Impersonation { user: text("eve"), ..bob.clone() }),
        "users \"eve\" is forbidden: User \"jane\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope"
    );
    assert_eq!(
        refused(Impersonation { groups: vec![text("system:masters")], ..bob.clone() }),
        "groups \"system:masters\" is forbidden: User \"jane\" cannot impersonate resource \"groups\" in API group \"\" at the cluster scope"
    );
    assert_eq!(
        refused(Impersonation { extra: vec![(text("scopes"), vec![text("edit")])], ..bob }),
        "userextras/scopes.authentication.k8s.io \"edit\" is forbidden: User \"jane\" cannot impersonate resource \"userextras/scopes\" in API group \"authentication.k8s.io\" at the cluster scope"
    );
    // Who may edit a namespace may act as its accounts.
    let account =
        Impersonation { user: text("system:serviceaccount:default:x"), ..Impersonation::default() };
    let told = act(account).expect("allowed");
    assert_eq!(
        told.groups,
        ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    );
    let other = text("system:serviceaccount:kube-system:x");
    assert!(
        refused(Impersonation { user: other, ..Impersonation::default() }).contains("kube-system")
    );
    let nobody = Impersonation { groups: vec![text("devs")], ..Impersonation::default() };
    assert_eq!(
        refused(nobody),
        "Impersonate-User is required beside the other Impersonate headers"
    );
}

#[test]
fn a_bootstrap_token_is_who_its_secret_says() {
    let mut scene = Scene::new();
    scene.run(
        "
        POST /api/v1/namespaces/kube-system/secrets
          metadata: {name: bootstrap-token-abcdef}
          type: bootstrap.kubernetes.io/token
          stringData: {token-id: abcdef, token-secret: 0123456789abcdef, usage-bootstrap-authentication: 'true', auth-extra-groups: 'system:bootstrappers:workers', expiration: '2026-11-21T09:05:00Z'}
        POST /api/v1/namespaces/kube-system/secrets
          metadata: {name: bootstrap-token-unused}
          type: bootstrap.kubernetes.io/token
          stringData: {token-id: unused, token-secret: 0123456789abcdef}
        POST /api/v1/namespaces/kube-system/secrets
          metadata: {name: bootstrap-token-single}
          type: bootstrap.kubernetes.io/token
          stringData: {token-id: single, token-secret: 0123456789abcdef, usage-bootstrap-authentication: 'true', once: 'true', used-by: n1}
        POST /api/v1/namespaces/kube-system/secrets
          metadata: {name: bootstrap-token-greedy}
          type: bootstrap.kubernetes.io/token
          stringData: {token-id: greedy, token-secret: 0123456789abcdef, usage-bootstrap-authentication: 'true', auth-extra-groups: 'system:masters'}
        ",
    );
    let snapshot = scene.catalog.snapshot();
    let who = |token: &str, now: Wall| bootstrap_identity(token, &snapshot, now);
    let told = who("abcdef.0123456789abcdef", NOW).expect("a good token");
    assert_eq!(told.user, "system:bootstrap:abcdef");
    assert_eq!(
        told.groups,
        ["system:bootstrappers", "system:bootstrappers:workers", "system:authenticated"]
    );
    let later = Wall(NOW.0 + 3_600_000_000_000);
    assert_eq!(who("abcdef.0123456789abcdef", later), None);
    for bad in [
        "abcdef.0123456789abcdee",
        "abcdeg.0123456789abcdef",
        "unused.0123456789abcdef",
        "greedy.0123456789abcdef",
        "single.0123456789abcdef",
        "ABCDEF.0123456789abcdef",
        "abcdef",
        "",
    ] {
        assert_eq!(who(bad, NOW), None, "{bad}");
    }
}

#[test]
fn a_review_tells_whose_a_token_is() {
    check(
        "
        POST /api/v1/namespaces/kube-system/secrets
          metadata: {name: bootstrap-token-abcdef}
          type: bootstrap.kubernetes.io/token
          stringData: {token-id: abcdef, token-secret: 0123456789abcdef, usage-bootstrap-authentication: 'true'}
        POST /apis/authentication.k8s.io/v1/tokenreviews
          spec: {token: abcdef.0123456789abcdef}
        ? status
        POST /apis/authentication.k8s.io/v1/tokenreviews
          spec: {token: abcdef.0123456789abcdef, audiences: [vault]}
        ? status
        POST /apis/authentication.k8s.io/v1/tokenreviews
          spec: {token: a.b.c}
        ? status
        POST /apis/authentication.k8s.io/v1/tokenreviews
          spec: {}
        @ jane
        POST /apis/authentication.k8s.io/v1/tokenreviews
          spec: {token: a.b.c}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/kube-system/secrets
              201 Secret bootstrap-token-abcdef @101
              + /registry/secrets/kube-system/bootstrap-token-abcdef
            POST /apis/authentication.k8s.io/v1/tokenreviews
              201 TokenReview  @
                status = {"authenticated":true,"user":{"username":"system:bootstrap:abcdef","groups":["system:bootstrappers","system:authenticated"]},"audiences":["https://kubernetes.default.svc.cluster.local"]}
            POST /apis/authentication.k8s.io/v1/tokenreviews
              201 TokenReview  @
                status = {"user":{},"error":"the token is meant for another audience"}
            POST /apis/authentication.k8s.io/v1/tokenreviews
              201 TokenReview  @
                status = {"user":{},"error":"no signature is good here"}
            POST /apis/authentication.k8s.io/v1/tokenreviews
              422 Invalid: TokenReview.authentication.k8s.io "" is invalid: spec.token: Required value
            POST /apis/authentication.k8s.io/v1/tokenreviews
              403 Forbidden: tokenreviews.authentication.k8s.io is forbidden: User "jane" cannot create resource "tokenreviews" in API group "authentication.k8s.io" at the cluster scope
        "#]],
    );
}
