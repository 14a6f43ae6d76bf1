//! The carrier on chitchat: spreads what members say of themselves.
//!
//! Way in: [`ChitchatCarrier::new`], then [`ChitchatCarrier::child`] for the supervisor.
//! Owns: one chitchat, as long as one life of the child.  Never: an opinion about who is alive;
//! chitchat's own detector only chooses whom it speaks to.
//! Time and order: if chitchat's task ends, by a panic or otherwise, this life ends with it, and
//! the next begins with a new generation and what was published last.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use actors_core::Wall;
use actors_runtime::{Child, Failure, Service};
use bytes::Bytes;
use chitchat::{
    ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, KeyChangeEvent,
    ProtocolVersion, spawn_chitchat,
};
use mesh_member::{CarrierCommand, CarrierEvent, MemberInfo, MembershipMachine, Timing};
use tokio::{
    sync::{Mutex, mpsc, watch},
    time::interval,
};

use crate::{
    names::Names,
    socket::{Frame, MeshTransport},
};

/// How gossip is carried to one peer: now or never.
pub trait Wire: Send + Sync + 'static {
    /// Sends a frame; if it cannot be sent now it is dropped, for gossip repeats itself.
    fn send(&self, to: &str, frame: Bytes);
}

/// How chitchat is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GossipSettings {
    /// Between two rounds; in each, three others are spoken to.
    ///
    /// What is urgent does not wait for a round (see the crate's documentation), so that rounds
    /// only mend what was missed: four in a minute are plenty, and five idle members then spend less
    /// on gossip than on anything else.
    pub round: Duration,
}

impl Default for GossipSettings {
    fn default() -> Self {
        Self { round: Duration::from_secs(15) }
    }
}

/// Where a member's description stands in its chitchat state.
const KEY: &str = "member";

/// How often it is counted how many are known.
const CENSUS: Duration = Duration::from_secs(60);

/// Commands and frames that may wait.
const WAITING_MAX: usize = 1_024;

/// The carrier of one process. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct ChitchatCarrier(Arc<Inner>);

struct Inner {
    cluster: String,
    node: String,
    seeds: Vec<String>,
    settings: GossipSettings,
    wire: Arc<dyn Wire>,
    tell: Arc<dyn Fn(CarrierEvent) + Send + Sync>,
    names: Arc<Names>,
    /// What is published, over all lives.
    info: watch::Sender<Option<MemberInfo>>,
    commands: mpsc::Sender<CarrierCommand>,
    commands_here: Mutex<mpsc::Receiver<CarrierCommand>>,
    frames: mpsc::Sender<Frame>,
    frames_here: Arc<Mutex<mpsc::Receiver<Frame>>>,
    /// Lives of which nothing is told any more.
    graves: StdMutex<BTreeMap<String, Wall>>,
}

impl ChitchatCarrier {
    /// The carrier of `node` in `cluster`, which speaks to `seeds` at first. `tell` takes what it
    /// hears; it must not wait.
    #[must_use]
    pub fn new(
        (cluster, node): (String, String),
        seeds: Vec<String>,
        settings: GossipSettings,
        wire: Arc<dyn Wire>,
        tell: Arc<dyn Fn(CarrierEvent) + Send + Sync>,
    ) -> Self {
        let (commands, commands_here) = mpsc::channel(WAITING_MAX);
        let (frames, frames_here) = mpsc::channel(WAITING_MAX);
        Self(Arc::new(Inner {
            cluster,
            node,
            seeds,
            settings,
            wire,
            tell,
            names: Arc::default(),
            info: watch::Sender::new(None),
            commands,
            commands_here: Mutex::new(commands_here),
            frames,
            frames_here: Arc::new(Mutex::new(frames_here)),
            graves: StdMutex::default(),
        }))
    }

    /// What runs it.
    #[must_use]
    pub fn child(&self) -> Child {
        let inner = Arc::clone(&self.0);
        Child::service(move |service| run(Arc::clone(&inner), service))
    }

    /// Takes a command; never waits. What is published is remembered over lives, other commands are
    /// lost if too many wait.
    pub fn command(&self, command: CarrierCommand) {
        match command {
            CarrierCommand::Publish(info) => drop(self.0.info.send_replace(Some(info))),
            CarrierCommand::Forget { node, incarnation } => self.0.bury(node, incarnation),
            command @ CarrierCommand::Exchange { .. } => {
                if self.0.commands.try_send(command).is_err() {
                    tracing::debug!("an exchange of gossip was left out");
                }
            }
        }
    }

    /// Takes a frame that came from a peer; never waits. It is dropped if too many wait.
    pub fn receive(&self, from: &str, frame: Bytes) {
        if self.0.frames.try_send((from.to_owned(), frame)).is_err() {
            tracing::debug!(from, "a frame of gossip was dropped");
        }
    }
}

