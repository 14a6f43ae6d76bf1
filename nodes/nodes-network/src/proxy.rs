//! Keeps the node's rules as they should be.
//!
//! Way in: [`ServiceProxy::apply`].  Owns: one table.
//! Invariant: rules that are applied are written down as applied only after the kernel took them.

use std::{collections::BTreeSet, net::Ipv4Addr};

use crate::{
    Cidr, Desired, RuleSink, Ruleset, SinkError,
    conntrack::{self, UdpFlow},
    desired::Protocol,
    ruleset, script,
};

/// What a proxy must know of its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// The name of its table: `starling-<cluster>`.
    pub table: String,
    /// The addresses of this node's pods; what they send out of the cluster leaves under the node's
    /// address.
    pub pod_range: Cidr,
    /// The addresses of all pods of the cluster, which see each other's own addresses.
    pub cluster_range: Cidr,
    /// The addresses of Services.
    pub service_range: Cidr,
    /// The interface behind which pods are.
    pub bridge: String,
}

/// Turns desired state into rules of the kernel.
pub struct ServiceProxy {
    config: ProxyConfig,
    sink: Box<dyn RuleSink>,
    applied: Option<Ruleset>,
    udp: BTreeSet<UdpFlow>,
}

/// What [`ServiceProxy::apply`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The rules were changed.
    Changed,
    /// They were right already.
    Same,
}

/// Why rules could not be changed.
#[derive(Debug, thiserror::Error)]
#[error("service rules of table {table}")]
pub struct ProxyError {
    table: String,
    #[source]
    source: SinkError,
}

impl ServiceProxy {
    /// A proxy that has applied nothing yet.
    #[must_use]
    pub fn new(config: ProxyConfig, sink: Box<dyn RuleSink>) -> Self {
        Self { config, sink, applied: None, udp: BTreeSet::new() }
    }

    /// Makes the kernel's rules those of `desired`, in one transaction.
    ///
    /// # Errors
    /// If the kernel refuses; the rules are as before.
    pub fn apply(&mut self, desired: &Desired) -> Result<Applied, ProxyError> {
        let wanted = ruleset(&self.config, desired);
        if self.applied.as_ref() == Some(&wanted) {
            return Ok(Applied::Same);
        }
        self.run(&script(self.applied.as_ref(), &wanted))?;
        self.applied = Some(wanted);
        let udp = udp_flows(desired);
        let gone: BTreeSet<UdpFlow> = self.udp.difference(&udp).copied().collect();
        // UDP has no end of a connection: without this, a client would be sent to a pod that is
        // gone for minutes.
        if let Err(error) = conntrack::forget(&gone) {
            tracing::warn!(%error, "connections to removed UDP endpoints");
        }
        self.udp = udp;
        Ok(Applied::Changed)
    }

    /// Removes all rules. Safe to repeat.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn clear(&mut self) -> Result<(), ProxyError> {
        let table = &self.config.table;
        self.run(&format!("add table ip {table}\ndelete table ip {table}\n"))?;
        self.applied = None;
        Ok(())
    }

    fn run(&self, script: &str) -> Result<(), ProxyError> {
        let wrap = |source| ProxyError { table: self.config.table.clone(), source };
        self.sink.apply(script).map_err(wrap)
    }
}

fn udp_flows(desired: &Desired) -> BTreeSet<UdpFlow> {
    let mut flows = BTreeSet::new();
    for service in &desired.services {
        for port in service.ports.iter().filter(|port| port.protocol == Protocol::Udp) {
            let targets: Vec<(Ipv4Addr, u16)> =
                port.endpoints.iter().map(|endpoint| (endpoint.address, endpoint.port)).collect();
            // A client that was refused before there was an endpoint left an entry without
            // translation.
            let to =
                if targets.is_empty() { vec![(service.cluster_ip, port.port)] } else { targets };
            let service = (service.cluster_ip, port.port);
            flows.extend(to.into_iter().map(|target| UdpFlow { service, target }));
        }
    }
    flows
}
