//! Lanes for writes that lost a race: in each namespace they go on one after the other.
//!
//! Way in: [`Lanes::enter`].  Why: many who write beside one thing, a quota, would all be decided
//! again when one of them got on; this way one server has one of them on its way.
//! Never: a wait for who lost nothing.

use std::{array, sync::Arc};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// How many lanes there are; namespaces share them.
const LANES: usize = 64;

/// See the module.
pub(crate) struct Lanes([Arc<Mutex<()>>; LANES]);

/// The right to go on; given back when it is dropped.
pub(crate) type Lane = OwnedMutexGuard<()>;

impl Default for Lanes {
    fn default() -> Self {
        Self(array::from_fn(|_| Arc::default()))
    }
}

impl Lanes {
    /// Waits until all who came before are done; first come, first served.
    pub(crate) async fn enter(&self, namespace: &str) -> Lane {
        let mixed = namespace
            .bytes()
            .fold(0_usize, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(usize::from(byte)));
        Arc::clone(&self.0[mixed % LANES]).lock_owned().await
    }
}
