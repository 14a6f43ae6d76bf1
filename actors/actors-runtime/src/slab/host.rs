//! The actor of a slab: activates keys, hands them their events, catches their panics, lets them
//! rest.
//!
//! Way in: [`start_slab`].  Owns: the machines that are awake, and the failures of those that fail.
//! Never: the decision to restart or park; that is `SupervisorMachine`'s, one for each key that
//! ever failed.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use actors_core::{
    AutoShutdown, ChildSpec, Effects, ExitReason, Incarnation, Machine, Mono, Now, OnLimit, Rng,
    Strategy, SupervisorEffect, SupervisorEvent, SupervisorMachine, SupervisorNotice, TreeSpec,
    Turn,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::{
    EventOf, KeyInbox, Keyed, Pool, SlabSpec,
    pool::{Hold, Next, Order},
};
use crate::{
    child::{Failure, Job},
    clock::Clock,
    dedicated::spawn_actor,
    life::Birth,
    mailbox::Wake,
    observer::DeadReason,
    system::System,
    task::panic_text,
};

/// How many events are handled before the actor looks at its other ports.
const BATCH_MAX: usize = 256;

/// The name of the only child in the supervision of one key.
const KEY: &str = "key";

struct Host<K>(std::marker::PhantomData<fn() -> K>);

struct Slab<K: Keyed> {
    keyed: K,
    pool: Arc<Pool<EventOf<K>>>,
    awake: BTreeMap<Arc<str>, Awake<K>>,
    failing: BTreeMap<Arc<str>, Failing>,
    rng: Rng,
    out: Effects<<K::Machine as Machine>::Effect>,
    system: System,
    /// Dropped last: its end is the life's.
    birth: Birth,
}

struct Awake<K: Keyed> {
    machine: K::Machine,
    rng: Rng,
    inbox: KeyInbox<EventOf<K>>,
}

/// The supervision of one key, from its first failure until it is at rest and the failures are old.
struct Failing {
    machine: SupervisorMachine,
    incarnation: Incarnation,
    last: Mono,
}

pub(crate) async fn start_slab<K: Keyed>(
    keyed: K,
    spec: SlabSpec,
    job: Job,
) -> Result<(), Failure> {
    let Job { system, birth, spec: child } = job;
    let path = Arc::clone(&birth.life.slot.path);
    let pool = Pool::new(path, (spec, child.drains), system.morgue());
    birth.life.set_mailbox(Arc::<Pool<EventOf<K>>>::clone(&pool));
    let rng = system.rng_of(&birth.life).derive("slab");
    let parent = birth.parent.clone();
    let (awake, failing, out) = (BTreeMap::new(), BTreeMap::new(), Effects::default());
    let slab = Slab { keyed, pool, awake, failing, rng, out, system, birth };
    Ok(spawn_actor(Host::<K>(std::marker::PhantomData), parent, slab).await?)
}

impl<K: Keyed> Actor for Host<K> {
    type Msg = Wake;
    type State = Slab<K>;
    type Arguments = Slab<K>;

