//! What others have for one life of a key: it stays known until that comes, or is taken back.
//!
//! Way in: [`KeyInbox::wait`].  Invariant: what a life waits for is void when it is over.

use std::{fmt::Debug, sync::Arc};

use super::KeyInbox;
use crate::{
    life::AnyMailbox,
    mailbox::Refusal,
    monitor::{Subject, Watchers},
};

/// One event that is to come. Dropping it takes it back.
pub(crate) struct Wait<E: Debug + Send + 'static>(Option<KeyInbox<E>>);

impl<E: Debug + Send + 'static> Wait<E> {
    /// This is it.
    pub(crate) fn end(mut self, event: E) {
        let inbox = self.0.take();
        // A life that is over cares for nothing.
        if let Some(inbox) = inbox.filter(KeyInbox::lives) {
            inbox.finish(Ok(event));
        }
    }
}

impl<E: Debug + Send + 'static> Drop for Wait<E> {
    fn drop(&mut self) {
        if let Some(inbox) = self.0.take()
            && let Some(pool) = inbox.pool.upgrade()
        {
            pool.finish(inbox.spot, inbox.life);
            pool.unwatched(&inbox.key);
        }
    }
}

impl<E: Debug + Send + 'static> KeyInbox<E> {
    /// Sends a message to this life as others do, without waiting.
    pub(crate) fn try_tell(&self, event: E) -> Result<(), Refusal> {
        let pool = self.pool.upgrade().filter(|_| self.lives()).ok_or(Refusal::Ended)?;
        let told = pool.try_tell(&self.key, &mut Some(self.spot), event);
        told.map_err(|error| error.refusal)
    }

    fn lives(&self) -> bool {
        let known = self.pool.upgrade().and_then(|pool| pool.known(self.spot));
        known.is_some_and(|(_, life)| life == self.life)
    }

    /// An event that is to come for this life; `None` if that is over.
    pub(crate) fn wait(&self) -> Option<Wait<E>> {
        self.begin().then(|| Wait(Some(self.clone())))
    }

    /// Who watches this life, and what is watched; `None` if it is over.
    pub(crate) fn subject(&self) -> Option<(Arc<Watchers>, Subject)> {
        let pool = self.pool.upgrade()?;
        let watchers = pool.watchers_at(self.spot, self.life)?;
        let slab: Arc<dyn AnyMailbox> = pool;
        Some((watchers, Subject::Key(Arc::downgrade(&slab), Arc::clone(&self.key))))
    }

    /// Names from the root on, joined by `/`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.slab.slot.path, self.key)
    }
}
