//! One system of actors: everything that a process (or one of several nodes in a process) runs.
//!
//! Way in: [`System::new`], [`System::run`].  Owns: clock, seed, timers, registry, notices, dead
//! letters.
//! Never: a process-wide value; two systems in one process know nothing of each other.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use actors_core::{
    Address, ChildSpec, ExitReason, Incarnation, MailboxPolicy, Now, Rng, SpecError,
    SupervisorEvent, SupervisorNotice,
};
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    sync::{broadcast, watch},
};

use crate::{
    child::{Child, Job, Tree, start_failure},
    clock::Clock,
    fault::Fault,
    group::Groups,
    life::{Birth, KeyCommand, Life, Place},
    mailbox::Mailbox,
    observer::{DeadLetters, Morgue, Node, NodeKind, Notice, Notices, Registry, Slot},
    reference::{Ref, Target, mailbox_at},
    slab::SlabRef,
    supervisor::SupervisorRef,
    task::{Commanded, Tasks, spawn_unowned},
    timers::Timers,
    watchdog::{Watchdog, Watched},
};

/// How many actors are looked at in one round; the next one goes on where that ended.
const ROUND_MAX: usize = 4_096;

/// A system of actors. Cheap to clone; all clones are the same system.
#[derive(Clone)]
pub struct System(Arc<Inner>);

struct Inner {
    runtime: Handle,
    rng: Rng,
    /// How many streams of randomness were given out.
    lives: AtomicU64,
    watchdog: Arc<Watchdog>,
    registry: Arc<Registry>,
    morgue: Arc<Morgue>,
    groups: Groups,
    notices: broadcast::Sender<Notice>,
    /// Whether anybody ever listened: who listens now costs a lock.
    is_heard: AtomicBool,
}

impl Watched for Inner {
    fn look(self: Arc<Self>) {
        System(self).name_slow();
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("System")
    }
}

/// Why an order to an actor could not be given. The user named something that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum OrderError {
    /// Nothing runs there now.
    #[error("{0}: no such actor is running")]
    NotFound(String),
    /// As many monitors as one life may have wait for its end.
    #[error("{0}: too many monitors")]
    TooMany(String),
    /// What runs there cannot do this.
    #[error("{0}: not possible for this kind of actor")]
    WrongKind(String),
}

/// A tree that runs.
#[derive(Debug, Clone)]
pub struct Root {
    life: Arc<Slot>,
    ended: watch::Receiver<Option<ExitReason>>,
}

impl Root {
    /// Resolves when the whole tree has ended, with the reason: the process should end too.
    pub async fn ended(&self) -> ExitReason {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(ExitReason::Normal),
            Err(_) => ExitReason::Lost("the runtime is gone".to_owned()),
        }
    }

    /// Stops the tree in order, last child first; every child has its own time before it is killed.
    pub async fn shutdown(&self) -> ExitReason {
        if let Some(life) = self.life.current() {
            life.stop();
        }
        self.ended().await
    }
}

