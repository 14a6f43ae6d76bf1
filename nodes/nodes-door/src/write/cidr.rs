//! The range from which Services get their addresses.

use std::{fmt, net::Ipv4Addr, str::FromStr};

/// An IPv4 network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: u32,
    /// Invariant: from 8 to 30, so that there are addresses to give, and not too many.
    bits: u8,
}

/// The text is not a range that Services can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an IPv4 range of /8 to /30")]
pub struct CidrError(String);

impl Cidr {
    /// `10.43.0.0/16`.
    pub const DEFAULT: Self = Self { base: 0x0a2b_0000, bits: 16 };

    /// How many addresses Services can have: all but the first and the last.
    #[must_use]
    pub fn size(self) -> u32 {
        (1 << (32 - u32::from(self.bits))) - 2
    }

    /// Address number `offset`, from 0; the first one is the `kubernetes` Service's.
    #[must_use]
    pub fn address(self, offset: u32) -> Option<Ipv4Addr> {
        (offset < self.size()).then(|| Ipv4Addr::from(self.base + 1 + offset))
    }

    /// Whether Services can have this address.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        let offset = u32::from(address).wrapping_sub(self.base).wrapping_sub(1);
        offset < self.size()
    }

    /// How many addresses at the low end are kept for those who choose one themselves.
    /// Spec: Kubernetes documentation, "Service ClusterIP allocation": min(max(16, size / 16),
    /// 256).
    #[must_use]
    pub fn static_band(self) -> u32 {
        (self.size() / 16).clamp(16, 256).min(self.size() / 2)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let wrong = || CidrError(text.to_owned());
        let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let bits: u8 = bits.parse().map_err(|_| wrong())?;
        if !(8..=30).contains(&bits) {
            return Err(wrong());
        }
        let mask = u32::MAX << (32 - u32::from(bits));
        Ok(Self { base: u32::from(address) & mask, bits })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_gives_all_but_its_ends() {
        let range: Cidr = "10.96.0.7/29".parse().expect("a range");
        assert_eq!(range.to_string(), "10.96.0.0/29");
        assert_eq!(range.size(), 6);
        assert_eq!(range.address(0), Some(Ipv4Addr::new(10, 96, 0, 1)));
        assert_eq!(range.address(6), None);
        assert!(range.contains(Ipv4Addr::new(10, 96, 0, 6)));
        for outside in [[10, 96, 0, 0], [10, 96, 0, 7], [10, 95, 255, 255], [11, 0, 0, 1]] {
            assert!(!range.contains(Ipv4Addr::from(outside)), "{outside:?}");
        }
        assert_eq!("10.43.0.0/16".parse(), Ok(Cidr::DEFAULT));
        assert_eq!(Cidr::DEFAULT.static_band(), 256);
        for bad in ["", "10.0.0.0", "10.0.0.0/7", "10.0.0.0/31", "x/16", "::/64"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }
}
