//! The objects of flow control, while people change them.

use actors_object::{Object, Value, value};
use nodes_door::{Options, Target, WatchEvent};

use crate::{edge::Edge, scene::within};

fn of(plural: &str, name: Option<&str>) -> Target {
    Target {
        group: "flowcontrol.apiserver.k8s.io".to_owned(),
        version: "v1".to_owned(),
        resource: plural.to_owned(),
        name: name.map(str::to_owned),
        ..Target::default()
    }
}

/// Waits until an object is, or is not, such as it should be.
async fn until(
    edge: &Edge,
    (what, plural, name): (&str, &str, &str),
    such: impl Fn(Option<&Object>) -> bool,
) {
    let options =
        Options { field_selector: Some(format!("metadata.name={name}")), ..Options::default() };
    let watch = async {
        let mut watch = edge.calls.watch(of(plural, None), options).await.unwrap();
        while let Some(events) = watch.next().await {
            let fits = |event: &WatchEvent| match event {
                WatchEvent::Added(entry) | WatchEvent::Modified(entry) => {
                    such(Some(&entry.object()))
                }
                WatchEvent::Deleted(_) => such(None),
                WatchEvent::Bookmark(..) | WatchEvent::Error(_) => false,
            };
            if events.iter().any(fits) {
                return;
            }
        }
        panic!("the watch of {name} ended: {what}");
    };
    within(what, watch).await;
}

/// The status of the condition that says whether a schema leads nowhere.
fn dangling(schema: &Object) -> Option<&str> {
    let conditions = schema.list_at(&["status", "conditions"]);
    let found = conditions.iter().find(|one| one.str_at(&["type"]) == Some("Dangling"));
    found.and_then(|condition| condition.str_at(&["status"]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_flow_control_needs_comes_back_and_schemas_that_lead_nowhere_say_so() {
    let edge = Edge::start().await;
    let schema = ("flowschemas", "catch-all");
    let that = |what| (what, schema.0, schema.1);
    until(&edge, that("the condition"), |found| {
        found.is_some_and(|it| dangling(it) == Some("False"))
    })
    .await;
    let first = edge.calls.get(of(schema.0, Some(schema.1))).await.unwrap();

    edge.calls.delete(of(schema.0, Some(schema.1)), Options::default()).await.unwrap();
    until(&edge, that("another one"), |found| found.is_some_and(|it| it.uid() != first.uid()))
        .await;

    // What is mandatory cannot be changed at all; what is suggested is changed back.
    let patch = value!({ "spec": { "matchingPrecedence": 9_999 } });
    let refused = edge.calls.merge(of(schema.0, Some(schema.1)), &patch).await.unwrap_err();
    assert_eq!(refused.code, 422, "{refused:?}");
    let changed = edge.calls.merge(of(schema.0, Some("probes")), &patch).await.unwrap();
    assert_eq!(changed.i64_at(&["spec", "matchingPrecedence"]), Some(9_999));
    let precedence = |it: &Object| it.i64_at(&["spec", "matchingPrecedence"]);
    let probes = ("its spec", schema.0, "probes");
    until(&edge, probes, |found| found.and_then(precedence) == Some(2)).await;

    // A level that is ours no longer goes; who leads to it leads nowhere then.
    let level = |own: &str| -> Value {
        value!({
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
            "kind": "PriorityLevelConfiguration",
            "metadata": {
                "name": "gone", "annotations": { "apf.kubernetes.io/autoupdate-spec": own },
            },
            "spec": {
                "type": "Limited",
                "limited": { "nominalConcurrencyShares": 1, "limitResponse": { "type": "Reject" } },
            },
        })
    };
    let leads = value!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": { "name": "leads" },
        "spec": { "priorityLevelConfiguration": { "name": "gone" }, "matchingPrecedence": 500 },
    });
    edge.calls.create(of("prioritylevelconfigurations", None), &level("false")).await.unwrap();
    edge.calls.create(of("flowschemas", None), &leads).await.unwrap();
    let leads = |what| (what, "flowschemas", "leads");
    until(&edge, leads("its level"), |found| found.is_some_and(|it| dangling(it) == Some("False")))
        .await;
    let own = value!({
        "metadata": { "annotations": { "apf.kubernetes.io/autoupdate-spec": "true" } },
    });
    edge.calls.merge(of("prioritylevelconfigurations", Some("gone")), &own).await.unwrap();
    until(&edge, leads("the loss of its level"), |found| {
        found.is_some_and(|it| dangling(it) == Some("True"))
    })
    .await;
    edge.stop().await;
}
