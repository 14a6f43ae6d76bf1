//! The driver of `SupervisorMachine`: starts, stops and kills real actors; supervisors nest.
//!
//! Way in: [`SupervisorRef`].  Owns: how each child is started.  Never: when; that is the machine's
//! to decide.
//! Time and order: children are started one after the other. A child's end is told to the machine
//! when nothing of it runs any more.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use actors_core::{
    ChildSpec, Effects, ExitReason, Incarnation, SpecError, SupervisorEffect, SupervisorEvent,
    SupervisorMachine, SupervisorNotice, Worst,
};
use tokio::sync::Notify;

use crate::{
    child::{Child, Failure, Job, Starting, Tree, start_failure},
    clock::Clock,
    dedicated::{Batch, Dedicated, start},
    driver::{Driver, Inbox},
    life::{Birth, Death, Life, Place},
    mailbox::{Mailbox, Refusal},
    observer::{NodeState, Slot},
    system::System,
    task::{barrier, caught, lock},
};

/// The longest that building one child may take: its siblings wait for it.
const START_MAX: Duration = Duration::from_secs(60);

/// The children that a supervisor knows, by name.
pub(crate) type Table = Arc<Mutex<BTreeMap<String, Entry>>>;

pub(crate) struct Entry {
    child: Child,
    /// Unset until the machine starts it for the first time.
    slot: Option<Arc<Slot>>,
}

/// Children that could not be built at once, and those behind them, in order.
#[derive(Default)]
struct Starts {
    queue: Mutex<StartQueue>,
    changed: Notify,
}

#[derive(Default)]
struct StartQueue {
    starts: VecDeque<Start>,
    /// Whether one that was taken out is still being built.
    is_busy: bool,
}

/// A child that is being built.
struct Start {
    life: Arc<Life>,
    /// Held until the reason is known: without it a failed start would be reported as lost.
    share: Arc<Death>,
    starting: Starting,
}

/// Ends all children of a supervisor that has ended.
pub(crate) fn take_along(children: &Table) {
    let slots: Vec<_> = lock(children).values().filter_map(|entry| entry.slot.clone()).collect();
    for life in slots.iter().filter_map(|slot| slot.current()) {
        life.fail(ExitReason::Lost("its supervisor has ended".to_owned()));
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.child)
    }
}

pub(crate) async fn start_supervisor(tree: &Tree, job: Job) -> Result<(), Failure> {
    let Job { system, spec, birth } = job;
    let life = Arc::clone(&birth.life);
    let path = Arc::clone(&life.slot.path);
    let mailbox = Mailbox::new(Arc::clone(&path), &spec, system.morgue());
    life.set_mailbox(Arc::<Mailbox<SupervisorEvent>>::clone(&mailbox));
    let inbox = Inbox { mailbox, life: Arc::clone(&life) };
    let entry = |child: &Child| Entry { child: child.clone(), slot: None };
    let table = tree.children.iter().map(|(name, child)| (name.clone(), entry(child))).collect();
    let table: Table = Arc::new(Mutex::new(table));
    life.set_children(Arc::<Mutex<BTreeMap<String, Entry>>>::clone(&table));
    // Children of the life before, of which some may not come again.
    system.registry().forget_below(&path);
    let starts = Arc::new(Starts::default());
    // The starter only reports through the children that it starts, so it needs no share of this
    // life.
    life.tasks.spawn(run_starts(Arc::clone(&starts))).map_err(|_| "the supervisor is ending")?;
    let rng = system.rng_of("supervisor");
    let driver = SupervisorDriver { system, table, starts };
    let machine = SupervisorMachine::new(tree.spec.clone());
    inbox.send(SupervisorEvent::Start);
    Ok(start(Dedicated {
        machine,
        driver,
        inbox,
        rng,
        out: Effects::default(),
        batch: Batch::default(),
        birth,
    })
    .await?)
}