impl Inner {
    fn bury(&self, node: String, incarnation: Wall) {
        let mut graves = self.graves.lock().unwrap_or_else(PoisonError::into_inner);
        if graves.len() >= MembershipMachine::KNOWN_MAX {
            graves.pop_first();
        }
        graves.insert(node, incarnation);
    }

    /// Passes on what a member says of itself.
    fn hear(&self, text: &str) {
        let info: MemberInfo = match serde_json::from_str(text) {
            Ok(info) => info,
            Err(error) => return tracing::warn!(%error, "a member's description cannot be read"),
        };
        self.names.learn(&info.node);
        let graves = self.graves.lock().unwrap_or_else(PoisonError::into_inner);
        let is_buried = graves.get(&info.node).is_some_and(|life| info.started <= *life);
        drop(graves);
        let is_own = self
            .info
            .borrow()
            .as_ref()
            .is_some_and(|own| own.node == info.node && own.started >= info.started);
        if !is_buried && !is_own {
            (self.tell)(CarrierEvent::Info(info));
        }
    }

    fn config(&self, generation: u64) -> ChitchatConfig {
        let address = self.names.learn(&self.node);
        let round = self.settings.round;
        ChitchatConfig {
            chitchat_id: ChitchatId::new(self.node.as_str(), generation, address),
            cluster_id: self.cluster.clone(),
            gossip_interval: round,
            listen_addr: address,
            seed_nodes: self.seeds.iter().map(|seed| self.names.learn(seed).to_string()).collect(),
            failure_detector_config: FailureDetectorConfig::new(
                8.0,
                100,
                round * 10,
                round * 2,
                Timing::MEMORY,
            ),
            marked_for_deletion_grace_period: Timing::MEMORY,
            catchup_callback: None,
            extra_liveness_predicate: None,
            protocol_version: ProtocolVersion::V1,
        }
    }
}

async fn run(inner: Arc<Inner>, service: Service) -> Result<(), Failure> {
    let mut published = inner.info.subscribe();
    let text = tokio::select! {
        () = service.stopping() => return Ok(()),
        text = next_text(&mut published) => text?,
    };
    // Each life is a newer one: others would not take back what an earlier one said.
    let generation = u64::try_from(service.system().now().wall.0).unwrap_or_default();
    let transport = MeshTransport {
        wire: Arc::clone(&inner.wire),
        names: Arc::clone(&inner.names),
        frames: Arc::clone(&inner.frames_here),
    };
    let begun = vec![(KEY.to_owned(), text)];
    let chitchat = spawn_chitchat(inner.config(generation), begun, &transport).await?;
    let ended = serve(&inner, &service, &chitchat, &mut published).await;
    chitchat.abort();
    ended
}

async fn next_text(published: &mut watch::Receiver<Option<MemberInfo>>) -> Result<String, Failure> {
    let info = published.wait_for(Option::is_some).await?.clone();
    published.mark_unchanged();
    Ok(serde_json::to_string(&info)?)
}

async fn serve(
    inner: &Arc<Inner>,
    service: &Service,
    chitchat: &ChitchatHandle,
    published: &mut watch::Receiver<Option<MemberInfo>>,
) -> Result<(), Failure> {
    let listener = Arc::clone(inner);
    let hear = move |change: KeyChangeEvent<'_>| {
        listener.names.learn(&change.node.node_id);
        listener.hear(change.value);
    };
    let _listening = chitchat
        .with_chitchat(|state| {
            // What came before anyone listened.
            for state in state.node_states().values() {
                state.get(KEY).into_iter().for_each(|text| inner.hear(text));
            }
            state.subscribe_event(KEY, hear.clone())
        })
        .await;
    let mut commands = inner.commands_here.lock().await;
    let mut census = interval(CENSUS);
    loop {
        tokio::select! {
            () = service.stopping() => return Ok(()),
            ended = chitchat.termination_watcher() => {
                ended?;
                return Err("chitchat ended".into());
            }
            changed = published.changed() => {
                changed?;
                let text = next_text(published).await?;
                chitchat.with_chitchat(|state| state.self_node_state().set(KEY, &text)).await;
            }
            command = commands.recv() => {
                if let Some(CarrierCommand::Exchange { node }) = command {
                    chitchat.gossip(inner.names.learn(&node))?;
                }
            }
            _ = census.tick() => {
                let known = chitchat.with_chitchat(|state| state.node_states().len()).await;
                if known > MembershipMachine::KNOWN_MAX {
                    let known = u32::try_from(known).unwrap_or(u32::MAX);
                    tracing::warn!(known, "more members are known than a mesh may have");
                    (inner.tell)(CarrierEvent::Full { known });
                }
            }
        }
    }
}
