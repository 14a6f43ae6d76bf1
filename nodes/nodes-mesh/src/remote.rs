//! The door of a server elsewhere, for machines that have none: the nearest that lives, another one when that fails.
//!
//! Way in: [`RemoteClient`]; [`RemoteClient::child`] beside it, for the supervisor, looks whether the server still
//! answers.
//! Invariant: a write is sent again only if it is certain that nothing was done.
//! Time and order: a watch whose server is gone ends with an error event, at once if its connection ended, and within two
//! and a half seconds if it is silent; its reader lists again, or resumes, at whichever server is next.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actors_core::ChildSpec;
use actors_object::ApiError;
use actors_runtime::{Child, Clock, Failure, Service as Hosted};
use bytes::Bytes;
use mesh_member::MemberState;
use mesh_quic::{Ask, AskError, LinkState, Mesh, MeshStream, SendError, Traffic};
use mesh_wire::{Lane, Role, Service, TraceContext};
use nodes_client::{Client, Later, Tracer, WatchStream};
use nodes_door::{Identity, Request, Response, Verb};
use tokio::{sync::broadcast, time::timeout};

use crate::{
    View,
    choice::{Candidate, Choice},
    following::Following,
    spans::serve_spans,
    wire::{
        self, Answered, Asked, NotUnderstood, Part, StreamedCall, WireError, WireRequest,
        WireResponse,
    },
};

/// How long an answer is waited for: longer than a server waits for its store.
const CALL_WITHIN: Duration = Duration::from_secs(20);

/// How long a server may take to begin a watch.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// Servers that one request is tried at.
const SERVERS_MAX: usize = 3;

/// Larger bodies go by a stream, in pieces of this size.
const PIECE_LEN: usize = 256 * 1024;

/// From one look at the link to the server to the next, while there are watches.
const LOOK_EVERY: Duration = Duration::from_millis(600);

/// Looks without news after which the server is asked. Members are heard every second, so that one that lives is hardly
/// ever asked: questions would wake both machines.
const QUIET_LOOKS: u32 = 2;

/// How long it may take to say that it is there.
const LOOK_WITHIN: Duration = Duration::from_millis(400);

/// Calls the door of a server over the mesh. Cheap to clone; all clones speak to the same server.
#[derive(Clone)]
pub struct RemoteClient(Arc<Inner>);

pub(crate) struct Inner {
    mesh: Mesh,
    view: View,
    choice: Mutex<Choice>,
    tracer: Tracer,
    /// Servers that were found not to answer; their watches end.
    failed: broadcast::Sender<String>,
    pub(crate) watches: AtomicUsize,
}

/// What became of one try.
enum Tried {
    Answer(Box<Response>),
    /// Nothing was done, for this reason.
    Undone(String),
    /// Nobody knows.
    Unknown(String),
}

impl RemoteClient {
    /// A client that picks among the servers of `view`. What its process remembers of traces is told to servers.
    #[must_use]
    pub fn new(mesh: Mesh, view: View) -> Self {
        let (failed, _) = broadcast::channel(64);
        let (choice, watches) = (Mutex::default(), AtomicUsize::new(0));
        let tracer = Tracer::new(&mesh.me().node);
        serve_spans(&mesh, tracer.clone());
        Self(Arc::new(Inner { mesh, view, choice, tracer, failed, watches }))
    }

    /// What looks whether the server answers, so that watches of one that does not end soon.
    #[must_use]
    pub fn child(&self) -> (ChildSpec, Child) {
        let inner = Arc::clone(&self.0);
        let child = Child::service(move |service| Inner::look(Arc::clone(&inner), service));
        (ChildSpec::permanent("server-look"), child)
    }

    /// The server that is spoken to, if there is one.
    #[must_use]
    pub fn server(&self) -> Option<String> {
        self.0.choice().present().map(str::to_owned)
    }

    /// The server to speak to now.
    pub(crate) fn pick(&self) -> Option<String> {
        self.0.pick()
    }

    async fn answer(&self, request: Request) -> Response {
        let is_read = matches!(request.verb, Verb::Get | Verb::List);
        let mut last = "no server can be reached".to_owned();
        for _ in 0..SERVERS_MAX {
            let Some(server) = self.0.pick() else { break };
            match self.0.try_call(&server, &request).await {
                Tried::Answer(response) if response.code != 503 => return *response,
                Tried::Answer(response) => {
                    // It says itself that nothing was done; another one may be able to.
                    self.0.avoid(&server);
                    if self.0.pick().is_none_or(|other| other == server) {
                        return *response;
                    }
                    last = format!("server {server} cannot serve");
                }
                Tried::Undone(why) => {
                    self.0.avoid(&server);
                    last = why;
                }
                Tried::Unknown(why) => {
                    self.0.avoid(&server);
                    if !is_read {
                        let why = format!("the outcome of the write is unknown: {why}");
                        return ApiError::timeout(why, 1).into();
                    }
                    last = why;
                }
            }
        }
        ApiError::service_unavailable(last).retry_after(1).into()
    }

