//! What processes remember of traces, asked for by servers.
//!
//! Way in: [`serve_spans`] on every machine, [`ask_spans`].  Never: an answer that is larger than a frame.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use mesh_quic::{Ask, Handler, Later, Mesh};
use mesh_wire::{Lane, Peer, Service, TraceContext};
use nodes_client::Tracer;
use nodes_trace::{Question, Span};

use crate::wire;

/// How long a machine may take.
const WITHIN: Duration = Duration::from_secs(2);

/// What a frame's head and the length of the list may take.
const MARGIN: usize = 1024;

/// From now on servers can ask for what `tracer` remembers.
pub fn serve_spans(mesh: &Mesh, tracer: Tracer) {
    mesh.serve(Service::SPANS, Arc::new(Spans(tracer)));
}

/// What the machine of `node` remembers.
///
/// # Errors
/// Why it did not answer, one sentence.
pub async fn ask_spans(mesh: &Mesh, node: &str, question: &Question) -> Result<Vec<Span>, String> {
    let body = wire::encode(question).map_err(|error| error.to_string())?;
    let ask = Ask::new(Lane::Rpc, Service::SPANS, body, WITHIN);
    let answer = mesh.ask(node, ask).await.map_err(|error| error.to_string())?;
    wire::decode(&answer).map_err(|error| error.to_string())
}

struct Spans(Tracer);

impl Handler for Spans {
    fn ask(&self, _: &Peer, body: Bytes, _: TraceContext) -> Later<Result<Bytes, String>> {
        let answer = answer(&self.0, &body);
        Box::pin(async { answer })
    }
}

fn answer(tracer: &Tracer, body: &[u8]) -> Result<Bytes, String> {
    let question: Question = wire::decode(body).map_err(|error| error.to_string())?;
    let mut spans = tracer.answer(&question);
    loop {
        let bytes = wire::encode(&spans).map_err(|error| error.to_string())?;
        if bytes.len() + MARGIN <= Lane::Rpc.body_len_max() {
            return Ok(bytes);
        }
        // The newest come first: they are worth more.
        spans.truncate(spans.len() / 2);
    }
}
