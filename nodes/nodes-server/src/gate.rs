//! The door, driven: decides on the local replica, proposes, settles, signs, and pumps watches.
//!
//! Way in: [`Gate`].  Never: a rule; those are the door's.
//! Time and order: an answer to a write is given when its entry is synced on a quorum and applied here; a read that
//! must be fresh waits for a read index first. So does the *refusal* of a write, and the answer that nothing is to be
//! done: this replica may be behind, and what it does not know yet may make the write good.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use actors_core::{Rng, Turn};
use actors_object::{ApiError, json};
use actors_runtime::{Clock, PartError, PartSpec, Service};
use nodes_client::{Client, Later, Tracer, WatchStream};
use nodes_door::{Door, Identity, Impersonation, Request, Response, Step, Verb};
use nodes_pki::Pki;
use store_catalog::{Snapshot, Tree};
use store_mvcc::{Epoch, Key, Outcome, Proposal, Revision, ShardId, Writer};
use store_raft::NodeId;
use store_service::{Health, ProposeError, ReadError, Store};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{
    lanes::Lanes,
    pages::{Pages, read_past},
    tokens::claims_of,
    traces::{Visit, carried},
    watching,
};

/// How long a write of unknown outcome is proposed again.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// The pause between two such proposals.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Most watches at once.
const WATCHES_MAX: usize = 32_768;

/// Calls the door on this process's replica. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
    /// Under which epoch writes are made; `None` for callers that hold no shard.
    epoch: Option<Epoch>,
    /// Where writes are remembered for those who ask why.
    tracer: Tracer,
}

/// What a gate stands between.
pub struct GateParts {
    /// Decides.
    pub door: Arc<Door>,
    /// The replica of this process, and its way to the others.
    pub store: Store,
    /// Which member of the store's group this process is.
    pub member: NodeId,
    /// Signs tokens.
    pub pki: Arc<Pki>,
    /// Whether there is a quorum to ask; while there is none, what needs one is refused at once.
    pub able: watch::Receiver<bool>,
}

struct Inner {
    door: Arc<Door>,
    store: Store,
    member: NodeId,
    pki: Arc<Pki>,
    able: watch::Receiver<bool>,
    rng: Mutex<Rng>,
    pages: Pages,
    lanes: Lanes,
    /// The service whose parts the watches are; set by each of its lives.
    watches: RwLock<Option<Service>>,
}

impl Gate {
    /// The gate of one replica.
    #[must_use]
    pub fn new(parts: GateParts, rng: Rng) -> Self {
        let GateParts { door, store, member, pki, able } = parts;
        let (rng, pages, watches) = (Mutex::new(rng), Pages::default(), RwLock::default());
        let lanes = Lanes::default();
        let inner = Inner { door, store, member, pki, able, rng, pages, lanes, watches };
        Self { inner: Arc::new(inner), epoch: None, tracer: Tracer::new(&member.0.to_string()) }
    }

    /// The same gate for callers that act under a grant of all shards: the store refuses their writes once there is
    /// a newer one.
    #[must_use]
    pub fn under(&self, epoch: Epoch) -> Self {
        Self { epoch: Some(epoch), ..self.clone() }
    }

    /// The same gate, whose writes are remembered under the name of this node.
    #[must_use]
    pub fn on_node(self, node: &str) -> Self {
        Self { tracer: Tracer::new(node), ..self }
    }

    /// The store behind the door; for reads of the replica only.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// From now on watches are parts of this service: they are seen in the tree and end with it.
    pub fn host_watches(&self, service: Service) {
        service.limit_parts(WATCHES_MAX);
        *self.inner.watches.write().unwrap_or_else(PoisonError::into_inner) = Some(service);
    }

    fn turn_rng(&self) -> Rng {
        let mut seed = [0; 32];
        locked(&self.inner.rng).fill(&mut seed);
        Rng::from_seed(seed)
    }

    async fn answer(&self, request: Request) -> Response {
        let mut visit = Visit::begin(&self.tracer, &request, self.inner.door.registry());
        let response = self.answer_visit(request, &mut visit).await;
        visit.end(&response);
        response
    }

