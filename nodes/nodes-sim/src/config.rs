//! What a simulated cluster is made of, and which bugs are planted in it.
//!
//! Way in: [`ClusterConfig`].

use std::{collections::BTreeSet, sync::Arc};

use actors_controller::Controller;
use actors_kinds::{Registry, facts::TableError};
use actors_sim::NodeId;
use nodes_door::{Door, DoorConfig, Sealer};

use crate::knobs::Knobs;

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
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AckBeforeSync,
        Self::LostWatchEvent,
        Self::StaleReadDuplicate,
        Self::UnconfirmedRefusal,
        Self::NoFence,
        Self::DoubleActivation,
        Self::IgnoredDeadline,
    ];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|planted| format!("{planted:?}") == name)
    }
}

/// A simulated cluster.
#[derive(Debug, Clone, Default)]
pub struct ClusterConfig {
    /// Voters of the store; each serves the API. Nodes from 0 on.
    pub servers: u8,
    /// Machines that run pods, behind the servers.
    pub agents: u8,
    /// Machines of users, behind the agents.
    pub clients: u8,
    /// Which bugs are in it.
    pub planted: BTreeSet<Planted>,
}

impl ClusterConfig {
    /// Three servers, twenty agents, four clients, no bug.
    #[must_use]
    pub fn usual() -> Self {
        Self { servers: 3, agents: 20, clients: 4, planted: BTreeSet::new() }
    }

    /// The same cluster with a bug.
    #[must_use]
    pub fn with(mut self, planted: Planted) -> Self {
        self.planted.insert(planted);
        self
    }

    /// All servers.
    pub fn server_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::from(self.servers)).map(NodeId)
    }

    /// All agents.
    pub fn agent_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        let first = u32::from(self.servers);
        (first..first + u32::from(self.agents)).map(NodeId)
    }

    /// All clients.
    pub fn client_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        let first = u32::from(self.servers) + u32::from(self.agents);
        (first..first + u32::from(self.clients)).map(NodeId)
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        u32::from(self.servers) + u32::from(self.agents) + u32::from(self.clients)
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
}

impl Shared {
    /// # Errors
    /// If the tables of kinds cannot be read.
    pub(crate) fn new(config: ClusterConfig, knobs: Knobs) -> Result<Self, TableError> {
        // A fixed key: nothing secret lives in a simulation, and nothing here may come from outside
        // the seed.
        let sealer = Sealer::new(&[(1, [7; 32])]).ok().map(Arc::new);
        Ok(Self {
            door: Door::new(Registry::builtin()?, DoorConfig::default(), sealer),
            registry: Arc::new(Registry::builtin()?),
            controllers: actors_controllers::builtin("the certificate of a simulated cluster"),
            config,
            knobs,
        })
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}
