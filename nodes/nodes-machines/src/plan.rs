//! Which machines a cluster has on this host, and what each is called in every place where it leaves a trace.
//!
//! Way in: [`Plan::of`], [`Plan::grow`].  Pure: the same record gives the same plan, so that `down` knows what an
//! interrupted `up` may have made.
//! Invariants: 1. two machines of one host never share an address, a name or a folder.  2. a machine keeps its number
//! for life.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use nodes_pki::NodeRole as Role;
use serde::{Deserialize, Serialize};

/// The first machine's address ends in this and 1; what is below is the host's.
const FIRST: u8 = 10;

/// Most machines of one cluster on one host: their addresses are of one /24.
const MACHINES_MAX: u8 = 200;

/// One machine of a cluster, as the cluster's record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its node's name.
    pub node: String,
    /// What it is for.
    pub role: Role,
    /// Its number on the cluster's bridge, from 1; none if the machine is this computer itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u8>,
}

/// Everything that follows from a cluster's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The cluster's name.
    pub cluster: String,
    /// The bridge between the machines, and the table of the rules that let them out.
    pub bridge: String,
    /// The host's address on that bridge: the machines' default route.
    pub gateway: Ipv4Addr,
    /// The control group above those of the machines.
    pub group: String,
    /// The machines, in the order of the record.
    pub machines: Vec<MachinePlan>,
}

/// One machine's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachinePlan {
    /// Its node's name.
    pub node: String,
    /// What it is for.
    pub role: Role,
    /// Its place on the cluster's bridge; none if it is this computer itself.
    pub segment: Option<Segment>,
    /// The control group of everything that runs on it.
    pub group: String,
    /// Data: keys, store, pods' layers, logs.
    pub data_dir: PathBuf,
    /// Sockets and pids.
    pub run_dir: PathBuf,
}

/// A machine's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its address.
    pub address: Ipv4Addr,
    /// The file that holds its network namespace.
    pub netns: PathBuf,
    /// The host's end of its cable.
    pub interface: String,
}

/// Why there is no such plan. The operator asks for something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A cluster without a server has no truth.
    #[error("a cluster needs at least one server")]
    NoServer,
    /// Too many for the bridge.
    #[error("{asked} machines are too many for one host: at most {MACHINES_MAX}")]
    TooMany {
        /// How many there would be.
        asked: usize,
    },
    /// `up` only adds.
    #[error("the cluster has {there} {role}s already, and `up` removes none")]
    Fewer {
        /// What for.
        role: Role,
        /// How many there are.
        there: usize,
    },
}

impl Plan {
    /// The plan of the cluster `name` with number `index` on this host, whose folders are `data` and `run`.
    #[must_use]
    pub fn of(name: &str, index: u8, folders: (&Path, &Path), machines: &[Machine]) -> Self {
        let (data, run) = folders;
        let group = format!("/starling/{name}");
        let one = |machine: &Machine| {
            let node = &machine.node;
            MachinePlan {
                node: node.clone(),
                role: machine.role,
                segment: machine.number.map(|number| Segment {
                    address: Ipv4Addr::new(10, 32, index, FIRST.saturating_add(number)),
                    netns: PathBuf::from(format!("/run/netns/stl-{name}-{node}")),
                    interface: format!("stm{index}-{number}"),
                }),
                group: format!("{group}/{node}"),
                data_dir: data.join("machines").join(node),
                run_dir: run.join(node),
            }
        };
        Self {
            cluster: name.to_owned(),
            bridge: format!("stm{index}"),
            gateway: Ipv4Addr::new(10, 32, index, 1),
            machines: machines.iter().map(one).collect(),
            group,
        }
    }

    /// The machine of this node.
    #[must_use]
    pub fn find(&self, node: &str) -> Option<&MachinePlan> {
        self.machines.iter().find(|machine| machine.node == node)
    }

    /// What the record has to hold for so many servers and agents on this host: those that are there, and new ones
    /// with numbers that are free.
    ///
    /// # Errors
    /// [`PlanError`]: nothing sensible was asked for.
    pub fn grow(
        there: &[Machine],
        servers: usize,
        agents: usize,
    ) -> Result<Vec<Machine>, PlanError> {
        if servers == 0 {
            return Err(PlanError::NoServer);
        }
        if servers + agents > usize::from(MACHINES_MAX) {
            return Err(PlanError::TooMany { asked: servers + agents });
        }
        let mut all = there.to_vec();
        for (role, wanted) in [(Role::Server, servers), (Role::Agent, agents)] {
            let count = there.iter().filter(|machine| machine.role == role).count();
            if count > wanted {
                return Err(PlanError::Fewer { role, there: count });
            }
            for _ in count..wanted {
                all.push(next(&all, role));
            }
        }
        Ok(all)
    }
}

impl MachinePlan {
    /// The control group of the machine's own processes: guardian, server or agent. Pods have others.
    #[must_use]
    pub fn system_group(&self) -> String {
        format!("{}/system", self.group)
    }

    /// What its process is told.
    #[must_use]
    pub fn record_path(&self) -> PathBuf {
        self.data_dir.join("machine.json")
    }

    /// Where its processes write what they say.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.data_dir.join(format!("logs/{}.log", self.role))
    }
}

/// A machine with the lowest free number and the lowest free name of its role.
fn next(all: &[Machine], role: Role) -> Machine {
    let numbers: BTreeSet<u8> = all.iter().filter_map(|machine| machine.number).collect();
    let names: BTreeSet<&str> = all.iter().map(|machine| machine.node.as_str()).collect();
    let free = (1..=u8::MAX).map(|number| format!("{role}-{number}"));
    Machine {
        node: free.into_iter().find(|name| !names.contains(name.as_str())).unwrap_or_default(),
        role,
        number: (1..=MACHINES_MAX).find(|number| !numbers.contains(number)),
    }
}

#[cfg(test)]
mod tests;
