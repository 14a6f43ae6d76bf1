//! Requests that are meant to hurt: each is refused in order or cut off, and nobody else notices.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    edge::{Answer, Edge},
    scene::{until, within},
};

const MAPS: &str = "POST /api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "POST /apis/apps/v1/namespaces/default/deployments";
const JSON: &str = "application/json";
const YAML: &str = "application/yaml";

/// What is sent, and as what.
type Attack = (&'static str, &'static str, &'static str, Vec<u8>);

/// Nine levels of nine copies each.
fn bomb() -> Vec<u8> {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        let copies = vec![format!("*{from}"); 9].join(", ");
        text.push_str(&format!("{to}: &{to} [{copies}]\n"));
    }
    text.into_bytes()
}

fn labels() -> Vec<u8> {
    let labels: Vec<String> = (0..100_000).map(|number| format!("\"l{number}\":\"v\"")).collect();
    format!("{{\"metadata\":{{\"name\":\"a\",\"labels\":{{{}}}}}}}", labels.join(",")).into_bytes()
}

fn attacks() -> Vec<Attack> {
    let nested = |open: &str| open.repeat(10_000).into_bytes();
    let data =
        |text: &str| format!("{{\"metadata\":{{\"name\":\"a\"}},\"data\":{text}}}").into_bytes();
    let operations = vec![r#"{"op":"add","path":"/data/x","value":"y"}"#; 20_000].join(",");
    let mut letters = data("{\"k\":\"#\"}");
    letters.iter_mut().filter(|byte| **byte == b'#').for_each(|byte| *byte = 0xff);
    let replicas = |number: &str| {
        format!(
            "{{\"metadata\":{{\"name\":\"a\"}},\"spec\":{{\"replicas\":{number},\"selector\":\
             {{\"matchLabels\":{{\"a\":\"b\"}}}},\"template\":{{\"metadata\":{{\"labels\":\
             {{\"a\":\"b\"}}}},\"spec\":{{\"containers\":[{{\"name\":\"c\",\"image\":\"i\"}}]}}}}}}}}"
        )
        .into_bytes()
    };
    vec![
        ("lists 10,000 deep", MAPS, JSON, nested("[")),
        ("objects 10,000 deep", MAPS, JSON, nested("{\"a\":")),
        ("flow lists 10,000 deep", MAPS, YAML, nested("[")),
        ("block lists 10,000 deep", MAPS, YAML, nested("- ")),
        ("a YAML bomb", MAPS, YAML, bomb()),
        ("10 MiB", MAPS, JSON, data(&format!("{{\"k\":\"{}\"}}", "x".repeat(10 << 20)))),
        ("100,000 labels", MAPS, JSON, labels()),
        ("bytes that are not UTF-8", MAPS, JSON, letters),
        ("a whole number with a fraction", DEPLOYMENTS, JSON, replicas("1.5")),
        ("a whole number beyond all bounds", DEPLOYMENTS, JSON, replicas("1e400")),
        ("a text for a number", DEPLOYMENTS, JSON, replicas("\"1\"")),
        ("half an object", MAPS, JSON, b"{\"metadata\":{\"name\":".to_vec()),
        ("a length beyond the end", MAPS, "application/vnd.kubernetes.protobuf", {
            b"k8s\0\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7fx".to_vec()
        }),
        (
            "20,000 operations",
            "PATCH /api/v1/namespaces/default/configmaps/victim",
            "application/json-patch+json",
            format!("[{operations}]").into_bytes(),
        ),
        ("a verb that is none", "BREW /api/v1/pods", JSON, Vec::new()),
        ("a path that is none", "GET /api/v1/%ff%00%zz/..//pods", JSON, Vec::new()),
    ]
}

/// Whether a request was refused with a Status that says so.
fn is_refused(answer: &Answer) -> bool {
    let is_status = || {
        let status = answer.json();
        status.str_at(&["kind"]) == Some("Status")
            && status.i64_at(&["code"]) == Some(i64::from(answer.code))
            && status.str_at(&["message"]).is_some_and(|message| !message.is_empty())
    };
    (400..500).contains(&answer.code) && is_status()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_an_object_is_refused_with_a_status() {
    let edge = Edge::start().await;
    edge.create("victim", "1").await;
    for (what, line, media, body) in attacks() {
        let mut connection = edge.connect().await;
        connection.send(line, &[("content-type", media)], &body).await;
        let Some(answer) = within(what, connection.answer()).await else {
            panic!("{what}: there is no answer");
        };
        let text = String::from_utf8_lossy(&answer.body);
        assert!(is_refused(&answer), "{what}: {} {text}", answer.code);
    }
    // Nothing of it is there, and the next request is served.
    let mut connection = edge.connect().await;
    let list =
        connection.get("/api/v1/namespaces/default/configmaps?labelSelector=made", JSON).await;
    assert_eq!(list.json().list_at(&["items"]).len(), 1);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_cut_off() {
    let edge = Edge::start().await;
    let mut connection = edge.connect().await;
    let value = "x".repeat(1 << 20);
    connection.send("GET /version", &[("x-long", &value)], b"").await;
    let answer = within("an end", connection.answer()).await;
    assert!(answer.is_none_or(|answer| (400..500).contains(&answer.code)));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_keep_nobody_waiting() {
    let edge = Edge::start().await;
    let address = (Ipv4Addr::LOCALHOST, edge.port);
    let mut slow = Vec::new();
    for _ in 0..1_500 {
        // Not even a handshake.
        slow.push(TcpStream::connect(address).await.unwrap());
    }
    let mut bodies = Vec::new();
    for number in 0..50 {
        let mut connection = edge.connect().await;
        let head = if number % 2 == 0 {
            "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nhost: a\r\n\
             content-length: 3000000\r\n\r\n{"
        } else {
            "GET /version HTTP/1.1\r\nhost: a\r\nx-slow: "
        };
        connection.stream.write_all(head.as_bytes()).await.unwrap();
        connection.stream.flush().await.unwrap();
        bodies.push(connection);
    }
    let served = async {
        for _ in 0..5 {
            let mut connection = edge.connect().await;
            assert_eq!(connection.get("/version", JSON).await.code, 200);
        }
    };
    // Before the last of the slow ones is cut off.
    let mut last = bodies.pop().unwrap();
    tokio::select! {
        biased;
        () = within("the others", served) => {}
        _ = last.answer() => panic!("the others waited for the slow ones"),
    }
    // And those are cut off.
    let mut nothing = Vec::new();
    let first = slow.first_mut().unwrap();
    within("the end of a silent connection", first.read_to_end(&mut nothing)).await.ok();
    let head = within("the end of a slow head", bodies[1].answer()).await;
    assert!(head.is_none_or(|answer| answer.code == 408));
    edge.stop().await;
}

/// What a client of HTTP/2 says first (RFC 9113): its preface, and settings without any.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Frames of HTTP/2, by hand: a watch on a stream, of what nobody else watches.
fn opened(stream: u32, frames: &mut Vec<u8>) {
    let path = b"/apis/storage.k8s.io/v1/csistoragecapacities?watch=1";
    // HPACK: `:method: GET`, `:scheme: https`, `:path` and `:authority` as literals.
    let mut block = vec![0x82, 0x87, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path);
    block.extend_from_slice(b"\x01\x01a");
    let length = u8::try_from(block.len()).unwrap();
    // HEADERS, the end of the headers and of the stream.
    frames.extend([0, 0, length, 1, 5]);
    frames.extend(stream.to_be_bytes());
    frames.extend(block);
}

/// RST_STREAM, CANCEL.
fn reset(stream: u32, frames: &mut Vec<u8>) {
    frames.extend([0, 0, 4, 3, 0]);
    frames.extend(stream.to_be_bytes());
    frames.extend(8_u32.to_be_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_end_with_their_connection() {
    let edge = Edge::start().await;
    let before = edge.capacity_watches();
    let mut client = within("a connection", edge.dial(&[b"h2"])).await;
    let mut frames = PREFACE.to_vec();
    (0..20).for_each(|number| opened(2 * number + 1, &mut frames));
    client.stream.write_all(&frames).await.unwrap();
    client.stream.flush().await.unwrap();
    until("the watches", || edge.capacity_watches() == before + 20).await;
    drop(client);
    until("their end", || edge.capacity_watches() == before).await;
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_opened_to_be_reset_end_with_their_connection() {
    let edge = Edge::start().await;
    let attacker = within("a connection", edge.dial(&[b"h2"])).await;
    let mut frames = PREFACE.to_vec();
    for number in 0..20_000 {
        opened(2 * number + 1, &mut frames);
        reset(2 * number + 1, &mut frames);
    }
    let (mut reading, mut writing) = tokio::io::split(attacker.stream);
    let flood = async {
        // The connection is closed before all of it is taken.
        drop(writing.write_all(&frames).await);
        drop(writing.flush().await);
        writing
    };
    let end = async {
        let mut bytes = Vec::new();
        drop(reading.read_to_end(&mut bytes).await);
        bytes
    };
    let ended = within("the end of the connection", async { tokio::join!(flood, end) }).await;
    drop(ended);
    let mut connection = edge.connect().await;
    assert_eq!(connection.get("/version", JSON).await.code, 200);
    edge.stop().await;
}
