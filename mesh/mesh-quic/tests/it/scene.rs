//! Authorities, processes with a mesh of their own, and handlers that do what a test needs.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_runtime::{Root, System};
use bytes::Bytes;
use mesh_quic::{
    Ask, AskError, DownReason, Handler, Lane, Later, Limits, LinkEvent, LinkState, LinkView, Mesh,
    MeshConfig, MeshStream, Peer, PeerAddress, Role, Service, TraceContext,
};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use time::OffsetDateTime;
use tokio::{
    runtime::Runtime,
    sync::{broadcast, mpsc},
    time::{interval, timeout},
};

/// How long anything may take. Far longer than it does, for machines that are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const CLUSTER: &str = "0123456789abcdef0123456789abcdef";

/// Signs certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, PEM, and its serial number in hexadecimal.
pub(crate) struct Paper {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) serial: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate that ends so long from now.
    pub(crate) fn issue(&self, peer: &Peer, ends_in: time::Duration) -> Paper {
        let mut params = CertificateParams::new(vec![peer.node.clone()]).unwrap();
        params.subject_alt_names.push(SanType::URI(peer.uri().try_into().unwrap()));
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let now = OffsetDateTime::now_utc();
        params.not_before = now - time::Duration::days(2);
        params.not_after = now + ends_in;
        let mut serial = [0; 8];
        actors_runtime::entropy().unwrap().fill(&mut serial);
        serial[0] = 0x1f;
        params.serial_number = Some(serial.to_vec().into());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let serial = serial.iter().map(|byte| format!("{byte:02x}")).collect();
        Paper { certificate, key: key.serialize_pem(), serial }
    }
}

pub(crate) fn peer(node: &str) -> Peer {
    let role = if node.starts_with("agent") { Role::Agent } else { Role::Server };
    Peer { role, node: node.to_owned(), cluster: CLUSTER.to_owned(), site: "default".to_owned() }
}

/// What a process is started with; a test changes what it is about.
pub(crate) fn config(authority: &Authority, node: &str) -> MeshConfig {
    config_with(authority, &peer(node), time::Duration::days(1))
}

pub(crate) fn config_with(authority: &Authority, me: &Peer, ends_in: time::Duration) -> MeshConfig {
    let paper = authority.issue(me, ends_in);
    let mut reset_key = [7; 32];
    for (byte, letter) in reset_key.iter_mut().zip(me.node.bytes()) {
        *byte = letter;
    }
    MeshConfig {
        me: me.clone(),
        certificate_pem: paper.certificate,
        key_pem: paper.key,
        authorities_pem: authority.pem.clone(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        revoked: Vec::new(),
        reset_key,
        feature_level: 3,
        limits: Limits::default(),
    }
}

/// A process: a runtime of its own, which can be killed without a word to anyone.
pub(crate) struct Process {
    pub(crate) mesh: Mesh,
    pub(crate) config: MeshConfig,
    pub(crate) events: broadcast::Receiver<LinkEvent>,
    pub(crate) system: System,
    root: Root,
    runtime: Option<Runtime>,
}

impl Process {
    pub(crate) async fn start(config: MeshConfig) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(3).enable_all().build().unwrap();
        let mut config = config;
        let mesh = Mesh::open(config.clone()).unwrap();
        config.listen = mesh.local_addr();
        let events = mesh.link_events();
        let tree = mesh.tree("mesh");
        let run = async move {
            let system = System::new(actors_runtime::entropy().unwrap());
            let root = system.run(tree).await.unwrap();
            (system, root)
        };
        let (system, root) = runtime.spawn(run).await.unwrap();
        Self { mesh, config, events, system, root, runtime: Some(runtime) }
    }

    /// The same process again, at the same address.
    pub(crate) async fn again(config: &MeshConfig) -> Self {
        Self::start(config.clone()).await
    }

    /// Leaves in order.
    pub(crate) async fn stop(mut self) -> MeshConfig {
        within("the farewell", self.root.shutdown()).await;
        self.end().await
    }

    /// Ends as by SIGKILL: nothing is sent any more.
    pub(crate) async fn kill(mut self) -> MeshConfig {
        self.end().await
    }

    /// Only when nothing of it runs any more is its address free.
    async fn end(&mut self) -> MeshConfig {
        if let Some(runtime) = self.runtime.take() {
            let end = move || runtime.shutdown_timeout(PATIENCE);
            tokio::task::spawn_blocking(end).await.unwrap();
        }
        self.config.clone()
    }

    /// Keeps links to these.
    pub(crate) fn knows(&self, others: &[&Self]) {
        let address = |other: &&Self| {
            let me = other.mesh.me();
            let place = PeerAddress { role: me.role, address: other.mesh.local_addr() };
            (me.node.clone(), place)
        };
        self.mesh.set_peers(others.iter().map(address).collect());
    }

    /// Waits until there are links to these.
    pub(crate) async fn is_linked(&self, others: &[&str]) {
        let what = format!("links of {} to {others:?}", self.mesh.me().node);
        let is_up = |node: &&str| self.link(node).is_some_and(|link| is_up(&link));
        until(&what, || others.iter().all(is_up)).await;
    }

    pub(crate) fn link(&self, node: &str) -> Option<LinkView> {
        self.mesh.links().into_iter().find(|link| link.node == node)
    }

    /// The next event that is about a link's end.
    pub(crate) async fn down(&mut self) -> (String, DownReason) {
        loop {
            match within("a link's end", self.events.recv()).await.unwrap() {
                LinkEvent::Down { peer, why } => return (peer.node, why),
                LinkEvent::Up { .. } => {}
            }
        }
    }

    pub(crate) async fn ask(
        &self,
        to: &str,
        service: Service,
        body: &str,
    ) -> Result<Bytes, AskError> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.mesh.ask(to, Ask::new(Lane::Rpc, service, body, PATIENCE)).await
    }

    /// All that was refused here: how often, and why.
    pub(crate) fn refused(&self) -> BTreeMap<String, u64> {
        let pair = |refusal: mesh_quic::Refusal| (refusal.reason, refusal.count);
        self.mesh.refusals().into_iter().map(pair).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn is_up(link: &LinkView) -> bool {
    matches!(link.state, LinkState::Up { .. })
}

/// Two processes that are linked.
pub(crate) async fn pair(first: &str, second: &str) -> (Process, Process) {
    let authority = Authority::new();
    let first = Process::start(config(&authority, first)).await;
    let second = Process::start(config(&authority, second)).await;
    link(&first, &second).await;
    (first, second)
}

pub(crate) async fn link(first: &Process, second: &Process) {
    first.knows(&[second]);
    second.knows(&[first]);
    first.is_linked(&[&second.mesh.me().node]).await;
    second.is_linked(&[&first.mesh.me().node]).await;
}

/// Awaits something that must come.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come"),
    }
}

