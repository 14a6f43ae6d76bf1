//! What a supervisor can start: machines, services, slabs, and supervisors again, as values.
//!
//! Way in: [`Tree`], [`Child`].  Invariant: every child of a tree has both a specification and a
//! way to start.

use std::{collections::BTreeMap, fmt, future::Future, pin::Pin, sync::Arc};

use actors_core::{
    Address, AutoShutdown, ChildSpec, Effects, ExitReason, Incarnation, Intensity, Machine,
    OnLimit, Rng, SpecError, Strategy, TreeSpec, Worst,
};

use crate::{
    dedicated::{Batch, Dedicated, spawn_actor, start},
    driver::{Driver, Inbox},
    life::Birth,
    mailbox::Mailbox,
    observer::NodeKind,
    service::{self, Running, Service},
    slab::{Keyed, SlabSpec, start_slab},
    supervisor::start_supervisor,
    system::System,
};

/// Why an actor could not be built, or a service ended. With its sources, written one after the
/// other.
#[derive(Debug)]
pub struct Failure(Box<dyn std::error::Error + Send + Sync>);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// What the builder of a machine or slab is given for one life.
#[derive(Debug, Clone)]
pub struct Start<I> {
    /// The system that the actor runs in.
    pub system: System,
    /// Names from the root on, joined by `/`.
    pub path: Arc<str>,
    /// Which of its lives this is.
    pub incarnation: Incarnation,
    /// Randomness of its own, different in each life.
    pub rng: Rng,
    /// The way back to the actor; works before it runs.
    pub inbox: I,
}

pub(crate) struct Job {
    pub(crate) system: System,
    pub(crate) spec: ChildSpec,
    pub(crate) birth: Birth,
}

pub(crate) type Starting = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// One thing that a supervisor can start, again and again.
#[derive(Clone)]
pub struct Child {
    pub(crate) kind: NodeKind,
    pub(crate) address: Option<Address>,
    start: Arc<dyn Fn(Job) -> Starting + Send + Sync>,
    nested: Option<Arc<Tree>>,
    slab: Option<SlabSpec>,
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child({:?}, {:?})", self.kind, self.address)
    }
}

impl Child {
    fn new(kind: NodeKind, start: impl Fn(Job) -> Starting + Send + Sync + 'static) -> Self {
        Self { kind, address: None, start: Arc::new(start), nested: None, slab: None }
    }

    /// A machine on an actor of its own. `build` makes the machine and its driver for each life; it
    /// should be quick, for later siblings wait for it (60 s at most).
    pub fn machine<M, D, F, Fut>(build: F) -> Self
    where
        M: Machine + Send + 'static,
        M::Event: Send,
        M::Effect: Send,
        D: Driver<M>,
        F: Fn(Start<Inbox<M::Event>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(M, D), Failure>> + Send + 'static,
    {
        Self::new(NodeKind::Dedicated, move |job| {
            let Job { system, spec, birth } = job;
            let life = Arc::clone(&birth.life);
            let path = Arc::clone(&life.slot.path);
            let mailbox = Mailbox::new(Arc::clone(&path), &spec, system.morgue());
            life.set_mailbox(Arc::<Mailbox<M::Event>>::clone(&mailbox));
            let inbox = Inbox { mailbox, life: Arc::clone(&life) };
            let (driver, machine_rng) = (system.rng_of("driver"), system.rng_of("machine"));
            let incarnation = life.incarnation;
            let built =
                build(Start { system, path, incarnation, rng: driver, inbox: inbox.clone() });
            Box::pin(async move {
                let (machine, driver) = built.await?;
                let out = Effects::default();
                Ok(start(Dedicated {
                    machine,
                    driver,
                    inbox,
                    rng: machine_rng,
                    out,
                    batch: Batch::default(),
                    birth,
                })
                .await?)
            })
        })
    }

    /// A long-lived asynchronous part. `body` runs until it returns; what it returns is why it
    /// ended.
    pub fn service<F, Fut>(body: F) -> Self
    where
        F: Fn(Service) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self::new(NodeKind::Service, move |job| {
            let Job { system, birth, .. } = job;
            let body = Box::pin(body(Service { system, life: Arc::clone(&birth.life) }));
            Box::pin(
                async move { Ok(spawn_actor(service::Host, Running::new(body, birth)).await?) },
            )
        })
    }

