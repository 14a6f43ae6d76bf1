//! How far a text goes on without anything that JSON escapes: eight bytes at a time.
//!
//! Way in: [`plain_len`].

/// One in each of eight bytes.
const ONES: u64 = u64::from_le_bytes([1; 8]);
/// The highest bit of each of eight bytes.
const HIGHS: u64 = ONES << 7;

/// How many bytes stand before the first quote, backslash or control character; all of them if there is none.
#[must_use]
pub fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            // The lowest mark is exact; those above it may be borrowed from it.
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    words.len() * 8 + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The highest bit of each byte that is a quote, a backslash or a control character.
fn special(word: u64) -> u64 {
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGHS;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    is(b'"') | is(b'\\') | below(word, 0x20)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn eight_at_a_time_find_what_one_at_a_time_finds(
            bytes in vec(prop_oneof![Just(b'"'), Just(b'\\'), 0..=0x21_u8, any::<u8>(), Just(b'a')], 0..40),
        ) {
            let one = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            prop_assert_eq!(plain_len(&bytes), one.unwrap_or(bytes.len()));
        }

        #[test]
        fn a_single_mark_in_a_long_text_is_found(len in 0..40_usize, mark: u8, at in 0..40_usize) {
            let mut bytes = vec![b'x'; len.max(at + 1)];
            bytes[at] = mark;
            let is_mark = matches!(mark, b'"' | b'\\' | 0..=0x1f);
            prop_assert_eq!(plain_len(&bytes), if is_mark { at } else { bytes.len() });
        }
    }
}
