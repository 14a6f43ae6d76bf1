//! The peer actor: the Raft member, its ticks, and the driver that carries out what it wants.
//!
//! Way in: [`child`].  Owns: the machine and its driver.  Never: a disk; it is asked of the log and
//! apply actors. A restart recovers from the log actor. A peer whose log or apply actor ends is
//! told so as a failed write, halts, and is recovered too: what was under way is found out from
//! disk, and its outcome is unknown to who asked.

use std::{sync::Arc, time::Duration};

use actors_core::ExitReason;
use actors_runtime::{Child, Driver, Failure, Inbox, Start};
use store_raft::{Bootstrap, Members, RaftEffect, RaftEvent, RaftMachine, Role, Stored};
use tokio::sync::oneshot;

use crate::{
    StoreConfig,
    apply::ApplyOp,
    log::{Contents, LogOp, Write},
    pulse::Pulse,
    queue::Queue,
    shared::{Health, Port, Shared},
    waiting::Reply,
};

/// How long a start waits for the log and apply actors. Siblings start one after the other, so it
/// must be short.
const PORT_WAIT: Duration = Duration::from_millis(300);

/// The peer actor of a group.
pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let address = shared.address("peer");
    let shared = Arc::clone(shared);
    Child::machine(move |start| build(Arc::clone(&shared), start)).at(address)
}

async fn build(
    shared: Arc<Shared>,
    start: Start<Inbox<RaftEvent>>,
) -> Result<(RaftMachine, PeerDriver), Failure> {
    let inbox = start.inbox;
    let log = wait_for(&shared.log, "log").await?;
    let apply = wait_for(&shared.apply, "apply").await?;
    let applied = ask(&apply, |reply| ApplyOp::Begin { owner: inbox.clone(), reply }).await?;
    let mut contents = load(&log, &inbox).await?;
    let is_new = contents.head.is_none() && contents.records.is_empty() && applied == 0;
    if is_new && !shared.config.first_voters.is_empty() {
        let Bootstrap { head, records } =
            Bootstrap::with(&shared.config.raft(), first_members(&shared.config));
        push(&log, LogOp::Write(Write { number: 0, records, head: Some(head) }))?;
        contents = load(&log, &inbox).await?;
    }
    let Contents { head, records } = contents;
    let machine = RaftMachine::recover(shared.config.raft(), &Stored { head, records, applied })
        .inspect_err(|error| shared.set_health(Health::Failed(error.to_string())))?;
    shared.members.send_replace(machine.status().members);
    shared.set_health(Health::Good);
    if shared.is_out() {
        inbox.send(RaftEvent::Retire);
    }
    let pulse = Arc::new(Pulse::default());
    inbox.spawn(tick(Arc::clone(&pulse), inbox.clone()));
    Ok((machine, PeerDriver { shared, log, apply, pulse }))
}

fn first_members(config: &StoreConfig) -> Members {
    let mut members = Members::voters(config.first_voters.iter().copied());
    if members.is_sole_voter(config.node) && !config.context.is_empty() {
        members.contexts.insert(config.node, config.context.clone());
    }
    members
}

async fn wait_for<T>(port: &Port<T>, part: &str) -> Result<Arc<Queue<T>>, Failure> {
    let queue = tokio::time::timeout(PORT_WAIT, port.ready()).await;
    queue.ok().flatten().ok_or_else(|| format!("the {part} actor is not running").into())
}

fn push<T>(queue: &Queue<T>, op: T) -> Result<(), Failure> {
    if queue.push(op) { Ok(()) } else { Err("a sibling ended".into()) }
}

async fn ask<T, R>(
    queue: &Queue<T>,
    op: impl FnOnce(oneshot::Sender<R>) -> T,
) -> Result<R, Failure> {
    let (reply, answer) = oneshot::channel();
    push(queue, op(reply))?;
    Ok(answer.await?)
}

async fn load(log: &Queue<LogOp>, inbox: &Inbox<RaftEvent>) -> Result<Contents, Failure> {
    ask(log, |reply| LogOp::Load { owner: inbox.clone(), reply }).await
}

/// Ticks until the peer ends.
async fn tick(pulse: Arc<Pulse>, inbox: Inbox<RaftEvent>) -> RaftEvent {
    match pulse.run(|| inbox.send(RaftEvent::Tick)).await {}
}

/// Carries out what the member wants.
struct PeerDriver {
    shared: Arc<Shared>,
    log: Arc<Queue<LogOp>>,
    apply: Arc<Queue<ApplyOp>>,
    pulse: Arc<Pulse>,
}

impl PeerDriver {
    fn log(&self, op: LogOp, inbox: &Inbox<RaftEvent>) {
        if !self.log.push(op) {
            inbox.end(ExitReason::Error("the log actor takes nothing more".to_owned()));
        }
    }

    fn apply(&self, op: ApplyOp, inbox: &Inbox<RaftEvent>) {
        if !self.apply.push(op) {
            inbox.end(ExitReason::Error("the apply actor takes nothing more".to_owned()));
        }
    }
}

impl Driver<RaftMachine> for PeerDriver {
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn submit(&mut self, effect: RaftEffect, inbox: &Inbox<RaftEvent>) {
        let Shared { waiting, transport, leadership, members: known, .. } = &*self.shared;
        match effect {
            RaftEffect::Persist { number, records, head } => {
                self.log(LogOp::Write(Write { number, records, head }), inbox);
            }
            RaftEffect::Truncate { below } => self.log(LogOp::Truncate { below }, inbox),
            RaftEffect::Send { to, bytes } => transport.send(to, bytes),
            RaftEffect::Apply { entries } => self.apply(ApplyOp::Entries(entries), inbox),
            RaftEffect::ReadReady { id, index } => waiting.answer(id, Reply::ReadAt(index)),
            RaftEffect::Refused { id, refusal } => waiting.answer(id, Reply::Refused(refusal)),
            RaftEffect::RoleChanged(role) => {
                tracing::info!(?role, "the role changed");
                self.shared.quorum.send_replace(role.leader.is_some());
                leadership.send_modify(|leadership| {
                    let leads_on = role.role == Role::Leader && role.term == leadership.role.term;
                    leadership.epoch = leadership.epoch.filter(|_| leads_on);
                    leadership.role = role;
                });
            }
            RaftEffect::MembersChanged { id, index, members } => {
                known.send_replace(members.clone());
                if let Some(id) = id {
                    waiting.answer(id, Reply::Members(index, members));
                }
            }
            RaftEffect::SendSnapshot { to, bytes, .. } => {
                self.apply(ApplyOp::Export { to, frame: bytes }, inbox);
            }
            RaftEffect::InstallSnapshot { number, index } => {
                self.apply(ApplyOp::Install { number, index }, inbox);
            }
            RaftEffect::Removed { index } => {
                tracing::error!(index, "this member was removed from its group");
                self.shared.set_health(Health::Removed);
                self.shared.abandon_questions();
            }
            RaftEffect::Notice(notice) => tracing::warn!(?notice, "raft"),
            RaftEffect::Halt { error } => inbox.end(ExitReason::Error(error.to_string())),
        }
    }

    fn settled(&mut self, machine: &RaftMachine) {
        self.pulse.set(machine.next_tick());
    }
}

impl Drop for PeerDriver {
    fn drop(&mut self) {
        self.shared.leadership.send_replace(crate::Leadership::default());
        self.shared.quorum.send_replace(false);
        self.shared.abandon_questions();
    }
}
