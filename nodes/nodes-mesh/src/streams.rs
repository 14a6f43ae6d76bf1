//! Logs and commands of pods on any machine, through any server.
//!
//! Way in: [`RoutedStreams`] where the API is, [`serve_streams`] on every machine with pods.
//! Bounds: back-pressure goes through: a reader that is slow slows the machine at the other end.

use std::sync::{Arc, PoisonError, RwLock};

use actors_core::ChildSpec;
use actors_object::ApiError;
use actors_runtime::{Child, PartSpec, Service as Hosted};
use bytes::Bytes;
use mesh_quic::{
    FrameReceiver, FrameSender, Handler, Later as MeshLater, Mesh, MeshStream, StreamError,
};
use mesh_wire::{Peer, Service, TraceContext};
use nodes_client::{
    ExecExit, ExecInput, ExecOutput, ExecRequest, ExecStream, Later, LogRequest, LogStream,
    NodeStreams,
};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::wire::{self, WireError};

/// Messages that wait for a slow reader here, beside what the stream holds back.
const AHEAD_MAX: usize = 16;

/// Logs and commands of all nodes: this machine's by its own agent, others' over the mesh. Cheap to clone.
#[derive(Clone)]
pub struct RoutedStreams(Arc<Inner>);

struct Inner {
    local: Arc<dyn NodeStreams>,
    mesh: Mesh,
    /// The service whose parts the pumps are; set by each of its lives.
    host: RwLock<Option<Hosted>>,
}

impl RoutedStreams {
    /// Streams of this machine by `local`, of all others over the mesh.
    #[must_use]
    pub fn new(mesh: Mesh, local: Arc<dyn NodeStreams>) -> Self {
        Self(Arc::new(Inner { local, mesh, host: RwLock::default() }))
    }

    /// What runs the pumps, for a supervisor.
    #[must_use]
    pub fn child(&self) -> (ChildSpec, Child) {
        let inner = Arc::clone(&self.0);
        let child = Child::service(move |service| {
            let inner = Arc::clone(&inner);
            async move {
                *inner.host.write().unwrap_or_else(PoisonError::into_inner) = Some(service.clone());
                service.stopping().await;
                Ok(())
            }
        });
        (ChildSpec::permanent("streams"), child)
    }

    /// A stream that the node has accepted.
    async fn open<T: Serialize>(
        &self,
        (node, service): (&str, Service),
        request: &T,
    ) -> Result<MeshStream, ApiError> {
        let unreachable = |why: &dyn std::fmt::Display| {
            ApiError::service_unavailable(format!("node {node} cannot be reached: {why}"))
        };
        let head = wire::encode(request).map_err(ApiError::internal)?;
        let opened = self.0.mesh.open_stream(node, service, head, TraceContext::NONE).await;
        let mut stream = opened.map_err(|error| unreachable(&error))?;
        let first = stream.recv.next().await.map_err(|error| unreachable(&error))?;
        let first = first.ok_or_else(|| unreachable(&"it said nothing"))?;
        let told: Result<(), WireError> = wire::decode(&first).map_err(ApiError::internal)?;
        match told {
            Ok(()) => Ok(stream),
            Err(error) => Err(error.read().map_err(ApiError::internal)?),
        }
    }

    fn run(
        &self,
        spec: PartSpec,
        pump: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ApiError> {
        let host = self.0.host.read().unwrap_or_else(PoisonError::into_inner).clone();
        let busy = || ApiError::service_unavailable("streams cannot be served right now");
        host.ok_or_else(busy)?.spawn_part(spec, pump).map_err(|_| busy().retry_after(1))
    }

    async fn open_logs(&self, request: LogRequest) -> Result<LogStream, ApiError> {
        if request.node == self.0.mesh.me().node {
            return self.0.local.logs(request).await;
        }
        let stream = self.open((&request.node, Service::NODE_LOGS), &request).await?;
        let (sender, pieces) = mpsc::channel(AHEAD_MAX);
        let spec = part("logs", (&request.node, &request.namespace, &request.pod));
        self.run(spec, async move {
            let MeshStream { send: _send, mut recv, .. } = stream;
            tokio::select! {
                () = carry_pieces(&mut recv, &sender) => {}
                () = sender.closed() => {}
            }
        })?;
        Ok(LogStream { pieces })
    }

    async fn open_exec(&self, request: ExecRequest) -> Result<ExecStream, ApiError> {
        if request.node == self.0.mesh.me().node {
            return self.0.local.exec(request).await;
        }
        let stream = self.open((&request.node, Service::NODE_EXEC), &request).await?;
        let (input, typed) = mpsc::channel(AHEAD_MAX);
        let (printed, output) = mpsc::channel(AHEAD_MAX);
        let spec = part("exec", (&request.node, &request.namespace, &request.pod));
        let node = request.node;
        self.run(spec, async move {
            let MeshStream { send, mut recv, .. } = stream;
            // Each direction by itself: one that waits must not hold the other up.
            tokio::select! {
                () = carry_typed(typed, send) => {}
                () = carry_printed(&mut recv, &printed, &node) => {}
                () = printed.closed() => {}
            }
        })?;
        Ok(ExecStream { input, output })
    }
}

impl NodeStreams for RoutedStreams {
    fn logs(&self, request: LogRequest) -> Later<'_, Result<LogStream, ApiError>> {
        Box::pin(self.open_logs(request))
    }

    fn exec(&self, request: ExecRequest) -> Later<'_, Result<ExecStream, ApiError>> {
        Box::pin(self.open_exec(request))
    }
}

