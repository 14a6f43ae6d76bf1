//! Members that come and go: whole sequences, each of which can be repeated at any time.
//!
//! Way in: [`Store::add_member`], [`Store::remove_member`].  Never: a vote for a member that has not
//! caught up; the leader's Raft machine makes a learner a voter when it has.

use std::time::Duration;

use store_raft::{MemberChange, Members, NodeId};
use tokio::{sync::watch, time::timeout};

use crate::{
    ProposeError, ReadError, Store,
    wire::{Answer, Request},
};

/// The pause before a change is asked for again that another one hindered.
const PAUSE: Duration = Duration::from_millis(50);
/// How long one successor has to take over from a leader that is removed.
const TRANSFER_WITHIN: Duration = Duration::from_secs(1);

impl Store {
    /// The members, as they change: who votes, who learns, and what was said of each.
    #[must_use]
    pub fn members(&self) -> watch::Receiver<Members> {
        self.shared.members.subscribe()
    }

    /// Changes the members, at whichever member this is called; resolves when the change is
    /// committed and in force here.
    ///
    /// # Errors
    /// [`ProposeError`]; only `Unknown` leaves open whether something was done.
    pub async fn change_members(
        &self,
        changes: Vec<MemberChange>,
    ) -> Result<Members, ProposeError> {
        match self.deliver(Request::ChangeMembers(changes), false).await? {
            Answer::Members(index, members) => {
                // Who is no member any more does not hear of it.
                if members.contains(self.shared.config.node) {
                    self.wait_applied(index).await.map_err(|_| ProposeError::Unknown)?;
                }
                Ok(members)
            }
            _ => Err(ProposeError::Unknown),
        }
    }

    /// Makes another voter the leader; resolves when this member follows it, or `within` is over.
    ///
    /// # Errors
    /// Those of [`Store::change_members`]; [`ProposeError::Busy`] if another one still leads.
    pub async fn transfer_leader(&self, to: NodeId, within: Duration) -> Result<(), ProposeError> {
        let mut leadership = self.leadership();
        if leadership.borrow().role.leader == Some(to) {
            return Ok(());
        }
        self.deliver(Request::Transfer(to), true).await?;
        let gone = leadership.wait_for(|present| present.role.leader == Some(to));
        match timeout(within, gone).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(ProposeError::Busy),
        }
    }

    /// Brings a member into the group, at whichever member this is called: it learns first, and
    /// votes as soon as it has caught up; then this resolves. `context` is kept in
    /// [`Members::contexts`].
    ///
    /// Takes as long as it takes. A caller that drops it may call it again, or not: the member is
    /// made a voter all the same. A member that is there already is only given its context.
    ///
    /// # Errors
    /// [`ProposeError`]; calling it again is always safe.
    pub async fn add_member(
        &self,
        node: NodeId,
        context: Vec<u8>,
    ) -> Result<Members, ProposeError> {
        loop {
            let members = self.fresh_members().await?;
            let known = members.contexts.get(&node).is_some_and(|known| *known == context);
            if known && members.voters.contains(&node) {
                return Ok(members);
            }
            if known && members.joining.contains(&node) {
                self.wait_members(|members| !members.joining.contains(&node)).await?;
                continue;
            }
            let join = MemberChange::Join { node, context: context.clone() };
            self.insist(vec![join]).await?;
        }
    }

    /// Takes a member out of the group, at whichever member this is called. A leader hands over
    /// first.
    ///
    /// # Errors
    /// [`ProposeError`], [`ProposeError::BadChange`] for the only voter; calling it again is always
    /// safe.
    pub async fn remove_member(&self, node: NodeId) -> Result<Members, ProposeError> {
        loop {
            let members = self.fresh_members().await?;
            if !members.contains(node) {
                return Ok(members);
            }
            if members.is_sole_voter(node) {
                return Err(ProposeError::BadChange);
            }
            if self.leadership().borrow().role.leader == Some(node) {
                self.hand_over(node, &members).await?;
                continue;
            }
            if let Some(members) = self.insist(vec![MemberChange::Remove(node)]).await?
                && !members.contains(node)
            {
                return Ok(members);
            }
        }
    }

    /// Makes one of the other voters the leader: the first that can.
    async fn hand_over(&self, from: NodeId, members: &Members) -> Result<(), ProposeError> {
        let mut last = Err(ProposeError::Busy);
        for heir in members.voters.iter().filter(|heir| **heir != from) {
            last = self.transfer_leader(*heir, TRANSFER_WITHIN).await;
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// One change; `None` if something hindered it or nobody knows, so that the caller looks again.
    async fn insist(&self, changes: Vec<MemberChange>) -> Result<Option<Members>, ProposeError> {
        match self.change_members(changes).await {
            Ok(members) => Ok(Some(members)),
            Err(ProposeError::Busy | ProposeError::Superseded | ProposeError::Unknown) => {
                let mut members = self.members();
                drop(timeout(PAUSE, members.changed()).await);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The members as everybody knows them who has heard of everything that was acknowledged.
    async fn fresh_members(&self) -> Result<Members, ProposeError> {
        match self.read_barrier().await {
            Ok(_) => Ok(self.members().borrow().clone()),
            Err(ReadError::NoLeader { leader }) => Err(ProposeError::NotLeader { leader }),
            Err(ReadError::Busy | ReadError::Late) => Err(ProposeError::Busy),
            Err(ReadError::Unavailable) => Err(ProposeError::Unavailable),
        }
    }

    async fn wait_members(&self, done: impl Fn(&Members) -> bool) -> Result<(), ProposeError> {
        let mut members = self.members();
        let mut health = self.health();
        tokio::select! {
            reached = members.wait_for(|members| done(members)) => {
                reached.map(drop).map_err(|_| ProposeError::Unavailable)
            }
            _ = health.wait_for(crate::Health::is_final) => Err(ProposeError::Unavailable),
        }
    }
}
