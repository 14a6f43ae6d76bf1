//! Which texts are names, labels, keys, ports, addresses.
//!
//! Every function gives nothing for a good text, and otherwise what is wrong with it.
//! Spec: RFC 1123, RFC 1035, RFC 6335; Kubernetes documentation, "object names and IDs", "labels and selectors".

use std::net::IpAddr;

pub(crate) use actors_object::names::{
    config_key, dns1035_label as dns_1035, dns1123_label as dns_label,
    dns1123_subdomain as dns_subdomain, label_value, path_segment, qualified_name,
};

const ENV_NAME: &str = "must be printable ASCII characters other than '='";
const PORT_NAME: &str = "must be at most 15 lower case letters, digits or '-', with at least one letter, \
     neither beginning nor ending with '-', and without '--'";

/// What keeps a text from being what it must be; empty for a good one.
pub(crate) type Faults = Vec<String>;

fn unless(is_good: bool, rule: &str) -> Faults {
    if is_good { Vec::new() } else { vec![rule.to_owned()] }
}

/// The name of an environment variable.
pub(crate) fn env_name(text: &str) -> Faults {
    let is_good = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    unless(!text.is_empty() && text.bytes().all(is_good), ENV_NAME)
}

/// RFC 6335 service name.
pub(crate) fn port_name(text: &str) -> Faults {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    unless(
        (1..=15).contains(&text.len())
            && text.bytes().all(is_good)
            && text.bytes().any(|byte| byte.is_ascii_lowercase())
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !text.contains("--"),
        PORT_NAME,
    )
}

/// A port's number.
pub(crate) fn port_number(number: i64) -> Faults {
    unless((1..=65_535).contains(&number), "must be between 1 and 65535, inclusive")
}

/// An address, v4 or v6.
pub(crate) fn ip(text: &str) -> Faults {
    unless(
        text.parse::<IpAddr>().is_ok(),
        "must be a valid IP address, such as 10.9.8.7 or 2001:db8::ffff",
    )
}

/// A range of addresses.
pub(crate) fn cidr(text: &str) -> Faults {
    let is_good = text.split_once('/').is_some_and(|(address, bits)| {
        let most = match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        bits.parse::<u8>().is_ok_and(|bits| bits <= most)
    });
    unless(is_good, "must be a valid CIDR, such as 10.9.8.0/24 or 2001:db8::/64")
}

/// A path inside a volume: relative, and never upwards.
pub(crate) fn local_path(text: &str) -> Faults {
    if text.starts_with('/') {
        return vec!["must be a relative path".to_owned()];
    }
    unless(!text.split('/').any(|part| part == ".."), "must not contain '..'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&str) -> Faults, good: &[&str], bad: &[&str]) {
        good.iter().for_each(|text| assert!(rule(text).is_empty(), "{text:?} is good"));
        bad.iter().for_each(|text| assert!(!rule(text).is_empty(), "{text:?} is bad"));
    }

    #[test]
    fn keys_and_variables_are_plain() {
        check(config_key, &["a", ".hidden", "a_b-c.D"], &["", ".", "..", "..a", "a/b", "a b"]);
        check(env_name, &["A", "a.b", "1 2"], &["", "A=B", "ä", "a\n"]);
    }

    #[test]
    fn ports_and_addresses_are_in_range() {
        check(
            port_name,
            &["http", "a-1"],
            &["", "80", "Http", "a--b", "-a", "longer-than-fifteen"],
        );
        check(ip, &["10.0.0.1", "::1"], &["", "10.0.0", "a"]);
        check(cidr, &["10.0.0.0/8", "::/0"], &["10.0.0.0", "10.0.0.0/33", "a/8"]);
        check(local_path, &["a/b", "..a"], &["/a", "a/../b", ".."]);
        assert!(port_number(80).is_empty());
        assert!(!port_number(0).is_empty() && !port_number(65_536).is_empty());
    }
}
