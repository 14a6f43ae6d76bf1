//! The store as its users see it: propose, read, watch.
//!
//! Way in: [`Store`].  Never: a second try; what is unknown is said to be unknown.

use std::{sync::Arc, time::Duration};

use actors_core::Correlation;
use actors_runtime::{Ref, System};
use store_catalog::Snapshot;
use store_mvcc::{Epoch, Key, Outcome, Proposal, Reader, Revision};
use store_raft::{MemberChange, Members, NodeId, RaftEvent, Refusal};
use tokio::sync::watch;

use crate::{
    Health, Image, Leadership, Progress, ProposeError, ReadError, Watch,
    apply::ApplyOp,
    locks::read,
    shared::{NotGathered, Shared},
    waiting::{Question, Reply},
};

/// One group's replica on this server. Cheap to clone; it survives restarts of the group's actors.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    peer: Ref<RaftEvent>,
}

impl Store {
    pub(crate) fn new(shared: &Arc<Shared>, system: &System) -> Self {
        let peer = system.actor_at(&shared.address("peer"));
        Self { shared: Arc::clone(shared), peer }
    }

    /// Proposes changes; resolves when a quorum has them on disk and this replica has applied them.
    ///
    /// The outcome says what became of each operation; an error says why there is no outcome.
    ///
    /// # Errors
    /// [`ProposeError`]; only `Unknown` leaves open whether something was done.
    pub async fn propose(&self, proposal: Proposal) -> Result<Outcome, ProposeError> {
        let bytes = proposal.encode().map_err(ProposeError::Refused)?;
        let question = self.shared.waiting.open().ok_or(ProposeError::Busy)?;
        self.shared.intake.add(question.id, bytes).map_err(|cause| match cause {
            NotGathered::Full => ProposeError::Busy,
            NotGathered::Closed => ProposeError::Unavailable,
        })?;
        match self.outcome(question).await? {
            Reply::Applied(outcome) => Ok(outcome),
            reply => Err(refused(&reply)),
        }
    }

    async fn outcome(&self, mut question: Question) -> Result<Reply, ProposeError> {
        let within = self.shared.config.propose_within;
        let reply = tokio::time::timeout(within, &mut question.reply).await;
        reply.ok().and_then(Result::ok).ok_or(ProposeError::Unknown)
    }

    /// Confirms with a quorum what is newest, waits until this replica has it, and returns its
    /// revision: what is read from [`Store::snapshot`] after that is at least as new as anything
    /// acknowledged before the call.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read_barrier(&self) -> Result<Revision, ReadError> {
        let within = self.shared.config.read_within;
        tokio::time::timeout(within, self.confirm_read()).await.unwrap_or(Err(ReadError::Late))
    }

    async fn confirm_read(&self) -> Result<Revision, ReadError> {
        let mut question = self.shared.waiting.open().ok_or(ReadError::Busy)?;
        let event = RaftEvent::Read { id: question.id };
        self.peer.tell(event).await.map_err(|_| ReadError::Unavailable)?;
        let index = match (&mut question.reply).await {
            Ok(Reply::ReadAt(index)) => index,
            Ok(Reply::Refused(Refusal::Busy)) => return Err(ReadError::Busy),
            Ok(Reply::Refused(Refusal::NotLeader { leader })) => {
                return Err(ReadError::NoLeader { leader });
            }
            _ => return Err(ReadError::Unavailable),
        };
        let mut progress = self.shared.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.position.index >= index).await;
        reached.map(|progress| progress.position.revision).map_err(|_| ReadError::Unavailable)
    }

    /// Everything that is applied here, as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        read(&self.shared.latest).clone()
    }

    /// The newest revision that is applied here.
    #[must_use]
    pub fn revision(&self) -> Revision {
        read(&self.shared.latest).revision()
    }

    /// Reads older revisions from disk; `None` while the state is not open. Its calls block.
    #[must_use]
    pub fn reader(&self) -> Option<Reader> {
        read(&self.shared.reader).clone()
    }

    /// The changes of keys that begin with `prefix`, behind the revision `after`.
    #[must_use]
    pub fn watch(&self, after: Revision, prefix: Key) -> Watch {
        Watch::new(&self.shared, after, prefix)
    }

    /// The epoch under which this member holds all shards; `None` unless it leads.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.shared.leadership.borrow().epoch
    }

    /// Role, term, leader and epoch, as they change.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.shared.leadership.subscribe()
    }

    /// How far this replica is, as it changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// Whether the store can work, as it changes.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    /// The members, as they change.
    #[must_use]
    pub fn members(&self) -> watch::Receiver<Members> {
        self.shared.members.subscribe()
    }

    /// Changes the members; resolves when the change is committed and in force here.
    ///
    /// # Errors
    /// [`ProposeError`]; only `Unknown` leaves open whether something was done.
    pub async fn change_members(
        &self,
        changes: Vec<MemberChange>,
    ) -> Result<Members, ProposeError> {
        let question = self.shared.waiting.open().ok_or(ProposeError::Busy)?;
        let id: Correlation = question.id;
        let told = self.peer.tell(RaftEvent::ConfChange { id, changes }).await;
        told.map_err(|_| ProposeError::Unavailable)?;
        match self.outcome(question).await? {
            Reply::Members(members) => Ok(members),
            reply => Err(refused(&reply)),
        }
    }

    /// Makes another voter the leader; resolves when this member no longer leads, or `within` is
    /// over.
    ///
    /// # Errors
    /// [`ProposeError::Unavailable`] if the peer does not run, [`ProposeError::Busy`] if it still
    /// leads.
    pub async fn transfer_leader(&self, to: NodeId, within: Duration) -> Result<(), ProposeError> {
        let told = self.peer.tell(RaftEvent::Transfer { to }).await;
        told.map_err(|_| ProposeError::Unavailable)?;
        let mut leadership = self.leadership();
        let gone = leadership.wait_for(|present| present.role.leader == Some(to));
        match tokio::time::timeout(within, gone).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(ProposeError::Busy),
        }
    }

    /// Takes a frame that another member's transport sent. May drop it.
    pub fn receive(&self, from: NodeId, frame: Vec<u8>) {
        // A full or absent peer is a lossy network: Raft sends again.
        drop(self.peer.try_tell(RaftEvent::Message { from, bytes: frame }));
    }

    /// Takes an image of another member's state; false if it was dropped.
    #[must_use]
    pub fn receive_image(&self, from: NodeId, image: Image) -> bool {
        let apply = self.shared.apply.queue();
        let taken = apply.is_some_and(|apply| apply.push(ApplyOp::Image(image.pages)));
        let event = RaftEvent::Message { from, bytes: image.frame };
        taken && self.peer.try_tell(event).is_ok()
    }
}

fn refused(reply: &Reply) -> ProposeError {
    match reply {
        Reply::Unavailable => ProposeError::Unavailable,
        Reply::Refused(Refusal::NotLeader { leader }) => {
            ProposeError::NotLeader { leader: *leader }
        }
        Reply::Refused(Refusal::Busy) => ProposeError::Busy,
        Reply::Refused(Refusal::Superseded) => ProposeError::Superseded,
        Reply::Refused(Refusal::BadChange) => ProposeError::BadChange,
        // The others do not answer proposals; if one did, nobody could tell what it means.
        _ => ProposeError::Unknown,
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("group", &self.shared.config.name).finish_non_exhaustive()
    }
}
