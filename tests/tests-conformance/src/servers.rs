//! Three servers in this process: one Raft group over the real mesh, on the loopback; everything but agents.
//!
//! Way in: [`Servers::start`].  Order: the first is a cluster of its own; the others join it as machines do, with a
//! token, and nothing is asked of any before all three vote.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use actors_core::{ChildSpec, Intensity, OnLimit, Rng};
use actors_object::ApiError;
use actors_runtime::{Child, Clock, System, Tree};
use mesh_gossip::Membership;
use mesh_member::MemberInfo;
use mesh_quic::{Limits, Mesh, MeshConfig, PeerAddress};
use mesh_wire::{Peer, Role};
use nodes_client::{ExecRequest, ExecStream, Later, LogRequest, LogStream, NodeStreams};
use nodes_pki::{
    BootstrapToken, JoinAnswer, JoinPeer, JoinRequest, NodeKey, NodeKeys, NodeRole, Pki,
    TokenOptions,
};
use nodes_server::{NodeId, Server, ServerConfig, ServerMesh};
use serde_json::json;
use tokio::{runtime::Runtime, time::timeout};

use crate::door::{Door, PATIENCE};

/// The machines, in the order in which they become part of the cluster.
pub const NODES: [&str; 3] = ["one", "two", "three"];

const UID: &str = "0123456789abcdef0123456789abcdef";

/// The newest formats that a server has.
const FEATURE_LEVEL: u16 = 1;

/// The servers; they end with the process, as the tests do.
pub struct Servers {
    /// In the order of [`NODES`].
    pub all: Vec<Server>,
    /// `https://127.0.0.1:PORT` of each.
    pub urls: Vec<String>,
    /// The keys of the first, and so of all.
    pub pki: Pki,
    /// Where everything runs.
    pub runtime: &'static Runtime,
}

/// This machine runs no pods: what has run in them nobody can tell.
struct NoStreams;

impl NodeStreams for NoStreams {
    fn logs(&self, _: LogRequest) -> Later<'_, Result<LogStream, ApiError>> {
        Box::pin(async { Err(ApiError::service_unavailable("there is no agent")) })
    }

    fn exec(&self, _: ExecRequest) -> Later<'_, Result<ExecStream, ApiError>> {
        Box::pin(async { Err(ApiError::service_unavailable("there is no agent")) })
    }
}

/// How the folders of these servers' data begin; the number of their process follows.
const FOLDER: &str = "starling-conformance-";

