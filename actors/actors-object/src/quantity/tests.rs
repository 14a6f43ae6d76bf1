//! Quantities: reading, exactness, canonical form.

use super::*;

fn check(text: &str, canonical: &str) {
    assert_eq!(
        Quantity::parse(text).map(|quantity| quantity.to_string()),
        Ok(canonical.to_owned()),
        "{text}"
    );
}

#[test]
fn quantities_are_written_canonically() {
    for (text, canonical) in [
        ("0", "0"),
        ("0.0Gi", "0"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.1Gi", "107374182400m"),
        ("512", "512"),
        ("1Ki", "1Ki"),
        ("0.5Ki", "512"),
        ("12e6", "12e6"),
        ("1E", "1E"),
        ("1e3", "1e3"),
        ("100E1", "1e3"),
        ("-1.5", "-1500m"),
        ("+2k", "2k"),
        ("2000", "2k"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        (".5", "500m"),
        ("5.", "5"),
        ("12345678901234Ki", "12345678901234Ki"),
        ("9223372036854775807", "9223372036854775807"),
        ("99999999999999999999999", "9223372036854775807"),
        ("1e1000000000000", "9223372036854775807e0"),
    ] {
        if canonical.ends_with("e0") {
            check(text, canonical.trim_end_matches("e0"));
        } else {
            check(text, canonical);
        }
    }
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "", "-", ".", "1.2.3", "1x", "1KI", "1ki", "Gi", "1 Gi", "1e", "1e+", "--1", "1e1.5", "ä",
        "1µ",
    ] {
        assert_eq!(
            Quantity::parse(text).map(|quantity| quantity.to_string()),
            Err(QuantityError),
            "{text}"
        );
    }
}

#[test]
fn arithmetic_is_exact() {
    let of = |text: &str| Quantity::parse(text).unwrap_or(Quantity::ZERO);
    assert_eq!(of("100m") + of("0.9"), of("1"));
    assert_eq!((of("1Gi") - of("1Mi")).to_string(), "1023Mi");
    assert_eq!((Quantity::ZERO + of("1Gi")).to_string(), "1Gi");
    assert!(of("1G") < of("1Gi"));
    assert_eq!(of("1Gi"), of("1073741824"));
    assert_eq!(of("100.5m").milli(), 101);
    assert_eq!(of("100m").value(), 1);
    assert_eq!(of("-100m").value(), -1);
    assert_eq!(of("9E").milli(), i64::MAX);
    assert_eq!((of("9E") + of("9E")).value(), i64::MAX);
}
