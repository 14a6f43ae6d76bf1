//! The control plane's subtree: store, door, controllers, scheduler, edge.
//!
//! Way in: [`Server::open`], [`Server::children`].  Order: each part is started behind those it needs.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use actors_core::Rng;
use actors_kinds::{Registry, facts::TableError};
use actors_object::ApiError;
use actors_runtime::{Clock, System};
use nodes_api::{ServeError, ServingCertificate};
use nodes_client::{Calls, SharedClient};
use nodes_door::{
    Cidr, Door, DoorConfig, Identity, Options, SealError, Sealer, Target, WatchEvent,
};
use nodes_mesh::{DoorService, MeshTransport, serve_actors, serve_renewals};
use nodes_pki::{Pki, PkiError};
use store_service::{Alone, Group, OpenError, Ports, RocksDisks, Store, StoreConfig, Transport};
use tokio::{sync::watch, time::interval};

use crate::{
    ServerConfig,
    gate::{Gate, GateParts},
    node_object::SerialLog,
    operators::Operators,
    status::ServerReadiness,
};

/// The pause before a question that could not be answered is asked again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A server whose disks and keys were found good; nothing runs yet. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Server {
    pub(crate) config: ServerConfig,
    pub(crate) system: System,
    pub(crate) group: Arc<Group>,
    pub(crate) gate: Gate,
    pub(crate) registry: Arc<Registry>,
    pub(crate) pki: Arc<Pki>,
    pub(crate) readiness: Arc<ServerReadiness>,
    pub(crate) issuer: String,
    /// What the edge shows to whoever connects.
    pub(crate) certificate: Arc<ServingCertificate>,
    /// The serial numbers of certificates that the edge does not believe any more.
    pub(crate) revoked: watch::Sender<BTreeSet<String>>,
    pub(crate) serving: watch::Sender<bool>,
    /// Whether what needs a quorum can be done.
    pub(crate) able: watch::Sender<bool>,
    /// Joins, and what operators ask of the mesh.
    pub(crate) operators: Option<Arc<Operators>>,
}

/// Why a server cannot start. The operator acts; trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The keys.
    #[error("the cluster's keys cannot be used")]
    Pki(#[from] PkiError),
    /// The API's certificate.
    #[error(transparent)]
    Certificate(#[from] ServeError),
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
        let (names, pki_dir) = (config.api_names(), config.data_dir.join("pki"));
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
        let store_config = StoreConfig {
            context: config.node.clone().into_bytes(),
            holder: config.node.clone(),
            ..StoreConfig::new(config.member, uid, config.first_voters.clone())
        };
        let disks = RocksDisks::new(config.data_dir.join("store"), &store_config);
        let carrier = config.mesh.as_ref().map(|parts| {
            MeshTransport::new(parts.mesh.clone(), parts.directory.clone(), config.member)
        });
        let transport: Arc<dyn Transport> = match &carrier {
            Some(carrier) => Arc::new(carrier.clone()),
            None => Arc::new(Alone),
        };
        let ports = Ports { disks: Arc::new(disks), transport, opener: door.opener() };
        let group = Group::open(store_config, ports)?;
        let store = group.store(system);
        // Alone there is nobody to lose.
        let able = watch::Sender::new(carrier.is_none());
        let parts = GateParts {
            door,
            store: store.clone(),
            member: config.member,
            pki: Arc::clone(&pki),
            able: able.subscribe(),
        };
        let gate = Gate::new(parts, rng.derive("gate")).on_node(&config.node);
        if let Some(carrier) = &carrier {
            carrier.serve(&store);
        }
        let operators = config.mesh.as_ref().map(|parts| {
            DoorService::serve(&parts.mesh, Arc::new(gate.clone()), able.subscribe());
            let identity = Identity::new("system:starling:certificates", &["system:masters"]);
            let calls = Calls::new(Arc::new(gate.clone()), identity, "starling-certificates");
            serve_renewals(&parts.mesh, Arc::clone(&pki), Arc::new(SerialLog(calls)));
            serve_actors(&parts.mesh, system.clone());
            Operators::open(&config, parts, (&gate, &pki))
        });
        let readiness = ServerReadiness {
            store,
            able: config.mesh.is_some().then(|| able.subscribe()),
            member: config.member,
            bootstrapped: AtomicBool::new(false),
        };
        Ok(Self {
            config,
            system: system.clone(),
            group: Arc::new(group),
            gate,
            registry: Arc::new(registry),
            certificate: Arc::new(ServingCertificate::new(&pki.server)?),
            pki,
            readiness: Arc::new(readiness),
            issuer,
            revoked: watch::Sender::default(),
            serving: watch::Sender::new(false),
            able,
            operators,
        })
    }

    /// The door, for callers within this process.
    #[must_use]
    pub fn client(&self) -> SharedClient {
        Arc::new(self.gate.clone())
    }

    /// The replica of this process.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.gate.store()
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
        let mut pauses = interval(LOOK_AGAIN);
        loop {
            let mut events = match calls.watch(target.clone(), only.clone()).await {
                Ok(events) => events,
                // No quorum right now: it comes back, or the caller gives up.
                Err(error) if matches!(error.code, 429 | 503 | 504) => {
                    tracing::debug!(%error, "waiting for the node");
                    pauses.tick().await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            while let Some(batch) = events.next().await {
                if batch.iter().any(is_ready) {
                    return Ok(());
                }
            }
        }
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
