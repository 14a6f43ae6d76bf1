//! The three servers, asked over TLS by a stock client that knows nothing of them, kube's: each request goes to the next
//! of them.
//!
//! Way in: [`Door::open`], one for all tests; each test has a namespace of its own ([`Door::namespace`]). Requests by
//! their paths show codes, headers and bytes; what programs do with every verb of a kind is in [`crate::objects`]. What
//! is read after a write was written, whichever servers were asked: a test that needs one of them says so ([`Door::at`]).

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actors_core::Mono;
use actors_runtime::Clock;
use futures_util::{Stream, StreamExt as _, stream::BoxStream};
use http::{Request, Response, header::RETRY_AFTER};
use kube::{Client, client::Body, core::WatchEvent};
use nodes_pki::{Leaf, Pki};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    client::{clients, kubeconfig, runtime, wait},
    hollow,
    servers::Servers,
};

/// How long anything may take. Far longer than it does, for machines that are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The servers and clients of them that may do everything.
#[derive(Clone)]
pub struct Door {
    /// One for each server, as whoever asks.
    own: Vec<Client>,
    /// The same as somebody without a certificate.
    anybody: Vec<Client>,
    authority: String,
    urls: Vec<String>,
    /// Counts requests: the next one goes to the next server.
    asked: Arc<AtomicUsize>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The headers, with names in lower case.
    pub head: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

static SERVERS: OnceLock<Servers> = OnceLock::new();

/// A server that did nothing, for now.
const UNAVAILABLE: u16 = 503;

/// How often a request is sent to servers that say that they did nothing and that it may be sent again.
const SENT_MAX: usize = 10;

/// The servers behind [`Door::open`].
pub fn servers() -> &'static Servers {
    SERVERS.get_or_init(|| {
        let log = tracing_subscriber::fmt().with_env_filter("error").with_writer(std::io::stderr);
        log.init();
        let servers = Servers::start();
        let door = Door::to(servers.urls.clone(), &servers.pki);
        hollow::make_ready(&door);
        servers.runtime.spawn_blocking(move || hollow::play(&door));
        servers
    })
}

