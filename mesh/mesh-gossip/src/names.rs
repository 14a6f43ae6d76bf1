//! Addresses for chitchat, which names peers by socket addresses: made from nodes' names.
//!
//! Way in: [`Names`].  Invariant: an address is a function of the name alone, so that it stays the
//! same when the node moves; it is in 240.0.0.0/4, which is nobody's (RFC 1112 section 4).

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, PoisonError},
};

/// Who is meant by which address.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<BTreeMap<SocketAddr, String>>);

impl Names {
    /// Names that are remembered; a mesh has at most 256 members.
    const LEN_MAX: usize = 1_024;

    /// The address of a node, which is remembered.
    pub(crate) fn learn(&self, node: &str) -> SocketAddr {
        let address = address_of(node);
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < Self::LEN_MAX {
            names.entry(address).or_insert_with(|| node.to_owned());
        }
        address
    }

    /// The node that has this address.
    pub(crate) fn name_of(&self, address: &SocketAddr) -> Option<String> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(address).cloned()
    }
}

/// 44 bits of a hash (FNV-1a): among 256 names, two collide once in a billion meshes.
fn address_of(node: &str) -> SocketAddr {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in node.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let [a, b, c, d, e, f, ..] = hash.to_le_bytes();
    SocketAddr::from((Ipv4Addr::new(240 | (a & 15), b, c, d), u16::from_le_bytes([e, f]).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_back_to_its_name() {
        let names = Names::default();
        let address = names.learn("server-1");
        assert_eq!(names.name_of(&address).as_deref(), Some("server-1"));
        assert_ne!(names.learn("server-2"), address);
        assert!(address.to_string().starts_with("24") || address.to_string().starts_with("25"));
        assert_eq!(names.name_of(&address_of("unknown")), None);
    }
}