impl Starts {
    /// Starts a child, but not before those that were to be started earlier.
    fn start(&self, child: Child, job: Job) {
        let (life, share) = (Arc::clone(&job.birth.life), Arc::clone(&job.birth.death));
        let mut queue = lock(&self.queue);
        if queue.is_busy || !queue.starts.is_empty() {
            let starting = Box::pin(async move { child.start(job).await });
            queue.starts.push_back(Start { life, share, starting });
            return;
        }
        drop(queue);
        if life.is_stopping() {
            return life.set_exit(ExitReason::Shutdown);
        }
        // Most are built at once, here, without a task and a timer.
        let busy = life.meter.start(1);
        let begun = barrier(|| {
            let mut starting = child.start(job);
            match starting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(built) => Ok(built),
                Poll::Pending => Err(starting),
            }
        });
        drop(busy);
        match begun {
            Ok(Ok(built)) => built_as(&life, Ok(built)),
            Err(text) => built_as(&life, Err(text)),
            Ok(Err(starting)) => {
                lock(&self.queue).starts.push_back(Start { life, share, starting });
                self.changed.notify_one();
            }
        }
    }

    fn next(&self) -> Option<Start> {
        let mut queue = lock(&self.queue);
        let next = queue.starts.pop_front();
        queue.is_busy = next.is_some();
        next
    }
}

/// What came of building one child.
fn built_as(life: &Life, built: Result<Result<(), Failure>, String>) {
    match built {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => life.set_exit(start_failure(&failure)),
        Err(text) => life.set_exit(ExitReason::Panic(text)),
    }
}

/// Builds children one after the other.
async fn run_starts(starts: Arc<Starts>) {
    loop {
        let Some(Start { life, share, starting }) = starts.next() else {
            starts.changed.notified().await;
            continue;
        };
        let build = caught(starting, &life.meter);
        tokio::select! {
            biased;
            () = life.stopping() => life.set_exit(ExitReason::Shutdown),
            built = tokio::time::timeout(START_MAX, build) => match built {
                Ok(built) => built_as(&life, built),
                Err(_) => life.set_exit(start_failure(&"it took too long".into())),
            },
        }
        drop(share);
    }
}

struct SupervisorDriver {
    system: System,
    table: Table,
    starts: Arc<Starts>,
}

impl SupervisorDriver {
    fn path_of(inbox: &Inbox<SupervisorEvent>, name: &str) -> Arc<str> {
        format!("{}/{name}", inbox.path()).into()
    }

    fn start(&self, spec: ChildSpec, incarnation: Incarnation, inbox: &Inbox<SupervisorEvent>) {
        let Some(share) = inbox.life.share() else { return };
        let (child, slot) = {
            let mut table = lock(&self.table);
            let Some(entry) = table.get_mut(&spec.name) else { return };
            let child = entry.child.clone();
            let enter = || {
                let path = Self::path_of(inbox, &spec.name);
                self.system.registry().enter(&path, child.address.as_ref(), child.kind)
            };
            let slot = Arc::clone(entry.slot.get_or_insert_with(enter));
            (child, slot)
        };
        let report = {
            let inbox = inbox.clone();
            let name = spec.name.clone();
            move |reason| inbox.send(SupervisorEvent::Exited { name, incarnation, reason })
        };
        let place = Place { slot, incarnation, parent: Some(share) };
        let birth = Birth::new(place, self.system.new_tasks(), report);
        self.starts.start(child, Job { system: self.system.clone(), spec, birth });
    }

    fn slot_of(&self, name: &str) -> Option<Arc<Slot>> {
        lock(&self.table).get(name).and_then(|entry| entry.slot.clone())
    }

    fn stop_child(&self, name: &str, within: Duration) {
        let Some(life) = self.slot_of(name).and_then(|slot| slot.current()) else { return };
        life.stop();
        let life: Weak<Life> = Arc::downgrade(&life);
        self.system.timers().at(Clock.mono().after(within), move || {
            if let Some(life) = life.upgrade() {
                life.kill();
            }
        });
    }

    fn forget(&self, name: &str) {
        let entry = lock(&self.table).remove(name);
        if let Some(slot) = entry.and_then(|entry| entry.slot) {
            self.system.registry().forget(&slot.path);
        }
    }

    fn notify(&self, notice: SupervisorNotice, inbox: &Inbox<SupervisorEvent>) {
        let (name, state) = match &notice {
            SupervisorNotice::Restarting { name, .. } => (name, NodeState::Waiting),
            SupervisorNotice::Parked { name, .. } => (name, NodeState::Parked),
            SupervisorNotice::Escalated { name, .. } | SupervisorNotice::Ended { name, .. } => {
                (name, NodeState::Ended)
            }
            // Not a supervisor's to say.
            SupervisorNotice::Slow { .. }
            | SupervisorNotice::Suspended { .. }
            | SupervisorNotice::Resumed { .. } => return,
        };
        let slot = self.slot_of(name);
        if let Some(slot) = &slot {
            slot.set_state(state);
        }
        let path = slot.map_or_else(|| Self::path_of(inbox, name), |slot| Arc::clone(&slot.path));
        self.system.notify(&path, notice);
    }
}

