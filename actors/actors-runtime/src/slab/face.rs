//! A slab's mailboxes as its supervisor, operators and monitors see them.
//!
//! Way in: `AnyMailbox`.  Never: a machine.

use std::{
    any::Any,
    sync::{Arc, atomic::Ordering},
};

use actors_core::ExitReason;
use indexmap::IndexMap;

use super::{
    pool::Pool,
    record::{Hold, Record, Spot},
    state::Order,
};
use crate::{
    fault::Fault,
    life::{AnyMailbox, KeyCommand, Levels},
    monitor::Watchers,
    observer::{DeadReason, Node},
    task::lock,
};

impl<E: std::fmt::Debug + Send + 'static> Pool<E> {
    /// Who is told of the end of this life of a key; `None` if it is over.
    pub(super) fn watchers_at(&self, spot: Spot, life: u64) -> Option<Arc<Watchers>> {
        let mut state = lock(&self.state);
        let record = state.at(spot).filter(|record| record.life == life)?;
        Some(Arc::clone(record.watchers.get_or_insert_default()))
    }
}

impl<E: std::fmt::Debug + Send + 'static> AnyMailbox for Pool<E> {
    fn request_stop(&self) {
        let mut state = lock(&self.state);
        state.stop_asked = true;
        if self.drains {
            // Nothing more is taken.
            let mut hall = lock(&self.hall);
            self.absorb(&mut state, &mut hall);
            hall.shut_all();
        }
        self.is_urgent.store(true, Ordering::Relaxed);
        self.wake(&state);
    }

    fn inject(&self, fault: Fault) {
        let mut state = lock(&self.state);
        state.fault = Some(fault);
        self.is_urgent.store(true, Ordering::Relaxed);
        self.wake(&state);
    }

    fn close(&self) {
        let mut records = {
            let mut state = lock(&self.state);
            state.is_closed = true;
            let mut hall = lock(&self.hall);
            self.absorb(&mut state, &mut hall);
            hall.shut_all();
            hall.set_actor(None);
            drop(hall);
            state.waiting = 0;
            state.places = IndexMap::new();
            let records = std::mem::take(&mut state.records);
            let watched = |record: &mut Record<E>| record.take_watchers(self.path());
            let mut records: Vec<_> = records.into_iter().flatten().collect();
            state.orphans = records.iter_mut().filter_map(watched).collect();
            records
        };
        for record in &mut records {
            let dead = record.clear();
            self.bury_all(&record.key, DeadReason::Ended, &dead);
        }
        self.room.notify_waiters();
    }

    fn suspend(&self, is_suspended: bool) {
        let mut state = lock(&self.state);
        state.is_suspended = is_suspended;
        self.is_urgent.store(true, Ordering::Relaxed);
        self.wake(&state);
    }

    fn levels(&self) -> Levels {
        let state = lock(&self.state);
        Levels {
            depth: state.waiting + (state.told.len() + lock(&self.hall).len()) as u64,
            is_suspended: state.is_suspended,
            capacity: u64::from(self.spec().keys_max) * u64::from(self.spec().mailbox.capacity),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn keyed_nodes(&self) -> Vec<Node> {
        let mut nodes: Vec<_> = {
            let mut state = lock(&self.state);
            self.absorb(&mut state, &mut lock(&self.hall));
            let records = state.records.iter().flatten();
            records.map(|record| record.node(self.path(), self.spec())).collect()
        };
        nodes.sort_by(|one, other| one.path.cmp(&other.path));
        nodes
    }

    fn watchers_of(&self, key: &str) -> Option<Arc<Watchers>> {
        let mut state = lock(&self.state);
        let spot = state.find(key)?;
        let record = state.at(spot).filter(|record| record.hold == Hold::Open)?;
        Some(Arc::clone(record.watchers.get_or_insert_default()))
    }

    fn fail_key(&self, key: &str, watchers: &Arc<Watchers>, reason: ExitReason) {
        let mut state = lock(&self.state);
        let Some(spot) = state.find(key) else { return };
        let is_meant = |own: &Arc<Watchers>| Arc::ptr_eq(own, watchers);
        let record = state.at(spot).filter(|one| one.watchers.as_ref().is_some_and(is_meant));
        let Some(life) = record.map(|record| record.life) else { return };
        drop(state);
        self.order(spot, Order::End { life, reason });
    }

    fn unwatched(&self, key: &str) {
        let mut state = lock(&self.state);
        let Some(spot) = state.find(key) else { return };
        let rests = |record: &mut Record<E>| {
            record.is_dormant && record.pending == 0 && record.may_rest() && !record.is_watched()
        };
        state.absorb();
        let mut hall = lock(&self.hall);
        if hall.came(spot) == 0 && state.at(spot).is_some_and(rests) {
            drop(Self::remove(&mut state, &mut hall, spot));
        }
    }

    fn ended(&self, reason: &ExitReason) {
        let orphans = std::mem::take(&mut lock(&self.state).orphans);
        for (watchers, mut down) in orphans {
            down.reason = reason.clone();
            watchers.end(down);
        }
    }

    fn command(&self, key: &str, command: KeyCommand) -> bool {
        let known = lock(&self.state).find(key);
        let Some(spot) = known else { return false };
        let order = match command {
            KeyCommand::Inject(fault) => Order::Inject(fault),
            KeyCommand::Unpark => Order::Unpark,
            KeyCommand::Suspend(is_suspended) => return self.suspend_key(spot, is_suspended),
        };
        self.order(spot, order);
        true
    }
}
