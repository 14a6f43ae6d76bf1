//! Watches: beginnings, transitions, refusals.

use expect_test::expect;

use super::harness::Scene;
use crate::WatchEvent;

fn shown(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Added(entry) => format!("added {}@{}", name(entry), version(entry)),
        WatchEvent::Modified(entry) => format!("modified {}@{}", name(entry), version(entry)),
        WatchEvent::Deleted(entry) => format!("deleted {}@{}", name(entry), version(entry)),
        WatchEvent::Bookmark(revision, ends) => format!("bookmark @{revision} {ends}"),
        WatchEvent::Error(error) => format!("error {error}"),
    }
}

fn name(entry: &crate::Entry) -> String {
    entry.object().name().to_owned()
}

fn version(entry: &crate::Entry) -> String {
    entry.object().resource_version().to_owned()
}

#[test]
fn an_object_that_begins_or_ceases_to_match_is_added_or_deleted() {
    let mut scene = Scene::new();
    scene.run(
        "POST /api/v1/namespaces/default/configmaps\n  metadata: {name: a, labels: {x: '1'}}\n",
    );
    let request = scene.parse(
        "WATCH /api/v1/configmaps?labels=x=1&initial=true&match=NotOlderThan&bookmarks=true",
        b"",
    );
    let mut plan = scene.door.watch(&request, &scene.catalog.snapshot()).expect("allowed");
    let known = scene.events.len();
    scene.run(
        "
        MERGE /api/v1/namespaces/default/configmaps/a
          data: {k: v}
        MERGE /api/v1/namespaces/default/configmaps/a
          metadata: {labels: {x: '2'}}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: b}
        MERGE /api/v1/namespaces/default/configmaps/a
          metadata: {labels: {x: '1'}}
        DELETE /api/v1/namespaces/default/configmaps/a
        DELETE /api/v1/namespaces/default/configmaps/b
        ",
    );
    let mut lines: Vec<String> = plan.take_initial(usize::MAX).iter().map(shown).collect();
    let events = scene.events[known..].iter().filter_map(|event| plan.show(event));
    lines.extend(events.map(|event| shown(&event)));
    expect![[r#"
        added a@101
        bookmark @101 true
        modified a@102
        deleted a@103
        added a@105
        deleted a@106"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let scene = Scene::new();
    let check = |line: &str| {
        let request = scene.parse(line, b"");
        let plan = scene.door.watch(&request, &scene.catalog.snapshot());
        plan.map(|mut plan| plan.take_initial(usize::MAX).len())
            .map_err(|error| format!("{} {}", error.code, error.message))
    };
    assert_eq!(check("WATCH /api/v1/namespaces?rv=0"), Ok(4));
    assert_eq!(check("WATCH /api/v1/namespaces"), Ok(4));
    assert_eq!(check("WATCH /api/v1/namespaces/default"), Ok(1));
    assert_eq!(check("WATCH /api/v1/namespaces?rv=3"), Ok(0));
    let lines: Vec<String> = [
        "WATCH /api/v1/namespaces?rv=99999",
        "WATCH /api/v1/namespaces?initial=true",
        "WATCH /api/v1/namespaces?match=Exact&rv=1",
        "WATCH /api/v1/namespaces?initial=true&match=Exact",
        "WATCH /api/v1/namespaces/default/status",
    ]
    .into_iter()
    .map(|line| format!("{:?}", check(line)))
    .collect();
    expect![[r#"
        Err("504 Timeout: Too large resource version: 99999, current: 100")
        Err("422 ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: must be NotOlderThan when sendInitialEvents is set")
        Err("422 ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: means nothing for a watch without sendInitialEvents")
        Err("422 ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Unsupported value: \"Exact\": supported values: \"NotOlderThan\"")
        Err("405 watch is not supported on resources of kind \"namespaces\"")"#]].assert_eq(&lines.join("\n"));
}
