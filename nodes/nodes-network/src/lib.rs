//! The pod network of one node, its ways to other nodes' pods, and its service proxy.
//!
//! Way in: [`PodNetwork`] ([`BridgeNetwork`], [`HostNetwork`]); [`ServiceProxy`] over a
//! [`RuleSink`].
//! Owns: a bridge, the pods' interfaces, the file of their addresses, routes and a tunnel to other
//! nodes, and one nf_tables table.
//! Never: a look at the API; desired state comes as plain data, and rules are computed by a pure
//! function. Everything here blocks for milliseconds: callers run it off their event loops. IPv4
//! only.

mod addresses;
mod bridge;
mod cidr;
mod conntrack;
mod desired;
mod host;
mod links;
mod namespace;
mod nft;
mod proxy;
mod reach;
mod routes;
mod ruleset;
mod script;
mod survey;
mod tunnel;

use std::{collections::BTreeSet, net::Ipv4Addr, path::Path};

pub use addresses::{AddressBook, AddressError};
pub use bridge::{BridgeConfig, BridgeNetwork};
pub use cidr::{Cidr, CidrError};
pub use desired::{
    Desired, Endpoint, HostPort, Protocol, Service, ServicePort, Traffic, desired_services,
};
pub use host::HostNetwork;
pub use namespace::{NamespaceError, within};
pub use nft::{NftCommand, RuleSink, SinkError};
pub use proxy::{Applied, ProxyConfig, ProxyError, ServiceProxy};
pub use routes::{Link, Machine, NodeRoute, Place, Way, desired_routes, machines};
pub use ruleset::{Ruleset, ruleset};
pub use script::script;

/// Connects pods to each other and to the outside.
pub trait PodNetwork: Send + Sync {
    /// Brings up what all pods share. Safe to repeat.
    ///
    /// # Errors
    /// The step that failed; the node cannot run pods with a network of their own.
    fn set_up(&self) -> Result<(), NetworkError>;

    /// Gives the pod `owner`, whose network namespace is at `netns`, an interface and an address;
    /// the same address if it had one.
    ///
    /// # Errors The step that failed; nothing is left behind but the address, which
    /// [`PodNetwork::detach`] frees.
    fn attach(&self, owner: &str, netns: &Path) -> Result<Ipv4Addr, NetworkError>;

    /// The address that `owner` has.
    fn address_of(&self, owner: &str) -> Option<Ipv4Addr>;

    /// Takes interface and address away. Safe to repeat.
    ///
    /// # Errors
    /// The step that failed.
    fn detach(&self, owner: &str) -> Result<(), NetworkError>;

    /// Detaches every owner that is not in `owners`: what an agent does that starts again.
    ///
    /// # Errors
    /// The step that failed.
    fn retain(&self, owners: &BTreeSet<String>) -> Result<(), NetworkError>;

    /// Makes the pods of other nodes reachable by their own addresses, and forgets nodes that are
    /// not in `machines`; the addresses of those that are on a network of this machine, which know
    /// the way back to this node's pods. Safe to repeat.
    ///
    /// # Errors
    /// The step that failed first; other nodes are reached nevertheless.
    fn reach(&self, machines: &[Machine]) -> Result<BTreeSet<Ipv4Addr>, NetworkError>;

    /// Removes everything. Safe to repeat.
    ///
    /// # Errors
    /// The step that failed.
    fn tear_down(&self) -> Result<(), NetworkError>;
}

/// Why the pod network could not do what was asked. The caller tries again, and tells the user.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The file of addresses, or the range itself.
    #[error("addresses of pods")]
    Addresses(#[source] AddressError),
    /// A namespace could not be entered.
    #[error("network namespace of the pod")]
    Namespace(#[source] NamespaceError),
    /// The kernel refused a change of interfaces or routes.
    #[error("cannot {step}")]
    Link {
        /// What was being done.
        step: String,
        /// The kernel's answer.
        #[source]
        source: rtnetlink::Error,
    },
    /// An interface that was just made is not there.
    #[error("interface {0} is not there")]
    Missing(String),
    /// A kernel setting could not be written.
    #[error("cannot set {setting}")]
    Setting {
        /// Its path.
        setting: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
