//! What a server is told once.
//!
//! Way in: [`ServerConfig`].

use std::{net::Ipv4Addr, path::PathBuf};

use store_raft::NodeId;

/// One server of a cluster.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The cluster's uid: 32 hexadecimal digits.
    pub uid: String,
    /// The cluster's name.
    pub cluster: String,
    /// Name of the node on this machine.
    pub node: String,
    /// Data: `pki`, `store`.
    pub data_dir: PathBuf,
    /// Where the API listens on 127.0.0.1, and on the node's address.
    pub api_port: u16,
    /// The node's address as pods and other machines see it: the bridge's on a single machine, else the machine's.
    pub node_address: Ipv4Addr,
    /// The Services' addresses: `10.160.0.0/16`.
    pub service_cidr: String,
    /// The pods' addresses, of all nodes: `10.96.0.0/16`.
    pub pod_cidr: String,
    /// The addresses of this node's pods: `10.96.0.0/24`.
    pub node_range: String,
    /// Names and addresses that the API answers to, beside those that every API has and the node's.
    pub names: Vec<String>,
    /// Which member of the store's group this server is: 1 for the first, as its join answer says for others.
    pub member: NodeId,
    /// The voters that a new group begins with: this member for the first server, nobody for one that joins.
    pub first_voters: Vec<NodeId>,
}

impl ServerConfig {
    /// The first address of the Services' range: the `kubernetes` Service.
    #[must_use]
    pub fn service_address(&self) -> String {
        let network = self.service_cidr.split('/').next().unwrap_or_default();
        match network.rsplit_once('.') {
            Some((head, _)) => format!("{head}.1"),
            None => network.to_owned(),
        }
    }

    /// Every name and address that the API answers to, each once.
    #[must_use]
    pub fn api_names(&self) -> Vec<String> {
        let fixed = ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default"]
            .into_iter()
            .chain(["kubernetes.default.svc", "kubernetes.default.svc.cluster.local"])
            .map(str::to_owned);
        let own = [self.node_address.to_string(), self.service_address(), self.node.clone()];
        let mut names = Vec::new();
        for name in fixed.chain(own).chain(self.names.iter().cloned()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}
