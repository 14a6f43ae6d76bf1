//! Remembers what became of proposals, so that one that is repeated is not applied twice.
//!
//! Way in: [`Tokens`].  Owns: the tokens in memory, and the rows of their outcomes.
//! Invariant: what is remembered and forgotten depends on applied entries only, so replicas agree
//! about it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use actors_core::{Wall, ports::DiskError};

use crate::{
    Outcome, Token,
    rows::{self, Rows, TokenRow},
    staging::Staging,
};

/// Most tokens that are remembered; about 5 MB of memory when all are.
pub const TOKENS_MAX: usize = 65_536;

/// How long a token is remembered, on the time of the state.
pub const TOKEN_AGE_MAX: Duration = Duration::from_secs(600);

/// Tokens that one entry forgets at most. Each entry remembers one, so a surplus still shrinks.
const FORGOTTEN_MAX: usize = 8;

/// The tokens of one group.
#[derive(Default)]
pub(crate) struct Tokens {
    /// The index of the entry that each was first applied with.
    indexes: BTreeMap<Token, u64>,
    /// The same tokens, oldest first.
    ages: VecDeque<(u64, Wall, Token)>,
}

impl Tokens {
    /// Reads what is remembered on disk.
    pub(crate) fn load(staging: &Staging, keys: Rows) -> Result<Self, DiskError> {
        let mut tokens = Self::default();
        staging.reader().scan(&keys.tokens(), |row, bytes| {
            let TokenRow { token, at, .. } = rows::decode(row, bytes)?;
            tokens.insert(Rows::number(row), at, token);
            Ok(true)
        })?;
        Ok(tokens)
    }

    /// The outcome of a proposal that was applied before.
    pub(crate) fn recall(
        &self,
        staging: &Staging,
        keys: Rows,
        token: Token,
    ) -> Result<Option<Outcome>, DiskError> {
        let Some(index) = self.indexes.get(&token) else { return Ok(None) };
        let row = keys.token(*index);
        let missing = || DiskError::Damaged(format!("outcome of entry {index} is missing"));
        let bytes = staging.get(&row)?.ok_or_else(missing)?;
        Ok(Some(rows::decode::<TokenRow>(&row, &bytes)?.outcome))
    }

    /// Remembers an outcome, and forgets what is too old or too much.
    pub(crate) fn remember(
        &mut self,
        staging: &mut Staging,
        keys: Rows,
        new: TokenRow,
    ) -> Result<(), DiskError> {
        let now = new.at;
        if new.token != Token::NONE {
            let index = new.outcome.index;
            staging.put(keys.token(index), rows::encode(&new)?);
            self.insert(index, now, new.token);
        }
        for _ in 0..FORGOTTEN_MAX {
            let full = self.ages.len() > TOKENS_MAX;
            let is_over =
                |(_, then, _): &mut (u64, Wall, Token)| full || now.since(*then) > TOKEN_AGE_MAX;
            let Some((index, _, token)) = self.ages.pop_front_if(is_over) else { break };
            self.indexes.remove(&token);
            staging.delete(keys.token(index));
        }
        Ok(())
    }

    fn insert(&mut self, index: u64, at: Wall, token: Token) {
        self.indexes.insert(token, index);
        self.ages.push_back((index, at, token));
    }
}