impl Driver<SupervisorMachine> for SupervisorDriver {
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn submit(&mut self, effect: SupervisorEffect, inbox: &Inbox<SupervisorEvent>) {
        match effect {
            SupervisorEffect::Start { spec, incarnation } => self.start(spec, incarnation, inbox),
            SupervisorEffect::Stop { name, within } => self.stop_child(&name, within),
            SupervisorEffect::Wait { name, incarnation, at } => {
                inbox.send_at(at, SupervisorEvent::Waited { name, incarnation });
            }
            SupervisorEffect::Forget { name } => self.forget(&name),
            SupervisorEffect::Notify(notice) => self.notify(notice, inbox),
            SupervisorEffect::End(reason) => inbox.end(reason),
        }
    }

    fn stop(&mut self, inbox: &Inbox<SupervisorEvent>) {
        inbox.send(SupervisorEvent::Shutdown);
    }
}

/// One life of a supervisor, as whoever adds and removes children sees it.
///
/// What is added lives no longer than that supervisor's life: a restarted one begins with its own
/// tree again.
#[derive(Debug, Clone)]
pub struct SupervisorRef {
    pub(crate) path: Arc<str>,
    pub(crate) mailbox: Weak<Mailbox<SupervisorEvent>>,
    pub(crate) table: Weak<Mutex<BTreeMap<String, Entry>>>,
}

/// Why a child was not added or removed. The caller tells the user, or finds the supervisor again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChildError {
    /// There is one of this name.
    #[error("{path}: a child of this name exists")]
    Exists {
        /// Its path.
        path: String,
    },
    /// The specification breaks a rule.
    #[error("the child's specification is refused")]
    Spec(#[source] SpecError),
    /// This life of the supervisor is over, or its mailbox is full.
    #[error("{path}: the supervisor does not take orders")]
    Supervisor {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        refusal: Refusal,
    },
}

impl SupervisorRef {
    /// Adds a child behind the others, and starts it.
    ///
    /// # Errors
    /// See [`ChildError`]; nothing was added.
    pub async fn add(&self, spec: ChildSpec, child: Child) -> Result<(), ChildError> {
        spec.validate(&self.path).map_err(ChildError::Spec)?;
        let path = format!("{}/{}", self.path, spec.name);
        child.validate(&path, Worst::default()).map_err(ChildError::Spec)?;
        let name = spec.name.clone();
        {
            let table = self.table.upgrade().ok_or_else(|| self.refused(Refusal::Ended))?;
            let mut table = lock(&table);
            if table.contains_key(&name) {
                return Err(ChildError::Exists { path });
            }
            table.insert(name.clone(), Entry { child, slot: None });
        }
        let told = self.tell(SupervisorEvent::Add(spec)).await;
        if let (Err(_), Some(table)) = (&told, self.table.upgrade()) {
            lock(&table).remove(&name);
        }
        told
    }

    /// Stops a child within its time, and forgets it. A name that is not there is no error.
    ///
    /// # Errors
    /// [`ChildError::Supervisor`].
    pub async fn remove(&self, name: impl Into<String>) -> Result<(), ChildError> {
        self.tell(SupervisorEvent::Remove(name.into())).await
    }

    /// Starts a parked child again, with its failures forgotten.
    ///
    /// # Errors
    /// [`ChildError::Supervisor`].
    pub async fn unpark(&self, name: impl Into<String>) -> Result<(), ChildError> {
        self.tell(SupervisorEvent::Unpark(name.into())).await
    }

    async fn tell(&self, event: SupervisorEvent) -> Result<(), ChildError> {
        let mailbox = self.mailbox.upgrade().ok_or_else(|| self.refused(Refusal::Ended))?;
        mailbox.tell(event).await.map_err(|error| self.refused(error.refusal))
    }

    fn refused(&self, refusal: Refusal) -> ChildError {
        ChildError::Supervisor { path: self.path.to_string(), refusal }
    }
}
