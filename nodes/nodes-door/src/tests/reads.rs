//! Reading: selectors, pages, revisions.

use expect_test::expect;

use super::{check, harness::Scene};

const THREE: &str = "
    POST /api/v1/namespaces/default/configmaps
      metadata: {name: a, labels: {x: '1'}}
    POST /api/v1/namespaces/default/configmaps
      metadata: {name: b, labels: {x: '2'}}
    POST /api/v1/namespaces/kube-system/configmaps
      metadata: {name: c}
";

#[test]
fn lists_select_by_labels_and_fields() {
    check(
        &format!(
            "{THREE}
    GET /api/v1/configmaps
    GET /api/v1/namespaces/default/configmaps
    GET /api/v1/configmaps?labels=x
    GET /api/v1/configmaps?labels=x!=1
    GET /api/v1/configmaps?fields=metadata.name=a
    GET /api/v1/configmaps?fields=metadata.namespace!=default
    GET /api/v1/configmaps?fields=data.k=v
    GET /api/v1/configmaps?labels=x%
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap b @102
              + /registry/configmaps/default/b
            POST /api/v1/namespaces/kube-system/configmaps
              201 ConfigMap c @103
              + /registry/configmaps/kube-system/c
            GET /api/v1/configmaps
              200 ConfigMapList [a b c]
            GET /api/v1/namespaces/default/configmaps
              200 ConfigMapList [a b]
            GET /api/v1/configmaps?labels=x
              200 ConfigMapList [a b]
            GET /api/v1/configmaps?labels=x!=1
              200 ConfigMapList [b c]
            GET /api/v1/configmaps?fields=metadata.name=a
              200 ConfigMapList [a]
            GET /api/v1/configmaps?fields=metadata.namespace!=default
              200 ConfigMapList [c]
            GET /api/v1/configmaps?fields=data.k=v
              400 BadRequest: field label not supported: data.k
            GET /api/v1/configmaps?labels=x%
              400 BadRequest: key: Invalid value: "x%": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
        "#]],
    );
}

#[test]
fn revisions_are_those_of_this_replica() {
    check(
        &format!(
            "{THREE}
    GET /api/v1/configmaps?rv=0
    GET /api/v1/configmaps?rv=99999
    GET /api/v1/configmaps?rv=x
    GET /api/v1/configmaps?match=Exact
    GET /api/v1/configmaps?rv=5&match=Exact
    GET /api/v1/configmaps?rv=5&match=Newest
    GET /api/v1/configmaps?rv=5&match=NotOlderThan
    GET /api/v1/namespaces/default/configmaps/a?rv=99999
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap b @102
              + /registry/configmaps/default/b
            POST /api/v1/namespaces/kube-system/configmaps
              201 ConfigMap c @103
              + /registry/configmaps/kube-system/c
            GET /api/v1/configmaps?rv=0
              200 ConfigMapList [a b c]
            GET /api/v1/configmaps?rv=99999
              504 Timeout: Timeout: Too large resource version: 99999, current: 103
            GET /api/v1/configmaps?rv=x
              400 BadRequest: Invalid value: "x": the resource version is not a number
            GET /api/v1/configmaps?match=Exact
              422 Invalid: ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: means nothing without resourceVersion
            GET /api/v1/configmaps?rv=5&match=Exact
              410 Expired: the list at this resourceVersion is no longer kept
            GET /api/v1/configmaps?rv=5&match=Newest
              422 Invalid: ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Newest": supported values: "Exact", "NotOlderThan"
            GET /api/v1/configmaps?rv=5&match=NotOlderThan
              200 ConfigMapList [a b c]
            GET /api/v1/namespaces/default/configmaps/a?rv=99999
              504 Timeout: Timeout: Too large resource version: 99999, current: 103
        "#]],
    );
}

#[test]
fn pages_fit_together_or_say_that_they_cannot() {
    let mut scene = Scene::new();
    scene.run(THREE);
    scene.run("GET /api/v1/configmaps?limit=2");
    let token = scene.last_text();
    scene.run(&format!("GET /api/v1/configmaps?limit=2&continue={token}"));
    scene.run(&format!("GET /api/v1/secrets?continue={token}"));
    scene.run("GET /api/v1/configmaps?continue=nonsense");
    scene.run("POST /api/v1/namespaces/default/configmaps\n  metadata: {name: d}\n");
    let request = scene.parse(&format!("GET /api/v1/configmaps?continue={token}"), b"");
    assert!(scene.door.pinned_revision(&request).is_some());
    scene.run(&format!("GET /api/v1/configmaps?limit=2&continue={token}"));
    let token = scene.last_path("metadata.continue");
    scene.run(&format!("GET /api/v1/configmaps?limit=2&continue={token}"));
    let trace: Vec<String> = scene
        .trace()
        .lines()
        .filter(|line| !line.starts_with("GET") && !line.contains("continue parameter"))
        .map(str::to_owned)
        .collect();
    expect![[r#"
        POST /api/v1/namespaces/default/configmaps
          201 ConfigMap a @101
          + /registry/configmaps/default/a
        POST /api/v1/namespaces/default/configmaps
          201 ConfigMap b @102
          + /registry/configmaps/default/b
        POST /api/v1/namespaces/kube-system/configmaps
          201 ConfigMap c @103
          + /registry/configmaps/kube-system/c
          200 ConfigMapList [a b] +1
          200 ConfigMapList [c]
          400 BadRequest: continue: the token belongs to another list
          400 BadRequest: continue: this is no token of a list
        POST /api/v1/namespaces/default/configmaps
          201 ConfigMap d @104
          + /registry/configmaps/default/d
          410 Expired: the continue token is too old: the revision of the first page is no longer kept. List again, or go on with the token in this status, whose pages show later changes.
          200 ConfigMapList [d c]"#]]
    .assert_eq(&trace.join("\n"));
}

#[test]
fn odd_names_do_not_break_pages() {
    let mut scene = Scene::new();
    for name in ["\\\"it's:a", "\\\"it's:ä", "\\\"it's:b"] {
        let body = format!("{{\"metadata\":{{\"name\":\"{name}\"}}}}");
        let line = "POST /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
        assert_eq!(scene.request(line, body.as_bytes()).code, 201);
    }
    let mut token = String::new();
    let mut names = Vec::new();
    for _ in 0..3 {
        let line = "GET /apis/rbac.authorization.k8s.io/v1/namespaces/default/roles?limit=1";
        let list = scene.request(&format!("{line}&continue={token}"), b"").into_list();
        let list = list.expect("a page");
        names.extend(list.entries.iter().map(|entry| entry.object().name().to_owned()));
        token = list.continue_token.unwrap_or_default();
    }
    assert_eq!(names, ["\"it's:a", "\"it's:b", "\"it's:ä"]);
    assert_eq!(token, "");
}
