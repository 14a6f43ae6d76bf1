//! One life of one actor, from the decision to start it until nothing of it runs any more.
//!
//! Way in: [`Birth`].  Owns: the tasks, the first reason to end, and the report to the supervisor.
//! Invariants: 1. an end is reported exactly once.  2. it is reported only when the actor, its
//! tasks and all children have ended, so two lives of one actor never overlap.
//! Time and order: whoever runs something of a life holds its [`Death`]; the last one that lets go
//! reports.

use std::{
    any::Any,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use actors_core::{ExitReason, Incarnation};
use ractor::ActorCell;
use tokio::sync::Notify;

use crate::{
    fault::Fault,
    meter::Meter,
    monitor::{Down, Watchers},
    observer::{Crash, Node, NodeState, Slot},
    supervisor::{Table, take_along},
    task::{Tasks, lock},
};

/// What any mailbox can do, whatever its messages are.
pub(crate) trait AnyMailbox: std::fmt::Debug + Send + Sync + 'static {
    /// Tells the actor to stop, ahead of all messages.
    fn request_stop(&self);
    /// Makes the actor do this at its next turn, ahead of all messages.
    fn inject(&self, fault: Fault);
    /// Lets it handle nothing but orders, or everything again.
    fn suspend(&self, is_suspended: bool);
    /// Lets the actor see that it is ending, if it waits for messages.
    fn rouse(&self) {}
    /// Refuses everything from now on; what waits becomes dead letters.
    fn close(&self);
    fn levels(&self) -> Levels;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    /// The machines behind this mailbox, if it is a slab's.
    fn keyed_nodes(&self) -> Vec<Node> {
        Vec::new()
    }
    /// Does something to one key of a slab; false if this is none or does not know the key.
    fn command(&self, _key: &str, _command: KeyCommand) -> bool {
        false
    }
    /// Who is told of the end of this key's current life; `None` if it does not run.
    fn watchers_of(&self, _key: &str) -> Option<Arc<Watchers>> {
        None
    }
    /// Ends this life of a key, which is known by those who watch it.
    fn fail_key(&self, _key: &str, _watchers: &Arc<Watchers>, _reason: ExitReason) {}
    /// One of them does not want to know any more.
    fn unwatched(&self, _key: &str) {}
    /// The life of whoever has this mailbox is over, for this reason.
    fn ended(&self, _reason: &ExitReason) {}
}

/// What an operator may do to one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyCommand {
    Inject(Fault),
    Unpark,
    Suspend(bool),
}

/// How full a mailbox is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels {
    pub(crate) depth: u64,
    pub(crate) capacity: u64,
    pub(crate) refused: u64,
    pub(crate) is_suspended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Alive,
    Stopping,
    Killed,
}

/// What the world holds of a life.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) slot: Arc<Slot>,
    pub(crate) incarnation: Incarnation,
    pub(crate) tasks: Tasks,
    pub(crate) meter: Meter,
    /// A [`Phase`], which only rises.
    phase: AtomicU8,
    risen: Notify,
    exit: OnceLock<ExitReason>,
    cell: OnceLock<ActorCell>,
    mailbox: OnceLock<Arc<dyn AnyMailbox>>,
    death: OnceLock<Weak<Death>>,
    children: OnceLock<Table>,
    timers: AtomicUsize,
    pub(crate) watchers: Arc<Watchers>,
    fault: Mutex<Option<Fault>>,
    fault_told: Notify,
}

impl Life {
    /// Most timers that one life may have set at a time.
    pub(crate) const TIMERS_MAX: usize = 65_536;

    pub(crate) fn mailbox(&self) -> Option<&Arc<dyn AnyMailbox>> {
        self.mailbox.get()
    }

    /// Names the mailbox; once, before the actor runs.
    pub(crate) fn set_mailbox(&self, mailbox: Arc<dyn AnyMailbox>) {
        if self.mailbox.set(mailbox).is_ok() && self.is_stopping() {
            self.stop();
        }
        self.pass_fault();
        self.slot.changed.tell();
    }

    /// The actor runs now, as `cell`.
    pub(crate) fn attach(&self, cell: ActorCell) {
        self.slot.set_state(NodeState::Running);
        if self.cell.set(cell.clone()).is_err() {
            return;
        }
        // What was asked of it before it ran is done now.
        if self.phase.load(Ordering::SeqCst) == Phase::Killed as u8 {
            cell.kill();
        } else if self.is_ending() {
            cell.stop(None);
        }
    }

    /// A supervisor's children; once, before it runs.
    pub(crate) fn set_children(&self, children: Table) {
        if self.children.set(children).is_err() {
            tracing::trace!(path = %self.slot.path, "it had children already");
        }
    }

    pub(crate) fn children(&self) -> Option<&Table> {
        self.children.get()
    }

    /// Counts a timer that is set. False if there are [`Life::TIMERS_MAX`].
    pub(crate) fn begin_timer(&self) -> bool {
        self.timers.fetch_add(1, Ordering::Relaxed) < Self::TIMERS_MAX
    }

