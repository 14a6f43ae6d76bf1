//! The door itself: what it is configured with, and its three ways of answering.
//!
//! Way in: [`Door::decide`], [`Door::settle`].

use std::sync::Arc;

use actors_core::Turn;
use actors_kinds::Registry;
use actors_object::{ApiError, uid};
use store_catalog::{Opener, Snapshot, Tree};
use store_mvcc::{GroupId, Key, Outcome, Proposal, Revision, Token, Writer};

use crate::{
    Identity, Impersonation, Request, Response, Sealer, TokenQuestion, TokenTicket, Verb,
    authz::{Ask, Authorizer, denial, impersonate},
    lens::Lens,
    read,
    visit::Visit,
    watch::WatchPlan,
    write::{Answer, Draft, Settled},
};

pub use crate::write::Cidr;

/// What a cluster's door is told once.
#[derive(Debug, Clone)]
pub struct DoorConfig {
    /// Where Services get their addresses from.
    pub service_cidr: Cidr,
    /// The first and the last node port.
    pub node_ports: (u16, u16),
    /// Who signs service-account tokens; also their default audience.
    pub issuer: String,
    /// The group whose log proposals are for.
    pub group: GroupId,
    /// The feature level that all replicas begin with; what needs more is used when it is agreed
    /// on.
    pub feature_level: u16,
}

impl Default for DoorConfig {
    /// `10.43.0.0/16`, ports 30000 to 32767, the issuer of upstream's default.
    fn default() -> Self {
        Self {
            service_cidr: Cidr::DEFAULT,
            node_ports: (30_000, 32_767),
            issuer: "https://kubernetes.default.svc.cluster.local".to_owned(),
            group: GroupId::MAIN,
            feature_level: 1,
        }
    }
}

/// Decides requests. Cheap to share; it remembers nothing between them.
pub struct Door {
    pub(crate) registry: Registry,
    pub(crate) config: DoorConfig,
    pub(crate) sealer: Option<Arc<Sealer>>,
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Step {
    /// Answer it.
    Reply(Response),
    /// Propose this, wait until it is applied locally, and hand the outcome to [`Door::settle`].
    Propose {
        /// What to propose.
        proposal: Proposal,
        /// What the door must be handed back.
        pending: Box<Pending>,
    },
    /// Sign the ticket's claims, and answer with [`TokenTicket::finish`].
    Sign(Box<TokenTicket>),
    /// Verify the question's token, and answer with [`TokenQuestion::finish`].
    Verify(Box<TokenQuestion>),
}

/// A request that waits for its proposal.
#[derive(Debug)]
pub struct Pending {
    pub(crate) request: Request,
    pub(crate) draft: Draft,
    pub(crate) attempt: u8,
}

impl Pending {
    /// The namespace in which it lost a race, if it did: it is decided anew, and may lose again to
    /// all who are.
    #[must_use]
    pub fn lost_in(&self) -> Option<&str> {
        self.request.target.namespace.as_deref().filter(|_| self.attempt > 0)
    }

    /// The tree of the object that is proposed, if there is one that is more than its answer.
    #[must_use]
    pub fn tree(&self) -> Option<Tree> {
        let Answer::Object { key, object, .. } = &self.draft.answer else { return None };
        Some(Tree { key: key.clone(), object: Arc::clone(object) })
    }

    /// Answers with this instead of the object, once it is applied.
    pub(crate) fn answer_with(&mut self, response: Response) {
        self.draft.answer = Answer::Ready(Box::new(response));
    }
}

impl Door {
    /// How often a request is decided again because what it read has moved.
    const ATTEMPTS_MAX: u8 = 16;
    /// The same where it is not the object that moves but what everybody writes beside it, a quota:
    /// of those who wait one gets on in each round.
    const ATTEMPTS_BESIDE_MAX: u8 = 192;

    /// A door for the kinds of `registry`. Without a sealer, Secrets are refused.
    #[must_use]
    pub fn new(registry: Registry, config: DoorConfig, sealer: Option<Arc<Sealer>>) -> Self {
        Self { registry, config, sealer }
    }

    /// The kinds that it serves.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What the catalog needs to read sealed versions, and to find the bindings of each user: who
    /// is not found there may do nothing.
    #[must_use]
    pub fn opener(&self) -> Option<Arc<dyn Opener>> {
        Some(Arc::new(Lens(self.sealer.clone())))
    }

    /// Decides a request on one snapshot. Watches are not decided here but by [`Door::watch`].
    pub fn decide(&self, request: &Request, turn: &mut Turn<'_, Snapshot>) -> Step {
        self.attempt(request, turn, 0)
    }

    /// Goes on with a request when its proposal was applied; `turn.view` must show what it did.
    pub fn settle(
        &self,
        pending: Pending,
        outcome: &Outcome,
        turn: &mut Turn<'_, Snapshot>,
    ) -> Step {
        let Pending { request, draft, attempt } = pending;
        match draft.settle(outcome, turn.view) {
            Settled::Reply(response) => Step::Reply(*response),
            Settled::More => self.attempt(&request, turn, attempt),
            Settled::Again if attempt < Self::ATTEMPTS_MAX => {
                self.attempt(&request, turn, attempt + 1)
            }
            Settled::Beside if attempt < Self::ATTEMPTS_BESIDE_MAX => {
                self.attempt(&request, turn, attempt + 1)
            }
            Settled::Again | Settled::Beside => {
                let message = "the object changes too fast, please try again";
                Step::Reply(ApiError::too_many_requests(message, 1).into())
            }
        }
    }

