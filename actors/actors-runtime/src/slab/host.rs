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
    pool::{Done, Item, Taken},
    record::{Hold, Spot},
    state::Order,
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

/// How many events are measured together, as long as they are quick.
const CHUNK_MAX: usize = 8;

/// What that many may take together before each is measured alone.
const SLOW: Duration = Duration::from_micros(200);

/// Most places that are kept when no machine is awake.
const KEPT_MAX: usize = 1_024;

/// The name of the only child in the supervision of one key.
const KEY: &str = "key";

struct Host<K>(std::marker::PhantomData<fn() -> K>);

struct Slab<K: Keyed> {
    keyed: K,
    pool: Arc<Pool<EventOf<K>>>,
    /// By place.
    awake: Vec<Option<Awake<K>>>,
    awake_count: usize,
    failing: BTreeMap<Spot, Failing>,
    rng: Rng,
    out: Effects<<K::Machine as Machine>::Effect>,
    system: System,
    batch: Vec<Item<EventOf<K>>>,
    /// How much the next batch may hold: grows until something goes ahead of one.
    batch_len: usize,
    done: Vec<Done>,
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
    let parent = birth.parent.clone();
    let slab = Slab {
        keyed,
        pool,
        awake: Vec::new(),
        awake_count: 0,
        failing: BTreeMap::new(),
        rng: system.rng_of(&birth.life).derive("slab").ready(),
        out: Effects::default(),
        system,
        batch: Vec::new(),
        batch_len: 1,
        done: Vec::new(),
        birth,
    };
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
        let mut handled = 0;
        while handled < BATCH_MAX {
            if self.birth.life.is_ending() {
                return;
            }
            let taken = self.pool.take(&mut self.batch, self.batch_len);
            handled += self.batch.len().max(1);
            match taken {
                Taken::Idle => return,
                Taken::Fault(fault) => return self.birth.life.end(fault.raise()),
                Taken::Stop => return self.birth.life.end(ExitReason::Shutdown),
                Taken::Order(spot, order) => self.carry_out(spot, order, Clock.now()),
                Taken::Batch => self.run_batch(),
            }
        }
        self.pool.wake_again();
    }

    /// Handles what was taken; gives back the rest if something goes ahead of it.
    fn run_batch(&mut self) {
        self.batch.reverse();
        let began = Clock.now();
        let (mut now, mut measured, mut chunk) = (began, 0, CHUNK_MAX);
        let is_whole = loop {
            let Some(item) = self.batch.pop() else { break true };
            if !self.run_item(item, now) || self.birth.life.is_ending() {
                break false;
            }
            if self.done.len() - measured >= chunk {
                let then = Clock.now();
                let busy = then.mono - now.mono;
                self.measure(measured, busy);
                // Slow events are measured one by one, quick ones together.
                chunk = if busy > SLOW { 1 } else { CHUNK_MAX };
                (now, measured) = (then, self.done.len());
            }
            if self.pool.is_urgent() {
                break self.batch.is_empty();
            }
        };
        let then = Clock.now();
        self.measure(measured, then.mono - now.mono);
        self.birth.life.meter.add(self.done.len() as u64, then.mono - began.mono);
        if !self.batch.is_empty() {
            self.batch.reverse();
            self.pool.give_back(&mut self.batch);
        }
        self.batch_len = if is_whole { (self.batch_len * 2).min(BATCH_MAX) } else { 1 };
        self.settle(then);
    }

    /// Shares the time that the newest events took together.
    fn measure(&mut self, from: usize, busy: Duration) {
        let newest = &mut self.done[from..];
        let count = u64::try_from(newest.len().max(1)).unwrap_or(1);
        let each = u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX) / count;
        newest.iter_mut().for_each(|one| one.busy_ns = each);
    }

    /// Does one thing for one key. A panic is that key's failure. False if its other events wait.
    fn run_item(&mut self, item: Item<EventOf<K>>, now: Now) -> bool {
        let Item { spot, life, event } = item;
        let had_event = event.is_some();
        let work = AssertUnwindSafe(|| {
            let is_known = self.activate(spot, life);
            if let (true, Some((event, _))) = (is_known, event) {
                self.turn(spot, now, event);
            }
            let machine = self.awake.get(spot.place as usize).and_then(Option::as_ref);
            let may_rest = machine.is_some_and(|awake| self.keyed.is_at_rest(&awake.machine));
            is_known.then_some(may_rest)
        });
        match catch_unwind(work) {
            Ok(Some(may_rest)) => {
                self.done.push(Done { spot, busy_ns: 0, may_rest });
                true
            }
            Ok(None) => {
                // What else was sent to the key is dead too, so it goes back first.
                self.give_all_back();
                if had_event && let Some((key, _)) = self.pool.known(spot) {
                    self.pool.bury(&key, DeadReason::Ended);
                }
                self.forget(spot);
                false
            }
            Err(payload) => {
                // A panic may have left effects behind.
                self.out = Effects::default();
                let reason = ExitReason::Panic(panic_text(&*payload));
                self.give_all_back();
                if had_event && let Some((key, _)) = self.pool.known(spot) {
                    self.pool.bury(&key, DeadReason::Poison);
                }
                self.fail(spot, reason, now);
                false
            }
        }
    }

    fn give_all_back(&mut self) {
        self.batch.reverse();
        self.pool.give_back(&mut self.batch);
    }

    /// Makes the key's machine if it has none. False if there is no such thing.
    fn activate(&mut self, spot: Spot, life: u64) -> bool {
        let place = spot.place as usize;
        if self.awake.get(place).is_some_and(Option::is_some) {
            return true;
        }
        let Some((key, _)) = self.pool.known(spot) else { return false };
        let inbox = KeyInbox {
            pool: Arc::downgrade(&self.pool),
            key: Arc::clone(&key),
            spot,
            life,
            slab: Arc::clone(&self.birth.life),
            timers: self.system.timers(),
        };
        let rng = self.rng.derive(&format!("{key}#{life}"));
        let Some(machine) = self.keyed.activate(&inbox) else { return false };
        if self.awake.len() <= place {
            self.awake.resize_with(place + 1, || None);
        }
        self.awake[place] = Some(Awake { machine, rng, inbox });
        self.awake_count += 1;
        true
    }

    fn turn(&mut self, spot: Spot, now: Now, event: EventOf<K>) {
        let Some(Some(awake)) = self.awake.get_mut(spot.place as usize) else { return };
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

    /// Forgets the machine of a key; dropped here, outside all locks.
    fn put_to_rest(&mut self, spot: Spot) {
        let machine = self.awake.get_mut(spot.place as usize).and_then(Option::take);
        self.awake_count -= usize::from(machine.is_some());
        drop(machine);
        if self.awake_count == 0 && self.awake.len() > KEPT_MAX {
            self.awake = Vec::new();
        }
    }

    /// Lets keys rest that may.
    fn settle(&mut self, now: Now) {
        let mut done = std::mem::take(&mut self.done);
        self.pool.settle(&mut done);
        let period = self.pool.spec().intensity.period;
        let is_recent = |failing: &Failing| now.mono.since(failing.last) <= period;
        done.retain(|one| {
            // A later event of the batch may have given it work.
            let machine = self.awake.get(one.spot.place as usize).and_then(Option::as_ref);
            if machine.is_some_and(|awake| !self.keyed.is_at_rest(&awake.machine)) {
                return false;
            }
            self.put_to_rest(one.spot);
            let waits = self.failing.get(&one.spot).is_some_and(is_recent);
            if !waits {
                self.failing.remove(&one.spot);
            }
            !waits
        });
        if !done.is_empty() {
            self.pool.rest(done.iter().map(|one| one.spot));
        }
        done.clear();
        self.done = done;
    }

    fn forget(&mut self, spot: Spot) {
        self.put_to_rest(spot);
        self.failing.remove(&spot);
        self.pool.forget(spot);
    }

    fn carry_out(&mut self, spot: Spot, order: Order, now: Now) {
        let Some((_, current)) = self.pool.known(spot) else { return };
        match order {
            Order::End { life, reason } if life == current => match reason {
                ExitReason::Normal | ExitReason::Shutdown => self.forget(spot),
                reason => self.fail(spot, reason, now),
            },
            Order::End { .. } => {}
            Order::Inject(fault) => {
                let reason = catch_unwind(AssertUnwindSafe(|| fault.raise()))
                    .unwrap_or_else(|payload| ExitReason::Panic(panic_text(&*payload)));
                self.fail(spot, reason, now);
            }
            Order::Unpark => self.supervise(spot, SupervisorEvent::Unpark(KEY.into()), now),
            Order::Waited { incarnation } => {
                let event = SupervisorEvent::Waited { name: KEY.into(), incarnation };
                self.supervise(spot, event, now);
            }
        }
    }

    fn fail(&mut self, spot: Spot, reason: ExitReason, now: Now) {
        self.put_to_rest(spot);
        if !self.failing.contains_key(&spot) {
            let failing = Failing::new(self.pool.spec(), now);
            self.failing.insert(spot, failing);
            self.supervise(spot, SupervisorEvent::Start, now);
        }
        let Some(failing) = self.failing.get_mut(&spot) else { return };
        failing.last = now.mono;
        let incarnation = failing.incarnation;
        // Held back until the supervision says otherwise.
        self.pool.fail(spot, reason.clone(), Hold::Waiting);
        let event = SupervisorEvent::Exited { name: KEY.into(), incarnation, reason };
        self.supervise(spot, event, now);
    }

    /// Tells the supervision of one key, and does what it wants.
    fn supervise(&mut self, spot: Spot, event: SupervisorEvent, now: Now) {
        let is_first = matches!(event, SupervisorEvent::Start);
        let Some((key, _)) = self.pool.known(spot) else { return };
        let Some(failing) = self.failing.get_mut(&spot) else { return };
        let mut out = Effects::default();
        let turn = Turn { now, rng: &mut self.rng, view: &() };
        failing.machine.handle(turn, event, &mut out);
        for effect in out.drain() {
            match effect {
                SupervisorEffect::Start { incarnation, .. } => {
                    failing.incarnation = incarnation;
                    if !is_first {
                        self.pool.revive(spot);
                    }
                }
                SupervisorEffect::Wait { incarnation, at, .. } => {
                    let pool = Arc::downgrade(&self.pool);
                    self.system.timers().at(at, move || {
                        if let Some(pool) = pool.upgrade() {
                            pool.order(spot, Order::Waited { incarnation });
                        }
                    });
                }
                SupervisorEffect::Notify(notice) => {
                    if let SupervisorNotice::Parked { reason, .. } = &notice {
                        self.pool.fail(spot, reason.clone(), Hold::Parked);
                    }
                    self.system.notify(format!("{}/{key}", self.pool.path()), named(notice, &key));
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
        SupervisorNotice::Suspended { .. } => SupervisorNotice::Suspended { name },
        SupervisorNotice::Resumed { .. } => SupervisorNotice::Resumed { name },
    }
}
