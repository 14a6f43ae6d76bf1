//! Brings what only the leader can do to the leader, wherever that is.
//!
//! Way in: [`Store::deliver`]; [`Store::serve_peer`] at the other end.
//! Invariant: what may have been done is repeated only if repeating it does nothing more, and is
//! called unknown if no answer comes; an error that says that nothing was done is true of all
//! attempts.

use std::time::Duration;

use futures_util::future::join_all;
use store_mvcc::{LEVEL_MAX, Outcome, Proposal, StateHash};
use store_raft::{NodeId, RaftEvent, Refusal, Role, RoleView};
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    AskError, Later, Leadership, ProposeError, Store,
    locks::lock,
    shared::{Health, NotGathered},
    waiting::{Question, Reply},
    wire::{self, Answer, Request},
};

/// The pause before another attempt, unless the leader changes before.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a proposal that was handed on waits for room on a full disk.
const ROOM_WITHIN: Duration = Duration::from_secs(1);

/// What all attempts so far came to.
#[derive(Debug)]
struct Attempts {
    /// Whether repeating it does nothing more, because it has a token.
    repeatable: bool,
    /// Whether an earlier attempt may have been done.
    in_doubt: bool,
    /// Why the last one was not.
    last: ProposeError,
}

/// What follows from an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Done(Result<Answer, ProposeError>),
    Again,
}

impl Attempts {
    fn new(repeatable: bool) -> Self {
        Self { repeatable, in_doubt: false, last: ProposeError::NotLeader { leader: None } }
    }

    fn judge(&mut self, answer: Answer) -> Next {
        let not_done = match answer {
            Answer::Applied(_)
            | Answer::Members(..)
            | Answer::Noted
            | Answer::Hashes(_)
            | Answer::Level(_) => return Next::Done(Ok(answer)),
            // Several answers to one proposal say nothing about it.
            Answer::Unknown | Answer::All(_) => {
                self.in_doubt = true;
                return if self.repeatable { Next::Again } else { self.give_up() };
            }
            Answer::NotLeader(leader) => ProposeError::NotLeader { leader },
            Answer::Unavailable => ProposeError::Unavailable,
            Answer::Superseded => ProposeError::Superseded,
            Answer::Busy => ProposeError::Busy,
            Answer::BadChange => ProposeError::BadChange,
            Answer::Malformed => ProposeError::Unavailable,
        };
        self.last = not_done;
        match self.last {
            // Asking once more at once would not make it less.
            ProposeError::Busy | ProposeError::BadChange if !self.in_doubt => self.give_up(),
            _ => Next::Again,
        }
    }

    /// No further attempt is made.
    fn give_up(&self) -> Next {
        let error = if self.in_doubt { ProposeError::Unknown } else { self.last.clone() };
        Next::Done(Err(error))
    }
}

impl Store {
    /// Has the leader do something, for as long as a proposal may take.
    pub(crate) async fn deliver(
        &self,
        request: Request,
        repeatable: bool,
    ) -> Result<Answer, ProposeError> {
        let config = &self.shared.config;
        let deadline = Instant::now() + config.propose_within;
        let mut attempts = Attempts::new(repeatable);
        let mut leadership = self.shared.leadership.subscribe();
        loop {
            if self.shared.is_out() || !self.shared.intake.is_open() && !attempts.in_doubt {
                return Err(if attempts.in_doubt {
                    ProposeError::Unknown
                } else {
                    ProposeError::Unavailable
                });
            }
            if let Some(place) = self.shared.lacks_room() {
                return Err(match attempts.in_doubt {
                    true => ProposeError::Unknown,
                    false => ProposeError::DiskFull { place },
                });
            }
            let patience = deadline.min(Instant::now() + config.leader_within);
            let Some(role) = known_leader(&mut leadership, patience).await else {
                if attempts.in_doubt && Instant::now() < deadline {
                    continue;
                }
                let Next::Done(result) = attempts.give_up() else { continue };
                return result;
            };
            let attempt = timeout_at(deadline, self.attempt(&request, role, repeatable)).await;
            if let Next::Done(result) = attempts.judge(attempt.unwrap_or(Answer::Unknown)) {
                return result;
            }
            if Instant::now() >= deadline {
                let Next::Done(result) = attempts.give_up() else { continue };
                return result;
            }
            let moved = leadership.wait_for(|now| !same_reign(now.role, role));
            drop(timeout(PAUSE, moved).await);
        }
    }

