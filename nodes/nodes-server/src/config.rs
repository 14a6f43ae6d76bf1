//! What a server is told once.
//!
//! Way in: [`ServerConfig`].

use std::{net::Ipv4Addr, path::PathBuf};

use actors_core::Rng;
use actors_runtime::Clock;
use mesh_gossip::Membership;
use mesh_quic::Mesh;
use nodes_mesh::Directory;
use nodes_pki::{NodeKeys, NodeRole, NodeSubject, Pki, PkiError};
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
    /// The mesh to the other machines; none for a cluster of a single machine.
    pub mesh: Option<ServerMesh>,
}

/// A server's part of the mesh, opened by whoever puts the process together.
#[derive(Clone)]
pub struct ServerMesh {
    /// The endpoint.
    pub mesh: Mesh,
    /// Who is alive.
    pub membership: Membership,
    /// Which node is which member of the store's group.
    pub directory: Directory,
}

impl ServerMesh {
    /// The mesh of one server; `known` are members that its record or its join answer named.
    #[must_use]
    pub fn new(
        mesh: Mesh,
        membership: Membership,
        known: impl IntoIterator<Item = (NodeId, String)>,
    ) -> Self {
        let directory = Directory::new(membership.view(), known);
        Self { mesh, membership, directory }
    }
}

impl std::fmt::Debug for ServerMesh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServerMesh({})", self.mesh.me())
    }
}

impl ServerConfig {
    /// The keys by which this server speaks on the mesh, before there is one: signed here, for a server holds the
    /// authority. Makes the authority, if this is the first start of the first server.
    ///
    /// # Errors
    /// If the folder of keys cannot be used.
    pub fn node_keys(&self, site: &str, rng: &mut Rng) -> Result<NodeKeys, PkiError> {
        let (folder, now) = (self.data_dir.join("pki"), Clock.now().wall);
        let pki = Pki::open_or_create(&folder, &self.api_names(), now, rng)?;
        let subject = NodeSubject {
            cluster: self.uid.clone(),
            site: site.to_owned(),
            role: NodeRole::Server,
            node: self.node.clone(),
        };
        pki.node_keys(&folder, &subject, now)
    }

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