    async fn open_watch(&self, request: Request) -> Result<WatchStream, ApiError> {
        let head = wire::encode(&WireRequest::of(request)).map_err(ApiError::internal)?;
        let mut last = "no server can be reached".to_owned();
        for _ in 0..SERVERS_MAX {
            let Some(server) = self.0.pick() else { break };
            // Listening before it begins, so that nothing falls between.
            let following = Following::new(&self.0, &server);
            match timeout(OPEN_WITHIN, self.0.begin_watch(&server, head.clone())).await {
                Ok(Ok(Ok(stream))) => return Ok(following.watch(stream)),
                Ok(Ok(Err(refusal))) if refusal.code != 503 => return Err(refusal),
                Ok(Ok(Err(refusal))) => last = refusal.message,
                Ok(Err(why)) => last = why,
                Err(_) => last = format!("server {server} did not begin the watch in time"),
            }
            self.0.avoid(&server);
        }
        Err(ApiError::service_unavailable(last).retry_after(1))
    }

    async fn ask_url(&self, verb: &str, path: &str) -> bool {
        let Some(server) = self.0.pick() else { return false };
        let asked = Asked::Url { verb: verb.to_owned(), path: path.to_owned() };
        let asked = self.0.ask(&server, &asked, CALL_WITHIN, TraceContext::NONE).await;
        matches!(asked, Ok(Answered::Allowed(true)))
    }
}

impl Client for RemoteClient {
    fn call(&self, request: Request) -> Later<'_, Response> {
        Box::pin(self.answer(request))
    }

    /// Of this machine's own identity: the server knows no other.
    fn allows_url<'a>(
        &'a self,
        _identity: &'a Identity,
        verb: &'a str,
        path: &'a str,
    ) -> Later<'a, bool> {
        Box::pin(self.ask_url(verb, path))
    }

    fn watch(&self, request: Request) -> Later<'_, Result<WatchStream, ApiError>> {
        Box::pin(self.open_watch(request))
    }

    fn tracer(&self) -> Tracer {
        self.0.tracer.clone()
    }
}