impl System {
    /// A system without actors, on the runtime that this is called in.
    ///
    /// `seed` is where all randomness comes from: [`crate::entropy`], but in tests.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(seed: Rng) -> Self {
        let runtime = Handle::current();
        let timers = Timers::start(&runtime, Clock);
        let (notices, _) = broadcast::channel(Notices::LEN_MAX);
        Self(Arc::new(Inner {
            runtime,
            rng: seed,
            lives: AtomicU64::new(0),
            watchdog: Arc::default(),
            registry: Arc::new(Registry::new(timers)),
            morgue: Arc::default(),
            groups: Groups::default(),
            notices,
            is_heard: AtomicBool::new(false),
        }))
    }

    /// Checks a tree and starts it. Its name is the first part of all its paths.
    ///
    /// # Errors
    /// The first rule that the tree breaks; nothing was started.
    pub async fn run(&self, tree: Tree) -> Result<Root, SpecError> {
        tree.validate()?;
        self.0.watchdog.watch_over(&self.0);
        let path: Arc<str> = tree.spec.name.as_str().into();
        let slot = self.registry().enter(&path, None, NodeKind::Supervisor);
        let (sender, ended) = watch::channel(None);
        let report = move |reason| drop(sender.send_replace(Some(reason)));
        let place = Place { slot: Arc::clone(&slot), incarnation: Incarnation(1), parent: None };
        let birth = Birth::new(place, self.new_tasks(), report);
        let life = Arc::clone(&birth.life);
        let share = Arc::clone(&birth.death);
        let spec = ChildSpec::temporary(path.as_ref()).mailbox(MailboxPolicy::wait(4_096));
        let job = Job { system: self.clone(), spec, birth };
        // On this system's own runtime, whoever calls: an HTTP worker's runtime has a single
        // thread.
        let started = spawn_unowned(&self.0.runtime, async move {
            let _share = share;
            if let Err(failure) = Child::supervisor(tree).start(job).await {
                life.set_exit(start_failure(&failure));
            }
        });
        if let Err(error) = started.await {
            tracing::error!(%error, "the root did not start");
        }
        Ok(Root { life: slot, ended })
    }

    /// The time, as machines are told it.
    #[must_use]
    pub fn now(&self) -> Now {
        Clock.now()
    }

    /// A stream of randomness for `name`: the same name gives the same stream.
    #[must_use]
    pub fn rng(&self, name: &str) -> Rng {
        self.0.rng.derive(name)
    }

    /// The actor at this path, whichever life is current. Needs not run yet.
    #[must_use]
    pub fn actor<E: Send + 'static>(&self, path: impl Into<String>) -> Ref<E> {
        Ref::new(&self.0.registry, Target::Path(path.into()))
    }

    /// The actor with this address, whichever life is current. Needs not run yet.
    #[must_use]
    pub fn actor_at<E: Send + 'static>(&self, address: &Address) -> Ref<E> {
        Ref::new(&self.0.registry, Target::from(address))
    }

    /// The slab at this path, whichever life is current. Needs not run yet.
    #[must_use]
    pub fn slab<E>(&self, path: impl Into<String>) -> SlabRef<E>
    where
        E: std::fmt::Debug + Send + 'static,
    {
        SlabRef::new(&self.0.registry, Target::Path(path.into()))
    }

    /// The supervisor at this path, as it runs now, to add children to.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], or [`OrderError::WrongKind`] if it is none.
    pub fn supervisor(&self, path: &str) -> Result<SupervisorRef, OrderError> {
        let life = self.life_at(path)?;
        let table = life.children().ok_or_else(|| OrderError::WrongKind(path.to_owned()))?;
        let target = Target::Path(path.to_owned());
        let mailbox = mailbox_at::<Mailbox<SupervisorEvent>>(&self.0.registry, &target)
            .map_err(|_| OrderError::NotFound(path.to_owned()))?;
        Ok(SupervisorRef {
            path: Arc::clone(&life.slot.path),
            mailbox: Arc::downgrade(&mailbox),
            table: Arc::downgrade(table),
        })
    }

    /// Everything that runs, waits, or is parked, ordered by path. Keyed machines only while they
    /// are awake.
    #[must_use]
    pub fn tree(&self) -> Vec<Node> {
        self.0.registry.tree()
    }

    /// Kills an actor (or one key of a slab) between two events. Its supervisor starts it again; it
    /// is not counted as a failure. With a supervisor, all below it is killed too; a part of a
    /// service is not started again.
    ///
    /// # Errors
    /// [`OrderError::NotFound`].
    pub fn kill(&self, path: &str) -> Result<(), OrderError> {
        self.inject(path, Fault::Kill)
    }

    /// Ends an actor, one key of a slab, or one part of a service in the way that `fault` names, at its next turn. A panic
    /// or error counts as any other; what waits for the actor is treated as at such an end.
    ///
    /// # Errors
    /// [`OrderError::NotFound`].
    pub fn inject(&self, path: &str, fault: Fault) -> Result<(), OrderError> {
        if self.0.registry.by_path(path).is_some() {
            self.life_at(path)?.inject(fault);
            return Ok(());
        }
        self.command_key(path, KeyCommand::Inject(fault))
    }

    /// Starts a parked actor (or one parked key of a slab) again.
    ///
    /// # Errors
    /// [`OrderError::NotFound`]; [`OrderError::WrongKind`] for a root, which has nobody to start
    /// it.
    pub fn unpark(&self, path: &str) -> Result<(), OrderError> {
        if self.0.registry.by_path(path).is_none() {
            return self.command_key(path, KeyCommand::Unpark);
        }
        let wrong = || OrderError::WrongKind(path.to_owned());
        let (parent, name) = path.rsplit_once('/').ok_or_else(wrong)?;
        let parent = self.actor::<SupervisorEvent>(parent);
        parent
            .try_tell(SupervisorEvent::Unpark(name.to_owned()))
            .map_err(|_| OrderError::NotFound(path.to_owned()))
    }

    pub(crate) fn command_key(&self, path: &str, command: KeyCommand) -> Result<(), OrderError> {
        let missing = || OrderError::NotFound(path.to_owned());
        let (host, key) = self.0.registry.host_above(path).ok_or_else(missing)?;
        let life = host.current().ok_or_else(missing)?;
        let is_known = match life.mailbox() {
            Some(mailbox) => mailbox.command(key, command),
            None => match life.tasks.command(key, command) {
                Commanded::Nobody => false,
                Commanded::Part => true,
                Commanded::Whole(fault) => {
                    life.inject(fault);
                    true
                }
            },
        };
        is_known.then_some(()).ok_or_else(missing)
    }

    pub(crate) fn life_at(&self, path: &str) -> Result<Arc<Life>, OrderError> {
        let slot = self.0.registry.by_path(path);
        slot.and_then(|slot| slot.current()).ok_or_else(|| OrderError::NotFound(path.to_owned()))
    }

    /// What supervisors say from now on.
    #[must_use]
    pub fn notices(&self) -> Notices {
        self.0.is_heard.store(true, Ordering::Relaxed);
        Notices { receiver: self.0.notices.subscribe(), missed: 0 }
    }

    /// Messages that nobody handled.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        self.0.morgue.read()
    }

    pub(crate) fn notify(&self, path: &str, notice: SupervisorNotice) {
        tracing::warn!(%path, ?notice, "told of an actor");
        if self.0.is_heard.load(Ordering::Relaxed) && self.0.notices.receiver_count() > 0 {
            // An error means that nobody listens any more, which is allowed.
            drop(self.0.notices.send(Notice { path: path.to_owned(), notice }));
        }
    }

    /// Names machines that took too long for one message since the last look, or are at one still.
    /// Keys are named by their slabs.
    fn name_slow(&self) {
        let now = Clock.mono();
        for slot in self.registry().round(ROUND_MAX) {
            if !matches!(slot.kind, NodeKind::Dedicated | NodeKind::Supervisor) {
                continue;
            }
            let Some(taken) = slot.current().and_then(|life| life.meter.name(now)) else {
                continue;
            };
            let name = slot.path.rsplit('/').next().unwrap_or_default().to_owned();
            self.notify(&slot.path, SupervisorNotice::Slow { name, taken });
        }
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.0.groups
    }

    pub(crate) fn morgue(&self) -> Arc<Morgue> {
        Arc::clone(&self.0.morgue)
    }

    pub(crate) fn timers(&self) -> Arc<Timers> {
        Arc::clone(self.0.registry.timers())
    }

    pub(crate) fn watchdog(&self) -> &Arc<Watchdog> {
        &self.0.watchdog
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    pub(crate) fn new_tasks(&self) -> Tasks {
        Tasks::new(self.0.runtime.clone())
    }

    /// A stream of its own for one part of one life.
    pub(crate) fn rng_of(&self, part: &str) -> Rng {
        // Incarnations begin anew with each life of a supervisor; what was drawn before must not be
        // drawn again. The number alone is never given out again.
        let number = self.0.lives.fetch_add(1, Ordering::Relaxed);
        self.rng(&format!("{number}/{part}"))
    }
}
