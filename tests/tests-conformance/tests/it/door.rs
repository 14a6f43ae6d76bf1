//! A server in this process with everything but an agent, asked over TLS by a client that knows nothing of it.
//!
//! Way in: [`Door::open`], one for all tests; each test has a namespace of its own ([`Door::namespace`]).

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use actors_core::{Intensity, OnLimit, Rng};
use actors_object::ApiError;
use actors_runtime::{Clock, System, Tree};
use nodes_client::{ExecRequest, ExecStream, Later, LogRequest, LogStream, NodeStreams};
use nodes_pki::Pki;
use nodes_server::{NodeId, Server, ServerConfig};
use serde_json::{Value, json};
use ureq::{
    Agent,
    http::{Request, Response},
    tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider},
};

/// How long anything may take. Far longer than it does, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server and a client of it that may do everything.
pub(crate) struct Door {
    agent: Agent,
    anybody: Agent,
    authority: String,
    server: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) head: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// This machine runs no pods.
struct NoNode;

impl NodeStreams for NoNode {
    fn logs(&self, _: LogRequest) -> Later<'_, Result<LogStream, ApiError>> {
        Box::pin(async { Err(ApiError::service_unavailable("there is no node")) })
    }

    fn exec(&self, _: ExecRequest) -> Later<'_, Result<ExecStream, ApiError>> {
        Box::pin(async { Err(ApiError::service_unavailable("there is no node")) })
    }
}

impl Door {
    /// The server; started by whoever asks first, and ended with the process.
    pub(crate) fn open() -> &'static Self {
        static DOOR: OnceLock<Door> = OnceLock::new();
        DOOR.get_or_init(Self::start)
    }

    fn start() -> Self {
        let log = tracing_subscriber::fmt().with_env_filter("error").with_writer(std::io::stderr);
        log.init();
        let name = format!("starling-conformance-{}", std::process::id());
        let data_dir = std::env::temp_dir().join(name);
        drop(std::fs::remove_dir_all(&data_dir));
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        listener.set_nonblocking(true).unwrap();
        let api_port = listener.local_addr().unwrap().port();
        let config = ServerConfig {
            uid: "0123456789abcdef0123456789abcdef".to_owned(),
            cluster: "conformance".to_owned(),
            node: "conformance".to_owned(),
            data_dir: data_dir.clone(),
            api_port,
            // Nobody is reached there; the API listens on the loopback.
            node_address: Ipv4Addr::new(10, 20, 30, 40),
            service_cidr: "10.160.0.0/16".to_owned(),
            pod_cidr: "10.96.0.0/16".to_owned(),
            node_range: "10.96.0.0/24".to_owned(),
            names: Vec::new(),
            member: NodeId(1),
            first_voters: vec![NodeId(1)],
            mesh: None,
        };
        let (ready, is_ready) = mpsc::channel();
        let pki_dir = data_dir.join("pki");
        let names = config.api_names();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.spawn(async move {
            let system = System::new(Rng::from_number(7));
            let server = Server::open(config, &system, Rng::from_number(8)).unwrap();
            let intensity = Intensity { restarts: 3, period: Duration::from_secs(60) };
            let mut tree = Tree::new("starling", intensity, OnLimit::Escalate);
            for (spec, child) in server.children(vec![listener], Arc::new(NoNode)) {
                tree = tree.child(spec, child);
            }
            let root = system.run(tree).await.unwrap();
            let mut serving = server.serving();
            serving.wait_for(|serves| *serves).await.unwrap();
            ready.send(()).unwrap();
            // It runs for as long as the tests do.
            std::future::pending::<()>().await;
            drop(root);
        });
        is_ready.recv_timeout(PATIENCE).expect("the server serves");
        // Tests end with the process, and so does the server.
        Box::leak(Box::new(runtime));
        let pki = Pki::open_or_create(&pki_dir, &names, Clock.now().wall, &mut Rng::from_number(9));
        let pki = pki.unwrap();
        Self {
            agent: agent(
                pki.authority.certificate_pem(),
                Some((&pki.admin.certificate_pem, &pki.admin.key_pem)),
            ),
            anybody: agent(pki.authority.certificate_pem(), None),
            authority: pki.authority.certificate_pem().to_owned(),
            server: format!("https://127.0.0.1:{api_port}"),
        }
    }

    /// The same server for who holds this certificate.
    pub(crate) fn as_holder(&self, certificate_pem: &str, key_pem: &str) -> Self {
        Self {
            agent: agent(&self.authority, Some((certificate_pem, key_pem))),
            anybody: self.anybody.clone(),
            authority: self.authority.clone(),
            server: self.server.clone(),
        }
    }

    /// The same server for who has no certificate, but perhaps a token.
    pub(crate) fn as_stranger(&self) -> Self {
        Self {
            agent: self.anybody.clone(),
            anybody: self.anybody.clone(),
            authority: self.authority.clone(),
            server: self.server.clone(),
        }
    }

    /// A new namespace.
    pub(crate) fn namespace(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let body = json!({ "metadata": { "name": name } });
        self.post("/api/v1/namespaces", &body).expect_code(201);
        name
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[("accept", "application/json")], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "application/json", body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, "application/json", body)
    }

    pub(crate) fn merge(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, "application/merge-patch+json", body)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &[("accept", "application/json")], b"")
    }

    pub(crate) fn send(&self, method: &str, path: &str, media: &str, body: &Value) -> Answer {
        let head = [("accept", "application/json"), ("content-type", media)];
        self.ask(method, path, &head, body.to_string().as_bytes())
    }

    /// Any request of the operator.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        head: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        Answer::read(self.agent.run(self.request(method, path, head, body)).unwrap())
    }

    /// The code of an answer whose body is not waited for: a watch.
    pub(crate) fn code(&self, method: &str, path: &str, head: &[(&str, &str)]) -> u16 {
        self.agent.run(self.request(method, path, head, b"")).unwrap().status().as_u16()
    }

    /// A request of somebody without a certificate.
    pub(crate) fn ask_as_anybody(&self, path: &str) -> Answer {
        Answer::read(self.anybody.run(self.request("GET", path, &[], b"")).unwrap())
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        head: &[(&str, &str)],
        body: &[u8],
    ) -> Request<Vec<u8>> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        request.body(body.to_vec()).unwrap()
    }

    /// Opens a watch; its events come line by line.
    pub(crate) fn watch(&self, path: &str) -> Watch {
        let request = self.request("GET", path, &[("accept", "application/json")], b"");
        let response = self.agent.run(request).unwrap();
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

    #[track_caller]
    pub(crate) fn expect_code(self, code: u16) -> Self {
        assert_eq!(self.code, code, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty without it.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.head.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Events of a watch.
pub(crate) struct Watch {
    lines: Box<dyn Iterator<Item = std::io::Result<String>>>,
}

impl Watch {
    /// The next event: its word and its object.
    #[track_caller]
    pub(crate) fn event(&mut self) -> (String, Value) {
        let line = self.lines.next().expect("the watch goes on").expect("a line");
        let mut event: Value = serde_json::from_str(&line).expect("an event");
        (event["type"].as_str().unwrap().to_owned(), event["object"].take())
    }

    /// Events as `WORD name` until there are as many as these.
    #[track_caller]
    pub(crate) fn expect(&mut self, events: &[&str]) {
        for expected in events {
            let (word, object) = self.event();
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            assert_eq!(format!("{word} {name}"), *expected);
        }
    }
}
