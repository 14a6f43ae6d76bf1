//! `PriorityLevelConfiguration`: how many requests of a level run at once, and what becomes of the others.

use super::{EXEMPT, GROUP, mandatory};
use crate::validate::{Errors, PLAIN, Rules, Spot};

pub(super) const RULES: Rules =
    Rules { group: GROUP, kind: "PriorityLevelConfiguration", object: validate, ..PLAIN };

/// The most queues of a level.
const QUEUES_MAX: i64 = 10_000_000;
/// The most bits that one hash can deal a hand with.
const HAND_BITS_MAX: f64 = 60.0;

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let (metadata, spec) = (root.field("metadata"), root.field("spec"));
    let (sort, limited, exempt) = (spec.field("type"), spec.field("limited"), spec.field("exempt"));
    let is_named = metadata.field("name").text() == EXEMPT;
    if is_named != (sort.text() == "Exempt") {
        out.invalid(&sort, "type must be 'Exempt' if and only if name is 'exempt'");
    }
    match sort.text() {
        "Exempt" => {
            if limited.is_set() {
                out.forbidden(&limited, "must be nil if the type is not Limited");
            }
            validate_shares(&exempt, out);
        }
        "Limited" => {
            if exempt.is_set() {
                out.forbidden(&exempt, "must be nil if the type is Limited");
            }
            if limited.is_set() {
                validate_limited(&limited, out);
            } else {
                out.required(&limited, "must not be empty when type is Limited");
            }
        }
        _ => out.one_of_required(&sort, &["Exempt", "Limited"]),
    }
    mandatory::validate_level(root, out);
}

/// How much of the server a level has, and how much of it others may borrow.
fn validate_shares(level: &Spot<'_>, out: &mut Errors) {
    let shares = level.field("nominalConcurrencyShares");
    if shares.int().is_some_and(|shares| shares < 0) {
        out.invalid(&shares, "must be a non-negative integer");
    }
    let lendable = level.field("lendablePercent");
    out.between(&lendable, 0, 100);
}

fn validate_limited(limited: &Spot<'_>, out: &mut Errors) {
    validate_shares(limited, out);
    let borrowing = limited.field("borrowingLimitPercent");
    if borrowing.int().is_some_and(|percent| percent < 0) {
        out.invalid(&borrowing, "if specified, must be a non-negative integer");
    }
    let response = limited.field("limitResponse");
    let (sort, queuing) = (response.field("type"), response.field("queuing"));
    match sort.text() {
        "Reject" if queuing.is_set() => {
            out.forbidden(&queuing, "must be nil if limited.limitResponse.type is not Queue");
        }
        "Queue" if !queuing.is_set() => {
            out.required(&queuing, "must not be empty if limited.limitResponse.type is Queue");
        }
        "Queue" => validate_queuing(&queuing, out),
        _ => out.one_of_required(&sort, &["Queue", "Reject"]),
    }
}

/// Queues: a hand is dealt from them by one hash, which has only so many bits.
fn validate_queuing(queuing: &Spot<'_>, out: &mut Errors) {
    let (queues, hand) = (queuing.field("queues"), queuing.field("handSize"));
    let (queues_count, hand_size) = (queues.int().unwrap_or(0), hand.int().unwrap_or(0));
    let length = queuing.field("queueLengthLimit");
    if length.int().unwrap_or(0) <= 0 {
        out.invalid(&length, "must be positive");
    }
    if queues_count <= 0 {
        out.invalid(&queues, "must be positive");
    } else if queues_count > QUEUES_MAX {
        out.invalid(&queues, &format!("must not be greater than {QUEUES_MAX}"));
    }
    if hand_size <= 0 {
        out.invalid(&hand, "must be positive");
    } else if hand_size > queues_count {
        out.invalid(&hand, &format!("should not be greater than queues ({queues_count})"));
    } else if bits(queues_count, hand_size) > HAND_BITS_MAX {
        out.invalid(&hand, "with this many queues, a hand needs more than 60 bits of a hash");
    }
}

/// How many bits it takes to deal a hand: the logarithm of how many different ones there are.
fn bits(queues: i64, hand: i64) -> f64 {
    let queues = u32::try_from(queues).unwrap_or(u32::MAX);
    let hand = u32::try_from(hand).unwrap_or(u32::MAX);
    (0..hand.min(u32::from(u16::MAX)))
        .map(|dealt| f64::from(queues.saturating_sub(dealt)).log2())
        .sum()
}