    async fn pre_start(
        &self,
        myself: ActorRef<Wake>,
        slab: Slab<K>,
    ) -> Result<Slab<K>, ActorProcessingErr> {
        slab.birth.life.attach(myself.get_cell());
        slab.pool.attach(myself);
        Ok(slab)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Wake>,
        _wake: Wake,
        slab: &mut Slab<K>,
    ) -> Result<(), ActorProcessingErr> {
        // Each key has a barrier of its own; what passes it ends the whole slab.
        catch_unwind(AssertUnwindSafe(|| slab.run())).map_err(|payload| {
            let text = panic_text(&*payload);
            slab.birth.life.set_exit(ExitReason::Panic(text.clone()));
            text.into()
        })
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Wake>,
        _event: SupervisionEvent,
        _slab: &mut Slab<K>,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl<K: Keyed> Slab<K> {
    fn run(&mut self) {
        let mut now = Clock.now();
        for _ in 0..BATCH_MAX {
            if self.birth.life.is_ending() {
                return;
            }
            match self.pool.next() {
                Next::Idle => return,
                Next::Fault(fault) => return self.birth.life.end(fault.raise()),
                Next::Stop => return self.birth.life.end(ExitReason::Shutdown),
                Next::Order(key, order) => self.carry_out(&key, order, now),
                Next::Revive(key, life) => {
                    self.guarded(&key, now, |slab| slab.activate(&key, life).then_some(()));
                }
                Next::Event(key, life, event) => {
                    let turn = |slab: &mut Self| {
                        slab.activate(&key, life).then(|| slab.turn(&key, now, event))
                    };
                    if !self.guarded(&key, now, turn) {
                        self.pool.bury(&key, DeadReason::Poison);
                    }
                }
            }
            let then = Clock.now();
            self.birth.life.meter.add(1, then.mono.since(now.mono));
            now = then;
        }
        self.pool.wake_again();
    }

    /// Does something for one key. A panic is that key's failure; `None` means that there is no
    /// such thing.
    fn guarded(
        &mut self,
        key: &Arc<str>,
        now: Now,
        work: impl FnOnce(&mut Self) -> Option<()>,
    ) -> bool {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(Some(())) => self.settle(key, now),
            Ok(None) => self.forget(key),
            Err(payload) => {
                let reason = ExitReason::Panic(panic_text(&*payload));
                self.fail(key, reason, now);
                return false;
            }
        }
        true
    }

    /// Makes the key's machine if it has none. False if there is no such thing.
    fn activate(&mut self, key: &Arc<str>, life: u64) -> bool {
        if self.awake.contains_key(key) {
            return true;
        }
        let inbox = KeyInbox {
            pool: Arc::downgrade(&self.pool),
            key: Arc::clone(key),
            life,
            slab: Arc::clone(&self.birth.life),
            timers: self.system.timers(),
        };
        let rng = self.rng.derive(&format!("{key}#{life}"));
        let Some(machine) = self.keyed.activate(&inbox) else { return false };
        self.awake.insert(Arc::clone(key), Awake { machine, rng, inbox });
        true
    }

    fn turn(&mut self, key: &Arc<str>, now: Now, event: EventOf<K>) {
        let Some(awake) = self.awake.get_mut(key) else { return };
        // A panic in another key may have left effects behind.
        self.out = Effects::default();
        let view = self.keyed.view();
        let turn = Turn { now, rng: &mut awake.rng, view: &*view };
        awake.machine.handle(turn, event, &mut self.out);
        drop(view);
        if cfg!(debug_assertions) {
            awake.machine.assert_invariants();
        }
        for effect in self.out.drain() {
            self.keyed.submit(effect, &awake.inbox);
        }
    }

    /// Lets the key rest if it may.
    fn settle(&mut self, key: &Arc<str>, now: Now) {
        let busy = Clock.mono().since(now.mono);
        let Some(awake) = self.awake.get(key).filter(|_| self.pool.handled(key, busy)) else {
            return;
        };
        if !self.keyed.is_at_rest(&awake.machine) {
            return;
        }
        self.awake.remove(key);
        let period = self.pool.spec().intensity.period;
        let is_recent = |failing: &Failing| now.mono.since(failing.last) <= period;
        if !self.failing.get(key).is_some_and(is_recent) {
            self.failing.remove(key);
            self.pool.rest(key);
        }
    }

    fn forget(&mut self, key: &Arc<str>) {
        self.awake.remove(key);
        self.failing.remove(key);
        self.pool.forget(key);
    }

    fn carry_out(&mut self, key: &Arc<str>, order: Order, now: Now) {
        match order {
            Order::End { life, reason } if self.pool.life_of(key) == Some(life) => match reason {
                ExitReason::Normal | ExitReason::Shutdown => self.forget(key),
                reason => self.fail(key, reason, now),
            },
            Order::End { .. } => {}
            Order::Inject(fault) => {
                let reason = catch_unwind(AssertUnwindSafe(|| fault.raise()))
                    .unwrap_or_else(|payload| ExitReason::Panic(panic_text(&*payload)));
                self.fail(key, reason, now);
            }
            Order::Unpark => self.supervise(key, SupervisorEvent::Unpark(KEY.into()), now),
            Order::Waited { incarnation } => {
                let event = SupervisorEvent::Waited { name: KEY.into(), incarnation };
                self.supervise(key, event, now);
            }
        }
    }

    fn fail(&mut self, key: &Arc<str>, reason: ExitReason, now: Now) {
        self.awake.remove(key);
        if !self.failing.contains_key(key) {
            let failing = Failing::new(self.pool.spec(), now);
            self.failing.insert(Arc::clone(key), failing);
            self.supervise(key, SupervisorEvent::Start, now);
        }
        let Some(failing) = self.failing.get_mut(key) else { return };
        failing.last = now.mono;
        let incarnation = failing.incarnation;
        // Held back until the supervision says otherwise.
        self.pool.fail(key, reason.clone(), Hold::Waiting);
        let event = SupervisorEvent::Exited { name: KEY.into(), incarnation, reason };
        self.supervise(key, event, now);
    }

    /// Tells the supervision of one key, and does what it wants.
    fn supervise(&mut self, key: &Arc<str>, event: SupervisorEvent, now: Now) {
        let is_first = matches!(event, SupervisorEvent::Start);
        let Some(failing) = self.failing.get_mut(key) else { return };
        let mut out = Effects::default();
        let turn = Turn { now, rng: &mut self.rng, view: &() };
        failing.machine.handle(turn, event, &mut out);
        for effect in out.drain() {
            match effect {
                SupervisorEffect::Start { incarnation, .. } => {
                    failing.incarnation = incarnation;
                    if !is_first {
                        self.pool.revive(key);
                    }
                }
                SupervisorEffect::Wait { incarnation, at, .. } => {
                    let (pool, key) = (Arc::downgrade(&self.pool), Arc::clone(key));
                    self.system.timers().at(at, move || {
                        if let Some(pool) = pool.upgrade() {
                            pool.order(&key, Order::Waited { incarnation });
                        }
                    });
                }
                SupervisorEffect::Notify(notice) => {
                    if let SupervisorNotice::Parked { reason, .. } = &notice {
                        self.pool.fail(key, reason.clone(), Hold::Parked);
                    }
                    self.system.notify(format!("{}/{key}", self.pool.path()), named(notice, key));
                }
                // A supervision that parks never stops its child, forgets it, or ends.
                SupervisorEffect::Stop { .. }
                | SupervisorEffect::Forget { .. }
                | SupervisorEffect::End(_) => {}
            }
        }
    }
}

impl Failing {
    fn new(spec: &SlabSpec, now: Now) -> Self {
        let child = ChildSpec::permanent(KEY)
            .backoff(spec.backoff)
            .mailbox(spec.mailbox)
            .shutdown(Duration::from_secs(1));
        let spec = TreeSpec {
            name: "slab".to_owned(),
            intensity: spec.intensity,
            on_limit: OnLimit::Park,
            children: vec![child],
            strategy: Strategy::OneForOne,
            auto_shutdown: AutoShutdown::Never,
        };
        let machine = SupervisorMachine::new(spec);
        Self { machine, incarnation: Incarnation(1), last: now.mono }
    }
}

/// The notice with the key's own name.
fn named(notice: SupervisorNotice, key: &str) -> SupervisorNotice {
    let name = key.to_owned();
    match notice {
        SupervisorNotice::Restarting { reason, after, .. } => {
            SupervisorNotice::Restarting { name, reason, after }
        }
        SupervisorNotice::Parked { reason, .. } => SupervisorNotice::Parked { name, reason },
        SupervisorNotice::Ended { reason, .. } => SupervisorNotice::Ended { name, reason },
        SupervisorNotice::Escalated { reason, .. } => SupervisorNotice::Escalated { name, reason },
    }
}
