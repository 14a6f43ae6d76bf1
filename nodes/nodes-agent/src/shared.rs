//! What the parts of one agent share: configuration, the way to the API, and the pods that it
//! knows.
//!
//! Way in: [`Shared`].  Owns: the index of pods.  Never: a lock held over a wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use actors_object::Object;
use actors_runtime::{Clock, SlabRef};
use nodes_client::Calls;
use nodes_door::Target;
use nodes_network::PodNetwork;
use nodes_oci::ImageStore;
use nodes_pods::{NodeFacts, PodEvent};
use tokio::sync::{Notify, watch};

use crate::{
    AgentConfig, Paths,
    events::EventSender,
    pods::{fences::Fences, traces::Steps},
    volumes::Token,
    writes::Writes,
};

/// What every part of the agent may use.
pub(crate) struct Shared {
    pub(crate) config: AgentConfig,
    pub(crate) paths: Paths,
    pub(crate) calls: Calls,
    pub(crate) images: ImageStore,
    pub(crate) network: Arc<dyn PodNetwork>,
    pub(crate) facts: NodeFacts,
    pub(crate) pods: Pods,
    /// Services by `namespace/name`, as the proxy last saw them; for environments.
    pub(crate) services: Mutex<BTreeMap<String, Arc<Object>>>,
    /// Whether `services` is complete; environments wait for it.
    pub(crate) services_known: watch::Sender<bool>,
    /// Uids of the pods that some EndpointSlice names; `None` until that is known.
    pub(crate) endpoints: Mutex<Option<BTreeSet<String>>>,
    /// Addresses of other nodes that know the way to this node's pods.
    pub(crate) neighbours: Mutex<BTreeSet<Ipv4Addr>>,
    /// Set when the slab of pods starts for the first time; survives its restarts.
    pub(crate) slab: OnceLock<SlabRef<PodEvent>>,
    /// A life of the slab begins: its pods must be told what they should be.
    pub(crate) slab_started: Notify,
    /// Lists of this node's pods: how many were asked for, and which has come.
    pub(crate) lists: Lists,
    pub(crate) fences: Fences,
    /// A sandbox is gone: whoever waits for that may look.
    pub(crate) released: Notify,
    /// The API does not say that this node is ready.
    pub(crate) doubted: Notify,
    pub(crate) writes: Writes,
    pub(crate) events: EventSender,
    /// Something changed that concerns the proxy: pods' addresses and ports, other nodes.
    pub(crate) ports_changed: Notify,
    pub(crate) clock: Clock,
}

/// Reads of all of this node's pods, each begun after somebody wished for it.
pub(crate) struct Lists {
    wanted: watch::Sender<u64>,
    done: watch::Sender<u64>,
}

impl Default for Lists {
    fn default() -> Self {
        // The first one is made without being asked for.
        Self { wanted: watch::Sender::new(1), done: watch::Sender::new(0) }
    }
}

impl Lists {
    /// Waits until the pods have been told what a list says that begins now; the first list of this
    /// agent is fresh enough while it has not come.
    pub(crate) async fn fresh(&self) {
        let mut done = self.done.subscribe();
        if *done.borrow_and_update() >= 1 {
            self.wanted.send_modify(|wanted| *wanted += 1);
        }
        let wanted = *self.wanted.borrow();
        // The sender lives as long as this does.
        done.wait_for(|done| *done >= wanted).await.map(drop).unwrap_or_default();
    }

    /// Hears of wishes.
    pub(crate) fn wishes(&self) -> watch::Receiver<u64> {
        self.wanted.subscribe()
    }

    /// A list that began after this wish has been told to the pods.
    pub(crate) fn done(&self, wish: u64) {
        self.done.send_replace(wish);
    }
}

/// Names one pod for ever: its name may be taken by another one later, its uid not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PodKey {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// A pod that the agent knows.
pub(crate) struct PodRecord {
    pub(crate) key: PodKey,
    object: Mutex<Option<Arc<Object>>>,
    ips: Mutex<Vec<String>>,
    /// Ends what follows the sandbox on behalf of an earlier life of the pod's machine.
    follower: Mutex<Arc<Notify>>,
    /// Held by whoever makes, finds or ends the sandbox: two lives of a machine never do so at once.
    turn: tokio::sync::Mutex<()>,
    /// The sandbox's end is wanted: whoever sees it need not tell.
    tearing_down: AtomicBool,
    /// Everything of the pod is removed: its end in the API is no news.
    finalized: AtomicBool,
    /// A server has spoken of the pod in this life of the agent.
    is_known: AtomicBool,
    /// The API no longer has the pod.
    is_gone: AtomicBool,
    /// There is a sandbox, or may be one.
    occupied: AtomicBool,
    /// Volumes stand and are to be kept up to date.
    volumes_live: AtomicBool,
    /// What its steps are done for.
    pub(crate) steps: Steps,
    /// Tokens in use, by audience and path.
    tokens: Mutex<BTreeMap<String, Token>>,
}

/// The pods of this node, by key.
#[derive(Default)]
pub(crate) struct Pods(Mutex<BTreeMap<PodKey, Arc<PodRecord>>>);