/// Removes what earlier runs left: servers live as long as their process, which cannot clear up behind itself.
fn remove_leftovers() {
    let entries = std::fs::read_dir(tempfile::env::temp_dir()).unwrap();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER));
        let process = process.and_then(|number| number.parse::<u32>().ok());
        if process.is_some_and(|number| !PathBuf::from(format!("/proc/{number}")).exists()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// A machine that is to become a server: its name, its folder and its ports.
struct Machine {
    number: u8,
    node: &'static str,
    data_dir: PathBuf,
    api: TcpListener,
    mesh: SocketAddr,
}

impl Machine {
    fn new(index: usize) -> Self {
        let folder = format!("{FOLDER}{}", std::process::id());
        let data_dir = tempfile::env::temp_dir().join(folder).join(NODES[index]);
        drop(std::fs::remove_dir_all(&data_dir));
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let api = TcpListener::bind(loopback).unwrap();
        api.set_nonblocking(true).unwrap();
        // Told to the others before it is listened on.
        let mesh = UdpSocket::bind(loopback).unwrap().local_addr().unwrap();
        Self { number: u8::try_from(index + 1).unwrap(), node: NODES[index], data_dir, api, mesh }
    }

    /// Its address as other machines are told: nobody is reached there, the API listens on the loopback.
    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 20, 30, 39 + self.number)
    }

    fn api_port(&self) -> u16 {
        self.api.local_addr().unwrap().port()
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_port())
    }

    fn config(&self) -> ServerConfig {
        ServerConfig {
            uid: UID.to_owned(),
            cluster: "conformance".to_owned(),
            node: self.node.to_owned(),
            data_dir: self.data_dir.clone(),
            api_port: 6443,
            node_address: self.address(),
            service_cidr: "10.160.0.0/16".to_owned(),
            pod_cidr: "10.96.0.0/16".to_owned(),
            node_range: "10.96.0.0/24".to_owned(),
            names: Vec::new(),
            member: NodeId(1),
            first_voters: vec![NodeId(1)],
            mesh: None,
        }
    }

    /// Asks a server to be let in, and keeps what it is told.
    fn join(&self, first: &Door, token: &BootstrapToken) -> JoinAnswer {
        let key = NodeKey::create(self.node).unwrap();
        let request = JoinRequest {
            token: token.to_string(),
            role: NodeRole::Server,
            node: self.node.to_owned(),
            csr: key.csr_pem.clone(),
            mesh_address: self.mesh.to_string(),
            api_address: Some(format!("{}:6443", self.address())),
            site: "default".to_owned(),
            cluster: None,
            version: String::new(),
        };
        let answer = first.as_stranger().post("/starling/v1/join", &json!(request));
        let answer: JoinAnswer = serde_json::from_slice(&answer.expect_code(200).body).unwrap();
        answer.store(&self.data_dir.join("pki"), &key.key_pem).unwrap();
        answer
    }

    /// Runs the server; resolves when it serves.
    async fn run(self, mut config: ServerConfig, keys: NodeKeys, peers: &[JoinPeer]) -> Server {
        let mesh = self.open_mesh(keys);
        let info = MemberInfo {
            member: Some(config.member.0),
            mesh_address: self.mesh.to_string(),
            api_address: format!("{}:6443", self.address()),
            feature_level: FEATURE_LEVEL,
            ..MemberInfo::new(self.node, Role::Server, Clock.now().wall)
        };
        let seed = |peer: &JoinPeer| {
            let address = peer.mesh_address.parse().unwrap();
            (peer.node.clone(), PeerAddress { role: Role::Server, address })
        };
        let membership = Membership::new(mesh.clone(), info, peers.iter().map(seed).collect());
        let own = (config.member, self.node.to_owned());
        let others = peers.iter().map(|peer| (NodeId(peer.member.unwrap()), peer.node.clone()));
        let known = others.chain([own]);
        config.mesh = Some(ServerMesh::new(mesh.clone(), membership.clone(), known));
        let seed = u64::from(self.number);
        let system = System::new(Rng::from_number(seed));
        let server = Server::open(config, &system, Rng::from_number(100 + seed)).unwrap();
        let intensity = Intensity { restarts: 3, period: Duration::from_secs(60) };
        let mut tree = Tree::new("starling", intensity, OnLimit::Escalate)
            .child(ChildSpec::permanent("mesh"), Child::supervisor(mesh.tree("mesh")))
            .child(
                ChildSpec::permanent("membership"),
                Child::supervisor(membership.tree("membership")),
            );
        for (spec, child) in server.children(vec![self.api], Arc::new(NoStreams)) {
            tree = tree.child(spec, child);
        }
        let root = system.run(tree).await.unwrap();
        // It runs for as long as the tests do.
        Box::leak(Box::new(root));
        let mut serving = server.serving();
        timeout(PATIENCE, serving.wait_for(|serves| *serves)).await.expect("it serves").unwrap();
        server
    }

    fn open_mesh(&self, keys: NodeKeys) -> Mesh {
        let me = Peer {
            role: Role::Server,
            node: self.node.to_owned(),
            cluster: UID.to_owned(),
            site: "default".to_owned(),
        };
        Mesh::open(MeshConfig {
            me,
            certificate_pem: keys.certificate_pem,
            key_pem: keys.key_pem,
            authorities_pem: keys.authority_pem,
            listen: self.mesh,
            revoked: Vec::new(),
            reset_key: [self.number; 32],
            feature_level: FEATURE_LEVEL,
            limits: Limits::default(),
        })
        .unwrap()
    }
}

impl Servers {
    /// Starts all three; blocks until they serve and vote.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let runtime: &Runtime = Box::leak(Box::new(runtime));
        let mut rng = Rng::from_number(9);
        remove_leftovers();
        let first = Machine::new(0);
        let config = first.config();
        let keys = config.node_keys("default", &mut rng).unwrap();
        let folder = config.data_dir.join("pki");
        let pki = Pki::open_or_create(&folder, &config.api_names(), Clock.now().wall, &mut rng);
        let pki = pki.unwrap();
        let mut urls = vec![first.url()];
        let mut all = vec![runtime.block_on(first.run(config, keys, &[]))];
        let door = Door::to(urls.clone(), &pki);
        let token = BootstrapToken::generate(&mut rng);
        let options = TokenOptions {
            roles: vec![NodeRole::Server],
            life: None,
            once: false,
            description: String::new(),
        };
        let secret = token.manifest(&options, Clock.now().wall);
        door.post("/api/v1/namespaces/kube-system/secrets", &secret).expect_code(201);
        for index in 1..NODES.len() {
            let machine = Machine::new(index);
            let answer = machine.join(&door, &token);
            let config = ServerConfig {
                node_range: answer.node_range.clone(),
                member: NodeId(answer.member.unwrap()),
                first_voters: Vec::new(),
                ..machine.config()
            };
            let keys = NodeKeys::open(&config.data_dir.join("pki")).unwrap();
            urls.push(machine.url());
            all.push(runtime.block_on(machine.run(config, keys, &answer.peers)));
        }
        for server in &all {
            let mut members = server.store().members();
            let vote = members.wait_for(|members| members.voters.len() == NODES.len());
            runtime.block_on(async { timeout(PATIENCE, vote).await }).expect("they vote").unwrap();
        }
        Self { all, urls, pki, runtime }
    }

    /// Returns when each server hears from most of them.
    pub(crate) fn wait_for_quorum(&self) {
        for server in &self.all {
            let mut quorum = server.store().quorum();
            let present = quorum.wait_for(|present| *present);
            let present = self.runtime.block_on(async { timeout(PATIENCE, present).await });
            present.expect("they hear from each other").unwrap();
        }
    }
}
