//! Streams of their own: messages both ways, ends, bounds.

use std::sync::Arc;

use bytes::Bytes;
use mesh_quic::{
    AskError, Handler, Later, MESSAGE_LEN_MAX, MeshStream, Peer, Service, StreamError, TraceContext,
};
use tokio::sync::mpsc;

use crate::scene::{Authority, Echo, Process, config, link, pair, until, within};

async fn open(from: &Process, to: &str, head: &'static str) -> Result<MeshStream, AskError> {
    let opening = from.mesh.open_stream(to, Service::WATCH, head.into(), TraceContext::NONE);
    within("the stream", opening).await
}

#[tokio::test]
async fn messages_go_both_ways_and_end() {
    let (first, second) = pair("agent-1", "server-1").await;
    second.mesh.serve(Service::WATCH, Echo::new().0);
    let mut stream = open(&first, "server-1", "head").await.unwrap();
    let next = |message: Result<Option<Bytes>, StreamError>| message.unwrap().unwrap();
    assert_eq!(next(stream.recv.next().await), "head");
    for number in 0..1_000 {
        stream.send.send(format!("message {number}").into()).await.unwrap();
        assert_eq!(next(stream.recv.next().await), format!("message {number}"));
    }
    let big = Bytes::from(vec![1; MESSAGE_LEN_MAX]);
    let sent = big.clone();
    let MeshStream { mut send, mut recv, .. } = stream;
    let (written, read) = tokio::join!(send.send(sent), recv.next());
    assert_eq!((written, read), (Ok(()), Ok(Some(big))));
    let (len, max) = (MESSAGE_LEN_MAX + 1, MESSAGE_LEN_MAX);
    let too_large = send.send(Bytes::from(vec![1; len])).await;
    assert_eq!(too_large, Err(StreamError::TooLarge { len, max }));
    send.finish().unwrap();
    assert_eq!(within("the end", recv.next()).await, Ok(None));
}

/// Says how each stream ended.
struct Ends(mpsc::Sender<Result<Option<Bytes>, StreamError>>);

impl Handler for Ends {
    fn stream(&self, _from: &Peer, _head: Bytes, stream: MeshStream) -> Later<()> {
        let ends = self.0.clone();
        let MeshStream { send, mut recv, .. } = stream;
        Box::pin(async move {
            let end = recv.next().await;
            drop(send);
            ends.send(end).await.unwrap();
        })
    }
}

#[tokio::test]
async fn a_dropped_stream_is_reset_at_the_other_end() {
    let (first, second) = pair("server-1", "server-2").await;
    let (ends, mut ended) = mpsc::channel(8);
    second.mesh.serve(Service::WATCH, Arc::new(Ends(ends)));
    let stream = open(&first, "server-2", "").await.unwrap();
    drop(stream);
    assert_eq!(within("the end", ended.recv()).await, Some(Err(StreamError::Reset)));
    // The other way round: the service is done, and its end of the stream is dropped.
    let mut stream = open(&first, "server-2", "").await.unwrap();
    stream.send.send("x".into()).await.unwrap();
    assert_eq!(within("the end", ended.recv()).await, Some(Ok(Some("x".into()))));
    assert_eq!(within("the end", stream.recv.next()).await, Err(StreamError::Reset));
    within("the end", stream.send.stopped()).await;
}

#[tokio::test]
async fn a_lost_link_ends_streams() {
    let (first, second) = pair("server-1", "server-2").await;
    second.mesh.serve(Service::WATCH, Echo::new().0);
    let mut stream = open(&first, "server-2", "head").await.unwrap();
    assert_eq!(stream.recv.next().await, Ok(Some("head".into())));
    second.stop().await;
    let end = within("the end", stream.recv.next()).await;
    // Whichever of the two the other end's farewell brings first.
    assert!(matches!(end, Err(StreamError::Lost(_) | StreamError::Reset)), "{end:?}");
}

#[tokio::test]
async fn streams_are_refused_in_words() {
    let (first, second) = pair("agent-1", "server-1").await;
    let refused = open(&first, "server-1", "").await.unwrap_err();
    assert_eq!(refused.to_string(), "server-1 does not serve watch");
    second.mesh.serve(Service::WATCH, Echo::new().0);
    // A panic resets the stream, and nothing else.
    let mut stream = open(&first, "server-1", "panic").await.unwrap();
    assert_eq!(within("the end", stream.recv.next()).await, Err(StreamError::Reset));
    assert!(open(&first, "server-1", "").await.is_ok());
}

#[tokio::test]
async fn no_more_streams_are_open_than_the_bound() {
    let authority = Authority::new();
    let mut config_1 = config(&authority, "server-1");
    config_1.limits.streams_max = 3;
    let first = Process::start(config_1).await;
    let second = Process::start(config(&authority, "server-2")).await;
    link(&first, &second).await;
    second.mesh.serve(Service::WATCH, Echo::new().0);
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(open(&first, "server-2", "head").await.unwrap());
    }
    assert!(open(&first, "server-2", "head").await.unwrap_err().is_undone());
    // Half of a stream is a stream.
    let MeshStream { send, recv, .. } = streams.pop().unwrap();
    drop(send);
    assert!(open(&first, "server-2", "head").await.is_err());
    drop(recv);
    // Far more than the bound, one after the other: nothing leaks at either end.
    for _ in 0..50 {
        let mut stream = open(&first, "server-2", "head").await.unwrap();
        assert_eq!(stream.recv.next().await, Ok(Some("head".into())));
    }
    // Streams that nobody reads keep no lane waiting.
    for stream in &mut streams {
        let flood = async { while stream.send.send(vec![0; 100_000].into()).await.is_ok() {} };
        let stalled = tokio::time::timeout(std::time::Duration::from_millis(100), flood).await;
        assert!(stalled.is_err(), "the other end takes no more than its window");
    }
    second.mesh.serve(Service::DOOR, Echo::new().0);
    assert_eq!(first.ask("server-2", Service::DOOR, "x").await.unwrap(), "x");
    drop(streams);
    until("the streams' end", || {
        first.link("server-2").is_some_and(|link| crate::scene::is_up(&link))
    })
    .await;
}
