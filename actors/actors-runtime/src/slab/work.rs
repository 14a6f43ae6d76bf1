//! How a slab is run: batches of events, one after the other, until nothing waits or somebody relieves.
//!
//! Way in: [`work`].  Never: the body's lock during a handler.

use std::time::Duration;

use actors_core::{ExitReason, Machine, Now, Turn};

use super::{
    EventOf, Keyed,
    batch::{Done, Item, Taken},
    body::{Awake, Came, Lent},
    host::{Guard, Slab},
    record::Spot,
};
use crate::{
    clock::Clock,
    observer::nanos,
    task::barrier,
    trace::{Letter, Trace},
};

/// How many events are handled before the actor looks at its other ports.
const BATCH_MAX: usize = 256;

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
    let mut done = 0;
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
            Taken::Batch => match run_batch(slab, body, me) {
                Some(back) => body = back,
                None => return,
            },
        }
    }
    body.is_busy = true;
    slab.pool.wake_again();
    body.leave(me);
}

/// Handles what was taken; gives back the rest if something goes ahead of it. `None` if somebody
/// relieved us.
fn run_batch<'a, K: Keyed>(
    slab: &'a Slab<K>,
    mut body: Guard<'a, K>,
    me: u64,
) -> Option<Guard<'a, K>> {
    let began = Clock.now();
    let (mut now, mut measured, mut chunk) = (began, 0, CHUNK_MAX);
    let is_whole = loop {
        let Some(item) = body.batch.pop_front() else { break true };
        let goes_on;
        (body, goes_on) = run_item(slab, body, item, (now, me))?;
        if !goes_on || slab.life.is_ending() {
            break false;
        }
        if body.done.len() - measured >= chunk {
            let then = Clock.now();
            let busy = then.mono - now.mono;
            body.measure(measured, busy);
            slab.life.meter.note(busy);
            // Slow events are measured one by one, quick ones together.
            chunk = if busy > SLOW { 1 } else { CHUNK_MAX };
            (now, measured) = (then, body.done.len());
        }
        if slab.pool.is_urgent() {
            break body.batch.is_empty();
        }
    };
    let then = Clock.now();
    let busy = then.mono - now.mono;
    body.measure(measured, busy);
    slab.life.meter.note(busy);
    slab.life.meter.add(body.done.len() as u64, then.mono - began.mono);
    body.end_batch(is_whole, BATCH_MAX, then);
    Some(body)
}

/// Does one thing for one key. A panic is that key's failure. False if its other events wait, `None`
/// if somebody relieved us.
fn run_item<'a, K: Keyed>(
    slab: &'a Slab<K>,
    mut body: Guard<'a, K>,
    item: Item<EventOf<K>>,
    (now, me): (Now, u64),
) -> Option<(Guard<'a, K>, bool)> {
    let Item { spot, life, event } = item;
    let trace = event.as_ref().map(|(letter, _)| letter.trace);
    let _entered = trace.unwrap_or_default().enter();
    let came = match (body.activate(spot, life), event) {
        (Err(text), _) => Came::Panicked(text),
        (Ok(false), _) => Came::Nobody,
        (Ok(true), None) => body.rests(spot),
        (Ok(true), Some((Letter { event, .. }, _))) => match body.lend(spot) {
            Err(came) => came,
            Ok((mut lent, view)) => {
                drop(body);
                let result = handle(&mut lent, view, (now, event));
                body = slab.lock();
                if !body.is_mine(me) {
                    land(slab, &mut body, (spot, lent, result), now);
                    return None;
                }
                body.take_back(spot, lent, result)
            }
        },
    };
    let goes_on = body.conclude(spot, came, trace, now);
    Some((body, goes_on))
}

/// One event, without the body's lock.
fn handle<K: Keyed>(
    lent: &mut Lent<K>,
    view: K::Guard,
    (now, event): (Now, EventOf<K>),
) -> Result<(), String> {
    barrier(|| {
        let Awake { machine, rng, .. } = &mut *lent.awake;
        machine.handle(Turn { now, rng, view: &*view }, event, &mut lent.out);
        drop(view);
        if cfg!(debug_assertions) {
            machine.assert_invariants();
        }
    })
}

/// A handler has ended whose worker was relieved: its key is everybody's again.
fn land<K: Keyed>(
    slab: &Slab<K>,
    body: &mut Guard<'_, K>,
    (spot, lent, result): (Spot, Lent<K>, Result<(), String>),
    began: Now,
) {
    let then = Clock.now();
    let busy = then.mono - began.mono;
    slab.life.meter.add(1, busy);
    slab.life.meter.note(busy);
    body.welcome(spot);
    // Nobody is handed it before the body is let go.
    slab.pool.come_back(spot);
    match body.take_back(spot, lent, result) {
        Came::Fine { may_rest } => {
            let one = Done { spot, busy_ns: nanos(busy), may_rest };
            body.settle(&mut vec![one], then);
        }
        came => drop(body.conclude(spot, came, Some(Trace::current()), then)),
    }
}
