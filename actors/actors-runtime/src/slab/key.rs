//! A reference to one key of a slab that remembers where its mailbox is.
//!
//! Way in: `SlabRef::key`.  Never: an owner; holding it keeps nobody awake.

use std::sync::Arc;

use super::{Pool, SlabRef, record::Spot};
use crate::{
    mailbox::{Refusal, TellError},
    task::{is_pause_due, pause},
};

/// Reaches one key of whichever life of a slab is current, quicker than by its name each time.
#[derive(Debug)]
pub struct KeyRef<E> {
    slab: SlabRef<E>,
    key: Arc<str>,
    /// What was found last, and where the key is in it. If that life is over, nothing is left there.
    pool: Option<Arc<Pool<E>>>,
    spot: Option<Spot>,
}

impl<E> Clone for KeyRef<E> {
    fn clone(&self) -> Self {
        Self {
            slab: self.slab.clone(),
            key: Arc::clone(&self.key),
            pool: self.pool.clone(),
            spot: self.spot,
        }
    }
}

impl<E: std::fmt::Debug + Send + 'static> KeyRef<E> {
    pub(super) fn new(slab: SlabRef<E>, key: Arc<str>) -> Self {
        Self { slab, key, pool: None, spot: None }
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
        // Whoever tells much lets others run too, most of all the slab.
        if is_pause_due() {
            pause().await;
        }
        let mut event = match (&self.pool, self.spot) {
            // The usual way, and short: what comes back is not even an error yet.
            (Some(pool), Some(spot)) => match pool.push(spot, event) {
                Ok(()) => return Ok(()),
                Err(event) => event,
            },
            _ => event,
        };
        loop {
            let (error, pool) = match (self.try_tell(event), &self.pool) {
                (Err(error), Some(pool)) if pool.waits_for(error.refusal) => (error, pool),
                (result, _) => return result,
            };
            let pool = Arc::clone(pool);
            match pool.tell_later(&self.key, &mut self.spot, error.event).await {
                // There may be another life.
                Err(error) if error.refusal == Refusal::Ended => event = error.event,
                result => return result,
            }
        }
    }

    /// Sends a message without waiting, whatever the policy.
    ///
    /// # Errors
    /// As [`SlabRef::tell`].
    pub fn try_tell(&mut self, event: E) -> Result<(), TellError<E>> {
        let event = match &self.pool {
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
        // Another life's places are others.
        (self.pool, self.spot) = (None, None);
        let pool = self.slab.finder.find()?;
        self.pool = Some(Arc::clone(&pool));
        Ok(pool)
    }
}