impl Pods {
    /// The record of `key`, made if there is none.
    pub(crate) fn record(&self, key: &PodKey) -> Arc<PodRecord> {
        let mut all = lock(&self.0);
        Arc::clone(all.entry(key.clone()).or_insert_with(|| Arc::new(PodRecord::new(key.clone()))))
    }

    pub(crate) fn get(&self, key: &PodKey) -> Option<Arc<PodRecord>> {
        lock(&self.0).get(key).cloned()
    }

    pub(crate) fn remove(&self, key: &PodKey) {
        lock(&self.0).remove(key);
    }

    pub(crate) fn all(&self) -> Vec<Arc<PodRecord>> {
        lock(&self.0).values().cloned().collect()
    }

    /// The pod of that name; with a uid, only that one.
    pub(crate) fn find(&self, namespace: &str, name: &str, uid: &str) -> Option<Arc<PodRecord>> {
        let is_one = |key: &&PodKey| {
            key.namespace == namespace && key.name == name && (uid.is_empty() || key.uid == uid)
        };
        let all = lock(&self.0);
        let found = all.keys().filter(is_one);
        // Of several lives of a name, the one that is not over.
        let newest =
            found.max_by_key(|key| all.get(*key).is_some_and(|one| !one.is_finalized()))?;
        all.get(newest).cloned()
    }
}

impl PodRecord {
    fn new(key: PodKey) -> Self {
        Self {
            key,
            object: Mutex::default(),
            ips: Mutex::default(),
            follower: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            tearing_down: AtomicBool::new(false),
            finalized: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            occupied: AtomicBool::new(true),
            volumes_live: AtomicBool::new(false),
            steps: Steps::default(),
            tokens: Mutex::default(),
        }
    }

    pub(crate) fn token(&self, name: &str) -> Option<Token> {
        lock(&self.tokens).get(name).cloned()
    }

    pub(crate) fn set_token(&self, name: String, token: Token) {
        lock(&self.tokens).insert(name, token);
    }

    pub(crate) fn object(&self) -> Option<Arc<Object>> {
        lock(&self.object).clone()
    }

    pub(crate) fn set_object(&self, object: Arc<Object>) {
        self.steps.heard(&object);
        *lock(&self.object) = Some(object);
    }

    pub(crate) fn ips(&self) -> Vec<String> {
        lock(&self.ips).clone()
    }

    pub(crate) fn set_ips(&self, ips: Vec<String>) {
        *lock(&self.ips) = ips;
    }

    /// Ends the follower that there was, and returns the signal for the next one.
    pub(crate) fn next_follower(&self) -> Arc<Notify> {
        let next = Arc::new(Notify::new());
        let before = std::mem::replace(&mut *lock(&self.follower), Arc::clone(&next));
        before.notify_one();
        next
    }

    /// Whether this signal is the newest: the follower's life has not been superseded.
    pub(crate) fn is_current(&self, follower: &Arc<Notify>) -> bool {
        Arc::ptr_eq(&lock(&self.follower), follower)
    }

    /// Waits until nobody else makes, finds or ends the sandbox.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub(crate) fn is_tearing_down(&self) -> bool {
        self.tearing_down.load(Ordering::Acquire)
    }

    pub(crate) fn set_tearing_down(&self, wanted: bool) {
        self.tearing_down.store(wanted, Ordering::Release);
    }

    pub(crate) fn is_finalized(&self) -> bool {
        self.finalized.load(Ordering::Acquire)
    }

    pub(crate) fn set_finalized(&self) {
        self.finalized.store(true, Ordering::Release);
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }

    pub(crate) fn set_known(&self) {
        self.is_known.store(true, Ordering::Release);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    pub(crate) fn set_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    pub(crate) fn set_occupied(&self, occupied: bool) {
        self.occupied.store(occupied, Ordering::Release);
    }

    /// Whether the pod is to end, and something of it may still run.
    pub(crate) fn is_doomed(&self) -> bool {
        let ends = self.is_gone() || self.object().is_some_and(|pod| pod.is_terminating());
        ends && self.occupied.load(Ordering::Acquire)
    }

    pub(crate) fn has_live_volumes(&self) -> bool {
        self.volumes_live.load(Ordering::Acquire)
    }

    pub(crate) fn set_live_volumes(&self, live: bool) {
        self.volumes_live.store(live, Ordering::Release);
    }
}

impl PodKey {
    pub(crate) fn of(pod: &Object) -> Self {
        Self {
            namespace: pod.namespace().to_owned(),
            name: pod.name().to_owned(),
            uid: pod.uid().to_owned(),
        }
    }

    /// The pod in the API.
    pub(crate) fn target(&self) -> Target {
        target("", "v1", "pods", Some(&self.namespace), Some(&self.name))
    }
}

impl fmt::Display for PodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.name, self.uid)
    }
}

impl FromStr for PodKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(namespace), Some(name), Some(uid), None) => Ok(Self { namespace, name, uid }),
            _ => Err(()),
        }
    }
}

/// What a request is about.
pub(crate) fn target(
    group: &str,
    version: &str,
    resource: &str,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Target {
    Target {
        group: group.to_owned(),
        version: version.to_owned(),
        resource: resource.to_owned(),
        subresource: None,
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
    }
}

/// Takes a lock; what a panic left is still whole, for every change under these locks is one
/// assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