    /// Decides a request again that has not been proposed: it had to wait, and things have moved.
    pub fn renew(&self, pending: Pending, turn: &mut Turn<'_, Snapshot>) -> Step {
        self.attempt(&pending.request, turn, pending.attempt)
    }

    /// Decides a watch: what it begins with, and which events it shows.
    ///
    /// # Errors
    /// The refusal.
    pub fn watch(&self, request: &Request, snapshot: &Snapshot) -> Result<WatchPlan, ApiError> {
        crate::authz::authorize(request, &Authorizer::new(snapshot))?;
        crate::watch::plan(self, request, snapshot)
    }

    /// Whether somebody may use a path that is no object's.
    ///
    /// # Errors
    /// 403, with the reason.
    pub fn authorize_url(
        &self,
        identity: &Identity,
        (verb, path): (&str, &str),
        snapshot: &Snapshot,
    ) -> Result<(), ApiError> {
        let ask = Ask::Url { verb, path };
        if Authorizer::new(snapshot).allows(identity, ask) {
            return Ok(());
        }
        let nothing = actors_object::GroupResource::default();
        Err(ApiError::forbidden(&nothing, "", denial(identity, ask, "")))
    }

    /// The identity as which somebody wants to be taken.
    ///
    /// # Errors
    /// 403 if a part of it is not allowed, 400 if it names no user.
    pub fn impersonate(
        &self,
        by: &Identity,
        wanted: &Impersonation,
        snapshot: &Snapshot,
    ) -> Result<Identity, ApiError> {
        impersonate(&Authorizer::new(snapshot), by, wanted)
    }

    /// The revision at which a list must be read: its own or that of its first page. A server that
    /// has the snapshot of that revision decides with [`Door::decide_past`]; else the answer is 410
    /// `Expired`.
    #[must_use]
    pub fn pinned_revision(&self, request: &Request) -> Option<Revision> {
        read::pinned_revision(request)
    }

    /// Whether RBAC lets a request be made at all, for those who must do much before it is decided.
    ///
    /// # Errors
    /// 403, with the reason.
    pub fn authorize(&self, request: &Request, snapshot: &Snapshot) -> Result<(), ApiError> {
        crate::authz::authorize(request, &Authorizer::new(snapshot))
    }

    /// What the keys of a list begin with; none for what is no list of stored objects.
    #[must_use]
    pub fn list_prefix(&self, request: &Request) -> Option<Key> {
        let target = &request.target;
        let kind = self.registry.resource(&target.group, &target.version, &target.resource)?;
        let namespace = target.namespace.as_deref();
        let prefix = Key::prefix(&kind.storage.group, &kind.storage.resource, namespace);
        (request.verb == Verb::List && kind.is_stored()).then_some(prefix)
    }

    /// Decides a list of an earlier revision: what there was is in `past`; who may see it, and how
    /// pages go together, is as it is now.
    pub fn decide_past(
        &self,
        request: &Request,
        turn: &mut Turn<'_, Snapshot>,
        past: &Snapshot,
    ) -> Step {
        let mut decide = || {
            crate::authz::authorize(request, &Authorizer::new(turn.view))?;
            let mut turn = Turn { now: turn.now, rng: &mut *turn.rng, view: past };
            Visit::new(self, request, &mut turn)?.decide()
        };
        decide().unwrap_or_else(|error: ApiError| Step::Reply(error.into()))
    }

    fn attempt(&self, request: &Request, turn: &mut Turn<'_, Snapshot>, attempt: u8) -> Step {
        let mut decide = || {
            crate::authz::authorize(request, &Authorizer::new(turn.view))?;
            let mut visit = Visit::new(self, request, turn)?;
            visit.attempt = attempt;
            let mut step = visit.decide()?;
            if let Step::Reply(response) = &mut step {
                response.warnings.append(&mut visit.warnings);
            }
            Ok(step)
        };
        decide().unwrap_or_else(|error: ApiError| Step::Reply(error.into()))
    }

    /// A proposal of the operations of a draft, which are taken out of it.
    pub(crate) fn proposal(&self, visit: &mut Visit<'_>, draft: &mut Draft) -> Proposal {
        Proposal {
            group: self.config.group,
            writer: Writer::unplaced(visit.request.identity.user.clone()),
            token: Token(visit.rng.uuid()),
            feature_level: self.config.feature_level.max(Proposal::level_of(&draft.ops)),
            at: visit.now.wall,
            atomic: draft.is_atomic(),
            ops: std::mem::take(&mut draft.ops),
        }
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A random uid for a new object.
pub(crate) fn new_uid(visit: &mut Visit<'_>) -> String {
    uid::random(visit.rng)
}
