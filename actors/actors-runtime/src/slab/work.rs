//! How a slab is run: batches of events, one after the other, until nothing waits or somebody relieves.
//!
//! Way in: [`work`].  Never: the body's lock while a key wakes, handles an event or begins effects.

use std::time::Duration;

use actors_core::{Effects, ExitReason, Machine, Mono, Now, Turn};

use super::{
    EventOf, Keyed,
    batch::{Done, Item, Taken},
    body::{Awake, EffectOf, Lent},
    host::{Guard, Slab},
    record::Spot,
};
use crate::{clock::Clock, meter::nanos, task::barrier, trace::Trace};

/// How many events are handled before the actor looks at its other ports.
const BATCH_MAX: usize = 1_024;

/// How long that many may take; then it does so earlier.
const TURN: Duration = Duration::from_millis(5);

/// How many events are measured together, as long as they are quick.
const CHUNK_MAX: usize = 32;

/// After how many events it waits a moment for more before it leaves.
const MANY: usize = 64;

/// What that many may take together before each is measured alone.
const SLOW: Duration = Duration::from_micros(200);

/// Runs the slab for a while, unless somebody else does.
pub(super) fn work<K: Keyed>(slab: &Slab<K>, is_actor: bool) {
    let mut body = slab.lock();
    let Some(me) = body.take_charge(is_actor) else { return };
    let (mut done, until) = (0, Clock.mono().after(TURN));
    while done < BATCH_MAX && !slab.life.is_ending() {
        if done >= MANY || body.is_busy {
            slab.pool.linger();
        }
        let taken = body.take();
        done += body.batch.len().max(1);
        match taken {
            Taken::Idle => {
                body.is_busy = false;
                return body.leave(me);
            }
            Taken::Fault(fault) => return slab.life.end(fault.raise()),
            Taken::Stop => return slab.life.end(ExitReason::Shutdown),
            Taken::Order(spot, order) => body.carry_out(spot, order, Clock.now()),
            Taken::Batch => {
                let Some((back, now)) = run_batch(slab, body, (me, until)) else { return };
                body = back;
                if now >= until {
                    break;
                }
            }
        }
    }
    body.is_busy = true;
    slab.pool.wake_again();
    body.leave(me);
}

/// Handles what was taken; gives back the rest if something goes ahead of it, or after `until`. With
/// the time; `None` if somebody relieved us.
fn run_batch<'a, K: Keyed>(
    slab: &'a Slab<K>,
    mut body: Guard<'a, K>,
    (me, until): (u64, Mono),
) -> Option<(Guard<'a, K>, Mono)> {
    let _entered = Trace::NONE.enter();
    let began = Clock.now();
    let out = std::mem::take(&mut body.out);
    let measured = Measured { now: began, count: 0, chunk: CHUNK_MAX };
    let mut run = Run { slab, me, until, measured, body: Some(body), at: None, lent: None, out };
    // One barrier for all of them: what a panic leaves behind says whose it was.
    let ended = match barrier(|| run.run()) {
        Ok(ended) => ended,
        Err(text) => run.fail(text),
    };
    let Run { measured, body, out, .. } = run;
    let mut body = body?;
    let then = Clock.now();
    let busy = then.mono - measured.now.mono;
    body.measure(measured.count, busy);
    slab.life.meter.note(busy);
    slab.life.meter.add(body.done.len() as u64, then.mono - began.mono);
    body.out = out;
    body.end_batch(ended == Ended::Whole, BATCH_MAX, then);
    Some((body, then.mono))
}

/// A batch that is run.
struct Run<'a, K: Keyed> {
    slab: &'a Slab<K>,
    me: u64,
    until: Mono,
    measured: Measured,
    /// `None` during a handler, and once somebody relieved us.
    body: Option<Guard<'a, K>>,
    /// For whom something is done, and whether that is an event.
    at: Option<(Spot, bool)>,
    /// Whose handler runs, or ended just now.
    lent: Option<Box<Awake<K>>>,
    out: Effects<EffectOf<K>>,
}

/// How far the events of a batch are measured.
struct Measured {
    now: Now,
    count: usize,
    /// How many are measured together.
    chunk: usize,
}

/// What came of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It is handled.
    Handled {
        /// Whether the machine says so.
        may_rest: bool,
    },
    /// There is no such key.
    Nobody,
    /// Somebody relieved us meanwhile.
    Relieved,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Everything is handled.
    Whole,
    /// The rest is given back.
    Broken,
    /// The rest is somebody else's.
    Relieved,
}