impl Door {
    /// The servers; started by whoever asks first, and ended with the process.
    pub fn open() -> &'static Self {
        static DOOR: OnceLock<Door> = OnceLock::new();
        DOOR.get_or_init(|| Self::to(servers().urls.clone(), &servers().pki))
    }

    /// A client of the servers at these addresses.
    pub fn to(urls: Vec<String>, pki: &Pki) -> Self {
        let authority = pki.authority.certificate_pem();
        Self {
            own: clients(&urls, authority, Some(&pki.admin)),
            anybody: clients(&urls, authority, None),
            authority: authority.to_owned(),
            urls,
            asked: Arc::default(),
        }
    }

    /// The same of one server alone: where what a server remembers for itself is looked at.
    pub fn at(&self, server: usize) -> Self {
        let server = server % self.urls.len();
        let one = |clients: &[Client]| vec![clients[server].clone()];
        Self {
            own: one(&self.own),
            anybody: one(&self.anybody),
            urls: vec![self.urls[server].clone()],
            ..self.clone()
        }
    }

    /// Returns when every server shows what was written before: each has answered a fresh read. Who a caller is, is
    /// judged by what a server shows already.
    pub fn caught_up(&self) {
        for server in 0..self.urls.len() {
            self.at(server).get("/api/v1/namespaces/default").expect_code(200);
        }
    }

    /// A kubeconfig of the operator for the next server, as a file's text.
    pub fn kubeconfig(&self) -> String {
        let next = self.next();
        kubeconfig(&self.urls[next], &self.authority, Some(&servers().pki.admin)).to_string()
    }

    /// Whose turn it is.
    fn next(&self) -> usize {
        self.asked.fetch_add(1, Ordering::Relaxed) % self.urls.len()
    }

    /// The same servers for who holds this certificate.
    pub fn as_holder(&self, certificate_pem: &str, key_pem: &str) -> Self {
        let (certificate_pem, key_pem) = (certificate_pem.to_owned(), key_pem.to_owned());
        let leaf = Leaf { certificate_pem, key_pem };
        Self { own: clients(&self.urls, &self.authority, Some(&leaf)), ..self.clone() }
    }

    /// The same servers for who has no certificate, but perhaps a token.
    pub fn as_stranger(&self) -> Self {
        Self { own: self.anybody.clone(), ..self.clone() }
    }

    /// A new namespace.
    pub fn namespace(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let body = json!({ "metadata": { "name": name } });
        self.post("/api/v1/namespaces", &body).expect_code(201);
        name
    }

    /// A new namespace in which pods can be made: each is given an account for them.
    pub fn home(&self) -> String {
        let home = self.namespace();
        let accounts = format!("/api/v1/namespaces/{home}/serviceaccounts");
        let only = "fieldSelector=metadata.name%3Ddefault";
        self.watch(&format!("{accounts}?watch=true&{only}")).expect(&["ADDED default"]);
        home
    }

    /// GET, answered in JSON.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[("accept", "application/json")], b"")
    }

    /// POST of an object in JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "application/json", body)
    }

    /// PUT of an object in JSON.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, "application/json", body)
    }

    /// A merge patch.
    pub fn merge(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, "application/merge-patch+json", body)
    }

    /// DELETE without options.
    pub fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &[("accept", "application/json")], b"")
    }

    /// A request with a body of this media type, answered in JSON.
    pub fn send(&self, method: &str, path: &str, media: &str, body: &Value) -> Answer {
        let head = [("accept", "application/json"), ("content-type", media)];
        self.ask(method, path, &head, body.to_string().as_bytes())
    }

    /// Any request of the operator.
    pub fn ask(&self, method: &str, path: &str, head: &[(&str, &str)], body: &[u8]) -> Answer {
        Answer::read(self.run(&self.own, (method, path), head, body))
    }

    /// The code of an answer whose body is not waited for: a watch.
    pub fn code(&self, method: &str, path: &str, head: &[(&str, &str)]) -> u16 {
        self.run(&self.own, (method, path), head, b"").status().as_u16()
    }

    /// A request of somebody without a certificate.
    pub fn ask_as_anybody(&self, path: &str) -> Answer {
        Answer::read(self.run(&self.anybody, ("GET", path), &[], b""))
    }

    /// Sends a request, and shows what came back as it is.
    fn run(
        &self,
        clients: &[Client],
        (method, path): (&str, &str),
        head: &[(&str, &str)],
        body: &[u8],
    ) -> Response<Body> {
        let send = async |client: Client| {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in head {
                request = request.header(*name, *value);
            }
            client.send(request.body(body.to_vec().into()).unwrap()).await.unwrap()
        };
        let is_undone = |answer: &Response<Body>| {
            answer.status() == UNAVAILABLE && answer.headers().contains_key(RETRY_AFTER)
        };
        self.insist(clients, send, is_undone)
    }

    /// What a program gets that does this with a client of the next server.
    ///
    /// # Errors
    /// What the client says.
    pub fn call<T>(&self, attempt: impl AsyncFn(Client) -> kube::Result<T>) -> kube::Result<T> {
        let is_undone = |result: &kube::Result<T>| match result {
            Err(kube::Error::Api(status)) => {
                let details = status.details.as_ref();
                status.code == UNAVAILABLE
                    && details.is_some_and(|details| details.retry_after_seconds > 0)
            }
            _ => false,
        };
        self.insist(&self.own, attempt, is_undone)
    }

    /// Asks the next server. Where 503 with `Retry-After` says that nothing was done, the one after it is asked, as
    /// Kubernetes' own clients do, but no earlier than the servers hear from each other again.
    fn insist<T>(
        &self,
        clients: &[Client],
        attempt: impl AsyncFn(Client) -> T,
        is_undone: impl Fn(&T) -> bool,
    ) -> T {
        let mut sent = 0;
        loop {
            let answer = wait(attempt(clients[self.next()].clone()));
            sent += 1;
            if sent == SENT_MAX || !is_undone(&answer) {
                return answer;
            }
            if let Some(servers) = SERVERS.get() {
                servers.wait_for_quorum();
            }
        }
    }

    /// Opens a watch.
    #[track_caller]
    pub fn watch(&self, path: &str) -> Watch {
        let opened = self.call(async |client| {
            let request = Request::get(path).header("accept", "application/json");
            let events = client.request_events::<Value>(request.body(Vec::new()).unwrap()).await?;
            Ok(Watch::of(events))
        });
        opened.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl Answer {
    fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let head = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        Self {
            code: parts.status.as_u16(),
            head: head.collect(),
            body: wait(body.collect_bytes()).unwrap().into(),
        }
    }

    /// The same answer, if it has this code.
    #[track_caller]
    pub fn expect_code(self, code: u16) -> Self {
        assert_eq!(self.code, code, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The body, understood.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty without it.
    pub fn header(&self, name: &str) -> &str {
        let found = self.head.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Events of a watch: their words and their objects. It ends when the server ends it, or after [`PATIENCE`].
pub struct Watch {
    events: BoxStream<'static, (String, Value)>,
    until: Mono,
}

impl Iterator for Watch {
    type Item = (String, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.until.since(Clock.mono());
        runtime().block_on(async { timeout(left, self.events.next()).await.ok()? })
    }
}

impl Watch {
    /// The events of a client.
    pub(crate) fn of<K: Serialize>(
        events: impl Stream<Item = kube::Result<WatchEvent<K>>> + Send + 'static,
    ) -> Self {
        let shown = events.map(|event| {
            // A line of the stream again: its word and its object.
            let mut line = serde_json::to_value(event.expect("an event")).unwrap();
            (line["type"].as_str().unwrap().to_owned(), line["object"].take())
        });
        Self { events: shown.boxed(), until: Clock.mono().after(PATIENCE) }
    }

    /// The next event: its word and its object.
    #[track_caller]
    pub fn event(&mut self) -> (String, Value) {
        self.next().expect("the watch goes on")
    }

    /// The object of the first event that shows what is waited for.
    #[track_caller]
    pub fn until(&mut self, shows: impl Fn(&str, &Value) -> bool) -> Value {
        self.find(|(word, object)| shows(word, object)).expect("it comes to pass").1
    }

    /// The last state of the first object that goes.
    #[track_caller]
    pub fn gone(&mut self) -> Value {
        self.until(|word, _| word == "DELETED")
    }

    /// Events as `WORD name` until there are as many as these.
    #[track_caller]
    pub fn expect(&mut self, events: &[&str]) {
        for expected in events {
            let (word, object) = self.event();
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            assert_eq!(format!("{word} {name}"), *expected);
        }
    }
}
