//! Three servers' stores and gates, without edge, mesh or controllers.

use std::{sync::Arc, time::Duration};

use actors_core::{Intensity, OnLimit, Rng};
use actors_kinds::Registry;
use actors_object::{ApiError, Value, value};
use actors_runtime::{Clock, Root, System, Tree};
use nodes_client::Calls;
use nodes_door::{Door, DoorConfig, Identity, Target};
use nodes_pki::Pki;
use nodes_server::{Gate, GateParts, NodeId};
use store_service::{Group, InProcess, Ports, RocksDisks, Store, StoreConfig};
use tempfile::TempDir;
use tokio::{
    sync::watch,
    time::{interval, timeout},
};

/// How long anything may take. Far longer than it does, for machines that are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

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

/// One server.
pub(crate) struct Member {
    pub(crate) gate: Gate,
    pub(crate) store: Store,
    pub(crate) calls: Calls,
    pub(crate) able: watch::Sender<bool>,
    root: Root,
}

/// Three servers and the network between them.
pub(crate) struct Cluster {
    pub(crate) net: InProcess,
    pub(crate) members: Vec<Member>,
    _folder: TempDir,
}

impl Cluster {
    pub(crate) async fn start(count: u64) -> Self {
        let folder = tempfile::Builder::new().prefix("starling-gate-").tempdir().unwrap();
        let net = InProcess::default();
        let names = ["127.0.0.1".to_owned()];
        let mut rng = Rng::from_number(1);
        let now = Clock.now().wall;
        let pki = Pki::open_or_create(&folder.path().join("pki"), &names, now, &mut rng).unwrap();
        let pki = Arc::new(pki);
        let mut members = Vec::new();
        for node in (1..=count).map(NodeId) {
            let voters = (1..=count).map(NodeId).collect();
            let config = StoreConfig::new(node, [5; 16], voters);
            let disks = RocksDisks::new(folder.path().join(node.0.to_string()), &config);
            let transport = Arc::new(net.at(node));
            let registry = Registry::builtin().unwrap();
            let door = Arc::new(Door::new(registry, DoorConfig::default(), None));
            let ports = Ports { disks: Arc::new(disks), transport, opener: door.opener() };
            let group = Group::open(config, ports).unwrap();
            let system = System::new(Rng::from_number(node.0));
            let intensity = Intensity { restarts: 3, period: Duration::from_secs(30) };
            let (spec, child) = group.child();
            let tree = Tree::new("store", intensity, OnLimit::Escalate).child(spec, child);
            let root = system.run(tree).await.unwrap();
            let store = group.store(&system);
            net.connect(node, store.clone());
            let able = watch::Sender::new(true);
            let parts = GateParts {
                door,
                store: store.clone(),
                member: node,
                pki: Arc::clone(&pki),
                able: able.subscribe(),
            };
            let gate = Gate::new(parts, Rng::from_number(100 + node.0));
            let root_user = Identity::new("admin", &["system:masters"]);
            let calls = Calls::new(Arc::new(gate.clone()), root_user, "test");
            members.push(Member { gate, store, calls, able, root });
        }
        let cluster = Self { net, members, _folder: folder };
        cluster.leader().await;
        let namespace = value!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "default" },
        });
        let target = Target {
            version: "v1".to_owned(),
            resource: "namespaces".to_owned(),
            ..Target::default()
        };
        let made = cluster.members[0].calls.create(target, &namespace);
        within("the namespace", made).await.unwrap();
        cluster
    }

    /// The one that leads.
    pub(crate) async fn leader(&self) -> usize {
        let mut looks = interval(Duration::from_millis(5));
        let found = async {
            loop {
                let leads = |member: &Member| member.store.epoch().is_some();
                if let Some(at) = self.members.iter().position(leads) {
                    return at;
                }
                looks.tick().await;
            }
        };
        within("a leader", found).await
    }

    pub(crate) async fn stop(self) {
        for member in self.members {
            member.root.shutdown().await;
        }
    }
}

pub(crate) fn place(name: Option<&str>) -> Target {
    Target {
        version: "v1".to_owned(),
        resource: "configmaps".to_owned(),
        namespace: Some("default".to_owned()),
        name: name.map(str::to_owned),
        ..Target::default()
    }
}

pub(crate) fn config_map(name: &str, text: &str) -> Value {
    value!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "default" },
        "data": { "text": text },
    })
}

impl Member {
    pub(crate) async fn create(&self, name: &str) -> Result<(), ApiError> {
        let object = config_map(name, "1");
        within("a create", self.calls.create(place(None), &object)).await.map(drop)
    }

    pub(crate) async fn set(&self, name: &str, text: &str) -> Result<(), ApiError> {
        let patch = value!({ "data": { "text": text } });
        within("a patch", self.calls.merge(place(Some(name)), &patch)).await.map(drop)
    }

    pub(crate) async fn text(&self, name: &str) -> Result<String, ApiError> {
        let object = within("a read", self.calls.get(place(Some(name)))).await?;
        Ok(object.0.str_at(&["data", "text"]).unwrap_or_default().to_owned())
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<(), ApiError> {
        let gone = self.calls.delete(place(Some(name)), nodes_door::Options::default());
        within("a delete", gone).await.map(drop)
    }
}
