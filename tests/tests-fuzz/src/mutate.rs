//! Makes another input of one that is there.
//!
//! Way in: [`mutate`].

use actors_core::Rng;

/// No input gets longer.
const LEN_MAX: usize = 16 << 10;

/// Numbers at which readers go wrong.
const NUMBERS: [&str; 14] = [
    "0",
    "-0",
    "-1",
    "1",
    "127",
    "256",
    "65536",
    "2147483648",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e400",
    "0.1",
];

/// Bytes at which readers go wrong.
const BYTES: [u8; 12] = [0, 1, 9, 10, 13, 32, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xff];

fn at_most(rng: &mut Rng, most: usize) -> usize {
    usize::try_from(rng.below(u64::try_from(most).unwrap_or(u64::MAX) + 1)).unwrap_or(0)
}

/// A place between two bytes, and the end of a piece behind it, mostly a short one.
fn piece(rng: &mut Rng, bytes: &[u8]) -> (usize, usize) {
    let start = at_most(rng, bytes.len());
    let room = bytes.len() - start;
    let short = if rng.chance(800_000) { room.min(16) } else { room };
    (start, start + at_most(rng, short))
}

/// Another input, made of `base` and perhaps of a piece of `other`; `words` are what the grammar is made of.
#[must_use]
pub(crate) fn mutate(rng: &mut Rng, (base, other): (&[u8], &[u8]), words: &[&str]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for _ in 0..=rng.below(5) {
        change(rng, &mut bytes, other, words);
        bytes.truncate(LEN_MAX);
    }
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8], words: &[&str]) {
    let (start, end) = piece(rng, bytes);
    match rng.below(11) {
        0 => {
            bytes.drain(start..end);
        }
        1 => {
            let copy = bytes[start..end].to_vec();
            let at = at_most(rng, bytes.len());
            bytes.splice(at..at, copy);
        }
        2 => {
            let (from, to) = piece(rng, other);
            bytes.splice(start..end, other[from..to].iter().copied());
        }
        3 => {
            let times = 1 + at_most(rng, 200);
            let copy = bytes[start..end].repeat(times);
            bytes.splice(start..end, copy.into_iter().take(LEN_MAX));
        }
        4 => bytes.truncate(start),
        5 => {
            if let Some(byte) = bytes.get_mut(start) {
                *byte ^= 1 << rng.below(8);
            }
        }
        6 => {
            let byte = *rng.pick(&BYTES).unwrap_or(&0);
            bytes.insert(start, byte);
        }
        7 => {
            let number = rng.pick(&NUMBERS).copied().unwrap_or_default();
            let end = digits(bytes, start);
            bytes.splice(start..end, number.bytes());
        }
        8 => {
            let any = u8::try_from(rng.below(256)).unwrap_or(0);
            bytes.insert(start, any);
        }
        _ => {
            let word = rng.pick(words).copied().unwrap_or_default();
            let until = if rng.chance(500_000) { start } else { end };
            bytes.splice(start..until, word.bytes());
        }
    }
}

/// Where the digits that begin at `start` end.
fn digits(bytes: &[u8], start: usize) -> usize {
    let run = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    start + run
}
