//! Trees of proposals that are under way here: what the door had as a tree when it proposed it need
//! not be read from its bytes where it is applied.
//!
//! Way in: [`Trees::hold`] (who proposes), [`Trees::take`] (who applies).
//! Invariant: no more trees than callers that wait for their proposals. A tree that is lost costs
//! whoever wants it one reading of the bytes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use store_catalog::Tree;
use store_mvcc::Token;

use crate::locks::lock;

/// All trees of one store.
#[derive(Debug, Default)]
pub(crate) struct Trees(Mutex<BTreeMap<Token, Tree>>);

/// A tree that is there for as long as somebody waits for its proposal.
pub(crate) struct Held {
    trees: Arc<Trees>,
    token: Token,
}

impl Trees {
    /// Keeps the tree of the proposal that this token names.
    pub(crate) fn hold(self: &Arc<Self>, token: Token, tree: Option<Tree>) -> Option<Held> {
        let tree = tree.filter(|_| token != Token::NONE)?;
        lock(&self.0).insert(token, tree);
        Some(Held { trees: Arc::clone(self), token })
    }

    /// The tree of a proposal that is applied, if it was made here.
    pub(crate) fn take(&self, token: Token) -> Option<Tree> {
        lock(&self.0).remove(&token)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.trees.take(self.token);
    }
}
