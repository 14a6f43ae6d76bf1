//! Lists and watches as they leave the server: in pieces, encoded once, and never for those who do not read.

use actors_kinds::protobuf::Envelope;
use actors_object::{Value, value};
use nodes_door::{Options, WatchEvent};

use crate::{
    edge::{Connection, Edge, config_maps},
    scene::within,
};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Those that the test made: a server makes some itself.
const MADE: &str = "/api/v1/namespaces/default/configmaps?labelSelector=made";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";

/// Names of the items of a list.
fn names(list: &Value) -> Vec<String> {
    let items = list.list_at(&["items"]).iter();
    let names = items.map(|item| item.str_at(&["metadata", "name"]).unwrap_or_default().to_owned());
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_the_same_in_one_piece_in_many_and_in_every_form() {
    let edge = Edge::start().await;
    let mut expected = Vec::new();
    for number in 0..40 {
        // Some are larger than a piece.
        let size = if number % 10 == 3 { 200_000 } else { 2_000 };
        edge.create(&format!("m{number:02}"), &"x".repeat(size)).await;
        expected.push(format!("m{number:02}"));
    }
    let mut connection = edge.connect().await;
    let small = connection.get(&format!("{MADE}&limit=2"), "application/json").await;
    assert!(small.headers.contains_key("content-length"), "{:?}", small.headers);
    assert_eq!(names(&small.json()), expected[..2]);
    let large = connection.get(MADE, "application/json").await;
    assert!(!large.headers.contains_key("content-length"), "{:?}", large.headers);
    assert_eq!(names(&large.json()), expected);
    assert_eq!(large.json().str_at(&["kind"]), Some("ConfigMapList"));
    let metadata = connection.get(MADE, METADATA).await.json();
    assert_eq!(names(&metadata), expected);
    assert_eq!(metadata.list_at(&["items"])[3].at("data"), &Value::Null);
    let table = connection.get(MADE, TABLE).await.json();
    assert_eq!(table.list_at(&["rows"]).len(), expected.len());
    assert_eq!(table.str_at(&["kind"]), Some("Table"));
    // Twice: made, and found again; the length stands in front of the items.
    let first = connection.get(MADE, PROTOBUF).await;
    let again = connection.get(MADE, PROTOBUF).await;
    assert!(first.body == again.body, "the same bytes");
    let envelope = Envelope::open(&first.body.clone().into()).unwrap();
    let registry = actors_kinds::Registry::builtin().unwrap();
    let gvk = actors_object::Gvk::new("", "v1", "ConfigMap");
    let shape = registry.schema().shape_of_kind(&gvk).unwrap();
    let mut items = Vec::new();
    for (number, item) in protobuf_items(&envelope.raw) {
        assert_eq!(number, 2);
        let tree = actors_kinds::protobuf::decode(registry.schema(), &shape, &item).unwrap();
        items.push(tree.str_at(&["metadata", "name"]).unwrap_or_default().to_owned());
    }
    assert_eq!((envelope.kind.as_str(), items), ("ConfigMapList", expected));
    edge.stop().await;
}

/// The fields behind the metadata of a list's message.
fn protobuf_items(message: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < message.len() {
        let number = message[at] >> 3;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            at += 1;
            length |= usize::from(message[at] & 0x7f) << shift;
            shift += 7;
            if message[at] < 0x80 {
                break;
            }
        }
        at += 1;
        fields.push((number, message[at..at + length].to_vec()));
        at += length;
    }
    fields.remove(0);
    fields
}

