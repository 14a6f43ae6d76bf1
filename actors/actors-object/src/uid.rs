//! UUIDs as 16 bytes and as text.
//!
//! Way in: [`text`], [`parse`].  Spec: RFC 9562 section 4.

/// `8-4-4-4-12` lower-case hexadecimal digits.
#[must_use]
pub fn text(bytes: [u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
    }
    text
}

/// The bytes of a UUID's text; `None` if it is none.
#[must_use]
pub fn parse(text: &str) -> Option<[u8; 16]> {
    let dashes = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let shaped =
        text.len() == 36 && text.bytes().enumerate().all(|(at, byte)| dashes(at) == (byte == b'-'));
    if !shaped {
        return None;
    }
    let mut bytes = [0; 16];
    let mut digits =
        text.bytes().filter(|byte| *byte != b'-').map(|byte| char::from(byte).to_digit(16));
    for byte in &mut bytes {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

/// A random uid, as objects get one when they are created.
#[must_use]
pub fn random(rng: &mut actors_core::Rng) -> String {
    text(rng.uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_survives_a_round_trip_and_other_texts_are_none() {
        let mut rng = actors_core::Rng::from_number(1);
        let uid = random(&mut rng);
        assert_eq!(parse(&uid).map(text), Some(uid));
        for bad in [
            "",
            "x",
            "00000000-0000-0000-0000-00000000000g",
            "0000000000000000-0000-0000-0000-0000-00",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
