//! Between a machine and the world: the driver of its effects, and the inbox for their ends.
//!
//! Way in: [`Driver`], [`Inbox`].  Never: a decision; an `if` about the domain belongs into the
//! machine.

use std::{future::Future, ops::Deref, sync::Arc};

use actors_core::{ExitReason, Incarnation, Machine, Mono};

use crate::{
    clock::Clock,
    life::{Death, Life},
    mailbox::Mailbox,
    observer::DeadReason,
    task::{SpawnRefused, caught, panic_text},
    trace::Trace,
};

/// Carries out the effects of one machine. A driver lives as long as one life of its actor.
pub trait Driver<M: Machine>: Send + 'static {
    /// Keeps what the machine reads alive while it handles one event: an `Arc` of a snapshot, or
    /// `&'static ()`.
    type Guard: Deref<Target = M::View>;

    /// What the machine may read now.
    fn view(&self) -> Self::Guard;

    /// Begins one effect and returns at once; its end comes back through `inbox`. Never waits and
    /// never blocks:
    /// [`Inbox::spawn`] and [`Inbox::spawn_blocking`] do that elsewhere.
    fn submit(&mut self, effect: M::Effect, inbox: &Inbox<M::Event>);

    /// Called after each event and its effects: publish here what others may read of the machine.
    fn settled(&mut self, _machine: &M) {}

    /// The supervisor asks the actor to stop. The default ends it at once; a driver that wants to
    /// leave in order sends its machine an event instead, and ends by [`Inbox::end`] before the
    /// time is over.
    fn stop(&mut self, inbox: &Inbox<M::Event>) {
        inbox.end(ExitReason::Shutdown);
    }
}

/// The way back to a machine, for its own driver: ends of effects, timers, tasks, and its own end.
///
/// Dies with the life that it was made for; what is sent later is a dead letter.
pub struct Inbox<E> {
    pub(crate) mailbox: Arc<Mailbox<E>>,
    pub(crate) life: Arc<Life>,
}

impl<E> Clone for Inbox<E> {
    fn clone(&self) -> Self {
        Self { mailbox: Arc::clone(&self.mailbox), life: Arc::clone(&self.life) }
    }
}

impl<E> std::fmt::Debug for Inbox<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbox({}#{})", self.life.slot.path, self.life.incarnation.0)
    }
}

impl<E> Inbox<E> {
    /// Ends this life after the current event; the first reason counts.
    pub fn end(&self, reason: ExitReason) {
        self.life.end(reason);
    }

    /// Which life this is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.life.incarnation
    }

    /// Names from the root on, joined by `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.life.slot.path
    }
}

impl<E: Send + 'static> Inbox<E> {
    /// Delivers `event` ahead of what others sent. Never waits: the bound is what the machine has
    /// under way.
    pub fn send(&self, event: E) {
        if !self.mailbox.push_own(event) {
            self.mailbox.bury(DeadReason::Shed, Trace::current());
            self.end(ExitReason::Error(format!(
                "more than {} ends of effects wait",
                Mailbox::<E>::OWN_MAX
            )));
        }
    }

    /// Delivers `event` at `at`, or at once if that is past; never, if this life ends before.
    pub fn send_at(&self, at: Mono, event: E) {
        if at <= Clock.mono() {
            return self.send(event);
        }
        if !self.life.begin_timer() {
            let max = Life::TIMERS_MAX;
            return self.end(ExitReason::Error(format!("more than {max} timers are set")));
        }
        let mailbox = Arc::downgrade(&self.mailbox);
        let (life, trace) = (Arc::downgrade(&self.life), Trace::current());
        self.life.slot.timers.at(at, move || {
            let Some(life) = life.upgrade() else { return };
            let _entered = trace.enter();
            life.end_timer();
            if let Some(mailbox) = mailbox.upgrade().filter(|_| !life.is_ending())
                && !mailbox.push_own(event)
            {
                mailbox.bury(DeadReason::Shed, trace);
            }
        });
    }

    /// Runs `future` and delivers what it gives. It is dropped when this life ends; if it panics,
    /// so does the life.
    pub fn spawn(&self, future: impl Future<Output = E> + Send + 'static) {
        let Some(share) = self.life.share() else { return };
        let (inbox, trace) = (self.clone(), Trace::current());
        let spawned = self.life.tasks.spawn(async move {
            // Declared first, so that it is dropped last: the life's end waits for this task.
            let _share: Arc<Death> = share;
            let ended = trace.cover(caught(future, &inbox.life.meter)).await;
            let _entered = trace.enter();
            match ended {
                Ok(event) => inbox.send(event),
                Err(text) => inbox.end(ExitReason::Panic(text)),
            }
        });
        self.check(spawned);
    }

    /// Runs `work` on a thread that may block, and delivers what it gives. Once it has begun it
    /// cannot be dropped: the report of this life's end, and so the next life, waits for it.
    pub fn spawn_blocking(&self, work: impl FnOnce() -> E + Send + 'static) {
        let Some(share) = self.life.share() else { return };
        let (inbox, trace) = (self.clone(), Trace::current());
        let spawned = self.life.tasks.spawn_blocking(move || {
            let _share: Arc<Death> = share;
            let _entered = trace.enter();
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
                Ok(event) => inbox.send(event),
                Err(payload) => inbox.end(ExitReason::Panic(panic_text(&*payload))),
            }
        });
        self.check(spawned);
    }

    fn check(&self, spawned: Result<(), SpawnRefused>) {
        if spawned == Err(SpawnRefused::Full) {
            self.end(ExitReason::Error("too many tasks are under way".to_owned()));
        }
    }

    /// A reference to exactly this life, for others to send to; bounded by its mailbox.
    #[must_use]
    pub fn exact(&self) -> crate::Exact<E> {
        crate::Exact::new(Arc::clone(&self.mailbox))
    }
}