impl<K: Keyed> Run<'_, K> {
    /// Does one thing after the other.
    fn run(&mut self) -> Ended {
        loop {
            let Some(body) = &mut self.body else { return Ended::Relieved };
            let Some(item) = body.batch.pop_front() else { return Ended::Whole };
            let spot = item.spot;
            let may_rest = match self.handle(item) {
                Came::Handled { may_rest } => may_rest,
                Came::Nobody => return self.conclude(None),
                Came::Relieved => return Ended::Relieved,
            };
            let Some(body) = &mut self.body else { return Ended::Relieved };
            body.done.push(Done { spot, busy_ns: 0, may_rest });
            if self.slab.life.is_ending() {
                return Ended::Broken;
            }
            if body.done.len() - self.measured.count >= self.measured.chunk {
                let then = Clock.now();
                let busy = then.mono - self.measured.now.mono;
                body.measure(self.measured.count, busy);
                self.slab.life.meter.note(busy);
                // Slow events are measured one by one, quick ones together.
                let chunk = if busy > SLOW { 1 } else { CHUNK_MAX };
                self.measured = Measured { now: then, count: body.done.len(), chunk };
                if then.mono >= self.until {
                    return Ended::Broken;
                }
            }
            if self.slab.pool.is_urgent() {
                return if body.batch.is_empty() { Ended::Whole } else { Ended::Broken };
            }
        }
    }

    /// One event and its effects.
    fn handle(&mut self, Item { spot, life, trace, event, .. }: Item<EventOf<K>>) -> Came {
        self.at = Some((spot, event.is_some()));
        trace.set();
        let lent = self.body.as_mut().and_then(|body| body.lend(spot, life));
        let Some(lent) = lent else { return Came::Nobody };
        self.body = None;
        let may_rest = self.turn(lent, event);
        let mut body = self.slab.lock();
        if !body.is_back(self.me) {
            self.land(body, spot, Ok(may_rest));
            return Came::Relieved;
        }
        let body = self.body.insert(body);
        body.put(spot, self.lent.take());
        may_rest.map_or(Came::Nobody, |may_rest| Came::Handled { may_rest })
    }

    /// Makes the machine if there is none, hands it the event, and begins its effects; all of it
    /// without the body's lock. Whether the machine may rest; `None` if there is no such thing.
    fn turn(&mut self, lent: Lent<K>, event: Option<EventOf<K>>) -> Option<bool> {
        let keyed = &*self.slab.keyed;
        let awake = match lent {
            Lent::Awake(awake) => awake,
            Lent::Asleep(made_with) => {
                let (inbox, rng) = *made_with;
                let machine = keyed.activate(&inbox)?;
                Box::new(Awake { machine, rng, inbox })
            }
        };
        let Awake { machine, rng, inbox } = &mut **self.lent.insert(awake);
        if let Some(event) = event {
            let view = keyed.view();
            let turn = Turn { now: self.measured.now, rng, view: &*view };
            machine.handle(turn, event, &mut self.out);
            drop(view);
            if cfg!(debug_assertions) {
                machine.assert_invariants();
            }
            // Most often there are none, and to drain nothing costs something too.
            if !self.out.is_empty() {
                self.out.drain().for_each(|effect| keyed.submit(effect, inbox));
            }
        }
        Some(keyed.is_at_rest(machine))
    }

    /// There is nobody, or a panic said this: what else was taken waits.
    fn conclude(&mut self, panicked: Option<String>) -> Ended {
        if let (Some(body), Some((spot, is_event))) = (&mut self.body, self.at) {
            let trace = is_event.then(Trace::current);
            body.conclude(spot, panicked, trace, self.measured.now);
        }
        Ended::Broken
    }

    /// A panic is the failure of the key for which something was done.
    fn fail(&mut self, text: String) -> Ended {
        let Some((spot, _)) = self.at else { return Ended::Broken };
        // It may have left effects behind.
        self.out = Effects::default();
        let mut body = match self.body.take() {
            Some(body) => body,
            None => self.slab.lock(),
        };
        if !body.is_back(self.me) {
            self.land(body, spot, Err(text));
            return Ended::Relieved;
        }
        body.put(spot, self.lent.take());
        self.body = Some(body);
        self.conclude(Some(text))
    }

    /// A handler has ended whose worker was relieved: its key is everybody's again.
    fn land(&mut self, mut body: Guard<'_, K>, spot: Spot, came: Result<Option<bool>, String>) {
        let then = Clock.now();
        let busy = then.mono - self.measured.now.mono;
        self.slab.life.meter.add(1, busy);
        self.slab.life.meter.note(busy);
        body.welcome(spot);
        // Nobody is handed it before the body is let go.
        self.slab.pool.come_back(spot);
        body.put(spot, self.lent.take());
        let panicked = match came {
            Ok(Some(may_rest)) => {
                let one = Done { spot, busy_ns: nanos(busy), may_rest };
                return body.settle(&mut vec![one], then);
            }
            Ok(None) => None,
            Err(text) => Some(text),
        };
        let trace = self.at.and_then(|(_, is_event)| is_event.then(Trace::current));
        body.conclude(spot, panicked, trace, then);
    }
}
