//! The control plane's subtree: store, door, controllers, scheduler, edge.
//!
//! Way in: [`Server::open`], [`Server::children`].  Order: each part is started behind those it needs.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_controller::{Controller, HostEvent};
use actors_core::{Address, ChildSpec, Intensity, MailboxPolicy, OnLimit, Rng};
use actors_kinds::{Registry, facts::TableError};
use actors_object::ApiError;
use actors_runtime::{Child, Clock, System, Tree};
use nodes_api::{EdgeParts, ServeConfig, serve};
use nodes_client::{Calls, Client, NodeStreams, SharedClient};
use nodes_door::{
    Cidr, Door, DoorConfig, Identity, Options, SealError, Sealer, Target, WatchEvent,
};
use nodes_pki::{Pki, PkiError};
use store_service::{Alone, Group, OpenError, Ports, RocksDisks, StoreConfig};
use tokio::sync::watch;

use crate::{
    ServerConfig,
    bootstrap::{self, Bootstrap},
    control::{self, Control},
    events,
    gate::Gate,
    scheduling,
    status::{ServerReadiness, SystemActors},
    tokens::TokenAuthenticator,
};

/// A server whose disks and keys were found good; nothing runs yet.
pub struct Server {
    config: ServerConfig,
    system: System,
    group: Group,
    gate: Gate,
    registry: Arc<Registry>,
    pki: Arc<Pki>,
    readiness: Arc<ServerReadiness>,
    issuer: String,
    serving: watch::Sender<bool>,
}