    /// Counts a timer that fired.
    pub(crate) fn end_timer(&self) {
        self.timers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Asks it to stop.
    pub(crate) fn stop(&self) {
        self.rise(Phase::Stopping);
        self.slot.set_state(NodeState::Stopping);
        if let Some(mailbox) = self.mailbox() {
            mailbox.request_stop();
        }
    }

    /// Ends it between two events, whatever it does.
    pub(crate) fn kill(&self) {
        self.fail(ExitReason::Killed);
    }

    /// Ends it as `fault` says, at its next turn; a kill even in the middle of one.
    pub(crate) fn inject(&self, fault: Fault) {
        if fault == Fault::Kill {
            return self.kill();
        }
        *lock(&self.fault) = Some(fault);
        self.pass_fault();
        self.fault_told.notify_one();
    }

    /// Whatever has a mailbox is told through it, so that the fault waits for its turn.
    fn pass_fault(&self) {
        if let Some(mailbox) = self.mailbox.get()
            && let Some(fault) = lock(&self.fault).take()
        {
            mailbox.inject(fault);
        }
    }

    /// Resolves when something without a mailbox is told to fail.
    pub(crate) async fn fault(&self) -> Fault {
        loop {
            if let Some(fault) = lock(&self.fault).take() {
                return fault;
            }
            self.fault_told.notified().await;
        }
    }

    /// Ends it between two events, for this reason.
    pub(crate) fn fail(&self, reason: ExitReason) {
        self.set_exit(reason);
        self.rise(Phase::Killed);
        if let Some(cell) = self.cell.get() {
            cell.kill();
        }
    }

    /// It ends by itself, for this reason.
    pub(crate) fn end(&self, reason: ExitReason) {
        self.set_exit(reason);
        if let Some(cell) = self.cell.get() {
            cell.stop(None);
        }
        if let Some(mailbox) = self.mailbox() {
            mailbox.rouse();
        }
    }

    /// The first reason counts.
    pub(crate) fn set_exit(&self, reason: ExitReason) {
        if self.exit.set(reason).is_err() {
            tracing::trace!(path = %self.slot.path, "it was ending already");
        }
    }

    #[inline]
    pub(crate) fn is_ending(&self) -> bool {
        self.exit.get().is_some()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.phase.load(Ordering::SeqCst) >= Phase::Stopping as u8
    }

    /// Resolves when it is asked to stop, or killed.
    pub(crate) async fn stopping(&self) {
        // Registered before it looks, so that no rise in between is missed.
        let mut risen = std::pin::pin!(self.risen.notified());
        risen.as_mut().enable();
        if !self.is_stopping() {
            risen.await;
        }
    }

    fn rise(&self, phase: Phase) {
        if self.phase.fetch_max(phase as u8, Ordering::SeqCst) < phase as u8 {
            self.risen.notify_waiters();
        }
    }

    /// The share of whoever runs something of this life; `None` if it is over.
    pub(crate) fn share(&self) -> Option<Arc<Death>> {
        self.death.get().and_then(Weak::upgrade)
    }
}

/// Reports the end when the last share of it is dropped.
pub(crate) struct Death {
    life: Arc<Life>,
    report: Option<Box<dyn FnOnce(ExitReason) + Send + Sync>>,
    /// A supervisor's end waits for its children's.
    _parent: Option<Arc<Death>>,
}

impl Drop for Death {
    fn drop(&mut self) {
        let lost = || ExitReason::Lost("its task was cancelled".to_owned());
        let reason = self.life.exit.get_or_init(lost).clone();
        let mut status = lock(&self.life.slot.status);
        status.state = NodeState::Ended;
        status.last_exit = Some(reason.clone());
        status.last_crash = Crash::of(self.life.incarnation, &reason).or(status.last_crash.take());
        status.current = None;
        drop(status);
        let (path, incarnation) = (self.life.slot.path.to_string(), self.life.incarnation);
        self.life.watchers.end(Down { path, incarnation, reason: reason.clone() });
        if let Some(mailbox) = self.life.mailbox() {
            mailbox.ended(&reason);
        }
        if let Some(report) = self.report.take() {
            report(reason);
        }
    }
}

/// A life that is about to begin. Whoever holds it runs the actor; dropping it ends the life.
pub(crate) struct Birth {
    pub(crate) life: Arc<Life>,
    pub(crate) death: Arc<Death>,
}

/// Where a life is lived, and who is told of its end.
pub(crate) struct Place {
    pub(crate) slot: Arc<Slot>,
    pub(crate) incarnation: Incarnation,
    /// The supervisor's, whose end waits for this one.
    pub(crate) parent: Option<Arc<Death>>,
}

impl Birth {
    pub(crate) fn new(
        place: Place,
        tasks: Tasks,
        report: impl FnOnce(ExitReason) + Send + Sync + 'static,
    ) -> Self {
        let Place { slot, incarnation, parent } = place;
        let life = Arc::new(Life {
            slot,
            incarnation,
            tasks,
            meter: Meter::default(),
            phase: AtomicU8::new(Phase::Alive as u8),
            risen: Notify::new(),
            exit: OnceLock::new(),
            cell: OnceLock::new(),
            mailbox: OnceLock::new(),
            death: OnceLock::new(),
            children: OnceLock::new(),
            timers: AtomicUsize::new(0),
            watchers: Arc::default(),
            fault: Mutex::new(None),
            fault_told: Notify::new(),
        });
        let death = Arc::new(Death {
            life: Arc::clone(&life),
            report: Some(Box::new(report)),
            _parent: parent,
        });
        // Nobody else has this life yet, so the cell is empty.
        drop(life.death.set(Arc::downgrade(&death)));
        let mut status = lock(&life.slot.status);
        status.state = NodeState::Starting;
        status.incarnation = incarnation;
        status.current = Some(Arc::clone(&life));
        drop(status);
        Self { life, death }
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        if let Some(mailbox) = self.life.mailbox() {
            mailbox.close();
        }
        self.life.tasks.close();
        // Whoever ends in order has none left.
        if let Some(children) = self.life.children() {
            take_along(children);
        }
    }
}
