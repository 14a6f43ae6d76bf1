//! The network of pods that share their node's: for machines without root, and for `hostNetwork`.
//!
//! Way in: [`HostNetwork`].

use std::{collections::BTreeSet, net::Ipv4Addr, path::Path};

use crate::{Machine, NetworkError, PodNetwork};

/// Every pod has the node's address.
#[derive(Debug, Clone)]
pub struct HostNetwork {
    address: Ipv4Addr,
}

impl HostNetwork {
    /// Pods of a node with this address.
    #[must_use]
    pub fn new(address: Ipv4Addr) -> Self {
        Self { address }
    }
}

impl PodNetwork for HostNetwork {
    fn set_up(&self) -> Result<(), NetworkError> {
        Ok(())
    }

    fn attach(&self, _owner: &str, _netns: &Path) -> Result<Ipv4Addr, NetworkError> {
        Ok(self.address)
    }

    fn address_of(&self, _owner: &str) -> Option<Ipv4Addr> {
        Some(self.address)
    }

    fn detach(&self, _owner: &str) -> Result<(), NetworkError> {
        Ok(())
    }

    fn retain(&self, _owners: &BTreeSet<String>) -> Result<(), NetworkError> {
        Ok(())
    }

    fn reach(&self, _machines: &[Machine]) -> Result<BTreeSet<Ipv4Addr>, NetworkError> {
        Ok(BTreeSet::new())
    }

    fn tear_down(&self) -> Result<(), NetworkError> {
        Ok(())
    }
}
