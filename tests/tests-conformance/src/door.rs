//! The three servers, asked over TLS by a client that knows nothing of them: each request goes to the next of them.
//!
//! Way in: [`Door::open`], one for all tests; each test has a namespace of its own ([`Door::namespace`]). What is read
//! after a write was written, whichever servers were asked: a test that needs one of them says so ([`Door::at`]).

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use nodes_pki::{Kubeconfig, Pki};
use serde_json::{Value, json};
use ureq::{
    Agent,
    http::{Request, Response},
    tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider},
};

use crate::{hollow, servers::Servers};

/// How long anything may take. Far longer than it does, for machines that are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The servers and a client of them that may do everything.
#[derive(Clone)]
pub struct Door {
    agent: Agent,
    anybody: Agent,
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
        let admin = (&*pki.admin.certificate_pem, &*pki.admin.key_pem);
        Self {
            agent: agent(authority, Some(admin)),
            anybody: agent(authority, None),
            authority: authority.to_owned(),
            urls,
            asked: Arc::default(),
        }
    }

    /// The same client of one server alone: where what a server remembers for itself is looked at.
    pub fn at(&self, server: usize) -> Self {
        Self { urls: vec![self.urls[server % self.urls.len()].clone()], ..self.clone() }
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
        let config = Kubeconfig {
            name: "conformance",
            server: self.next_url(),
            authority_pem: &self.authority,
            client: &servers().pki.admin,
        };
        config.to_json().to_string()
    }

    fn next_url(&self) -> &str {
        &self.urls[self.asked.fetch_add(1, Ordering::Relaxed) % self.urls.len()]
    }

    /// The same servers for who holds this certificate.
    pub fn as_holder(&self, certificate_pem: &str, key_pem: &str) -> Self {
        let own = Some((certificate_pem, key_pem));
        Self { agent: agent(&self.authority, own), ..self.clone() }
    }

    /// The same servers for who has no certificate, but perhaps a token.
    pub fn as_stranger(&self) -> Self {
        Self { agent: self.anybody.clone(), ..self.clone() }
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
        Answer::read(self.run(&self.agent, (method, path), head, body))
    }

    /// The code of an answer whose body is not waited for: a watch.
    pub fn code(&self, method: &str, path: &str, head: &[(&str, &str)]) -> u16 {
        self.run(&self.agent, (method, path), head, b"").status().as_u16()
    }

    /// A request of somebody without a certificate.
    pub fn ask_as_anybody(&self, path: &str) -> Answer {
        Answer::read(self.run(&self.anybody, ("GET", path), &[], b""))
    }

    /// Sends a request to the next server. Where 503 with `Retry-After` says that nothing was done, it is sent again, as
    /// Kubernetes' own clients do, but no earlier than the servers hear from each other again.
    fn run(
        &self,
        agent: &Agent,
        (method, path): (&str, &str),
        head: &[(&str, &str)],
        body: &[u8],
    ) -> Response<ureq::Body> {
        let mut sent = 0;
        loop {
            let uri = format!("{}{path}", self.next_url());
            let mut request = Request::builder().method(method).uri(uri);
            for (name, value) in head {
                request = request.header(*name, *value);
            }
            let response = agent.run(request.body(body.to_vec()).unwrap()).unwrap();
            sent += 1;
            let may_be_sent = response.headers().contains_key("retry-after");
            if response.status() != 503 || !may_be_sent || sent == SENT_MAX {
                return response;
            }
            if let Some(servers) = SERVERS.get() {
                servers.wait_for_quorum();
            }
        }
    }

    /// Opens a watch; its events come line by line.
    pub fn watch(&self, path: &str) -> Watch {
        let head = [("accept", "application/json")];
        let response = self.run(&self.agent, ("GET", path), &head, b"");
        assert_eq!(response.status(), 200, "{path}");
        let reader = std::io::BufReader::new(response.into_body().into_reader());
        Watch { lines: Box::new(std::io::BufRead::lines(reader)) }
    }
}

fn agent(authority: &str, own: Option<(&str, &str)>) -> Agent {
    let authority = authority.as_bytes();
    let own = own.map(|(chain, key)| {
        let chain = Certificate::from_pem(chain.as_bytes()).unwrap();
        let key = PrivateKey::from_pem(key.as_bytes()).unwrap();
        ClientCert::new_with_certs(&[chain], key)
    });
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::from(vec![Certificate::from_pem(authority).unwrap()]))
        .client_cert(own)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .build();
    Agent::new_with_config(config)
}

impl Answer {
    fn read(mut response: Response<ureq::Body>) -> Self {
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let head = response.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
        let head = head.collect();
        let code = response.status().as_u16();
        let body = response.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
        Self { code, head, body }
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
    lines: Box<dyn Iterator<Item = std::io::Result<String>>>,
}

impl Iterator for Watch {
    type Item = (String, Value);

    fn next(&mut self) -> Option<(String, Value)> {
        let line = self.lines.next()?.ok()?;
        let mut event: Value = serde_json::from_str(&line).expect("an event");
        Some((event["type"].as_str().unwrap().to_owned(), event["object"].take()))
    }
}

impl Watch {
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