impl Inner {
    fn choice(&self) -> MutexGuard<'_, Choice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn candidates(&self) -> Vec<Candidate> {
        let links = self.mesh.links();
        let me = self.mesh.me();
        let view = self.view.borrow();
        let servers = view.iter().filter(|one| one.info.role == Role::Server);
        servers
            .filter(|one| one.info.node != me.node)
            .map(|one| {
                let link = links.iter().find(|link| link.node == one.info.node);
                let link = link.filter(|link| matches!(link.state, LinkState::Up { .. }));
                Candidate {
                    node: one.info.node.clone(),
                    is_alive: one.state == MemberState::Alive,
                    link: link.map(|link| link.rtt.unwrap_or_default()),
                    is_near: one.info.site == me.site,
                }
            })
            .collect()
    }

    fn pick(&self) -> Option<String> {
        let candidates = self.candidates();
        self.choice().pick(&candidates, &self.mesh.me().node, Clock.mono())
    }

    fn avoid(&self, server: &str) {
        self.choice().avoid(server, Clock.mono());
    }

    /// The ends that watches of a server must hear of.
    pub(crate) fn ends(&self) -> (View, broadcast::Receiver<String>) {
        (self.view.clone(), self.failed.subscribe())
    }

    async fn ask(
        &self,
        server: &str,
        asked: &Asked,
        within: Duration,
        trace: TraceContext,
    ) -> Result<Answered, AskError> {
        let refused = |error: NotUnderstood| AskError::Refused(error.to_string());
        let body = wire::encode(asked).map_err(refused)?;
        let ask = Ask::new(Lane::Rpc, Service::DOOR, body, within).traced(trace);
        let answer = self.mesh.ask(server, ask).await?;
        wire::decode(&answer).map_err(refused)
    }

    async fn try_call(&self, server: &str, request: &Request) -> Tried {
        // A list without a limit has any size, and is not worth asking for twice.
        let is_large = request.body.bytes.len() > PIECE_LEN
            || (request.verb == Verb::List && request.options.limit.is_none());
        if !is_large {
            let asked = Asked::Call(Box::new(WireRequest::of(request.clone())));
            match self.ask(server, &asked, CALL_WITHIN, request.options.trace).await {
                Ok(Answered::Response(response)) => return read(response),
                Ok(Answered::TooLarge) => {}
                Ok(_) => return Tried::Unknown(format!("server {server} answered something else")),
                Err(error) => return failed(&error),
            }
        }
        let streamed = timeout(CALL_WITHIN, self.call_by_stream(server, request)).await;
        streamed
            .unwrap_or_else(|_| Tried::Unknown(format!("server {server} did not answer in time")))
    }

    async fn call_by_stream(&self, server: &str, request: &Request) -> Tried {
        let mut head = WireRequest::of(request.clone());
        let body = std::mem::take(&mut head.body.bytes);
        let call = StreamedCall { request: head, body_follows: !body.is_empty() };
        let head = match wire::encode(&call) {
            Ok(head) => head,
            Err(error) => return Tried::Undone(error.to_string()),
        };
        let trace = request.options.trace;
        let opened = self.mesh.open_stream(server, Service::DOOR, head, trace).await;
        let stream = match opened {
            Ok(stream) => stream,
            Err(error) => return failed(&error),
        };
        match exchange(stream, body).await {
            Ok(response) => read(response),
            Err(why) => Tried::Unknown(format!("server {server}: {why}")),
        }
    }

    /// A watch that has begun, its refusal, or why there is neither.
    async fn begin_watch(
        &self,
        server: &str,
        head: Bytes,
    ) -> Result<Result<MeshStream, ApiError>, String> {
        let opened = self.mesh.open_stream(server, Service::WATCH, head, TraceContext::NONE).await;
        let mut stream = opened.map_err(|error| error.to_string())?;
        let first = stream.recv.next().await.map_err(|error| error.to_string())?;
        let first = first.ok_or("the server ended the watch before it began")?;
        let told: Result<(), WireError> =
            wire::decode(&first).map_err(|error| error.to_string())?;
        match told {
            Ok(()) => Ok(Ok(stream)),
            Err(error) => Ok(Err(error.read().map_err(|error| error.to_string())?)),
        }
    }

    /// The service that looks whether the present server answers.
    async fn look(inner: Arc<Self>, service: Hosted) -> Result<(), Failure> {
        let mut quiet = Quiet::default();
        loop {
            if timeout(LOOK_EVERY, service.stopping()).await.is_ok() {
                return Ok(());
            }
            if inner.watches.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let Some(server) = inner.choice().present().map(str::to_owned) else { continue };
            let received = inner.mesh.link(&server).map(|link| link.received);
            if quiet.look(&server, received) < QUIET_LOOKS {
                continue;
            }
            if !inner.answers(&server).await {
                tracing::info!(%server, "the server does not answer; its watches end");
                inner.avoid(&server);
                // Without watches nobody hears it.
                let _nobody = inner.failed.send(server);
            }
        }
    }

    async fn answers(&self, server: &str) -> bool {
        match self.ask(server, &Asked::Ping, LOOK_WITHIN, TraceContext::NONE).await {
            Ok(Answered::Pong(ready)) => return ready,
            Ok(_) => return false,
            // Busy is not gone.
            Err(AskError::NotSent(SendError::Full(_))) => return true,
            Err(AskError::Timeout(_)) => {}
            Err(_) => return false,
        }
        // One that is only slow is better than none.
        let good = |one: &Candidate| one.node != server && one.is_alive && one.link.is_some();
        !self.candidates().iter().any(good)
    }
}

/// For how many looks in a row nothing has come from a server.
#[derive(Debug, Default)]
struct Quiet {
    server: String,
    received: Option<Traffic>,
    looks: u32,
}

impl Quiet {
    /// Looks once more.
    fn look(&mut self, server: &str, received: Option<Traffic>) -> u32 {
        let is_same = self.server == server && self.received == received;
        *self = Self {
            server: server.to_owned(),
            received,
            looks: if is_same { self.looks.saturating_add(1) } else { 0 },
        };
        self.looks
    }
}

fn read(response: WireResponse) -> Tried {
    match response.read() {
        Ok(response) => Tried::Answer(Box::new(response)),
        Err(error) => Tried::Unknown(error.to_string()),
    }
}

fn failed(error: &AskError) -> Tried {
    match error {
        // The service itself refuses only what it does not understand.
        AskError::NotSent(_) | AskError::Refused(_) => Tried::Undone(error.to_string()),
        AskError::Timeout(_) | AskError::Lost(_) => Tried::Unknown(error.to_string()),
    }
}

/// Sends the body in pieces, and gathers the answer.
async fn exchange(mut stream: MeshStream, body: Bytes) -> Result<WireResponse, String> {
    let why = |error: mesh_quic::StreamError| error.to_string();
    let mut rest = body;
    while !rest.is_empty() {
        let piece = rest.split_to(rest.len().min(PIECE_LEN));
        stream.send.send(piece).await.map_err(why)?;
    }
    stream.send.finish().map_err(why)?;
    let not_understood = |error: NotUnderstood| error.to_string();
    let (mut head, mut entries) = (Vec::new(), Vec::new());
    while let Some(message) = stream.recv.next().await.map_err(why)? {
        match wire::decode(&message).map_err(not_understood)? {
            Part::Head(piece) => head.extend_from_slice(&piece),
            Part::Entries(more) => entries.extend(more),
        }
    }
    let mut response: WireResponse = wire::decode(&head).map_err(not_understood)?;
    response.put_entries(entries);
    Ok(response)
}
