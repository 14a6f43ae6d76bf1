//! The actor of a slab: it runs the slab whenever something came, and whoever relieves it does so too.
//!
//! Way in: [`start_slab`].  Owns: the life.  Never: a handler; those are the body's.
//! Invariants: 1. one runs the slab at a time.  2. whoever was relieved keeps only the key that it
//! handles, which nobody else touches until it is back.
//! Time and order: the body is locked but while a key wakes, handles an event and begins its effects,
//! so that another one can go on with the other keys while that takes long.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use actors_core::{ExitReason, SupervisorNotice};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::{EventOf, Keyed, Pool, SlabSpec, body::Body, watch::Step, work::work};
use crate::{
    child::{Failure, Job},
    clock::Clock,
    dedicated::spawn_actor,
    life::{Birth, Death, Life},
    mailbox::Wake,
    system::System,
    task::panic_text,
    watchdog::Watched,
};

struct Host<K>(PhantomData<fn() -> K>);

struct State<K: Keyed> {
    slab: Arc<Slab<K>>,
    /// Dropped last: its end is the life's.
    birth: Birth,
}

/// One life of a slab, as all see it that run it, one after the other.
pub(super) struct Slab<K: Keyed> {
    pub(super) keyed: Arc<K>,
    pub(super) pool: Arc<Pool<EventOf<K>>>,
    pub(super) life: Arc<Life>,
    pub(super) system: System,
    body: Mutex<Body<K>>,
}

pub(super) type Guard<'a, K> = MutexGuard<'a, Body<K>>;

pub(crate) async fn start_slab<K: Keyed>(
    keyed: K,
    spec: SlabSpec,
    job: Job,
) -> Result<(), Failure> {
    let Job { system, birth, spec: child } = job;
    let path = Arc::clone(&birth.life.slot.path);
    let pool = Pool::new(path, (spec, child.drains), system.morgue());
    birth.life.set_mailbox(Arc::<Pool<EventOf<K>>>::clone(&pool));
    let life = Arc::clone(&birth.life);
    let keyed = Arc::new(keyed);
    let body = Mutex::new(Body::new(&keyed, (&pool, &life, &system)));
    let slab = Arc::new(Slab { keyed, pool, life, system, body });
    slab.system.watchdog().add(&slab.life, &slab);
    Ok(spawn_actor(Host::<K>(PhantomData), State { slab, birth }).await?)
}

impl<K: Keyed> Actor for Host<K> {
    type Msg = Wake;
    type State = State<K>;
    type Arguments = State<K>;

    async fn pre_start(
        &self,
        myself: ActorRef<Wake>,
        state: State<K>,
    ) -> Result<State<K>, ActorProcessingErr> {
        state.birth.life.attach(myself.get_cell());
        state.slab.pool.attach(myself);
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Wake>,
        _wake: Wake,
        state: &mut State<K>,
    ) -> Result<(), ActorProcessingErr> {
        state.slab.run(true).map_err(Into::into)
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Wake>,
        _event: SupervisionEvent,
        _state: &mut State<K>,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl<K: Keyed> Slab<K> {
    pub(super) fn lock(&self) -> Guard<'_, K> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the slab for a while, unless somebody else does: as its actor, or in its place.
    fn run(&self, is_actor: bool) -> Result<(), String> {
        let _at_work = self.system.watchdog().enter();
        // Each key has a barrier of its own; what passes it ends the whole slab.
        catch_unwind(AssertUnwindSafe(|| work(self, is_actor))).map_err(|payload| {
            let text = panic_text(&*payload);
            self.life.set_exit(ExitReason::Panic(text.clone()));
            text
        })
    }

    /// Another one comes to run the slab: its actor, or a thread if that one is held up.
    fn call(self: &Arc<Self>, mut body: Guard<'_, K>) {
        if !body.wants_help() {
            drop(body);
            return self.pool.wake_again();
        }
        drop(body);
        let Some(share) = self.life.share() else { return };
        let slab = Arc::clone(self);
        let help = move || {
            // Declared first, so that it is dropped last: the life's end waits for this thread.
            let _share: Arc<Death> = share;
            let slab = slab;
            if let Err(text) = slab.run(false) {
                slab.life.fail(ExitReason::Panic(text));
            }
        };
        // It ends by itself as soon as nothing waits.
        drop(self.system.runtime().spawn_blocking(help));
    }
}

impl<K: Keyed> Watched for Slab<K> {
    fn look(self: Arc<Self>) {
        let mut body = match self.body.try_lock() {
            Ok(body) => body,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // Whoever runs the slab is between two handlers.
            Err(TryLockError::WouldBlock) => return,
        };
        if self.life.is_ending() {
            return;
        }
        let now = Clock.mono();
        let (step, slow) = body.look(now);
        match step {
            Step::Nothing => drop(body),
            // Nobody waits yet; whoever comes goes on at once, and people see who is slow. The slab is nobody's
            // then, so its actor is called: what comes when the slow one has ended has to be somebody's.
            Step::Name(_) => {
                body.relieve(now, true);
                drop(body);
                self.pool.wake_again();
            }
            Step::Relieve => {
                body.relieve(now, false);
                self.call(body);
            }
            Step::Call => self.call(body),
        }
        for (spot, taken) in slow {
            let Some((key, _)) = self.pool.known(spot) else { continue };
            let path = format!("{}/{key}", self.pool.path());
            self.system.notify(&path, SupervisorNotice::Slow { name: key.to_string(), taken });
        }
    }
}
