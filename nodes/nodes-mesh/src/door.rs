//! The door for machines elsewhere: their requests and watches, under the identity of their certificates.
//!
//! Way in: [`DoorService::serve`].  Never: an identity that a message claims; a machine is `system:node:NAME` of the
//! group `system:nodes`, whatever it says.
//! Time and order: a watch of a server that can no longer serve ends with an error event, so that its reader goes to
//! another server.

use std::sync::Arc;

use actors_object::ApiError;
use bytes::Bytes;
use mesh_quic::{Handler, Later, Mesh, MeshStream};
use mesh_wire::{Lane, Peer, Service, TraceContext};
use nodes_client::{SharedClient, WatchStream};
use nodes_door::Identity;
use tokio::sync::watch;

use crate::{
    spans::serve_spans,
    wire::{
        self, Answered, Asked, NotUnderstood, Part, StreamedCall, Told, WireError, WireRequest,
        WireResponse,
    },
};

/// Entries and events are sent in messages of about this size.
const MESSAGE_LEN: usize = 256 * 1024;

/// What a frame's head and the answer around an object may take.
const MARGIN: usize = 64 * 1024;

/// Largest body that is taken by a stream. Spec: API servers refuse requests over 3 MiB.
const BODY_MAX: usize = 4 * 1024 * 1024;

/// Serves the door of this process to the mesh.
pub struct DoorService {
    client: SharedClient,
    ready: watch::Receiver<bool>,
}

/// Why a stream is over before its end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Stream(#[from] mesh_quic::StreamError),
    #[error(transparent)]
    NotUnderstood(#[from] NotUnderstood),
    #[error("the body is larger than {BODY_MAX} bytes")]
    TooLarge,
}

impl DoorService {
    /// From now on machines that have a certificate of the cluster reach this client. `ready` says whether requests can
    /// be served: while it is false, watches end.
    pub fn serve(mesh: &Mesh, client: SharedClient, ready: watch::Receiver<bool>) {
        serve_spans(mesh, client.tracer());
        let service = Arc::new(Self { client, ready });
        mesh.serve(Service::DOOR, Arc::clone(&service) as Arc<dyn Handler>);
        mesh.serve(Service::WATCH, Arc::new(Watches(service)));
    }
}

/// Who a peer is to the door.
fn identity_of(peer: &Peer) -> Identity {
    Identity::new(format!("system:node:{}", peer.node), &["system:nodes"])
}

impl Handler for DoorService {
    fn ask(&self, from: &Peer, body: Bytes, trace: TraceContext) -> Later<Result<Bytes, String>> {
        let (client, identity) = (Arc::clone(&self.client), identity_of(from));
        let ready = *self.ready.borrow();
        Box::pin(async move {
            let answer = match wire::decode(&body).map_err(|error| error.to_string())? {
                Asked::Ping => Answered::Pong(ready),
                Asked::Url { verb, path } => {
                    Answered::Allowed(client.allows_url(&identity, &verb, &path).await)
                }
                Asked::Call(request) => {
                    let mut request = request.under(identity);
                    request.options.trace = trace;
                    let response = client.call(request).await;
                    Answered::Response(WireResponse::of(&response))
                }
            };
            let bytes = wire::encode(&answer).map_err(|error| error.to_string())?;
            match bytes.len() + MARGIN <= Lane::Rpc.body_len_max() {
                true => Ok(bytes),
                false => wire::encode(&Answered::TooLarge).map_err(|error| error.to_string()),
            }
        })
    }

    fn stream(&self, from: &Peer, head: Bytes, stream: MeshStream) -> Later<()> {
        let (client, identity) = (Arc::clone(&self.client), identity_of(from));
        let from = from.clone();
        Box::pin(async move {
            if let Err(error) = answer_call(&client, identity, &head, stream).await {
                tracing::debug!(%error, %from, "a request by a stream");
            }
        })
    }
}

/// One request by a stream: its body comes in pieces, the entries of its answer go in pieces.
async fn answer_call(
    client: &SharedClient,
    identity: Identity,
    head: &Bytes,
    mut stream: MeshStream,
) -> Result<(), Broken> {
    let StreamedCall { mut request, body_follows } = wire::decode(head)?;
    if body_follows {
        let mut body = Vec::new();
        while let Some(piece) = stream.recv.next().await? {
            if body.len() + piece.len() > BODY_MAX {
                return Err(Broken::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        request.body.bytes = body.into();
    }
    let mut request = request.under(identity);
    request.options.trace = stream.trace;
    let response = client.call(request).await;
    let mut response = WireResponse::of(&response);
    let entries = response.take_entries();
    let mut head = wire::encode(&response)?;
    while !head.is_empty() {
        let piece = Part::Head(head.split_to(head.len().min(MESSAGE_LEN)));
        stream.send.send(wire::encode(&piece)?).await?;
    }
    for batch in batches(entries, Bytes::len) {
        stream.send.send(wire::encode(&Part::Entries(batch))?).await?;
    }
    Ok(stream.send.finish()?)
}

/// Cuts a list into parts that fit a message each.
fn batches<T>(items: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut all = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for item in items {
        let more = size(&item) + 8;
        if bytes + more > MESSAGE_LEN && !batch.is_empty() {
            all.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += more;
        batch.push(item);
    }
    if !batch.is_empty() {
        all.push(batch);
    }
    all
}

/// Watches, a stream each.
struct Watches(Arc<DoorService>);

impl Handler for Watches {
    fn stream(&self, from: &Peer, head: Bytes, stream: MeshStream) -> Later<()> {
        let (client, identity) = (Arc::clone(&self.0.client), identity_of(from));
        let (ready, from) = (self.0.ready.clone(), from.clone());
        Box::pin(async move {
            if let Err(error) = answer_watch(&client, (identity, ready), &head, stream).await {
                tracing::debug!(%error, %from, "a watch");
            }
        })
    }
}

async fn answer_watch(
    client: &SharedClient,
    (identity, mut ready): (Identity, watch::Receiver<bool>),
    head: &Bytes,
    mut stream: MeshStream,
) -> Result<(), Broken> {
    let request: WireRequest = wire::decode(head)?;
    let opened = client.watch(request.under(identity)).await;
    let told = opened.as_ref().map(drop).map_err(WireError::of);
    stream.send.send(wire::encode(&told)?).await?;
    let Ok(events) = opened else { return Ok(stream.send.finish()?) };
    let MeshStream { mut send, mut recv, .. } = stream;
    tokio::select! {
        pumped = pump(events, &mut send) => return pumped,
        // The other end never says anything: it ends or breaks off.
        _ = recv.next() => return Ok(()),
        _ = ready.wait_for(|ready| !ready) => {}
    }
    let error = ApiError::service_unavailable("this server cannot serve: it has lost the quorum");
    let last = vec![Told::Error(WireError::of(&error))];
    send.send(wire::encode(&last)?).await?;
    Ok(send.finish()?)
}

async fn pump(mut events: WatchStream, send: &mut mesh_quic::FrameSender) -> Result<(), Broken> {
    while let Some(batch) = events.next().await {
        let told: Vec<Told> = batch.iter().map(Told::of).collect();
        for part in batches(told, Told::size) {
            send.send(wire::encode(&part)?).await?;
        }
    }
    Ok(send.finish()?)
}
