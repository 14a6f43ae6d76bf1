//! What is sent is what arrives, and damage is an error.

use actors_object::{GroupResource, value};
use nodes_door::Media;

use super::*;

fn object(name: &str) -> Entry {
    Entry::Made(Arc::new(Object(value!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "resourceVersion": "7" },
        "spec": { "priority": 3, "share": 0.5, "on": true },
    }))))
}

fn request() -> Request {
    Request {
        identity: Identity::new("system:masters-of-lies", &["system:masters"]),
        verb: Verb::Patch(nodes_door::PatchKind::Strategic),
        target: Target {
            version: "v1".to_owned(),
            resource: "pods".to_owned(),
            ..Target::default()
        },
        options: Options { limit: Some(5), dry_run: true, ..Options::default() },
        body: Body { media: Media::Yaml, bytes: Bytes::from_static(b"a: 1") },
        user_agent: "kubelet".to_owned(),
    }
}

#[test]
fn a_request_arrives_under_the_identity_that_the_receiver_gives_it() {
    let sent = Asked::Call(Box::new(WireRequest::of(request())));
    let read: Asked = decode(&encode(&sent).expect("encoded")).expect("decoded");
    let Asked::Call(read) = read else { panic!("{read:?}") };
    let identity = Identity::new("system:node:n1", &["system:nodes"]);
    assert_eq!(read.under(identity.clone()), Request { identity, ..request() });
}

#[test]
fn answers_arrive_as_they_were() {
    let list = List {
        api_version: "v1".to_owned(),
        kind: "PodList".to_owned(),
        revision: Revision(9),
        continue_token: Some("t".to_owned()),
        remaining: Some(1),
        entries: vec![object("a"), object("b")],
    };
    let gone = ApiError::not_found(&GroupResource::new("", "pods"), "a").retry_after(2);
    let bodies = [
        ResponseBody::Entry(object("a")),
        ResponseBody::List(list),
        ResponseBody::Success(value!({ "status": "Success" })),
        ResponseBody::Error(gone),
    ];
    for body in bodies {
        let mut sent = Response::new(200, body);
        sent.warnings.push("look".to_owned());
        sent.revision = Some(Revision(4));
        let mut wire = WireResponse::of(&sent);
        let entries = wire.take_entries();
        let bytes = encode(&wire).expect("encoded");
        let mut read: WireResponse = decode(&bytes).expect("decoded");
        read.put_entries(entries);
        let read = read.read().expect("understood");
        assert_eq!(format!("{read:?}"), format!("{sent:?}"));
    }
}

#[test]
fn events_arrive_as_they_were() {
    let events = [
        WatchEvent::Added(object("a")),
        WatchEvent::Modified(object("a")),
        WatchEvent::Deleted(object("a")),
        WatchEvent::Bookmark(Revision(3), true),
        WatchEvent::Error(ApiError::expired("too old")),
    ];
    for event in events {
        let bytes = encode(&Told::of(&event)).expect("encoded");
        let read = decode::<Told>(&bytes).and_then(|told| told.read()).expect("understood");
        assert_eq!(format!("{read:?}"), format!("{event:?}"));
    }
}

#[test]
fn damaged_bytes_are_an_error_and_never_a_panic() {
    let bytes = encode(&Asked::Call(Box::new(WireRequest::of(request())))).expect("encoded");
    for cut in 0..bytes.len() {
        assert!(decode::<Asked>(&bytes[..cut]).is_err(), "{cut}");
    }
    for at in 0..bytes.len() {
        let mut wrong = bytes.to_vec();
        wrong[at] ^= 0xff;
        drop(decode::<Asked>(&wrong));
        drop(decode::<WireResponse>(&wrong));
        drop(decode::<Vec<Told>>(&wrong));
    }
}
