//! Tokens are bounded by count; their age is tested with entries (`apply.rs`).

use super::*;
use crate::{
    Outcome, TOKENS_MAX,
    rows::{Rows, TokenRow},
    staging::Staging,
    tokens::Tokens,
};

#[test]
fn the_oldest_token_makes_room_for_the_newest() {
    let keys = Rows(GroupId::MAIN);
    let mut staging = Staging::new(Arc::new(MemoryState::default()), GroupId::MAIN);
    let mut tokens = Tokens::default();
    let token = |index: u64| Token(u128::from(index).to_be_bytes());
    let last = TOKENS_MAX as u64 + 3;
    for index in 1..=last {
        let outcome = Outcome { index, results: Vec::new() };
        let row = TokenRow { token: token(index), at: Wall(1), outcome };
        tokens.remember(&mut staging, keys, row).unwrap();
    }
    let recall = |index| tokens.recall(&staging, keys, token(index)).unwrap();
    assert_eq!((recall(3), recall(4).map(|outcome| outcome.index)), (None, Some(4)));
    assert_eq!(recall(last).map(|outcome| outcome.index), Some(last));
    assert_eq!(staging.get(&keys.token(3)), Ok(None));
}