    /// One attempt at the leader of `role`; given up when another one is known, if it can be
    /// repeated.
    async fn attempt(&self, request: &Request, role: RoleView, repeatable: bool) -> Answer {
        let mut leadership = self.shared.leadership.subscribe();
        let moved = async {
            let other = |now: &Leadership| {
                repeatable && now.role.leader.is_some() && !same_reign(now.role, role)
            };
            if leadership.wait_for(other).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            // First, so that who is woken by it looks at nothing else.
            biased;
            answer = self.attempt_once(request, role) => answer,
            () = moved => Answer::Unknown,
            () = self.without_room() => Answer::Unknown,
        }
    }

    /// Resolves when what was handed on is not done soon for want of room; it may be done later.
    async fn without_room(&self) {
        let mut health = self.shared.health.subscribe();
        loop {
            if health.wait_for(Health::is_disk_full).await.is_err() {
                return std::future::pending().await;
            }
            let room = timeout(ROOM_WITHIN, health.wait_for(|health| !health.is_disk_full()));
            if room.await.is_err() && self.shared.lacks_room().is_some() {
                return;
            }
        }
    }

    async fn attempt_once(&self, request: &Request, role: RoleView) -> Answer {
        match role.leader {
            _ if role.role == Role::Leader => self.here(request.clone()).await,
            Some(leader) => match request {
                Request::Propose(data) => self.shared.outbox.post(leader, data.clone()).await,
                request => self.there(leader, request).await,
            },
            None => Answer::NotLeader(None),
        }
    }

    async fn there(&self, leader: NodeId, request: &Request) -> Answer {
        match self.shared.transport.ask(leader, wire::encode(request)).await {
            Ok(answer) => wire::decode(&answer).unwrap_or(Answer::Unknown),
            Err(AskError::Unreachable) => Answer::NotLeader(Some(leader)),
            Err(AskError::Lost) => Answer::Unknown,
        }
    }

    /// Does something as the leader, or says why not.
    async fn here(&self, request: Request) -> Answer {
        let Some(question) = self.shared.waiting.open() else { return Answer::Busy };
        let id = question.id;
        let told = match request {
            Request::Propose(data) => match self.shared.intake.add(id, data) {
                Ok(()) => true,
                Err(NotGathered::Full) => return Answer::Busy,
                Err(NotGathered::Closed) => false,
            },
            Request::ChangeMembers(changes) => {
                self.peer.tell(RaftEvent::ConfChange { id, changes }).await.is_ok()
            }
            Request::Transfer(to) => {
                let role = self.shared.leadership.borrow().role;
                if role.role != Role::Leader {
                    return Answer::NotLeader(role.leader);
                }
                let told = self.peer.tell(RaftEvent::Transfer { to }).await;
                return told.map_or(Answer::Unavailable, |()| Answer::Noted);
            }
            Request::Hashes(_)
            | Request::Differs { .. }
            | Request::ProposeAll(_)
            | Request::Level => {
                return Answer::Malformed;
            }
        };
        if told { answer_to(question).await } else { Answer::Unavailable }
    }

    /// Does a proposal as the leader, once.
    pub(crate) async fn once_here(&self, request: Request) -> Result<Outcome, ProposeError> {
        if let Some(place) = self.shared.lacks_room() {
            return Err(ProposeError::DiskFull { place });
        }
        let within = self.shared.config.propose_within;
        let answer = timeout(within, self.here(request)).await.unwrap_or(Answer::Unknown);
        let mut attempts = Attempts::new(false);
        match (attempts.judge(answer), attempts.give_up()) {
            (Next::Done(Ok(Answer::Applied(outcome))), _) => Ok(outcome),
            (Next::Done(Err(error)), _) | (Next::Again, Next::Done(Err(error))) => Err(error),
            _ => Err(ProposeError::Unknown),
        }
    }

