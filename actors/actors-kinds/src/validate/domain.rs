//! Texts that begin with a domain, and addresses in their one proper spelling.
//!
//! Every function gives nothing for a good text, and otherwise what is wrong with it.
//! Spec: API reference of `IngressClass`, `ValidatingWebhook`, `IPAddress`; RFC 3986 (paths), RFC 5952 (IPv6).

use std::net::IpAddr;

use super::text::{Faults, dns_subdomain};

/// A domain, a slash and a path: `acme.io/foo`.
pub(super) fn prefixed_path(text: &str) -> Faults {
    let is_path_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    match text.split_once('/') {
        Some((domain, path)) if !domain.is_empty() && !path.is_empty() => {
            let mut faults = dns_subdomain(domain);
            if !path.bytes().all(is_path_byte) {
                faults.push("must hold what the path of a URL may hold only".to_owned());
            }
            faults
        }
        _ => vec!["must be a domain-prefixed path (such as \"acme.io/foo\")".to_owned()],
    }
}

/// A domain of three parts or more.
pub(super) fn fully_qualified(text: &str) -> Faults {
    let faults = dns_subdomain(text);
    if faults.is_empty() && text.split('.').count() < 3 {
        return vec![
            "should be a domain with at least three segments separated by dots".to_owned(),
        ];
    }
    faults
}

/// A name, or a name whose first part is `*`.
pub(super) fn wildcard(text: &str) -> Faults {
    text.strip_prefix("*.").map_or_else(|| dns_subdomain(text), dns_subdomain)
}

/// Names joined by slashes.
pub(super) fn pool(text: &str) -> Faults {
    text.split('/').flat_map(dns_subdomain).collect()
}

/// Whether a text is an address; hosts must not be.
pub(super) fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// An address as it is written by everybody.
pub(super) fn canonical_ip(text: &str) -> Faults {
    match text.parse::<IpAddr>() {
        Ok(address) if address.to_string() == text => Vec::new(),
        Ok(address) => vec![format!("must be in canonical form (\"{address}\")")],
        Err(_) => vec![NO_IP.to_owned()],
    }
}

const NO_IP: &str = "must be a valid IP address, such as 10.9.8.7 or 2001:db8::ffff";
const NO_CIDR: &str = "must be a valid CIDR, such as 10.9.8.0/24 or 2001:db8::/64";

/// A range of addresses: its first one, and how many bits of it are common to all.
pub(super) fn range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    (bits <= width(address)).then_some((address, bits))
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The bits of an address, the first one highest.
fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The bits of an address that follow the first `count` ones are all zero.
fn is_masked(address: IpAddr, count: u8) -> bool {
    bits_of(address).checked_shl(u32::from(count)).unwrap_or(0) == 0
}

/// A range as it is written by everybody: no bits behind the mask.
pub(super) fn canonical_cidr(text: &str) -> Faults {
    match range(text) {
        Some((address, bits))
            if is_masked(address, bits) && format!("{address}/{bits}") == text =>
        {
            Vec::new()
        }
        Some(_) => vec!["must be in canonical form, with no bits set behind the prefix".to_owned()],
        None => vec![NO_CIDR.to_owned()],
    }
}

/// Whether a range lies in another and is smaller.
pub(super) fn is_strict_subset(inner: (IpAddr, u8), outer: (IpAddr, u8)) -> bool {
    let differs = bits_of(inner.0) ^ bits_of(outer.0);
    let kept = 128_u32.saturating_sub(u32::from(outer.1));
    inner.0.is_ipv4() == outer.0.is_ipv4()
        && inner.1 > outer.1
        && differs.checked_shr(kept).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_contain_each_other_by_their_first_bits() {
        let is_in = |inner: &str, outer: &str| {
            is_strict_subset(range(inner).expect("a range"), range(outer).expect("a range"))
        };
        assert!(is_in("10.1.0.0/16", "10.0.0.0/8"));
        assert!(is_in("10.1.0.0/16", "0.0.0.0/0"));
        assert!(!is_in("10.0.0.0/8", "10.0.0.0/8"), "it is not smaller");
        assert!(!is_in("11.0.0.0/16", "10.0.0.0/8"));
        assert!(!is_in("2001:db8::/64", "0.0.0.0/0"), "another family");
        assert!(is_in("2001:db8::/64", "2001::/16"));
    }

    #[test]
    fn spellings_are_canonical() {
        assert!(canonical_ip("2001:db8::1").is_empty() && canonical_ip("10.0.0.1").is_empty());
        assert!(!canonical_ip("2001:db8:0::1").is_empty() && !canonical_ip("10.0.0").is_empty());
        assert!(canonical_cidr("10.0.0.0/8").is_empty() && canonical_cidr("::/0").is_empty());
        assert!(!canonical_cidr("10.0.0.1/8").is_empty() && !canonical_cidr("10.0.0.0").is_empty());
    }
}
