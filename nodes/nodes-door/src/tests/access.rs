//! Who may do what: roles, bindings, escalation, reviews.

use expect_test::expect;

use super::{check, harness::Scene};
use crate::{Identity, authz::bindings_of};

#[test]
fn a_stranger_may_nothing_and_a_role_gives_what_it_says() {
    check(
        "
        @ jane
        GET /api/v1/namespaces/default/pods
        GET /api/v1/nodes
        GET /api/v1/namespaces/default
        POST /api/v1/namespaces/default/pods/p/exec
        @ admin system:masters
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
          metadata: {name: jane}
          roleRef: {kind: ClusterRole, name: view}
          subjects: [{kind: User, name: jane}]
        @ jane
        GET /api/v1/namespaces/default/pods
        GET /api/v1/namespaces/default
        GET /api/v1/namespaces/default/secrets
        GET /api/v1/pods
        DELETE /api/v1/namespaces/default/pods/p
        ",
        &expect![[r#"
            GET /api/v1/namespaces/default/pods
              403 Forbidden: pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"
            GET /api/v1/nodes
              403 Forbidden: nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope
            GET /api/v1/namespaces/default
              403 Forbidden: namespaces "default" is forbidden: User "jane" cannot get resource "namespaces" in API group "" in the namespace "default"
            POST /api/v1/namespaces/default/pods/p/exec
              403 Forbidden: pods "p" is forbidden: User "jane" cannot create resource "pods/exec" in API group "" in the namespace "default"
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
              201 RoleBinding jane @101
              + /registry/rbac.authorization.k8s.io/rolebindings/default/jane
            GET /api/v1/namespaces/default/pods
              200 PodList []
            GET /api/v1/namespaces/default
              200 Namespace default @1
            GET /api/v1/namespaces/default/secrets
              403 Forbidden: secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "default"
            GET /api/v1/pods
              403 Forbidden: pods is forbidden: User "jane" cannot list resource "pods" in API group "" at the cluster scope
            DELETE /api/v1/namespaces/default/pods/p
              403 Forbidden: pods "p" is forbidden: User "jane" cannot delete resource "pods" in API group "" in the namespace "default"
        "#]],
    );
}

#[test]
fn rules_may_name_objects_and_subresources() {
    check(
        "
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles
          metadata: {name: r}
          rules:
          - {apiGroups: [''], resources: [configmaps], resourceNames: [a], verbs: [get, list, create]}
          - {apiGroups: [''], resources: ['*/status'], verbs: [patch]}
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
          metadata: {name: r}
          roleRef: {kind: Role, name: r}
          subjects: [{kind: ServiceAccount, name: default}]
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        @ system:serviceaccount:default:default
        GET /api/v1/namespaces/default/configmaps/a
        GET /api/v1/namespaces/default/configmaps/b
        GET /api/v1/namespaces/default/configmaps
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        MERGE /api/v1/namespaces/default/pods/none/status
          status: {}
        ",
        &expect![[r#"
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles
              201 Role r @101
              + /registry/rbac.authorization.k8s.io/roles/default/r
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
              201 RoleBinding r @102
              + /registry/rbac.authorization.k8s.io/rolebindings/default/r
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @103
              + /registry/configmaps/default/a
            GET /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @103
            GET /api/v1/namespaces/default/configmaps/b
              403 Forbidden: configmaps "b" is forbidden: User "system:serviceaccount:default:default" cannot get resource "configmaps" in API group "" in the namespace "default"
            GET /api/v1/namespaces/default/configmaps
              403 Forbidden: configmaps is forbidden: User "system:serviceaccount:default:default" cannot list resource "configmaps" in API group "" in the namespace "default"
            POST /api/v1/namespaces/default/configmaps
              403 Forbidden: configmaps is forbidden: User "system:serviceaccount:default:default" cannot create resource "configmaps" in API group "" in the namespace "default"
            MERGE /api/v1/namespaces/default/pods/none/status
              404 NotFound: pods "none" not found
        "#]],
    );
}

#[test]
fn nobody_gives_away_more_than_they_have() {
    check(
        "
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
          metadata: {name: jane}
          roleRef: {kind: ClusterRole, name: admin}
          subjects: [{kind: User, name: jane}]
        @ jane
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles
          metadata: {name: pods}
          rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles
          metadata: {name: nodes}
          rules: [{apiGroups: [''], resources: [nodes], verbs: [get]}]
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
          metadata: {name: bob}
          roleRef: {kind: ClusterRole, name: view}
          subjects: [{kind: User, name: bob}]
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
          metadata: {name: eve}
          roleRef: {kind: ClusterRole, name: system:node-proxier}
          subjects: [{kind: User, name: eve}]
        MERGE /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/pods
          rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]
        ",
        &expect![[r#"
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
              201 RoleBinding jane @101
              + /registry/rbac.authorization.k8s.io/rolebindings/default/jane
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles
              201 Role pods @102
              + /registry/rbac.authorization.k8s.io/roles/default/pods
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles
              403 Forbidden: roles.rbac.authorization.k8s.io "nodes" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
            {APIGroups:[""], Resources:["nodes"], Verbs:["get"]}
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
              201 RoleBinding bob @103
              + /registry/rbac.authorization.k8s.io/rolebindings/default/bob
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
              403 Forbidden: rolebindings.rbac.authorization.k8s.io "eve" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
            {APIGroups:[""], Resources:["nodes"], Verbs:["get" "list" "watch"]}
            {APIGroups:["events.k8s.io"], Resources:["events"], Verbs:["create" "patch" "update"]}
            {APIGroups:["networking.k8s.io"], Resources:["servicecidrs"], Verbs:["list" "watch"]}
            MERGE /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/pods
              403 Forbidden: roles.rbac.authorization.k8s.io "pods" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
            {APIGroups:["*"], Resources:["*"], Verbs:["*"]}
        "#]],
    );
}

#[test]
fn reviews_answer_and_store_nothing() {
    check(
        "
        @ jane devs
        POST /apis/authentication.k8s.io/v1/selfsubjectreviews
          metadata: {}
        ? status.userInfo
        POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews
          spec: {resourceAttributes: {verb: get, resource: pods, namespace: default}}
        ? status
        POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews
          spec: {nonResourceAttributes: {verb: get, path: /version}}
        ? status
        POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews
          spec: {namespace: default}
        ? status.resourceRules.0
        ? status.nonResourceRules.0.verbs
        POST /apis/authorization.k8s.io/v1/subjectaccessreviews
          spec: {user: admin, resourceAttributes: {verb: get, resource: pods}}
        @ admin system:masters
        POST /apis/authorization.k8s.io/v1/subjectaccessreviews
          spec: {user: u, groups: ['system:nodes'], resourceAttributes: {verb: get, resource: secrets}}
        ? status
        POST /apis/authorization.k8s.io/v1/subjectaccessreviews
          spec: {user: u}
        POST /apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews
          spec: {user: u, resourceAttributes: {verb: get, resource: pods, namespace: other}}
        ",
        &expect![[r#"
            POST /apis/authentication.k8s.io/v1/selfsubjectreviews
              201 SelfSubjectReview  @
                status.userInfo = {"username":"jane","groups":["devs","system:authenticated"]}
            POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews
              201 SelfSubjectAccessReview  @
                status = {"allowed":false}
            POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews
              201 SelfSubjectAccessReview  @
                status = {"allowed":true,"reason":"RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \"system:authenticated\""}
            POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews
              201 SelfSubjectRulesReview  @
                status.resourceRules.0 = {"verbs":["create"],"resources":["selfsubjectaccessreviews","selfsubjectrulesreviews"],"apiGroups":["authorization.k8s.io"]}
                status.nonResourceRules.0.verbs = ["get"]
            POST /apis/authorization.k8s.io/v1/subjectaccessreviews
              403 Forbidden: subjectaccessreviews.authorization.k8s.io is forbidden: User "jane" cannot create resource "subjectaccessreviews" in API group "authorization.k8s.io" at the cluster scope
            POST /apis/authorization.k8s.io/v1/subjectaccessreviews
              201 SubjectAccessReview  @
                status = {"allowed":false}
            POST /apis/authorization.k8s.io/v1/subjectaccessreviews
              422 Invalid: SubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: set either resourceAttributes or nonResourceAttributes
            POST /apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews
              422 Invalid: LocalSubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes.namespace: Invalid value: "other": must be the namespace of the path
        "#]],
    );
}

#[test]
fn paths_that_are_no_objects_have_rules_too() {
    let scene = Scene::new();
    let snapshot = scene.catalog.snapshot();
    let may = |who: &Identity, path: &str| {
        scene.door.authorize_url(who, ("get", path), &snapshot).map_err(|error| error.message)
    };
    assert_eq!(may(&Identity::anonymous(), "/version"), Ok(()));
    assert_eq!(may(&Identity::new("jane", &[]), "/apis/apps/v1"), Ok(()));
    let refused = "forbidden: User \"system:anonymous\" cannot get path \"/apis\"";
    assert_eq!(may(&Identity::anonymous(), "/apis"), Err(refused.to_owned()));
}

#[test]
fn an_apply_that_creates_needs_the_right_to_create() {
    check(
        "
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles
          metadata: {name: r}
          rules: [{apiGroups: [''], resources: [configmaps, endpoints], verbs: [get, patch, update]}]
        POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
          metadata: {name: r}
          roleRef: {kind: Role, name: r}
          subjects: [{kind: User, name: jane}]
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: there}
        @ jane
        APPLY /api/v1/namespaces/default/configmaps/there?fieldManager=m
          metadata: {name: there}
          data: {a: b}
        APPLY /api/v1/namespaces/default/configmaps/new?fieldManager=m
          metadata: {name: new}
          data: {a: b}
        PUT /api/v1/namespaces/default/endpoints/new
          metadata: {name: new}
        ",
        &expect![[r#"
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles
              201 Role r @101
              + /registry/rbac.authorization.k8s.io/roles/default/r
            POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings
              201 RoleBinding r @102
              + /registry/rbac.authorization.k8s.io/rolebindings/default/r
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap there @103
              + /registry/configmaps/default/there
            APPLY /api/v1/namespaces/default/configmaps/there?fieldManager=m
              200 ConfigMap there @104
              + /registry/configmaps/default/there
            APPLY /api/v1/namespaces/default/configmaps/new?fieldManager=m
              403 Forbidden: configmaps "new" is forbidden: User "jane" cannot create resource "configmaps" in API group "" in the namespace "default"
            PUT /api/v1/namespaces/default/endpoints/new
              403 Forbidden: endpoints "new" is forbidden: User "jane" cannot create resource "endpoints" in API group "" in the namespace "default"
        "#]],
    );
}

#[test]
fn only_who_may_everything_may_gather_rules_and_roles_stay_bound() {
    check(
        "
        POST /apis/rbac.authorization.k8s.io/v1/clusterroles
          metadata: {name: roles}
          rules:
          - {apiGroups: [rbac.authorization.k8s.io], resources: ['*'], verbs: ['*'], resourceNames: [none]}
          - {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [create, patch, update]}
        POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings
          metadata: {name: roles}
          roleRef: {kind: ClusterRole, name: roles}
          subjects: [{kind: User, name: jane}]
        MERGE /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/roles
          roleRef: {kind: ClusterRole, name: view}
        @ jane
        POST /apis/rbac.authorization.k8s.io/v1/clusterroles
          metadata: {name: gathers}
          aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}
        POST /apis/rbac.authorization.k8s.io/v1/clusterroles
          metadata: {name: mine}
          rules: [{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [patch]}]
        POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews
          spec: {resourceAttributes: {verb: patch, group: rbac.authorization.k8s.io, resource: clusterroles}}
        ? status
        ",
        &expect![[r#"
            POST /apis/rbac.authorization.k8s.io/v1/clusterroles
              201 ClusterRole roles @101
              + /registry/rbac.authorization.k8s.io/clusterroles/roles
            POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings
              201 ClusterRoleBinding roles @102
              + /registry/rbac.authorization.k8s.io/clusterrolebindings/roles
            MERGE /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/roles
              422 Invalid: ClusterRoleBinding.rbac.authorization.k8s.io "roles" is invalid: roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}: cannot change: delete the binding and create another
            POST /apis/rbac.authorization.k8s.io/v1/clusterroles
              403 Forbidden: clusterroles.rbac.authorization.k8s.io "gathers" is forbidden: must have cluster-admin privileges to use the aggregationRule
            POST /apis/rbac.authorization.k8s.io/v1/clusterroles
              201 ClusterRole mine @103
              + /registry/rbac.authorization.k8s.io/clusterroles/mine
            POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews
              201 SelfSubjectAccessReview  @
                status = {"allowed":true,"reason":"RBAC: allowed by ClusterRoleBinding \"roles\" of ClusterRole \"roles\" to User \"jane\""}
        "#]],
    );
}

/// The names of the bindings that are looked at for somebody in a namespace.
fn looked_at(scene: &mut Scene, who: &Identity, place: &str) -> String {
    scene.turn(|_, turn| {
        let found = bindings_of(turn.view, who, place);
        let names: Vec<String> = found.iter().map(|item| item.object().name().to_owned()).collect();
        names.join(" ")
    })
}

#[test]
fn a_request_touches_the_bindings_of_its_own_user_and_groups_only() {
    let mut scene = Scene::new();
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let bind = |scene: &mut Scene, place: &str, name: &str, subjects: &str| {
        let body = format!(
            "metadata: {{name: {name}}}\nroleRef: {{kind: ClusterRole, name: view}}\nsubjects: [{subjects}]"
        );
        let kind = if place.is_empty() { "clusterrolebindings" } else { "rolebindings" };
        let path = match place {
            "" => format!("POST {rbac}/{kind}"),
            place => format!("POST {rbac}/namespaces/{place}/{kind}"),
        };
        assert_eq!(scene.request(&path, body.as_bytes()).code, 201, "{name}");
    };
    for other in 0..100 {
        let stranger = format!("{{kind: User, name: stranger-{other}}}");
        bind(&mut scene, "", &format!("all-{other}"), &stranger);
        bind(&mut scene, "default", &format!("one-{other}"), &stranger);
    }
    let jane = Identity::new("jane", &["devs"]);
    bind(&mut scene, "", "a-user", "{kind: User, name: jane}, {kind: User, name: jane}");
    bind(&mut scene, "", "a-group", "{kind: Group, name: devs}, {kind: User, name: jane}");
    bind(&mut scene, "default", "here", "{kind: Group, name: devs}");
    bind(&mut scene, "kube-system", "there", "{kind: User, name: jane}");
    bind(&mut scene, "default", "account", "{kind: ServiceAccount, name: bot}");
    // Everybody who is known may look at themselves.
    let known = "system:basic-user system:discovery system:public-info-viewer";
    assert_eq!(looked_at(&mut scene, &jane, ""), format!("a-group a-user {known}"));
    assert_eq!(looked_at(&mut scene, &jane, "default"), "here");
    assert_eq!(looked_at(&mut scene, &jane, "kube-system"), "there");
    let bot = Identity::new("system:serviceaccount:default:bot", &[]);
    assert_eq!(looked_at(&mut scene, &bot, "default"), "account");
    let namesake = Identity::new("system:serviceaccount:kube-system:bot", &[]);
    assert_eq!(looked_at(&mut scene, &namesake, "default"), "");
    // As bindings change and go.
    let moved = format!("MERGE {rbac}/clusterrolebindings/a-user");
    scene.request(&moved, b"subjects: [{kind: User, name: joe}]");
    scene.request(&format!("DELETE {rbac}/namespaces/default/rolebindings/here"), b"");
    assert_eq!(looked_at(&mut scene, &jane, ""), format!("a-group {known}"));
    assert_eq!(looked_at(&mut scene, &jane, "default"), "");
    let joe = Identity::new("joe", &[]);
    assert_eq!(looked_at(&mut scene, &joe, ""), format!("a-user {known}"));
}
