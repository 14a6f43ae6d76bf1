//! The failures of single keys: restarted alone, parked alone, told to people under their own names.
//!
//! Way in: [`Body::fail`], [`Body::carry_out`].  Never: the decision to restart or park; that is
//! `SupervisorMachine`'s, one for each key that ever failed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use actors_core::{
    AutoShutdown, ChildSpec, Effects, ExitReason, Incarnation, Machine, Mono, Now, OnLimit,
    Strategy, SupervisorEffect, SupervisorEvent, SupervisorMachine, SupervisorNotice, TreeSpec,
    Turn,
};

use super::{
    Keyed, SlabSpec,
    body::Body,
    record::{Hold, Spot},
    state::Order,
};
use crate::task::panic_text;

/// The name of the only child in the supervision of one key.
const KEY: &str = "key";

/// The supervision of one key, from its first failure until it is at rest and the failures are old.
pub(super) struct Failing {
    machine: SupervisorMachine,
    incarnation: Incarnation,
    pub(super) last: Mono,
}

impl<K: Keyed> Body<K> {
    pub(super) fn carry_out(&mut self, spot: Spot, order: Order, now: Now) {
        let Some((_, current)) = self.pool.known(spot) else { return };
        match order {
            Order::End { life, reason } if life == current => match reason {
                ExitReason::Normal | ExitReason::Shutdown => {
                    self.pool.end(spot, &reason);
                    self.forget(spot);
                }
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

    pub(super) fn fail(&mut self, spot: Spot, reason: ExitReason, now: Now) {
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
                    let path = format!("{}/{key}", self.pool.path());
                    self.system.notify(&path, named(notice, &key));
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
        SupervisorNotice::Slow { taken, .. } => SupervisorNotice::Slow { name, taken },
        SupervisorNotice::Suspended { .. } => SupervisorNotice::Suspended { name },
        SupervisorNotice::Resumed { .. } => SupervisorNotice::Resumed { name },
    }
}
