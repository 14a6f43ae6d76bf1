//! Copies of the state for members that the log cannot lead on.
//!
//! Way in: [`Server::send_image`], [`Server::take_image`], [`Server::install`].

use std::{sync::Arc, time::Duration};

use actors_sim::NodeId;
use store_mvcc::{GroupId, Mvcc};
use store_raft::{RaftEvent, SnapshotDelivery};

use super::{
    Ctx, Inner, Server,
    replica::{open_state, raft_id},
};
use crate::{
    event::{Bytes, Effect, Image, Local, Message},
    report::Invariant,
};

/// Rows of a page.
const PAGE: usize = 512;
/// A follower that has not confirmed an image after this time never got it.
const PATIENCE: Duration = Duration::from_secs(2);

impl Server {
    pub(super) fn send_image(&mut self, ctx: &mut Ctx<'_>, to: NodeId, frame: Vec<u8>) {
        let mut pages: Vec<Vec<_>> = Vec::new();
        loop {
            let last = pages.last().and_then(|page: &Vec<_>| page.last());
            let after = last.map(|(key, _): &(Vec<u8>, Vec<u8>)| key.as_slice());
            match self.replica.mvcc.export(after, PAGE) {
                Ok(page) if page.is_empty() => break,
                Ok(page) => pages.push(page),
                Err(_) => return ctx.out.push(Effect::Restart),
            }
        }
        let revision = self.replica.mvcc.position().revision;
        let image = Image { revision, pages: Arc::new(pages) };
        self.replica.imaging.push(to);
        ctx.send(to, Message::Image { image, frame: Bytes(frame) });
        ctx.at(ctx.now.mono.after(PATIENCE), Local::ImageLost { to });
    }

    pub(super) fn take_image(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: NodeId,
        image: Image,
        bytes: Vec<u8>,
    ) {
        self.replica.image = Some(image);
        ctx.send(from, Message::ImageTaken);
        let from = raft_id(from);
        self.inbox.push_back(Inner::Raft(RaftEvent::Message { from, bytes }));
    }

    pub(super) fn image_taken(&mut self, by: NodeId) {
        self.end_image(by, SnapshotDelivery::Delivered);
    }

    pub(super) fn image_lost(&mut self, to: NodeId) {
        self.end_image(to, SnapshotDelivery::Failed);
    }

    fn end_image(&mut self, node: NodeId, delivery: SnapshotDelivery) {
        if let Some(place) = self.replica.imaging.iter().position(|other| *other == node) {
            self.replica.imaging.remove(place);
            let to = raft_id(node);
            self.inbox.push_back(Inner::Raft(RaftEvent::SnapshotSent { to, delivery }));
        }
    }

    /// Makes the newest image the state, unless the state is as far already.
    pub(super) fn install(&mut self, ctx: &mut Ctx<'_>, number: u64, index: u64) {
        if self.replica.mvcc.position().index < index
            && let Some(image) = self.replica.image.take()
        {
            let pages = image.pages.iter().cloned().map(Ok);
            let imported = Mvcc::import(&self.replica.store, GroupId::MAIN, pages);
            let opened = open_state(&self.replica.store);
            let (Ok(()), Ok(mvcc)) = (imported, opened) else {
                return ctx.out.push(Effect::Restart);
            };
            self.replica.mvcc = mvcc;
            if self.replica.catalog.load(&self.replica.mvcc.reader()).is_err() {
                return ctx.out.push(Effect::Restart);
            }
            self.replica.share(&mut ctx.record.versions);
            ctx.record.counts.images += 1;
            ctx.record.check_hash(self.me, self.replica.mvcc.position());
            self.inbox.push_back(Inner::Reloaded);
        }
        let applied = self.replica.mvcc.position().index;
        if applied >= index {
            self.inbox.push_back(Inner::Raft(RaftEvent::SnapshotInstalled { number, applied }));
        } else {
            let what = format!("server {}: an image was announced and did not come", self.me.0);
            ctx.record.violation(Invariant::EntriesApply, what);
        }
    }
}
