//! Reading and writing quantities.

use std::fmt;

use super::{Family, NANOS, NANOS_MAX, Quantity};

const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

pub(super) fn parse(text: &str) -> Option<Quantity> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end =
        rest.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let (family, scale) = scale_of(suffix)?;
    let size = nanos_of(whole, fraction, scale);
    Some(Quantity::capped(if negative { -size } else { size }, family))
}

/// By what the number is multiplied: a power of ten or of 1,024.
#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Kibi(u32),
}

fn scale_of(suffix: &str) -> Option<(Family, Scale)> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((Family::Decimal, Scale::Ten(*exponent)));
    }
    if let Some(power) = BINARY.iter().position(|name| *name == suffix) {
        return Some((Family::Binary, Scale::Kibi(u32::try_from(power).ok()?)));
    }
    let digits = suffix.strip_prefix(['e', 'E'])?;
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Exponents of more digits than this are beyond every cap, whatever the number.
    let size: i32 = unsigned.parse().unwrap_or(1_000_000).min(1_000_000);
    let exponent = if digits.starts_with('-') { -size } else { size };
    Some((Family::Exponent, Scale::Ten(exponent)))
}

/// Billionths of `whole.fraction` times the scale, rounded up; saturates at the cap.
fn nanos_of(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let (factor, exponent) = match scale {
        Scale::Ten(exponent) => (1, exponent),
        Scale::Kibi(power) => (1_i128 << (10 * power), 0),
    };
    // Digit number i from the left has the weight 10^(whole - 1 - i): it is added to the billionths
    // if it reaches them, and only says "round up" if it does not.
    let digits = whole.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte - b'0'));
    let first = i64::try_from(whole.len()).unwrap_or(i64::MAX) - 1 + i64::from(exponent);
    let mut total: i128 = 0;
    let mut beyond = false;
    // Digits below a billionth still count when a power of 1,024 multiplies them: nine more are
    // kept. With them everything up to the cap fits 127 bits, so what does not fit is beyond the
    // cap.
    let extra = if factor == 1 { 0 } else { fraction.len().saturating_sub(9).min(9) };
    let extra = u32::try_from(extra).unwrap_or(0);
    for (at, digit) in (0_i64..).zip(digits) {
        let weight = first.saturating_sub(at).saturating_add(9 + i64::from(extra));
        match (digit, u32::try_from(weight).ok()) {
            (0, _) => {}
            (_, None) => beyond = true,
            (_, Some(power)) => {
                let part = 10_i128.checked_pow(power).and_then(|weight| weight.checked_mul(digit));
                match part.and_then(|part| total.checked_add(part)) {
                    Some(sum) => total = sum,
                    None => return NANOS_MAX,
                }
            }
        }
    }
    let below = 10_i128.pow(extra);
    let product = total.checked_mul(factor).unwrap_or(i128::MAX);
    let up = i128::from(beyond || product % below != 0);
    (product / below + up).min(NANOS_MAX)
}

pub(super) fn write(quantity: &Quantity, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let nanos = quantity.nanos;
    if nanos == 0 {
        return f.write_str("0");
    }
    let whole = nanos % NANOS == 0;
    let large = nanos.abs() >= 1_024 * NANOS;
    match quantity.family {
        Family::Binary if whole && large => write_binary(nanos / NANOS, f),
        Family::Exponent => write_decimal(nanos, true, f),
        Family::Binary | Family::Decimal => write_decimal(nanos, false, f),
    }
}

fn write_binary(mut units: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut power = 0;
    while units % 1_024 == 0 && power + 1 < BINARY.len() {
        units /= 1_024;
        power += 1;
    }
    write!(f, "{units}{}", BINARY[power])
}

fn write_decimal(nanos: i128, as_exponent: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut number = nanos;
    let mut at = 0;
    while number % 1_000 == 0 && at + 1 < DECIMAL.len() {
        number /= 1_000;
        at += 1;
    }
    let (suffix, exponent) = DECIMAL[at];
    match (as_exponent, exponent) {
        (true, 0) => write!(f, "{number}"),
        (true, exponent) => write!(f, "{number}e{exponent}"),
        (false, _) => write!(f, "{number}{suffix}"),
    }
}
