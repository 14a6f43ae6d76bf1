//! What a server is told once.
//!
//! Way in: [`ServerConfig`].

use std::{net::Ipv4Addr, path::PathBuf};

/// One server of a cluster.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The cluster's uid: 32 hexadecimal digits.
    pub uid: String,
    /// Name of the node on this machine.
    pub node: String,
    /// Data: `pki`, `store`.
    pub data_dir: PathBuf,
    /// Where the API listens on 127.0.0.1, and on the node's address.
    pub api_port: u16,
    /// The node's address as pods see it: the bridge's.
    pub node_address: Ipv4Addr,
    /// The Services' addresses: `10.160.0.0/16`.
    pub service_cidr: String,
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

    /// Every name and address that the API answers to.
    #[must_use]
    pub fn api_names(&self) -> Vec<String> {
        let mut names: Vec<String> = ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default"]
            .into_iter()
            .chain(["kubernetes.default.svc", "kubernetes.default.svc.cluster.local"])
            .map(str::to_owned)
            .collect();
        names.push(self.node_address.to_string());
        names.push(self.service_address());
        if self.node != "localhost" {
            names.push(self.node.clone());
        }
        names
    }
}