    async fn answer_visit(&self, request: Request, visit: &mut Visit) -> Response {
        match self.answer_past(&request).await {
            Ok(Some(response)) => return response,
            Ok(None) => {}
            Err(error) => return error.into(),
        }
        let mut snapshot = match self.snapshot_for(&request).await {
            Ok(snapshot) => snapshot,
            Err(error) => return error.into(),
        };
        let mut rng = self.turn_rng();
        let mut first = self.inner.door.decide(&request, &mut turn(&snapshot, &mut rng));
        let is_settled = matches!(first, Step::Reply(_));
        if is_settled && is_write(&request) && self.may_be_behind() {
            if let Err(error) = self.confirm_fresh().await {
                return error.into();
            }
            let fresh = self.inner.store.snapshot();
            if fresh.revision() > snapshot.revision() {
                snapshot = fresh;
                first = self.inner.door.decide(&request, &mut turn(&snapshot, &mut rng));
            }
        }
        let mut response = self.finish(first, &mut rng, visit).await;
        response.revision = response.revision.or(Some(snapshot.revision()));
        self.keep_for_pages(&response, snapshot, None);
        response
    }

    /// Answers a list of an earlier revision, if there is one and it can still be read, on whichever server it was
    /// begun.
    async fn answer_past(&self, request: &Request) -> Result<Option<Response>, ApiError> {
        let (door, store) = (&self.inner.door, &self.inner.store);
        let Some(revision) = door.pinned_revision(request) else { return Ok(None) };
        let Some(prefix) = door.list_prefix(request) else { return Ok(None) };
        if revision > store.revision() && self.may_be_behind() {
            self.confirm_fresh().await?;
        }
        let snapshot = store.snapshot();
        if revision > snapshot.revision() {
            return Ok(None);
        }
        let (past, read_of) = match self.inner.pages.find(revision, &prefix) {
            _ if revision == snapshot.revision() => (snapshot.clone(), None),
            Some((past, is_read)) => (past, is_read.then_some(prefix)),
            None => {
                door.authorize(request, &snapshot)?;
                match read_past((store, door), revision, prefix.clone()).await {
                    Some(past) => (past, Some(prefix)),
                    None => return Ok(None),
                }
            }
        };
        let mut rng = self.turn_rng();
        let step = door.decide_past(request, &mut turn(&snapshot, &mut rng), &past);
        let Step::Reply(mut response) = step else {
            return Err(ApiError::internal("a list wanted more than an answer"));
        };
        response.revision = Some(past.revision());
        self.keep_for_pages(&response, past, read_of);
        Ok(Some(response))
    }

    /// Whether others may have acknowledged what this replica does not show: never, if it votes alone.
    pub(crate) fn may_be_behind(&self) -> bool {
        !self.inner.store.members().borrow().is_sole_voter(self.inner.member)
    }

    /// Waits until this replica shows everything that was acknowledged before; at once an error while there is no
    /// quorum, for nobody could confirm it.
    pub(crate) async fn confirm_fresh(&self) -> Result<(), ApiError> {
        let mut able = self.inner.able.clone();
        tokio::select! {
            biased;
            lost = able.wait_for(|able| !able) => {
                drop(lost);
                Err(no_quorum())
            }
            confirmed = self.inner.store.read_barrier() => {
                confirmed.map(drop).map_err(|error| read_error(&error))
            }
        }
    }

    async fn finish(&self, mut step: Step, rng: &mut Rng, visit: &mut Visit) -> Response {
        let (mut written, mut lane) = (None, None);
        loop {
            // Who lost a race goes on behind those who lost one before, and from what they leave.
            if let (Step::Propose { pending, .. }, None) = (&step, &lane)
                && let Some(namespace) = pending.lost_in()
            {
                lane = Some(self.inner.lanes.enter(namespace).await);
                if let Step::Propose { pending, .. } = step {
                    let snapshot = self.inner.store.snapshot();
                    step = self.inner.door.renew(*pending, &mut turn(&snapshot, rng));
                }
            }
            match step {
                Step::Reply(mut response) => {
                    response.revision = written;
                    return response;
                }
                Step::Sign(ticket) => {
                    return match self.inner.pki.tokens.sign(&json::to_vec(&ticket.claims)) {
                        Ok(token) => ticket.finish(&token),
                        Err(error) => ApiError::internal(error).into(),
                    };
                }
                Step::Verify(question) => {
                    let audiences = &question.audiences;
                    let claims = claims_of(&self.inner.pki, &question.token, audiences);
                    let claims = claims.map_err(|why| why.to_string());
                    return question.finish(claims, &self.inner.store.snapshot());
                }
                Step::Propose { proposal, pending } => {
                    let storing = visit.store();
                    let proposing = self.propose(proposal, pending.tree());
                    let proposing = carried(storing.as_ref()).cover(proposing);
                    let outcome = match proposing.await {
                        Ok(outcome) => outcome,
                        Err(error) => return error.into(),
                    };
                    visit.stored(storing, &outcome);
                    let snapshot = self.inner.store.snapshot();
                    written = Some(snapshot.revision());
                    step = self.inner.door.settle(*pending, &outcome, &mut turn(&snapshot, rng));
                }
            }
        }
    }