/// How one stream is listed in the tree of actors.
fn part(verb: &str, (node, namespace, pod): (&str, &str, &str)) -> PartSpec {
    PartSpec {
        name: format!("{verb}-{pod}"),
        about: format!("pod {namespace}/{pod} on node {node}"),
    }
}

async fn carry_pieces(recv: &mut FrameReceiver, sender: &mpsc::Sender<Bytes>) {
    while let Ok(Some(piece)) = recv.next().await {
        if sender.send(piece).await.is_err() {
            return;
        }
    }
}

/// What is typed. Never resolves: a command that reads no more, or to which nothing more is typed, may still print.
async fn carry_typed(mut typed: mpsc::Receiver<ExecInput>, mut send: FrameSender) {
    while let Some(input) = typed.recv().await {
        let Ok(message) = wire::encode(&input) else { break };
        if send.send(message).await.is_err() {
            break;
        }
    }
    std::future::pending::<()>().await;
}

async fn carry_printed(recv: &mut FrameReceiver, printed: &mpsc::Sender<ExecOutput>, node: &str) {
    let lost = |why: &dyn std::fmt::Display| {
        ExecOutput::Exit(ExecExit::Failed(format!("the stream from node {node} ended: {why}")))
    };
    loop {
        let output = match recv.next().await {
            Ok(Some(message)) => wire::decode(&message).unwrap_or_else(|error| lost(&error)),
            Ok(None) => lost(&"the command's end was not told"),
            Err(error) => lost(&error),
        };
        let is_last = matches!(output, ExecOutput::Exit(_));
        if printed.send(output).await.is_err() || is_last {
            return;
        }
    }
}

/// From now on servers elsewhere reach the logs and containers of this machine.
pub fn serve_streams(mesh: &Mesh, local: Arc<dyn NodeStreams>) {
    mesh.serve(Service::NODE_LOGS, Arc::new(Logs(Arc::clone(&local))));
    mesh.serve(Service::NODE_EXEC, Arc::new(Commands(local)));
}

struct Logs(Arc<dyn NodeStreams>);

impl Handler for Logs {
    fn stream(&self, from: &Peer, head: Bytes, stream: MeshStream) -> MeshLater<()> {
        let (local, from) = (Arc::clone(&self.0), from.clone());
        Box::pin(async move {
            if let Err(error) = answer_logs(&local, &head, stream).await {
                tracing::debug!(%error, %from, "a log for another machine");
            }
        })
    }
}

async fn answer_logs(
    local: &Arc<dyn NodeStreams>,
    head: &Bytes,
    stream: MeshStream,
) -> Result<(), StreamError> {
    let MeshStream { mut send, mut recv, .. } = stream;
    let opened = match wire::decode::<LogRequest>(head) {
        Ok(request) => local.logs(request).await,
        Err(error) => Err(ApiError::internal(error)),
    };
    let Some(mut log) = accept(opened, &mut send).await? else { return Ok(()) };
    loop {
        tokio::select! {
            piece = log.pieces.recv() => match piece {
                Some(piece) => send.send(piece).await?,
                None => return send.finish(),
            },
            // The reader never says anything: it is gone.
            _ = recv.next() => return Ok(()),
        }
    }
}

struct Commands(Arc<dyn NodeStreams>);

impl Handler for Commands {
    fn stream(&self, from: &Peer, head: Bytes, stream: MeshStream) -> MeshLater<()> {
        let (local, from) = (Arc::clone(&self.0), from.clone());
        Box::pin(async move {
            if let Err(error) = answer_exec(&local, &head, stream).await {
                tracing::debug!(%error, %from, "a command for another machine");
            }
        })
    }
}

async fn answer_exec(
    local: &Arc<dyn NodeStreams>,
    head: &Bytes,
    stream: MeshStream,
) -> Result<(), StreamError> {
    let MeshStream { mut send, mut recv, .. } = stream;
    let opened = match wire::decode::<ExecRequest>(head) {
        Ok(request) => local.exec(request).await,
        Err(error) => Err(ApiError::internal(error)),
    };
    let Some(running) = accept(opened, &mut send).await? else { return Ok(()) };
    let ExecStream { input, mut output } = running;
    tokio::select! {
        told = tell_printed(&mut output, &mut send) => told,
        // Whoever typed is gone; with its streams the command ends.
        () = hear_typed(&mut recv, input) => Ok(()),
    }
}

/// Tells whether the stream is served; the stream, if it is.
async fn accept<T>(
    opened: Result<T, ApiError>,
    send: &mut FrameSender,
) -> Result<Option<T>, StreamError> {
    let told = opened.as_ref().map(drop).map_err(WireError::of);
    let message = wire::encode(&told).map_err(|error| StreamError::Malformed(error.to_string()))?;
    send.send(message).await?;
    if opened.is_err() {
        send.finish()?;
    }
    Ok(opened.ok())
}

async fn tell_printed(
    output: &mut mpsc::Receiver<ExecOutput>,
    send: &mut FrameSender,
) -> Result<(), StreamError> {
    while let Some(printed) = output.recv().await {
        let message = wire::encode(&printed);
        let message = message.map_err(|error| StreamError::Malformed(error.to_string()))?;
        send.send(message).await?;
    }
    send.finish()
}

/// Resolves when nothing can be typed any more because the other end is gone.
async fn hear_typed(recv: &mut FrameReceiver, input: mpsc::Sender<ExecInput>) {
    while let Ok(Some(message)) = recv.next().await {
        let Ok(typed) = wire::decode(&message) else { return };
        // A command that no longer reads drops its end: what is typed then is lost, as in a pipe.
        let _unread = input.send(typed).await;
    }
}
