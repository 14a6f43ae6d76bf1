//! A whole server in this process, and a client of its own making: sockets, TLS and bytes as they are.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_core::{Intensity, OnLimit, Rng};
use actors_object::{ApiError, Value, json, value};
use actors_runtime::{Clock, Root, System, Tree};
use nodes_client::{Calls, ExecRequest, ExecStream, Later, LogRequest, LogStream, NodeStreams};
use nodes_door::{Identity, Target};
use nodes_pki::Pki;
use nodes_server::{NodeId, Server, ServerConfig};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::scene::{PATIENCE, within};

/// A server whose API listens on a port of its own.
pub(crate) struct Edge {
    pub(crate) port: u16,
    pub(crate) calls: Calls,
    system: System,
    tls: Arc<ClientConfig>,
    root: Root,
    _folder: TempDir,
}

/// A node that streams nothing.
struct NoNode;

impl NodeStreams for NoNode {
    fn logs(&self, _: LogRequest) -> Later<'_, Result<LogStream, ApiError>> {
        Box::pin(std::future::ready(Err(ApiError::service_unavailable("no node"))))
    }

    fn exec(&self, _: ExecRequest) -> Later<'_, Result<ExecStream, ApiError>> {
        Box::pin(std::future::ready(Err(ApiError::service_unavailable("no node"))))
    }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Edge {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| || ()).await
    }

    /// Starts a server whose folder was prepared; what that answers is called when the server has read its keys.
    pub(crate) async fn start_with<C: FnOnce()>(prepare: impl FnOnce(&ServerConfig) -> C) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::Builder::new().prefix("starling-edge-").tempdir().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = ServerConfig {
            uid: "0123456789abcdef0123456789abcdef".to_owned(),
            cluster: "edge".to_owned(),
            node: "edge-1".to_owned(),
            data_dir: folder.path().to_owned(),
            api_port: port,
            // Of nobody (RFC 5737): an endpoint must not be a loopback address.
            node_address: Ipv4Addr::new(192, 0, 2, 1),
            service_cidr: "10.160.0.0/16".to_owned(),
            pod_cidr: "10.96.0.0/16".to_owned(),
            node_range: "10.96.0.0/24".to_owned(),
            names: Vec::new(),
            member: NodeId(1),
            first_voters: vec![NodeId(1)],
            mesh: None,
        };
        let names = config.api_names();
        let opened = prepare(&config);
        let system = System::new(Rng::from_number(number));
        let server = Server::open(config, &system, Rng::from_number(number)).unwrap();
        opened();
        let intensity = Intensity { restarts: 3, period: Duration::from_secs(30) };
        let mut tree = Tree::new("test", intensity, OnLimit::Escalate);
        for (spec, child) in server.children(vec![listener], Arc::new(NoNode)) {
            tree = tree.child(spec, child);
        }
        let mut notices = system.notices();
        let root = system.run(tree).await.unwrap();
        let mut serving = server.serving();
        let mut why = Vec::new();
        let served = async {
            loop {
                tokio::select! {
                    served = serving.wait_for(|serves| *serves) => break drop(served.unwrap()),
                    Some(notice) = notices.next() => why.push(notice),
                }
            }
        };
        if timeout(PATIENCE, served).await.is_err() {
            panic!("the API never came: {why:#?}");
        }
        let (now, mut rng) = (Clock.now().wall, Rng::from_number(1));
        let pki = Pki::open_or_create(&folder.path().join("pki"), &names, now, &mut rng).unwrap();
        let admin = Identity::new("admin", &["system:masters"]);
        let calls = Calls::new(server.client(), admin, "test");
        Self { port, calls, system, tls: tls(&pki), root, _folder: folder }
    }

    pub(crate) async fn stop(self) {
        self.root.shutdown().await;
    }

    /// A connection of the operator's.
    pub(crate) async fn connect(&self) -> Connection {
        within("a connection", self.dial(&[b"http/1.1"])).await
    }

    /// A connection that remembers nothing of those before, so that it is shown the server's certificate.
    pub(crate) async fn dial_anew(&self) -> Connection {
        let mut config = ClientConfig::clone(&self.tls);
        config.resumption = Resumption::disabled();
        within("a connection", self.dial_with(config, &[b"http/1.1"])).await
    }

    /// A connection that offers these protocols.
    pub(crate) async fn dial(&self, protocols: &[&[u8]]) -> Connection {
        self.dial_with(ClientConfig::clone(&self.tls), protocols).await
    }

    async fn dial_with(&self, mut config: ClientConfig, protocols: &[&[u8]]) -> Connection {
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.unwrap();
        Connection { stream, buffer: Vec::new() }
    }

    /// How many watches of storage capacities are served: nobody but a test watches those.
    pub(crate) fn capacity_watches(&self) -> usize {
        self.system.tree().iter().filter(|node| node.path.contains("/csistoragecapacities")).count()
    }

    /// Makes a ConfigMap in `default`, behind the edge.
    pub(crate) async fn create(&self, name: &str, text: &str) {
        let object = value!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": "default", "labels": { "made": "here" } },
            "data": { "text": text },
        });
        within("a create", self.calls.create(config_maps(None), &object)).await.unwrap();
    }

    /// Changes its text.
    pub(crate) async fn set(&self, name: &str, text: &str) {
        let patch = value!({ "data": { "text": text } });
        within("a patch", self.calls.merge(config_maps(Some(name)), &patch)).await.unwrap();
    }
}