    /// Answers what another member's transport asked.
    pub fn serve_peer(&self, from: NodeId, request: Vec<u8>) -> Later<Vec<u8>> {
        let store = self.clone();
        Box::pin(async move { wire::encode(&store.serve(from, &request).await) })
    }

    async fn serve(&self, from: NodeId, request: &[u8]) -> Answer {
        if self.shared.is_out() {
            return Answer::Unavailable;
        }
        match wire::decode(request) {
            Some(Request::Hashes(indices)) => {
                let samples = lock(&self.shared.samples);
                let known = |index: u64| samples.at(index).map(|hash| (index, hash));
                Answer::Hashes(indices.into_iter().filter_map(known).collect())
            }
            Some(Request::Level) => Answer::Level(LEVEL_MAX),
            Some(Request::Differs { index, hash }) => {
                self.serve_differs(from, index, hash);
                Answer::Noted
            }
            Some(Request::ProposeAll(all)) => {
                let each = all.into_iter().map(|data| self.serve_proposal(data.into_vec()));
                Answer::All(join_all(each).await)
            }
            Some(Request::Propose(data)) => self.serve_proposal(data).await,
            Some(request) => {
                let within = self.shared.config.propose_within;
                timeout(within, self.here(request)).await.unwrap_or(Answer::Unknown)
            }
            None => Answer::Malformed,
        }
    }

    async fn serve_proposal(&self, data: Vec<u8>) -> Answer {
        if !self.can_be_logged(&data) {
            return Answer::Malformed;
        }
        let within = self.shared.config.propose_within;
        let served = timeout(within, self.here(Request::Propose(data)));
        served.await.unwrap_or(Answer::Unknown)
    }

    /// Stops this replica if its state is really another one than it should be.
    pub(crate) fn serve_differs(&self, from: NodeId, index: u64, hash: StateHash) {
        let own = lock(&self.shared.samples).at(index);
        if own.is_some_and(|own| own != hash) {
            tracing::error!(index, ?from, "this replica's state is not that of the others");
            self.shared.set_health(Health::Differs { index });
            // Without an answer the peer does not run, and does not come back either.
            drop(self.peer.try_tell(RaftEvent::Retire));
        }
    }

    /// Asks one member; `None` if there is no answer.
    pub(crate) async fn ask_within(
        &self,
        node: NodeId,
        request: Request,
        within: Duration,
    ) -> Option<Answer> {
        let asked = self.shared.transport.ask(node, wire::encode(&request));
        wire::decode(&timeout(within, asked).await.ok()?.ok()?)
    }

    /// An entry that cannot be applied would stop every replica.
    fn can_be_logged(&self, data: &[u8]) -> bool {
        Proposal::decode(data).is_ok_and(|proposal| proposal.group == self.shared.config.group)
    }
}

async fn answer_to(mut question: Question) -> Answer {
    match (&mut question.reply).await {
        Ok(Reply::Applied(outcome)) => Answer::Applied(outcome),
        Ok(Reply::Members(index, members)) => Answer::Members(index, members),
        Ok(Reply::Unavailable) => Answer::Unavailable,
        Ok(Reply::Refused(refusal)) => match refusal {
            Refusal::NotLeader { leader } => Answer::NotLeader(leader),
            Refusal::Busy => Answer::Busy,
            Refusal::Superseded => Answer::Superseded,
            Refusal::BadChange => Answer::BadChange,
            Refusal::Unknown => Answer::Unknown,
        },
        Ok(Reply::ReadAt(_)) | Err(_) => Answer::Unknown,
    }
}

/// Whether the same member leads in the same term.
fn same_reign(one: RoleView, other: RoleView) -> bool {
    (one.leader, one.term) == (other.leader, other.term)
}

/// The leader, as soon as one is known.
async fn known_leader(
    leadership: &mut watch::Receiver<Leadership>,
    until: Instant,
) -> Option<RoleView> {
    let known = leadership.wait_for(|present| present.role.leader.is_some());
    timeout_at(until, known).await.ok()?.ok().map(|present| present.role)
}

#[cfg(test)]
mod tests;
