//! Clusters of several machines: started on this host or joined by it.
//!
//! Way in: [`up`] for machines in namespaces of this host, [`real`] for this computer as one machine; both make and
//! join machines by [`joining`].  [`node`], [`token`], [`server`], [`mesh`] are the verbs about them.
//! Owns: `machine.json` of each machine.

pub(crate) mod down;
pub(crate) mod joining;
pub(crate) mod mesh;
pub(crate) mod node;
pub(crate) mod real;
pub(crate) mod server;
pub(crate) mod token;
pub(crate) mod up;

use std::net::{Ipv4Addr, SocketAddr};

use nodes_machines::{MESH_PORT, MachinePlan, MachineRecord, Role, Seed};
use nodes_pki::JoinAnswer;

use crate::{ClusterRecord, Failure};

/// A machine that is about to be part of a cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newcomer<'a> {
    /// Its cluster, as this host knows it.
    pub(crate) cluster: &'a ClusterRecord,
    /// Its names.
    pub(crate) plan: &'a MachinePlan,
    /// Where others reach it.
    pub(crate) address: Ipv4Addr,
    /// The API's port on it.
    pub(crate) api_port: u16,
    /// Further names of its API.
    pub(crate) api_names: &'a [String],
    /// Whether pods that do not ask for it stay away.
    pub(crate) tainted: bool,
}

impl Newcomer<'_> {
    pub(crate) fn mesh_address(&self) -> SocketAddr {
        SocketAddr::from((self.address, MESH_PORT))
    }

    /// What the first machine of a cluster is told: nobody else is there.
    pub(crate) fn first(&self) -> MachineRecord {
        MachineRecord {
            node_range: first_range(&self.cluster.pod_cidr),
            member: Some(1),
            first_voters: vec![1],
            ..self.blank()
        }
    }

    /// What a machine that joined is told.
    pub(crate) fn joined(&self, answer: &JoinAnswer) -> Result<MachineRecord, Failure> {
        let seed = |peer: &nodes_pki::JoinPeer| {
            let mesh_address = peer.mesh_address.parse().map_err(|_| {
                Failure::new(format!(
                    "the server says that {} is at {:?}, which is no address",
                    peer.node, peer.mesh_address
                ))
            })?;
            Ok(Seed { node: peer.node.clone(), role: peer.role, mesh_address, member: peer.member })
        };
        Ok(MachineRecord {
            cluster: answer.cluster.name.clone(),
            uid: answer.cluster.uid.clone(),
            pod_cidr: answer.cluster.pod_cidr.clone(),
            service_cidr: answer.cluster.service_cidr.clone(),
            node_range: answer.node_range.clone(),
            member: answer.member,
            seeds: answer.peers.iter().map(seed).collect::<Result<_, Failure>>()?,
            ..self.blank()
        })
    }

    fn blank(&self) -> MachineRecord {
        let (cluster, plan) = (self.cluster, self.plan);
        MachineRecord {
            cluster: cluster.name.clone(),
            uid: cluster.uid.clone(),
            index: cluster.index,
            node: plan.node.clone(),
            role: plan.role,
            address: self.address,
            api_port: self.api_port,
            api_names: self.api_names.to_vec(),
            mesh_address: Some(self.mesh_address()),
            pod_cidr: cluster.pod_cidr.clone(),
            node_range: String::new(),
            service_cidr: cluster.service_cidr.clone(),
            table: cluster.table.clone(),
            runtime: cluster.runtime.clone(),
            member: None,
            first_voters: Vec::new(),
            seeds: Vec::new(),
            tainted: self.tainted && plan.role == Role::Server,
            data_dir: plan.data_dir.clone(),
            run_dir: plan.run_dir.clone(),
            images: cluster.data_dir.join("images"),
            netns: plan.segment.as_ref().map(|segment| segment.netns.clone()),
            group: (cluster.runtime == "oci").then(|| plan.system_group()),
        }
    }
}

/// The first machine's part of the pods' addresses: a /24.
fn first_range(pod_cidr: &str) -> String {
    let network = pod_cidr.split('/').next().unwrap_or_default();
    format!("{network}/24")
}
