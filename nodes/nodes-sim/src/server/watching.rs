//! Health on a server that does not lead: it only watches, so that a new leader goes on counting.
//!
//! Way in: [`Watching`], [`Server::feed_watching`].

use std::sync::Arc;

use actors_controller::World;
use actors_core::{Effects, Machine, Turn};
use nodes_control::{
    SnapshotWorld, change_of,
    health::{self, HealthEvent, HealthMachine},
};
use store_catalog::{Cursor, Event, Polled};
use store_mvcc::{Epoch, Key};

use super::{Ctx, Server, control::Control};

/// Health, as a server has it that does not lead: it only watches.
#[derive(Default)]
pub(super) struct Watching {
    machine: Box<HealthMachine>,
    cursor: Option<Cursor>,
}

/// What the keys of nodes and pods begin with.
const OWN: [&[u8]; 2] = [b"/registry/nodes/", b"/registry/pods/"];

impl Server {
    /// This server leads no longer.
    pub(super) fn end_control(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(control) = self.control.take() {
            self.watching = Watching { machine: control.into_health(), cursor: None };
            self.watch(ctx, HealthEvent::Leading(false));
        }
    }

    pub(super) fn begin_control(&mut self, ctx: &mut Ctx<'_>, term: u64, epoch: Epoch) {
        let health = std::mem::take(&mut self.watching).machine;
        let snapshot = self.replica.snapshot();
        self.control = Some(Control::new(ctx.shared, (term, epoch), snapshot, health));
        self.start_control(ctx);
    }

    /// Tells health something while this server does not lead.
    pub(super) fn watch(&mut self, ctx: &mut Ctx<'_>, event: HealthEvent) {
        let registry = Arc::clone(&ctx.shared.registry);
        let world = SnapshotWorld::new(self.replica.snapshot(), registry);
        let view: &(dyn World + 'static) = &world;
        let turn = Turn { now: ctx.now, rng: &mut *ctx.rng, view };
        // Who does not lead wants nothing.
        self.watching.machine.handle(turn, event, &mut Effects::default());
    }

    /// Health hears what was published, though this server does not lead.
    pub(super) fn feed_watching(&mut self, ctx: &mut Ctx<'_>) {
        if self.control.is_some() {
            return;
        }
        let newest = self.replica.catalog.ring().newest();
        let cursor = self.watching.cursor.as_mut();
        match cursor.map(|cursor| cursor.poll(self.replica.catalog.ring(), usize::MAX)) {
            Some(Polled::Batch { events, .. }) => {
                // Who does not lead counts nodes and the ends of pods; nothing else is decoded for it.
                let counts = |key: &Key| OWN.iter().any(|own| key.as_bytes().starts_with(own));
                let counts = |event: &&Arc<Event>| counts(&event.key) && health::matters(event);
                for event in events.iter().filter(counts) {
                    self.watch(ctx, HealthEvent::Changed(change_of(event)));
                }
            }
            Some(Polled::Lagged) | None => {
                self.watching.cursor = Some(Cursor::new(newest, Key::from("/registry/")));
                self.watch(ctx, HealthEvent::Resync);
            }
        }
    }
}