/// Awaits that a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut looks = interval(Duration::from_millis(5));
    let look = async {
        while !holds() {
            looks.tick().await;
        }
    };
    within(what, look).await;
}

/// Keeps what it is told, answers by echo, and serves streams by echo.
pub(crate) struct Echo {
    pub(crate) told: mpsc::Sender<(String, Bytes)>,
}

impl Echo {
    pub(crate) fn new() -> (Arc<Self>, mpsc::Receiver<(String, Bytes)>) {
        let (told, heard) = mpsc::channel(100_000);
        (Arc::new(Self { told }), heard)
    }
}

impl Handler for Echo {
    fn tell(&self, from: &Peer, body: Bytes) {
        self.told.try_send((from.node.clone(), body)).unwrap();
    }

    fn ask(&self, _from: &Peer, body: Bytes, trace: TraceContext) -> Later<Result<Bytes, String>> {
        Box::pin(async move {
            match &body[..] {
                b"no" => Err("the answer is no".to_owned()),
                b"panic" => panic!("asked to"),
                b"trace" => Ok(Bytes::copy_from_slice(&trace.trace)),
                b"big" => Ok(Bytes::from(vec![0; Lane::Rpc.body_len_max() + 1])),
                _ => Ok(body),
            }
        })
    }

    fn stream(&self, _from: &Peer, head: Bytes, mut stream: MeshStream) -> Later<()> {
        Box::pin(async move {
            if &head[..] == b"panic" {
                panic!("asked to");
            }
            drop(stream.send.send(head).await);
            while let Ok(Some(message)) = stream.recv.next().await {
                if stream.send.send(message).await.is_err() {
                    return;
                }
            }
            drop(stream.send.finish());
        })
    }
}

/// Never answers; counts those who ask and have not given up.
#[derive(Default)]
pub(crate) struct Mute {
    pub(crate) open: Arc<Mutex<usize>>,
}

struct Open(Arc<Mutex<usize>>);

impl Drop for Open {
    fn drop(&mut self) {
        *self.0.lock().unwrap() -= 1;
    }
}

impl Handler for Mute {
    fn ask(&self, _: &Peer, _: Bytes, _: TraceContext) -> Later<Result<Bytes, String>> {
        *self.open.lock().unwrap() += 1;
        let open = Open(Arc::clone(&self.open));
        Box::pin(async move {
            let _open = open;
            std::future::pending().await
        })
    }
}
