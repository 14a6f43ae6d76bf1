//! The store as its users see it: propose, read, watch.
//!
//! Way in: [`Store`]; its members are in `membership.rs`, the way to the leader in `forward.rs`.
//! Never: a second try of what has no token; what is unknown is said to be unknown.

use std::sync::Arc;

use actors_runtime::{Ref, System};
use store_catalog::{Snapshot, Tree};
use store_mvcc::{Epoch, Key, Outcome, Proposal, Reader, Revision, Token};
use store_raft::{NodeId, RaftEvent, Refusal};
use tokio::sync::watch;

use crate::{
    Health, ImageError, IncomingImage, Leadership, Progress, ProposeError, ReadError, Watch,
    locks::read,
    shared::Shared,
    waiting::Reply,
    wire::{Answer, Request},
};

/// One group's replica on this server. Cheap to clone; it survives restarts of the group's actors.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Ref<RaftEvent>,
}

impl Store {
    pub(crate) fn new(shared: &Arc<Shared>, system: &System) -> Self {
        let peer = system.actor_at(&shared.address("peer"));
        Self { shared: Arc::clone(shared), peer }
    }

    /// Proposes changes, at whichever member this is called; resolves when a quorum has them on
    /// disk and this replica has applied them, so that [`Store::snapshot`] shows them.
    ///
    /// The outcome says what became of each operation; an error says why there is no outcome. A
    /// proposal with a token is repeated under it while its outcome is unknown or nobody leads, up
    /// to the times of the configuration, and applied at most once. One without a token is given
    /// to a leader at most once.
    ///
    /// # Errors
    /// [`ProposeError`]; only `Unknown` leaves open whether something was done.
    pub async fn propose(&self, proposal: Proposal) -> Result<Outcome, ProposeError> {
        self.propose_tree(&proposal, None).await
    }

    /// The same, with the tree that one of the proposed values was written from: where it is
    /// applied here, nobody has to read that value again.
    ///
    /// # Errors
    /// As [`Store::propose`].
    pub async fn propose_tree(
        &self,
        proposal: &Proposal,
        tree: Option<Tree>,
    ) -> Result<Outcome, ProposeError> {
        let _held = self.shared.trees.hold(proposal.token, tree);
        let repeatable = proposal.token != Token::NONE;
        let bytes = proposal.encode().map_err(ProposeError::Refused)?;
        match self.deliver(Request::Propose(bytes), repeatable).await? {
            Answer::Applied(outcome) => {
                // It was done; but without it in the snapshot the caller could not go on.
                self.wait_applied(outcome.index).await.map_err(|_| ProposeError::Unknown)?;
                Ok(outcome)
            }
            _ => Err(ProposeError::Unknown),
        }
    }

    /// The same, but only if this member leads, and without another try.
    pub(crate) async fn propose_here(&self, proposal: Proposal) -> Result<Outcome, ProposeError> {
        let bytes = proposal.encode().map_err(ProposeError::Refused)?;
        self.once_here(Request::Propose(bytes)).await
    }

    /// Waits until this replica has applied everything up to `index`.
    pub(crate) async fn wait_applied(&self, index: u64) -> Result<Revision, ReadError> {
        let present = self.shared.progress.borrow().position;
        // On the leader always: what is answered there was applied there first.
        if present.index >= index {
            return Ok(present.revision);
        }
        let mut progress = self.shared.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.position.index >= index);
        let reached = tokio::time::timeout(self.shared.config.read_within, reached).await;
        let reached = reached.map_err(|_| ReadError::Late)?;
        reached.map(|progress| progress.position.revision).map_err(|_| ReadError::Unavailable)
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
        if self.shared.is_out() {
            return Err(ReadError::Unavailable);
        }
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
        self.wait_applied(index).await
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

    /// Whether a leader is known that hears from most voters, as it changes: false within a second
    /// after that ended. Without it nothing can be written, and no read confirmed.
    #[must_use]
    pub fn quorum(&self) -> watch::Receiver<bool> {
        self.shared.quorum.subscribe()
    }

    /// Takes a frame that another member's transport sent. May drop it.
    pub fn receive(&self, from: NodeId, frame: Vec<u8>) {
        // A full or absent peer is a lossy network: Raft sends again.
        drop(self.peer.try_tell(RaftEvent::Message { from, bytes: frame }));
    }

    /// Takes note that the process of another member has ended, for certain (its connection was
    /// closed in order, or it answers as a new process): a leader that is gone is replaced at once.
    pub fn peer_gone(&self, peer: NodeId) {
        // Without it, its silence is noticed somewhat later.
        drop(self.peer.try_tell(RaftEvent::Gone { peer }));
    }

    /// Takes in an image of another member's state, piece by piece; `head` is what
    /// [`crate::OutgoingImage::head`] was.
    ///
    /// # Errors
    /// [`ImageError`]; the sender tries again later.
    pub fn receive_image(&self, from: NodeId, head: Vec<u8>) -> Result<IncomingImage, ImageError> {
        IncomingImage::open(&self.shared, &self.peer, (from, head))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("group", &self.shared.config.name).finish_non_exhaustive()
    }
}
