//! An IPv4 range.
//!
//! Way in: [`Cidr`], parsed from `10.42.0.0/24`.  Invariant: no bit behind the prefix is set.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use serde::{Deserialize, Serialize};

/// A range of addresses with a common prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cidr {
    network: Ipv4Addr,
    prefix: u8,
}

/// Why a text is not a range. Whoever wrote it mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an IPv4 range such as 10.42.0.0/24")]
pub struct CidrError(String);

impl Cidr {
    /// The first address of the range.
    #[must_use]
    pub fn network(self) -> Ipv4Addr {
        self.network
    }

    /// How many bits are common, 0 to 32.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether `address` is in the range.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & self.mask() == u32::from(self.network)
    }

    /// How many addresses the range has.
    #[must_use]
    pub fn size(self) -> u64 {
        1 << (32 - u32::from(self.prefix))
    }

    /// Address number `index`, if it is in the range.
    #[must_use]
    pub fn nth(self, index: u64) -> Option<Ipv4Addr> {
        let index = u32::try_from(index).ok().filter(|_| index < self.size())?;
        Some(Ipv4Addr::from(u32::from(self.network).checked_add(index)?))
    }

    /// Whether all of `other` is in this range.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.network)
    }

    /// Whether some address is in both ranges.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let refused = || CidrError(text.to_owned());
        let (network, prefix) = text.split_once('/').ok_or_else(refused)?;
        let network = network.parse().map_err(|_| refused())?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or_else(refused)?;
        let range = Self { network, prefix };
        let exact = Ipv4Addr::from(u32::from(network) & range.mask()) == network;
        if exact { Ok(range) } else { Err(refused()) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_parsed_counted_and_refused() {
        let range: Cidr = "10.42.0.0/24".parse().expect("a range");
        assert_eq!(
            (range.size(), range.nth(255), range.nth(256)),
            (256, Some(Ipv4Addr::new(10, 42, 0, 255)), None)
        );
        assert!(
            range.contains(Ipv4Addr::new(10, 42, 0, 7))
                && !range.contains(Ipv4Addr::new(10, 42, 1, 0))
        );
        for text in ["10.42.0.1/24", "10.42.0.0/33", "10.42.0.0", "fd00::/64"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
