//! What a simulated cluster is made of, and which bugs are planted in it.
//!
//! Way in: [`RunConfig`], made of a plan.

use std::{collections::BTreeSet, sync::Arc};

use actors_controller::Controller;
use actors_kinds::{Registry, facts::TableError};
use actors_sim::{NodeId, troupe::Mistake};
use chaos_plan::{Plan, PlanError, Subject};
use nodes_door::{Door, DoorConfig, Request, Sealer};
use store_mvcc::Key;

use crate::{knobs::Knobs, mesh, server::foundation};

/// A mistake that a run makes on purpose, so that a test can show that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planted {
    /// A server says that its log is synced before it is.
    AckBeforeSync,
    /// A server drops some events of some watches.
    LostWatchEvent,
    /// Controllers see an old state, and look again before their own writes are shown.
    StaleReadDuplicate,
    /// A server refuses writes by what it knows, without asking whether that is the newest.
    UnconfirmedRefusal,
    /// Control loops write without their epoch, so that nobody stops those whose time is over.
    NoFence,
    /// Servers apply writes without looking at their epoch: two activations can both act.
    DoubleActivation,
    /// Shims let their pods run on when the deadline of a fence has passed.
    IgnoredDeadline,
    /// The host of actors gives up a link and tells nobody that the watched are lost.
    LostDown,
    /// The host of actors wakes a key while its last activation still saves its record.
    TwoActivations,
    /// The host of actors lets timers fire after the end of their life.
    LateTimer,
}

impl Planted {
    /// All of them, with what plans call them.
    const NAMES: [(&'static str, Self); 10] = [
        ("ack-before-sync", Self::AckBeforeSync),
        ("lost-watch-event", Self::LostWatchEvent),
        ("stale-read-duplicate", Self::StaleReadDuplicate),
        ("unconfirmed-refusal", Self::UnconfirmedRefusal),
        ("no-fence", Self::NoFence),
        ("double-activation", Self::DoubleActivation),
        ("ignored-deadline", Self::IgnoredDeadline),
        ("lost-down", Self::LostDown),
        ("two-activations", Self::TwoActivations),
        ("late-timer", Self::LateTimer),
    ];

    /// What the host of actors does wrong, if this is in its world.
    pub(crate) fn mistake(self) -> Option<Mistake> {
        match self {
            Self::LostDown => Some(Mistake::LostDown),
            Self::TwoActivations => Some(Mistake::TwoActivations),
            Self::LateTimer => Some(Mistake::LateTimer),
            _ => None,
        }
    }

    fn world(self) -> Subject {
        self.mistake().map_or(Subject::Cluster, |_| Subject::Actors)
    }
}

/// How a run is made.
#[derive(Debug, Clone, Default)]
pub struct RunConfig {
    /// What happens to whom.
    pub plan: Plan,
    /// Which bugs are in it.
    pub planted: BTreeSet<Planted>,
    /// How many lines of what happened are kept for a report; 0 is fastest.
    pub lines: usize,
}

impl RunConfig {
    /// A run of a plan.
    ///
    /// # Errors
    /// If the plan names a bug that there is not in its world.
    pub fn of(plan: Plan) -> Result<Self, PlanError> {
        let mut planted = BTreeSet::new();
        for (place, name) in plan.planted.iter().enumerate() {
            let ours = Planted::NAMES.iter().filter(|(_, bug)| bug.world() == plan.world);
            let found = ours.clone().find(|(known, _)| known == name).ok_or_else(|| {
                let names: Vec<&str> = ours.map(|(name, _)| *name).collect();
                let why = format!("must be one of {}, is {name:?}", names.join(", "));
                PlanError::of(format!("planted[{place}]"), why)
            });
            planted.insert(found?.1);
        }
        Ok(Self { plan, planted, lines: 0 })
    }

    /// A run of one of our plans.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn named(name: &str) -> Result<Self, PlanError> {
        Self::of(Plan::named(name)?)
    }

    pub(crate) fn cluster(&self) -> ClusterConfig {
        let Plan { servers, agents, clients, .. } = self.plan;
        ClusterConfig { servers, agents, clients, planted: self.planted.clone() }
    }
}

/// A simulated cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClusterConfig {
    /// Voters of the store; each serves the API. Nodes from 0 on.
    pub(crate) servers: u8,
    /// Machines that run pods, behind the servers.
    pub(crate) agents: u8,
    /// Machines of users, behind the agents.
    pub(crate) clients: u8,
    /// Which bugs are in it.
    planted: BTreeSet<Planted>,
}

impl ClusterConfig {
    /// All servers.
    pub(crate) fn server_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::from(self.servers)).map(NodeId)
    }

    /// All agents.
    pub(crate) fn agent_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        let first = u32::from(self.servers);
        (first..first + u32::from(self.agents)).map(NodeId)
    }

    /// All clients.
    pub(crate) fn client_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        let first = u32::from(self.servers) + u32::from(self.agents);
        (first..first + u32::from(self.clients)).map(NodeId)
    }

    /// How many nodes there are.
    pub(crate) fn nodes(&self) -> u32 {
        u32::from(self.servers) + u32::from(self.agents) + u32::from(self.clients)
    }

    pub(crate) fn is_server(&self, id: NodeId) -> bool {
        id.0 < u32::from(self.servers)
    }

    pub(crate) fn has(&self, planted: Planted) -> bool {
        self.planted.contains(&planted)
    }
}

/// What all nodes share and nobody changes.
pub(crate) struct Shared {
    pub(crate) config: ClusterConfig,
    pub(crate) knobs: Knobs,
    pub(crate) door: Door,
    pub(crate) registry: Arc<Registry>,
    pub(crate) controllers: Vec<Arc<dyn Controller>>,
    /// What every cluster has: where it is stored, and the request that makes it.
    pub(crate) foundation: Vec<(Key, Request)>,
    /// What machines are called, by node.
    names: Vec<String>,
}

impl Shared {
    /// # Errors
    /// If the tables of kinds cannot be read.
    pub(crate) fn new(config: ClusterConfig, knobs: Knobs) -> Result<Self, TableError> {
        // A fixed key: nothing secret lives in a simulation, and nothing here may come from outside
        // the seed.
        let sealer = Sealer::new(&[(1, [7; 32])]).ok().map(Arc::new);
        let registry = Registry::builtin()?;
        let controllers = actors_controllers::builtin("the certificate of a simulated cluster");
        Ok(Self {
            door: Door::new(registry.clone(), DoorConfig::default(), sealer),
            foundation: foundation(&controllers, &registry),
            registry: Arc::new(registry),
            controllers,
            names: (0..config.nodes()).map(|id| mesh::name_of(NodeId(id), &config)).collect(),
            config,
            knobs,
        })
    }

    /// What a node's machine is called.
    pub(crate) fn name(&self, id: NodeId) -> &str {
        self.names.get(id.0 as usize).map_or("", String::as_str)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}