    async fn propose(
        &self,
        mut proposal: Proposal,
        tree: Option<Tree>,
    ) -> Result<Outcome, ApiError> {
        if let Some(epoch) = self.epoch {
            let name = std::mem::take(&mut proposal.writer.name);
            proposal.writer = Writer { shard: ShardId::ALL, epoch, name };
        }
        // Not even tried: so it is certain that nothing was done.
        if !*self.inner.able.borrow() {
            return Err(no_quorum());
        }
        let outcome = self.propose_until_known(proposal, tree).await;
        outcome.map_err(|error| match (error, &*self.inner.store.health().borrow()) {
            (ProposeError::Unknown, Health::DiskFull { place }) => unknown_without_room(place),
            (error, _) => propose_error(&error),
        })
    }

    /// Proposes again, under the same token, as long as nobody knows what became of the first time: the store applies
    /// a token at most once, so the outcome is that of the one time that it was applied.
    async fn propose_until_known(
        &self,
        proposal: Proposal,
        tree: Option<Tree>,
    ) -> Result<Outcome, ProposeError> {
        let store = &self.inner.store;
        let mut outcome = store.propose_tree(&proposal, tree).await;
        if !matches!(outcome, Err(ProposeError::Unknown)) {
            return outcome;
        }
        let deadline = Instant::now() + UNKNOWN_FOR;
        let mut leadership = store.leadership();
        while Instant::now() < deadline {
            outcome = store.propose_tree(&proposal, None).await;
            match &outcome {
                // That can last; the first time is done as soon as there is room, or was.
                Err(ProposeError::DiskFull { .. }) => break,
                // Not done this time; whether it was before is still open.
                Err(
                    ProposeError::Unknown
                    | ProposeError::Unavailable
                    | ProposeError::Busy
                    | ProposeError::NotLeader { .. },
                ) => {}
                _ => return outcome,
            }
            // A store that comes back says so; one that says nothing is asked again after a moment.
            drop(timeout(ASK_AGAIN_AFTER, leadership.changed()).await);
        }
        Err(ProposeError::Unknown)
    }

    /// The snapshot that a request is decided on: fresh, or cached.
    async fn snapshot_for(&self, request: &Request) -> Result<Snapshot, ApiError> {
        // Its revision is gone, or is still to come: the door says which.
        if self.inner.door.pinned_revision(request).is_some() {
            return Ok(self.inner.store.snapshot());
        }
        let asked = request.options.resource_version.as_deref().unwrap_or_default();
        // A revision that another server told and this replica has not reached is waited for, too.
        let ahead = asked.parse().is_ok_and(|asked| Revision(asked) > self.inner.store.revision());
        // Who votes alone has applied all that was ever acknowledged, once it leads.
        let is_fresh = !self.may_be_behind() && self.inner.store.epoch().is_some();
        let must_be = asked.is_empty() || (ahead && self.may_be_behind());
        // What is to go of a collection is read first: all that was acknowledged goes.
        let reads = !is_write(request) || request.verb == Verb::DeleteCollection;
        if reads && must_be && !is_fresh {
            self.confirm_fresh().await?;
        }
        Ok(self.inner.store.snapshot())
    }

    /// A list that has more pages is read on at the same revision.
    fn keep_for_pages(&self, response: &Response, snapshot: Snapshot, read_of: Option<Key>) {
        let nodes_door::ResponseBody::List(list) = &response.body else { return };
        if list.continue_token.is_some() {
            self.inner.pages.keep(snapshot, read_of, Clock.now());
        }
    }