    /// A slab of keyed machines. `build` makes what activates them and carries out their effects.
    pub fn slab<K, F, Fut>(spec: SlabSpec, build: F) -> Self
    where
        K: Keyed,
        F: Fn(Start<()>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<K, Failure>> + Send + 'static,
    {
        let checked = spec.clone();
        let child = Self::new(NodeKind::Slab, move |job| {
            let life = &job.birth.life;
            let built = build(Start {
                system: job.system.clone(),
                path: Arc::clone(&life.slot.path),
                incarnation: life.incarnation,
                rng: job.system.rng_of("keyed"),
                inbox: (),
            });
            let spec = spec.clone();
            Box::pin(async move { start_slab(built.await?, spec, job).await })
        });
        Self { slab: Some(checked), ..child }
    }

    /// A supervisor with children of its own. Its name is that of the specification it is started
    /// with.
    #[must_use]
    pub fn supervisor(tree: Tree) -> Self {
        let tree = Arc::new(tree);
        let nested = Arc::clone(&tree);
        let child = Self::new(NodeKind::Supervisor, move |job| {
            let tree = Arc::clone(&tree);
            Box::pin(async move { start_supervisor(&tree, job).await })
        });
        Self { nested: Some(nested), ..child }
    }

    /// The same child, also reachable at this address.
    #[must_use]
    pub fn at(mut self, address: Address) -> Self {
        self.address = Some(address);
        self
    }

    pub(crate) fn start(&self, job: Job) -> Starting {
        (self.start)(job)
    }

    pub(crate) fn validate(&self, path: &str, above: Worst) -> Result<(), SpecError> {
        if let Some(slab) = &self.slab {
            slab.validate(path)?;
        }
        self.nested.as_ref().map_or(Ok(()), |tree| tree.validate_at(path, above))
    }
}

/// A supervisor, its children, and how each is started.
#[derive(Debug, Clone)]
pub struct Tree {
    pub(crate) spec: TreeSpec,
    pub(crate) children: BTreeMap<String, Child>,
}

impl Tree {
    /// A supervisor without children.
    #[must_use]
    pub fn new(name: impl Into<String>, intensity: Intensity, on_limit: OnLimit) -> Self {
        let spec = TreeSpec {
            name: name.into(),
            intensity,
            on_limit,
            children: Vec::new(),
            strategy: Strategy::default(),
            auto_shutdown: AutoShutdown::default(),
        };
        Self { spec, children: BTreeMap::new() }
    }

    /// A supervisor from data, with what starts each of its children; [`Tree::validate`] says if they
    /// do not fit each other.
    #[must_use]
    pub fn of(spec: TreeSpec, children: BTreeMap<String, Child>) -> Self {
        Self { spec, children }
    }

    /// The same supervisor, which restarts these together; one-for-one if nobody says.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.spec.strategy = strategy;
        self
    }

    /// The same supervisor, which ends with its significant children; never if nobody says.
    #[must_use]
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.spec.auto_shutdown = auto_shutdown;
        self
    }

    /// Adds a child behind the others: started after them, stopped before them.
    #[must_use]
    pub fn child(mut self, spec: ChildSpec, child: Child) -> Self {
        self.children.insert(spec.name.clone(), child);
        self.spec.children.push(spec);
        self
    }

    /// Checks this tree and all below it.
    ///
    /// # Errors
    /// The first rule that is broken, with its path.
    pub fn validate(&self) -> Result<(), SpecError> {
        self.validate_at(&self.spec.name, Worst::default())
    }

    fn validate_at(&self, path: &str, above: Worst) -> Result<(), SpecError> {
        if path == self.spec.name {
            self.spec.validate()?;
        }
        // A nested supervisor is known by its path, whatever name its own specification has.
        self.spec.validate_below(path)?;
        let worst = above.below(self.spec.intensity, path)?;
        for child in &self.spec.children {
            let path = format!("{path}/{}", child.name);
            match self.children.get(&child.name) {
                Some(known) => known.validate(&path, worst)?,
                None => return Err(SpecError::Unknown { path }),
            }
        }
        let is_specified = |name: &str| self.spec.children.iter().any(|child| child.name == name);
        if let Some(name) = self.children.keys().find(|name| !is_specified(name)) {
            return Err(SpecError::Unspecified { path: format!("{path}/{name}") });
        }
        Ok(())
    }
}

/// A start that failed, as the reason of the life that never began.
pub(crate) fn start_failure(failure: &Failure) -> ExitReason {
    ExitReason::Error(format!("could not start: {failure}"))
}
