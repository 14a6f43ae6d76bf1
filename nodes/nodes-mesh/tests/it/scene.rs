//! Machines with a mesh of their own, a door that does what a test needs, and what membership would say.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_core::{ChildSpec, Intensity, OnLimit, Wall};
use actors_object::{ApiError, Object, value};
use actors_runtime::{Child, Clock, Root, System, Tree, entropy};
use mesh_member::{LinkStanding, MemberInfo, MemberState, MemberView};
use mesh_quic::{Limits, LinkState, Mesh, MeshConfig, Peer, PeerAddress, Role};
use nodes_client::{Client, Later, WatchStream};
use nodes_door::{Entry, Identity, List, Request, Response, ResponseBody, Verb, WatchEvent};
use nodes_mesh::View;
use nodes_pki::{Authority, NodeKey, NodeKeys, NodeRole, NodeSubject, seconds_left};
use store_mvcc::Revision;
use tokio::{
    runtime::Runtime,
    sync::{mpsc, watch},
    time::{interval, timeout},
};

/// How long anything may take. Far longer than it does, for machines that are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const CLUSTER: &str = "0123456789abcdef0123456789abcdef";

/// Waits for a future, but not for ever.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_) => panic!("{what} never came"),
    }
}

/// Waits until something holds that nobody tells of.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let mut looks = interval(Duration::from_millis(5));
    within(what, async {
        while !holds() {
            looks.tick().await;
        }
    })
    .await;
}

pub(crate) fn authority() -> Authority {
    Authority::create("starling-ca", Clock.now().wall).unwrap()
}

/// Keys of a machine whose certificate was signed at this time.
pub(crate) fn make_keys(authority: &Authority, node: &str, at: Wall) -> NodeKeys {
    let role = if node.starts_with("agent") { NodeRole::Agent } else { NodeRole::Server };
    let (cluster, site) = (CLUSTER.to_owned(), "default".to_owned());
    let made = NodeKey::create(node).unwrap();
    let subject = NodeSubject { cluster, site, role, node: node.to_owned() };
    NodeKeys {
        authority_pem: authority.certificate_pem().to_owned(),
        certificate_pem: authority.sign_node(&made.csr_pem, &subject, at).unwrap(),
        key_pem: made.key_pem,
    }
}

/// Keys of a machine whose certificate ends this soon: it was signed long ago.
pub(crate) fn ending_keys(authority: &Authority, node: &str, soon: Duration) -> NodeKeys {
    let now = Clock.now().wall;
    let life = seconds_left(&make_keys(authority, node, now).certificate_pem, now).unwrap();
    let ago = Duration::from_secs(life.unsigned_abs()) - soon;
    make_keys(authority, node, Wall(now.0 - i64::try_from(ago.as_nanos()).unwrap()))
}

/// A machine: a runtime of its own, which can be killed without a word to anyone.
pub(crate) struct Machine {
    pub(crate) mesh: Mesh,
    pub(crate) system: System,
    runtime: Option<Runtime>,
    root: Root,
}

impl Machine {
    /// Starts a machine with these children beside its mesh.
    pub(crate) async fn start(
        authority: &Authority,
        node: &str,
        children: impl FnOnce(&Mesh, &System) -> Vec<(ChildSpec, Child)>,
    ) -> Self {
        Self::with_keys(node, &make_keys(authority, node, Clock.now().wall), children).await
    }

