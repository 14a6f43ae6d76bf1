//! Open watches of one server: each has a cursor into the ring, and falls back to the history when
//! it lags.
//!
//! Way in: [`Server::feed_streams`].  Invariant: a batch has a number, so that a listener notices a
//! lost one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_core::Mono;
use actors_object::ApiError;
use actors_sim::NodeId;
use nodes_door::{WatchEvent, WatchPlan};
use store_catalog::{Cursor, Event, Polled};
use store_mvcc::ReadError;

use super::{Ctx, Server};
use crate::{
    config::Planted,
    event::{Message, Shown},
};

/// Open watches, by who listens and the number of the request.
#[derive(Default)]
pub(super) struct Streams {
    open: BTreeMap<(NodeId, u64), Stream>,
}

struct Stream {
    plan: WatchPlan,
    cursor: Cursor,
    batch: u64,
    sent_at: Mono,
}

impl Streams {
    /// Most events of one batch.
    const BATCH: usize = 64;
    /// A listener hears at least this often.
    const QUIET_MAX: Duration = Duration::from_secs(1);

    pub(super) fn open(&mut self, id: (NodeId, u64), plan: WatchPlan) {
        let cursor = Cursor::new(plan.start.after(), plan.prefix.clone());
        self.open.insert(id, Stream { plan, cursor, batch: 0, sent_at: Mono::default() });
    }

    pub(super) fn close(&mut self, node: NodeId, id: u64) {
        self.open.remove(&(node, id));
    }
}

impl Server {
    /// Sends every listener what is new.
    pub(super) fn feed_streams(&mut self, ctx: &mut Ctx<'_>) {
        let mut streams = std::mem::take(&mut self.streams.open);
        streams.retain(|id, stream| self.feed(ctx, *id, stream));
        self.streams.open = streams;
    }

    /// Sends one listener what is new; false if its watch is over.
    fn feed(&self, ctx: &mut Ctx<'_>, (node, id): (NodeId, u64), stream: &mut Stream) -> bool {
        loop {
            let (events, more) =
                match stream.cursor.poll(self.replica.catalog.ring(), Streams::BATCH) {
                    Polled::Batch { events, more } => (events, more),
                    Polled::Lagged => match self.history(&mut stream.cursor) {
                        Ok(events) => (events, true),
                        Err(error) => {
                            let events = Shown(Arc::new(vec![WatchEvent::Error(error)]));
                            ctx.send(node, Message::Watched { id, batch: stream.batch, events });
                            return false;
                        }
                    },
                };
            let mut shown: Vec<WatchEvent> =
                events.iter().filter_map(|event| stream.plan.show(event)).collect();
            if stream.batch == 0 {
                shown.splice(0..0, stream.plan.take_initial(usize::MAX));
            }
            let planted = ctx.shared.config.has(Planted::LostWatchEvent);
            if planted && !shown.is_empty() && ctx.rng.chance(50_000) {
                shown.pop();
            }
            if !shown.is_empty() || stream.batch == 0 {
                stream.send(ctx, (node, id), shown);
            }
            if !more {
                return true;
            }
        }
    }

    fn history(&self, cursor: &mut Cursor) -> Result<Vec<Arc<Event>>, ApiError> {
        let reader = self.replica.mvcc.reader();
        match reader.changes_after(cursor.after(), Streams::BATCH) {
            Ok(changes) => Ok(cursor.take_history(changes, self.replica.catalog.opener())),
            Err(ReadError::Expired { asked, compacted }) => {
                Err(ApiError::expired(format!("too old resource version: {asked} ({compacted})")))
            }
            Err(error) => Err(ApiError::service_unavailable(error.to_string())),
        }
    }

    /// Tells listeners that heard nothing for a while how far they are.
    pub(super) fn sweep_streams(&mut self, ctx: &mut Ctx<'_>) {
        for (id, stream) in &mut self.streams.open {
            if ctx.now.mono.since(stream.sent_at) >= Streams::QUIET_MAX {
                let bookmark = WatchEvent::Bookmark(stream.cursor.after(), false);
                stream.send(ctx, *id, vec![bookmark]);
            }
        }
    }
}

impl Stream {
    fn send(&mut self, ctx: &mut Ctx<'_>, (node, id): (NodeId, u64), events: Vec<WatchEvent>) {
        let events = Shown(Arc::new(events));
        ctx.send(node, Message::Watched { id, batch: self.batch, events });
        self.batch += 1;
        self.sent_at = ctx.now.mono;
    }
}