    async fn open_watch(&self, request: Request) -> Result<WatchStream, ApiError> {
        let snapshot = self.snapshot_for(&request).await?;
        let part = PartSpec {
            name: request.target.resource.clone(),
            about: format!("{} {}", request.identity.user, request.user_agent),
        };
        let plan = self.inner.door.watch(&request, &snapshot)?;
        let changes = self.inner.store.watch(plan.start.after(), plan.prefix.clone());
        let random = self.turn_rng().between(1_800, 3_600);
        let (events, alive) = watching::watch(plan, changes, random);
        let service = self.inner.watches.read().unwrap_or_else(PoisonError::into_inner).clone();
        let busy =
            || ApiError::service_unavailable("watches cannot be served right now").retry_after(1);
        service.ok_or_else(busy)?.spawn_part(part, alive).map_err(|error| match error {
            PartError::Full { .. } => ApiError::too_many_requests(error.to_string(), 1),
            PartError::Ending { .. } => busy(),
        })?;
        Ok(WatchStream::from_stream(events))
    }
}

impl Client for Gate {
    fn call(&self, request: Request) -> Later<'_, Response> {
        Box::pin(self.answer(request))
    }

    fn allows_url<'a>(
        &'a self,
        identity: &'a Identity,
        verb: &'a str,
        path: &'a str,
    ) -> Later<'a, bool> {
        let allowed = || {
            let snapshot = self.inner.store.snapshot();
            self.inner.door.authorize_url(identity, (verb, path), &snapshot).is_ok()
        };
        Box::pin(async move {
            allowed() || (self.may_be_behind() && self.confirm_fresh().await.is_ok() && allowed())
        })
    }

    fn impersonate<'a>(
        &'a self,
        by: &'a Identity,
        wanted: &'a Impersonation,
    ) -> Later<'a, Result<Identity, ApiError>> {
        let decide = || self.inner.door.impersonate(by, wanted, &self.inner.store.snapshot());
        Box::pin(async move {
            match decide() {
                // What allows it may be younger than what this replica shows.
                Err(_) if self.may_be_behind() && self.confirm_fresh().await.is_ok() => decide(),
                decided => decided,
            }
        })
    }

    fn watch(&self, request: Request) -> Later<'_, Result<WatchStream, ApiError>> {
        Box::pin(self.open_watch(request))
    }

    fn tracer(&self) -> Tracer {
        self.tracer.clone()
    }
}

fn turn<'a>(snapshot: &'a Snapshot, rng: &'a mut Rng) -> Turn<'a, Snapshot> {
    Turn { now: Clock.now(), rng, view: snapshot }
}

/// A panic while the lock was held left no half-done change behind: all changes are single calls.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a client is told of a proposal without an outcome. Spec: 503 with Retry-After where nothing was done, 504 where
/// nobody knows.
fn propose_error(error: &ProposeError) -> ApiError {
    match error {
        // Without Retry-After: clients would try again in silence, and only a person can make room.
        ProposeError::DiskFull { place } => ApiError::service_unavailable(format!(
            "nothing was written: the disk of the store is full. {}",
            room_wanted(place)
        )),
        ProposeError::Unknown => ApiError::timeout("the outcome of the write is unknown", 1),
        ProposeError::Busy => {
            ApiError::too_many_requests("too many writes are waiting, please try again", 1)
        }
        ProposeError::Refused(_) => ApiError::too_large(error),
        ProposeError::BadChange => ApiError::internal(error),
        ProposeError::NotLeader { .. } | ProposeError::Unavailable | ProposeError::Superseded => {
            ApiError::service_unavailable(error.to_string()).retry_after(1)
        }
    }
}

/// What a client is told of a write that is in the log, perhaps, and waits there for room.
fn unknown_without_room(place: &str) -> ApiError {
    let why =
        "the outcome of the write is unknown, it may still be done: the disk of the store is full";
    ApiError::timeout(format!("{why}. {}", room_wanted(place)), 0)
}

/// What is to be done about a full disk. RocksDB goes on when there is room for one of its buffers.
fn room_wanted(place: &str) -> String {
    format!("Free at least 16 MiB on the disk of {place}; reads go on, and so will writes then")
}

/// Spec: 503 with Retry-After: nothing was done, and somebody else, or a later time, may be better.
fn no_quorum() -> ApiError {
    ApiError::service_unavailable("this server does not hear from most of the store's voters")
        .retry_after(1)
}

/// Whether a request may change something.
fn is_write(request: &Request) -> bool {
    !matches!(request.verb, Verb::Get | Verb::List | Verb::Watch)
}

fn read_error(error: &ReadError) -> ApiError {
    ApiError::service_unavailable(error.to_string()).retry_after(1)
}