/// ConfigMaps of `default`.
pub(crate) fn config_maps(name: Option<&str>) -> Target {
    Target {
        version: "v1".to_owned(),
        resource: "configmaps".to_owned(),
        namespace: Some("default".to_owned()),
        name: name.map(str::to_owned),
        ..Target::default()
    }
}

fn tls(pki: &Pki) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let authority = pki.authority.certificate_pem().as_bytes();
    roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    let chain = CertificateDer::pem_slice_iter(pki.admin.certificate_pem.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(pki.admin.key_pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

/// One connection of HTTP/1.1.
pub(crate) struct Connection {
    pub(crate) stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) code: u16,
    pub(crate) headers: BTreeMap<String, String>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as a tree.
    pub(crate) fn json(&self) -> Value {
        let limits = json::Limits { bytes: usize::MAX, ..json::Limits::default() };
        json::parse(&self.body, limits).unwrap().value
    }
}

impl Connection {
    /// Sends a request without a body and reads all of the answer.
    pub(crate) async fn get(&mut self, path: &str, accept: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[("accept", accept)], b"").await
    }

    /// Sends a request and reads all of the answer.
    pub(crate) async fn ask(
        &mut self,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.send(line, headers, body).await;
        let answer = within(line, self.answer()).await;
        answer.unwrap_or_else(|| panic!("{line}: the connection was closed"))
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{line} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let bytes = [head.as_bytes(), body].concat();
        // Who is refused early finds the connection closed: the answer says so.
        drop(self.stream.write_all(&bytes).await);
        drop(self.stream.flush().await);
    }

    /// Reads a whole answer; `None` if the connection is closed before it.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let Head { code, headers } = self.head().await?;
        let mut body = Vec::new();
        if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
            while let Some(piece) = self.piece().await? {
                body.extend(piece);
            }
        } else {
            let length = headers.get("content-length").map_or(0, |value| value.parse().unwrap());
            body = self.take(length).await?;
        }
        Some(Answer { code, headers, body })
    }

    /// Reads the head of an answer.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        let end = self.find(b"\r\n\r\n").await?;
        let head = self.take(end + 4).await?;
        let text = String::from_utf8(head).unwrap();
        let mut lines = text.lines();
        let code = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Some(Head { code, headers: headers.collect() })
    }

    /// Reads one chunk of a body; the inner `None` is its end.
    pub(crate) async fn piece(&mut self) -> Option<Option<Vec<u8>>> {
        let end = self.find(b"\r\n").await?;
        let line = self.take(end + 2).await?;
        let length = usize::from_str_radix(std::str::from_utf8(&line[..end]).unwrap(), 16).unwrap();
        let piece = self.take(length).await?;
        self.take(2).await?;
        Some(Some(piece).filter(|piece| !piece.is_empty()))
    }

    async fn find(&mut self, mark: &[u8]) -> Option<usize> {
        let mut from = 0;
        loop {
            let found = self.buffer[from..].windows(mark.len()).position(|window| window == mark);
            if let Some(at) = found {
                return Some(from + at);
            }
            from = self.buffer.len().saturating_sub(mark.len());
            self.fill().await?;
        }
    }

    async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        let rest = self.buffer.split_off(length);
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    async fn fill(&mut self) -> Option<()> {
        let mut bytes = vec![0; 64 * 1024];
        match self.stream.read(&mut bytes).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                Some(())
            }
        }
    }
}
