//! Copies of the whole state, for members that the log cannot lead on any more.
//!
//! Way in: `send_image`, `keep_image`, `install`.
//! Time and order: an image is read on a thread of its own, as the state was at one time, while
//! entries are applied; it is never in memory as a whole, neither here nor where it arrives.

use std::sync::Arc;

use actors_core::ports::{DiskError, StateStore};
use serde_bytes::ByteBuf;
use store_mvcc::{GroupId, Mvcc};
use store_raft::{NodeId, RaftEvent};
use tokio::sync::mpsc;

use super::{Applier, Fault};
use crate::{
    OutgoingImage,
    image::{Page, Piece, Spool},
    locks::lock,
    wire,
    worker::WorkerEvent,
};

/// Bytes of rows after which a piece is sent.
const PIECE_BYTES: usize = 256 * 1024;

impl Applier<'_> {
    pub(super) fn send_image(&mut self, to: NodeId, frame: Vec<u8>) {
        let Some(owner) = self.owner.0.clone() else { return };
        let (image, pieces) = OutgoingImage::new(frame);
        let (store, group) = (Arc::clone(&self.store), self.shared.config.group);
        let index = self.mvcc.position().index;
        self.inbox.spawn_blocking(move || {
            if let Err(error) = read_image(store.as_ref(), group, Outgoing::new(index, pieces)) {
                tracing::warn!(%error, "an image of the state cannot be read");
            }
            WorkerEvent::Done
        });
        let delivery = self.shared.transport.send_image(to, image);
        self.inbox.spawn(async move {
            let delivery = delivery.await;
            owner.send(RaftEvent::SnapshotSent { to, delivery });
            WorkerEvent::Done
        });
    }

    /// Keeps the newer of two images.
    pub(super) fn keep_image(&mut self, image: Spool) {
        if self.image.as_ref().is_none_or(|kept| kept.index <= image.index) {
            self.image = Some(image);
        }
    }

    /// Makes the image the state, unless the state is as far already.
    pub(super) fn install(&mut self, number: u64, index: u64) -> Result<(), Fault> {
        if self.mvcc.position().index < index {
            let image = self.image.take().filter(|image| image.index >= index);
            let image = image.ok_or(Fault::NoImage { index })?;
            let pages = image.pages().map_err(Fault::Image)?;
            let pages = pages.map(|page| page.map_err(|error| DiskError::Other(error.to_string())));
            let group = self.shared.config.group;
            Mvcc::import(&self.store, group, pages)?;
            self.mvcc = Mvcc::open(Arc::clone(&self.store), group)?;
            lock(&self.shared.samples).restart(self.mvcc.position());
            self.publish_all()?;
        }
        let applied = self.mvcc.position().index;
        if applied < index {
            return Err(Fault::NoImage { index });
        }
        self.flushed = applied;
        self.owner.send(RaftEvent::SnapshotInstalled { number, applied });
        Ok(())
    }
}

/// Rows that become pieces.
struct Outgoing {
    pieces: mpsc::Sender<Vec<u8>>,
    /// What waits to become a piece, and how large it is.
    rows: Vec<(ByteBuf, ByteBuf)>,
    bytes: usize,
    sent: u64,
    /// Whether somebody still takes them.
    is_wanted: bool,
}

impl Outgoing {
    fn new(index: u64, pieces: mpsc::Sender<Vec<u8>>) -> Self {
        let mut outgoing = Self { pieces, rows: Vec::new(), bytes: 0, sent: 0, is_wanted: true };
        outgoing.send(&Piece::Begin { index });
        outgoing
    }

    fn add(&mut self, rows: Page) -> bool {
        for (key, value) in rows {
            let size = key.len() + value.len();
            if self.bytes + size > PIECE_BYTES {
                self.send_rows();
            }
            self.bytes += size;
            self.rows.push((ByteBuf::from(key), ByteBuf::from(value)));
        }
        self.is_wanted
    }

    fn send_rows(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if !rows.is_empty() {
            self.sent += rows.len() as u64;
            self.send(&Piece::Rows(rows));
        }
    }

    fn send(&mut self, piece: &Piece) {
        self.is_wanted = self.is_wanted && self.pieces.blocking_send(wire::encode(piece)).is_ok();
    }
}

/// Reads the whole state as it is at one time, and ends the image; one that is cut short is
/// recognised by its missing end.
fn read_image(
    store: &dyn StateStore,
    group: GroupId,
    mut outgoing: Outgoing,
) -> Result<(), DiskError> {
    store_mvcc::export(store, group, &mut |rows| outgoing.add(rows))?;
    outgoing.send_rows();
    let rows = outgoing.sent;
    outgoing.send(&Piece::End { rows });
    Ok(())
}
