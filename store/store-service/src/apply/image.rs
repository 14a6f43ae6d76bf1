//! Copies of the whole state, for members that the log cannot lead on any more.
//!
//! Way in: `send_image`, `install`.
//! Time and order: an image is read while nothing is applied; it is sent by another task.

use std::sync::Arc;

use store_mvcc::Mvcc;
use store_raft::{NodeId, RaftEvent, SnapshotDelivery};

use super::{Applier, Fault};
use crate::{Image, Page, worker::WorkerEvent};

/// Rows that are read at once.
const PAGE: usize = 1_024;
/// Most bytes of an image, for it is in memory while it is sent.
const IMAGE_BYTES_MAX: usize = 1 << 30;

impl Applier<'_> {
    pub(super) fn send_image(&mut self, to: NodeId, frame: Vec<u8>) -> Result<(), Fault> {
        let Some(owner) = self.owner.0.clone() else { return Ok(()) };
        let Some(pages) = self.export()? else {
            tracing::warn!(?to, "the state is too large to be sent to another member");
            let delivery = SnapshotDelivery::Failed;
            owner.send(RaftEvent::SnapshotSent { to, delivery });
            return Ok(());
        };
        let transport = Arc::clone(&self.shared.transport);
        self.inbox.spawn(async move {
            let delivery = transport.send_image(to, Image { pages, frame }).await;
            owner.send(RaftEvent::SnapshotSent { to, delivery });
            WorkerEvent::Done
        });
        Ok(())
    }

    /// All rows; `None` if they are too many.
    fn export(&self) -> Result<Option<Vec<Page>>, Fault> {
        let mut pages: Vec<Page> = Vec::new();
        let mut bytes = 0;
        loop {
            let after = pages.last().and_then(|page| page.last()).map(|(key, _)| key.as_slice());
            let page = self.mvcc.export(after, PAGE)?;
            bytes += page.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
            if page.is_empty() {
                return Ok(Some(pages));
            }
            if bytes > IMAGE_BYTES_MAX {
                return Ok(None);
            }
            pages.push(page);
        }
    }

    /// Makes the image the state, unless the state is as far already.
    pub(super) fn install(&mut self, number: u64, index: u64) -> Result<(), Fault> {
        if self.mvcc.position().index < index
            && let Some(pages) = self.image.take()
        {
            let group = self.shared.config.group;
            Mvcc::import(&self.store, group, pages.into_iter().map(Ok))?;
            self.mvcc = Mvcc::open(Arc::clone(&self.store), group)?;
            self.publish_all()?;
        }
        let applied = self.mvcc.position().index;
        if applied >= index {
            self.flushed = applied;
            self.owner.send(RaftEvent::SnapshotInstalled { number, applied });
        } else {
            tracing::error!(index, applied, "an image was announced and did not come");
        }
        Ok(())
    }
}
