//! A reference to one key of a slab that remembers where its mailbox is.
//!
//! Way in: `SlabRef::key`.  Never: an owner; holding it keeps nobody awake.

use std::sync::{Arc, Weak};

use super::{Pool, SlabRef, record::Spot};
use crate::mailbox::{Refusal, TellError};

/// Reaches one key of whichever life of a slab is current, quicker than by its name each time.
#[derive(Debug)]
pub struct KeyRef<E> {
    slab: SlabRef<E>,
    key: Arc<str>,
    /// What was found last, and where the key is in it.
    pool: Weak<Pool<E>>,
    spot: Option<Spot>,
}

impl<E> Clone for KeyRef<E> {
    fn clone(&self) -> Self {
        Self {
            slab: self.slab.clone(),
            key: Arc::clone(&self.key),
            pool: Weak::clone(&self.pool),
            spot: self.spot,
        }
    }
}

impl<E: std::fmt::Debug + Send + 'static> KeyRef<E> {
    pub(super) fn new(slab: SlabRef<E>, key: Arc<str>) -> Self {
        Self { slab, key, pool: Weak::new(), spot: None }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Sends a message, as [`SlabRef::tell`] does.
    ///
    /// # Errors
    /// As [`SlabRef::tell`].
    pub async fn tell(&mut self, event: E) -> Result<(), TellError<E>> {
        let event = match self.pool.upgrade() {
            Some(pool) => match pool.tell(&self.key, &mut self.spot, event).await {
                Err(TellError { event, refusal: Refusal::Ended }) => event,
                result => return result,
            },
            None => event,
        };
        match self.find() {
            Ok(pool) => pool.tell(&self.key, &mut self.spot, event).await,
            Err(refusal) => Err(TellError { event, refusal }),
        }
    }

    /// Sends a message without waiting, whatever the policy.
    ///
    /// # Errors
    /// As [`SlabRef::tell`].
    pub fn try_tell(&mut self, event: E) -> Result<(), TellError<E>> {
        let event = match self.pool.upgrade() {
            Some(pool) => match pool.try_tell(&self.key, &mut self.spot, event) {
                Err(TellError { event, refusal: Refusal::Ended }) => event,
                result => return result,
            },
            None => event,
        };
        match self.find() {
            Ok(pool) => pool.try_tell(&self.key, &mut self.spot, event),
            Err(refusal) => Err(TellError { event, refusal }),
        }
    }

    fn find(&mut self) -> Result<Arc<Pool<E>>, Refusal> {
        let pool = self.slab.finder.find()?;
        // Another life's places are others.
        (self.pool, self.spot) = (Arc::downgrade(&pool), None);
        Ok(pool)
    }
}