    /// The same with keys that are there.
    pub(crate) async fn with_keys(
        node: &str,
        keys: &NodeKeys,
        children: impl FnOnce(&Mesh, &System) -> Vec<(ChildSpec, Child)>,
    ) -> Self {
        let me = Peer {
            role: if node.starts_with("agent") { Role::Agent } else { Role::Server },
            node: node.to_owned(),
            cluster: CLUSTER.to_owned(),
            site: "default".to_owned(),
        };
        let mut reset_key = [7; 32];
        entropy().unwrap().fill(&mut reset_key);
        let config = MeshConfig {
            me,
            certificate_pem: keys.certificate_pem.clone(),
            key_pem: keys.key_pem.clone(),
            authorities_pem: keys.authority_pem.clone(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            revoked: Vec::new(),
            reset_key,
            feature_level: 1,
            limits: Limits::default(),
        };
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let guard = runtime.enter();
        let mesh = Mesh::open(config).unwrap();
        let system = System::new(entropy().unwrap());
        let intensity = Intensity { restarts: 5, period: Duration::from_secs(10) };
        let mut tree = Tree::new("machine", intensity, OnLimit::Escalate)
            .child(ChildSpec::permanent("mesh"), Child::supervisor(mesh.tree("mesh")));
        for (spec, child) in children(&mesh, &system) {
            tree = tree.child(spec, child);
        }
        drop(guard);
        let running = system.clone();
        let root = runtime.spawn(async move { running.run(tree).await.unwrap() }).await.unwrap();
        Self { mesh, system, runtime: Some(runtime), root }
    }

    /// Ends in order: nothing is written once it has ended.
    pub(crate) async fn stop(self) {
        within("the end of a machine", self.root.shutdown()).await;
    }

    /// Ends as by SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Links all to all, and waits until they are.
pub(crate) async fn link(machines: &[&Machine]) {
    let addresses = machines.iter().map(|one| {
        let me = one.mesh.me();
        (me.node.clone(), PeerAddress { role: me.role, address: one.mesh.local_addr() })
    });
    let addresses: BTreeMap<String, PeerAddress> = addresses.collect();
    for one in machines {
        let mut others = addresses.clone();
        others.remove(&one.mesh.me().node);
        let count = others.len();
        one.mesh.set_peers(others);
        let up = || {
            let links = one.mesh.links();
            links.iter().filter(|link| matches!(link.state, LinkState::Up { .. })).count() == count
        };
        until("the links", up).await;
    }
}

/// What membership would say.
pub(crate) struct Told(watch::Sender<Arc<Vec<MemberView>>>);

impl Told {
    /// Everybody is alive. Servers are members 1, 2, 3…
    pub(crate) fn of(nodes: &[&str]) -> Self {
        let one = |(index, node): (usize, &&str)| {
            let role = if node.starts_with("agent") { Role::Agent } else { Role::Server };
            let member = (role == Role::Server).then_some(index as u64 + 1);
            MemberView {
                info: Arc::new(MemberInfo { member, ..MemberInfo::new(*node, role, Wall(1)) }),
                state: MemberState::Alive,
                heard: None,
                heard_ago: Duration::ZERO,
                rejoined: 0,
                damped: None,
                links: LinkStanding::Up,
            }
        };
        Self(watch::Sender::new(Arc::new(nodes.iter().enumerate().map(one).collect())))
    }

    pub(crate) fn view(&self) -> View {
        self.0.subscribe()
    }

    /// Somebody is silent.
    pub(crate) fn doubt(&self, node: &str) {
        self.0.send_modify(|view| {
            let mut changed = view.as_ref().clone();
            for one in changed.iter_mut().filter(|one| one.info.node == node) {
                one.state = MemberState::Suspect { since: Wall(2), evidence: Vec::new() };
            }
            *view = Arc::new(changed);
        });
    }
}

/// A door that says who asked, and keeps what it was asked.
#[derive(Default)]
pub(crate) struct FakeDoor {
    name: String,
    pub(crate) asked: Mutex<Vec<Request>>,
    pub(crate) watchers: Mutex<Vec<mpsc::Sender<Vec<WatchEvent>>>>,
}

impl FakeDoor {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), ..Self::default() })
    }

    /// Tells all watchers of an object.
    pub(crate) async fn tell(&self, name: &str) {
        let watchers = self.watchers.lock().unwrap().clone();
        for watcher in watchers {
            watcher.send(vec![WatchEvent::Added(entry(name, 10))]).await.unwrap();
        }
    }
}

pub(crate) fn entry(name: &str, size: usize) -> Entry {
    Entry::Made(Arc::new(Object(value!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "resourceVersion": "5" },
        "data": { "text": "x".repeat(size).as_str() },
    }))))
}

impl Client for FakeDoor {
    fn call(&self, request: Request) -> Later<'_, Response> {
        self.asked.lock().unwrap().push(request.clone());
        let name = request.target.name.clone().unwrap_or_default();
        let body = match (request.verb, name.as_str()) {
            (Verb::List, _) => ResponseBody::List(List {
                api_version: "v1".to_owned(),
                kind: "ConfigMapList".to_owned(),
                revision: Revision(9),
                continue_token: None,
                remaining: None,
                entries: (0..200).map(|number| entry(&number.to_string(), 50_000)).collect(),
            }),
            (_, "large") => ResponseBody::Entry(entry("large", 5_000_000)),
            (_, "busy") => ResponseBody::Error(ApiError::service_unavailable("not now")),
            _ => ResponseBody::Entry(entry(
                &format!("{} of {}", request.identity.user, self.name),
                10,
            )),
        };
        let code = if name == "busy" { 503 } else { 200 };
        Box::pin(async move { Response::new(code, body) })
    }

    fn allows_url<'a>(
        &'a self,
        identity: &'a Identity,
        _verb: &'a str,
        path: &'a str,
    ) -> Later<'a, bool> {
        let allowed = identity.user == "system:node:agent-1" && path == "/version";
        Box::pin(async move { allowed })
    }

    fn watch(&self, request: Request) -> Later<'_, Result<WatchStream, ApiError>> {
        let (sender, receiver) = mpsc::channel(4);
        let refuses = request.target.resource == "secrets";
        if !refuses {
            self.watchers.lock().unwrap().push(sender);
        }
        Box::pin(async move {
            if refuses {
                return Err(ApiError::bad_request("no secrets"));
            }
            Ok(WatchStream::new(receiver))
        })
    }
}
