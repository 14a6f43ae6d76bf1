//! Events: numbered, remembered for those who come late, passed on to those who listen.

use std::collections::VecDeque;

use super::{Server, sessions::Kind};
use crate::{
    clock,
    wire::{EVENTS_MAX, Event, EventKind, Reply},
};

/// The latest events, oldest first.
#[derive(Debug, Default)]
pub(super) struct Events {
    ring: VecDeque<Event>,
    last: u64,
}

impl Events {
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn after(&self, number: u64) -> Vec<Event> {
        self.ring.iter().filter(|event| event.number > number).cloned().collect()
    }
}

impl Server {
    /// Remembers an event and tells every subscriber. The state is on disk before anybody hears of it.
    pub(super) fn publish(&mut self, kind: EventKind) {
        self.save_state();
        self.events.last += 1;
        let event = Event { number: self.events.last, at: clock::now().wall, kind };
        if self.events.ring.len() == EVENTS_MAX {
            self.events.ring.pop_front();
        }
        self.events.ring.push_back(event.clone());
        let is_subscription = |kind: &Kind| matches!(kind, Kind::Subscription);
        let listeners: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| is_subscription(&session.kind))
            .map(|(key, _)| key.reply_to())
            .collect();
        for to in listeners {
            self.reply(to, Reply::Event(event.clone()));
        }
    }
}