/// Why a server cannot start. The operator acts; trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The keys.
    #[error("the cluster's keys cannot be used")]
    Pki(#[from] PkiError),
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The sealing key.
    #[error("the sealing key cannot be used")]
    Seal(#[from] SealError),
    /// The tables of kinds; a test holds that they fit.
    #[error("the tables of kinds do not fit each other")]
    Tables(#[from] TableError),
    /// The cluster's record.
    #[error("the cluster's record has a wrong {field}: {value:?}")]
    Record {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
    },
}

impl Server {
    /// Reads keys and disks. Blocks on both.
    ///
    /// # Errors
    /// [`ServerError`], before anything runs.
    pub fn open(config: ServerConfig, system: &System, mut rng: Rng) -> Result<Self, ServerError> {
        let names = config.api_names();
        let pki_dir = config.data_dir.join("pki");
        let pki = Arc::new(Pki::open_or_create(&pki_dir, &names, Clock.now().wall, &mut rng)?);
        let wrong = |field, value: &str| ServerError::Record { field, value: value.to_owned() };
        let uid = uid_bytes(&config.uid).ok_or_else(|| wrong("uid", &config.uid))?;
        let service_cidr = config
            .service_cidr
            .parse::<Cidr>()
            .map_err(|_| wrong("service_cidr", &config.service_cidr))?;
        let sealer = Arc::new(Sealer::new(&[(1, pki.sealing_key)])?);
        let registry = Registry::builtin()?;
        let door_config = DoorConfig { service_cidr, ..DoorConfig::default() };
        let issuer = door_config.issuer.clone();
        let door = Arc::new(Door::new(registry.clone(), door_config, Some(sealer)));
        let voters = config.first_voters.clone();
        let store_config = StoreConfig::new(config.member, uid, voters);
        let disks = RocksDisks::new(config.data_dir.join("store"), &store_config);
        let ports =
            Ports { disks: Arc::new(disks), transport: Arc::new(Alone), opener: door.opener() };
        let group = Group::open(store_config, ports)?;
        let store = group.store(system);
        let gate = Gate::new(door, store.clone(), Arc::clone(&pki), rng.derive("gate"));
        let readiness = Arc::new(ServerReadiness { store, bootstrapped: AtomicBool::new(false) });
        let (registry, system) = (Arc::new(registry), system.clone());
        let serving = watch::Sender::new(false);
        Ok(Self { config, system, group, gate, registry, pki, readiness, issuer, serving })
    }

    /// The door, for callers within this process.
    #[must_use]
    pub fn client(&self) -> SharedClient {
        Arc::new(self.gate.clone())
    }

    /// The authority that clients trust, PEM.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        self.pki.authority.certificate_pem()
    }

    /// True from the moment at which requests can be served.
    #[must_use]
    pub fn serving(&self) -> watch::Receiver<bool> {
        self.serving.subscribe()
    }

    /// Resolves when the node of this name is Ready.
    ///
    /// # Errors
    /// If nodes cannot be watched.
    pub async fn node_ready(&self, name: &str) -> Result<(), ApiError> {
        let identity = Identity::new("system:starling:bootstrap", &["system:masters"]);
        let calls = Calls::new(self.client(), identity, "starling-bootstrap");
        let target =
            Target { version: "v1".to_owned(), resource: "nodes".to_owned(), ..Target::default() };
        let only =
            Options { field_selector: Some(format!("metadata.name={name}")), ..Options::default() };
        loop {
            let mut events = calls.watch(target.clone(), only.clone()).await?;
            while let Some(batch) = events.next().await {
                if batch.iter().any(is_ready) {
                    return Ok(());
                }
            }
        }
    }

    /// Everything that runs, in the order of its start. `listeners` are bound already; `streams` are the node's.
    #[must_use]
    pub fn children(
        &self,
        listeners: Vec<TcpListener>,
        streams: Arc<dyn NodeStreams>,
    ) -> Vec<(ChildSpec, Child)> {
        let (name, group) = self.group.child();
        let store = Tree::new("store", patient(), OnLimit::Escalate).child(name, group);
        let door = Tree::new("door", patient(), OnLimit::Escalate)
            .child(ChildSpec::permanent("watches"), self.watches())
            .child(ChildSpec::transient("bootstrap"), self.bootstrap())
            .child(ChildSpec::permanent("events"), self.events());
        let edge = Tree::new("edge", patient(), OnLimit::Escalate)
            .child(ChildSpec::permanent("http"), self.http(listeners, streams));
        vec![
            (supervisor("store"), Child::supervisor(store)),
            (supervisor("door"), Child::supervisor(door)),
            (supervisor("control"), Child::supervisor(self.control())),
            (
                supervisor("scheduler"),
                Child::supervisor(scheduling::tree(&self.shared_control(), &self.system)),
            ),
            (supervisor("edge"), Child::supervisor(edge)),
        ]
    }

    fn shared_control(&self) -> Control {
        Control { gate: self.gate.clone(), registry: Arc::clone(&self.registry) }
    }

    fn controllers(&self) -> Vec<Arc<dyn Controller>> {
        actors_controllers::builtin(self.authority_pem())
    }

    fn control(&self) -> Tree {
        let control = self.shared_control();
        let mut tree = Tree::new("control", patient(), OnLimit::Escalate);
        let mut hosts = Vec::new();
        for controller in self.controllers() {
            let address = Address::new("controller", controller.name());
            hosts.push(self.system.actor_at(&address));
            let spec = ChildSpec::permanent(controller.name()).mailbox(MailboxPolicy::wait(4_096));
            tree = tree.child(spec, control::host(&control, &controller).at(address));
        }
        let feed = Child::service(move |service| {
            let words = (HostEvent::Resync, HostEvent::Changed as fn(_) -> _);
            control::feed(service, control.clone(), hosts.clone(), words)
        });
        tree.child(ChildSpec::permanent("feed"), feed)
    }

    fn watches(&self) -> Child {
        let gate = self.gate.clone();
        Child::service(move |service| {
            let gate = gate.clone();
            async move {
                gate.host_watches(service.clone());
                service.stopping().await;
                Ok(())
            }
        })
    }

    fn bootstrap(&self) -> Child {
        let controllers = self.controllers();
        let (config, readiness, serving) =
            (self.config.clone(), Arc::clone(&self.readiness), self.serving.clone());
        let (gate, registry) = (self.gate.clone(), Arc::clone(&self.registry));
        Child::service(move |_| {
            let bootstrap = Bootstrap {
                client: Arc::new(gate.clone()),
                registry: Arc::clone(&registry),
                controllers: controllers.clone(),
                api_address: config.node_address.to_string(),
                api_port: config.api_port,
                service_address: config.service_address(),
            };
            let (readiness, serving) = (Arc::clone(&readiness), serving.clone());
            let mut leadership = gate.store().leadership();
            async move {
                leadership.wait_for(|present| present.epoch.is_some()).await?;
                bootstrap::run(&bootstrap).await?;
                readiness.bootstrapped.store(true, Ordering::Release);
                serving.send_replace(true);
                Ok(())
            }
        })
    }

    fn events(&self) -> Child {
        let identity = Identity::new("system:starling:supervisor", &["system:masters"]);
        let calls = Calls::new(self.client(), identity, "starling-supervisor");
        let node = self.config.node.clone();
        Child::service(move |service| events::run(service, calls.clone(), node.clone()))
    }

    fn http(&self, listeners: Vec<TcpListener>, streams: Arc<dyn NodeStreams>) -> Child {
        let (gate, pki, registry) =
            (self.gate.clone(), Arc::clone(&self.pki), Arc::clone(&self.registry));
        let (readiness, system) = (Arc::clone(&self.readiness), self.system.clone());
        let audiences = vec![self.issuer.clone()];
        let listeners = Arc::new(listeners);
        Child::service(move |service| {
            let authenticator =
                TokenAuthenticator::new(Arc::clone(&pki), gate.store().clone(), audiences.clone());
            let parts = EdgeParts {
                client: Arc::new(gate.clone()) as Arc<dyn Client>,
                authenticator: Arc::new(authenticator),
                registry: Arc::clone(&registry),
                streams: Arc::clone(&streams),
                actors: Arc::new(SystemActors(system.clone())),
                readiness: Arc::clone(&readiness) as Arc<dyn nodes_api::Readiness>,
                mesh: None,
            };
            let (pki, listeners) = (Arc::clone(&pki), Arc::clone(&listeners));
            async move {
                // The sockets stay open from one life of the edge to the next: nobody is refused meanwhile.
                let listeners =
                    listeners.iter().map(TcpListener::try_clone).collect::<Result<_, _>>()?;
                let config = ServeConfig {
                    listeners,
                    leaf: pki.server.clone(),
                    authority_pem: pki.authority.certificate_pem().to_owned(),
                    workers: 2,
                };
                Ok(serve(service, config, parts).await?)
            }
        })
    }
}

/// Whether an event shows a node that is Ready.
fn is_ready(event: &WatchEvent) -> bool {
    let (WatchEvent::Added(entry) | WatchEvent::Modified(entry)) = event else { return false };
    let node = entry.object();
    let mut conditions = node.0.list_at(&["status", "conditions"]).iter();
    conditions.any(|condition| {
        condition.str_at(&["type"]) == Some("Ready")
            && condition.str_at(&["status"]) == Some("True")
    })
}

/// Some restarts are normal while something else is being restarted.
fn patient() -> Intensity {
    Intensity { restarts: 30, period: Duration::from_secs(60) }
}

fn supervisor(name: &str) -> ChildSpec {
    ChildSpec::permanent(name).shutdown(Duration::from_secs(60))
}

fn uid_bytes(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if text.len() != 32 {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}