/// Reads events of a watch until one of this type came for this name.
async fn until(watch: &mut Connection, lines: &mut String, word: &str, name: &str) -> Value {
    let found = async {
        loop {
            while let Some((line, rest)) = lines.split_once('\n') {
                let event = actors_object::json::from_slice(line.as_bytes()).unwrap();
                *lines = rest.to_owned();
                let is_it = event.str_at(&["type"]) == Some(word)
                    && event.str_at(&["object", "metadata", "name"]).unwrap_or_default() == name;
                if is_it {
                    return event;
                }
            }
            let piece = watch.piece().await.flatten().expect("the watch goes on");
            lines.push_str(std::str::from_utf8(&piece).unwrap());
        }
    };
    within(&format!("{word} {name}"), found).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_begins_with_what_is_there_and_goes_on_with_what_happens() {
    let edge = Edge::start().await;
    edge.create("a", "1").await;
    let mut watch = edge.connect().await;
    let query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
                 &allowWatchBookmarks=true&labelSelector=made%3Dhere";
    watch.send(&format!("GET {MAPS}?{query}"), &[], b"").await;
    let head = within("the head", watch.head()).await.unwrap();
    assert_eq!(
        (head.code, head.headers["content-type"].as_str()),
        (200, "application/json;stream=watch")
    );
    let mut lines = String::new();
    until(&mut watch, &mut lines, "ADDED", "a").await;
    let mark = until(&mut watch, &mut lines, "BOOKMARK", "").await;
    let annotation = mark.path(&["object", "metadata", "annotations", "k8s.io/initial-events-end"]);
    assert_eq!(annotation.and_then(Value::as_str), Some("true"));
    edge.set("a", "2").await;
    let changed = until(&mut watch, &mut lines, "MODIFIED", "a").await;
    assert_eq!(changed.str_at(&["object", "data", "text"]), Some("2"));
    let gone = value!({ "metadata": { "labels": { "made": "elsewhere" } } });
    edge.calls.merge(config_maps(Some("a")), &gone).await.unwrap();
    let last = until(&mut watch, &mut lines, "DELETED", "a").await;
    assert_eq!(last.str_at(&["object", "metadata", "labels", "made"]), Some("here"));
    let version = last.str_at(&["object", "metadata", "resourceVersion"]).unwrap().to_owned();
    // From there on another watch misses nothing.
    edge.create("b", "1").await;
    let mut resumed = edge.connect().await;
    let from = format!("GET {MADE}&watch=1&resourceVersion={version}&timeoutSeconds=1");
    resumed.send(&from, &[], b"").await;
    within("the head", resumed.head()).await.unwrap();
    until(&mut resumed, &mut String::new(), "ADDED", "b").await;
    // Its time is over: the body ends in order.
    assert_eq!(within("the end", resumed.piece()).await, Some(None));
    edge.stop().await;
}

/// How much memory this process has touched.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_costs_nothing_and_keeps_nobody_waiting() {
    let edge = Edge::start().await;
    edge.create("a", "1").await;
    let options = || Options { resource_version: Some("0".to_owned()), ..Options::default() };
    let mut stuck = Vec::new();
    for _ in 0..100 {
        let mut watch = edge.connect().await;
        watch.send(&format!("GET {MAPS}?watch=1&resourceVersion=0"), &[], b"").await;
        within("the head", watch.head()).await.unwrap();
        stuck.push(watch);
    }
    let mut good = edge.calls.watch(config_maps(None), options()).await.unwrap();
    let before = resident();
    // 100 watchers would be owed 300 MB.
    for number in 0..60 {
        edge.set("a", &format!("{number}{}", "x".repeat(50_000))).await;
        let told = async {
            loop {
                let batch = good.next().await.expect("the watch goes on");
                let newest = batch.iter().any(|event| match event {
                    WatchEvent::Added(entry) | WatchEvent::Modified(entry) => {
                        let object = entry.object();
                        let text = object.0.str_at(&["data", "text"]).unwrap_or_default();
                        text.starts_with(&format!("{number}x"))
                    }
                    _ => false,
                });
                if newest {
                    return;
                }
            }
        };
        within("an event", told).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 120_000_000, "{grown} bytes");
    // Who reads after all is given everything that it missed.
    let mut lines = String::new();
    let late = stuck.pop().expect("one of them");
    let mut late = late;
    loop {
        let event = until(&mut late, &mut lines, "MODIFIED", "a").await;
        if event.str_at(&["object", "data", "text"]).unwrap_or_default().starts_with("59x") {
            break;
        }
    }
    edge.stop().await;
}
