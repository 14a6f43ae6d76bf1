//! What this machine remembers of each cluster: its number, ports, address ranges and names, which never collide.
//!
//! Way in: [`Records::open`].  Owns: `cluster.json` in each cluster's data folder.
//! Invariant: two clusters never share an index; an index fixes the bridge, the table and the address ranges.

use std::{
    collections::BTreeSet,
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use nodes_machines::{MachineRecord, Plan, Role};
use serde::{Deserialize, Serialize};

use crate::place::Place;

/// Most clusters of one machine: each has a /16 for pods and one for Services within 10.0.0.0/8.
const CLUSTERS_MAX: u8 = 64;

/// Most kubeconfig files that are remembered of a cluster.
const KUBECONFIGS_MAX: usize = 8;

/// The API's port of the default cluster; others take the next free one.
pub const API_PORT: u16 = 6443;

/// The default cluster's name.
pub const DEFAULT_NAME: &str = "starling";

/// One cluster of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Its name: a DNS label.
    pub name: String,
    /// Identifies it for ever: 32 hexadecimal digits; a data folder of another cluster is refused.
    pub uid: String,
    /// Its number on this machine, from 0.
    pub index: u8,
    /// Where the API listens on 127.0.0.1.
    pub api_port: u16,
    /// The pods' addresses.
    pub pod_cidr: String,
    /// The Services' addresses.
    pub service_cidr: String,
    /// The bridge of its pods.
    pub bridge: String,
    /// The table of its nf_tables rules.
    pub table: String,
    /// Name of the node on this machine.
    pub node: String,
    /// `oci` or `process`.
    pub runtime: String,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// Its folder of sockets and pids.
    pub run_dir: PathBuf,
    /// Its machines on this host, where each has a process of its own; empty for the form in which one process is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<nodes_machines::Machine>,
    /// Where clients reach all servers, if the operator said so: `HOST:PORT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The kubeconfig files that the cluster was written into, the last one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kubeconfigs: Vec<PathBuf>,
}

impl ClusterRecord {
    /// The machines of this host, with all their names.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan::of(&self.name, self.index, (&self.data_dir, &self.run_dir), &self.machines)
    }

    /// The one machine of the form in which one process is all: it has no mesh, and the whole range of pods.
    #[must_use]
    pub fn single_machine(&self) -> MachineRecord {
        MachineRecord {
            cluster: self.name.clone(),
            uid: self.uid.clone(),
            index: self.index,
            node: self.node.clone(),
            role: Role::Server,
            address: first_address(&self.pod_cidr),
            api_port: self.api_port,
            api_names: Vec::new(),
            mesh_address: None,
            pod_cidr: self.pod_cidr.clone(),
            node_range: self.pod_cidr.clone(),
            service_cidr: self.service_cidr.clone(),
            table: self.table.clone(),
            runtime: self.runtime.clone(),
            member: Some(1),
            first_voters: vec![1],
            seeds: Vec::new(),
            tainted: false,
            data_dir: self.data_dir.clone(),
            run_dir: self.run_dir.clone(),
            images: self.data_dir.join("images"),
            netns: None,
            group: None,
        }
    }

    /// Refuses to take another data folder's processes for those of this cluster.
    ///
    /// # Errors
    /// [`RecordError::Elsewhere`].
    pub fn check_alone(&self, stranger: Stranger<'_>) -> Result<(), RecordError> {
        let plan = self.plan();
        let mut folders =
            plan.machines.iter().map(|machine| &machine.run_dir).chain([&self.run_dir]);
        match folders.find_map(|folder| stranger(folder, &self.data_dir)) {
            Some(record) => Err(RecordError::Elsewhere { name: self.name.clone(), record }),
            None => Ok(()),
        }
    }

    /// Whether each machine is a process of its own.
    #[must_use]
    pub fn has_machines(&self) -> bool {
        !self.machines.is_empty()
    }

    /// Whether the machines are namespaces of this host, behind the forwarder.
    #[must_use]
    pub fn is_hosted(&self) -> bool {
        self.machines.iter().any(|machine| machine.number.is_some())
    }
}

/// All records, locked against other callers until dropped.
pub struct Records {
    place: Place,
    _lock: Flock<fs::File>,
    all: Vec<ClusterRecord>,
}

/// Why records cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused.
    #[error("cannot read or write {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A record is not what was written.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The name cannot be a cluster's.
    #[error(
        "cluster name {0:?} must be a DNS label: 1 to 20 of a-z, 0-9 and '-', beginning with a letter"
    )]
    Name(String),
    /// Another data folder has the name here.
    #[error(
        "a cluster {name:?} of another data folder runs on this computer: its record is {}",
        record.display()
    )]
    Elsewhere {
        /// The cluster's name.
        name: String,
        /// The other's record.
        record: PathBuf,
    },
    /// No number is left.
    #[error(
        "this machine has {CLUSTERS_MAX} clusters already: remove one with `starling down --purge --name NAME`"
    )]
    Full,
}

impl Records {
    /// Reads all records and keeps others from changing them.
    ///
    /// # Errors
    /// If the data folder cannot be made or a record cannot be read.
    pub fn open(place: &Place) -> Result<Self, RecordError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| RecordError::File { path: path.clone(), source }
        };
        fs::create_dir_all(&place.data).map_err(file(&place.data))?;
        let path = place.data.join(".lock");
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = Flock::lock(lock.map_err(file(&path))?, FlockArg::LockExclusive)
            .map_err(|(_, errno)| file(&path)(io::Error::from(errno)))?;
        let mut all = Vec::new();
        for entry in fs::read_dir(&place.data).map_err(file(&place.data))? {
            let path = entry.map_err(file(&place.data))?.path().join("cluster.json");
            if path.is_file() {
                let text = fs::read(&path).map_err(file(&path))?;
                let damaged = |error: serde_json::Error| RecordError::Damaged {
                    path,
                    reason: error.to_string(),
                };
                all.push(serde_json::from_slice(&text).map_err(damaged)?);
            }
        }
        all.sort_by_key(|record: &ClusterRecord| record.index);
        Ok(Self { place: place.clone(), _lock: lock, all })
    }

    /// The record of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ClusterRecord> {
        self.all.iter().find(|record| record.name == name)
    }

    /// All records, by index.
    #[must_use]
    pub fn all(&self) -> &[ClusterRecord] {
        &self.all
    }

    /// Makes and writes the record of a new cluster.
    ///
    /// # Errors
    /// If the name is unusable, the machine is full, or the file cannot be written.
    pub fn create(
        &mut self,
        wanted: &NewCluster,
        machine: &Machine<'_>,
    ) -> Result<ClusterRecord, RecordError> {
        let name = wanted.name.as_str();
        if !is_cluster_name(name) {
            return Err(RecordError::Name(name.to_owned()));
        }
        let taken: BTreeSet<u8> = self.all.iter().map(|record| record.index).collect();
        let mut free = (0..CLUSTERS_MAX).filter(|index| {
            !taken.contains(index)
                && (machine.is_bridge_free)(&bridge(*index))
                && (machine.is_bridge_free)(&format!("stm{index}"))
        });
        let index = free.next().ok_or(RecordError::Full)?;
        let ports: BTreeSet<u16> = self.all.iter().map(|record| record.api_port).collect();
        let free_port = || {
            (API_PORT..API_PORT + 1_000)
                .find(|port| !ports.contains(port) && (machine.is_port_free)(*port))
        };
        let api_port = match (wanted.api_port, name) {
            (Some(port), _) => port,
            (None, DEFAULT_NAME) => API_PORT,
            (None, _) => free_port().unwrap_or(API_PORT),
        };
        let record = ClusterRecord {
            name: name.to_owned(),
            uid: wanted.uid.clone(),
            index,
            api_port,
            pod_cidr: wanted.pod_cidr.clone().unwrap_or(format!("10.{}.0.0/16", 64 + index)),
            service_cidr: wanted
                .service_cidr
                .clone()
                .unwrap_or(format!("10.{}.0.0/16", 160 + index)),
            bridge: bridge(index),
            table: format!("starling-{name}"),
            node: wanted.node.clone(),
            runtime: if self.place.is_root { "oci" } else { "process" }.to_owned(),
            data_dir: self.place.cluster_data(name),
            run_dir: self.place.cluster_run(name),
            machines: wanted.machines.clone(),
            endpoint: wanted.endpoint.clone(),
            kubeconfigs: Vec::new(),
        };
        record.check_alone(machine.stranger)?;
        self.write(&record)?;
        self.all.push(record.clone());
        Ok(record)
    }

    /// Notes that a cluster stands in this kubeconfig. The oldest of too many is forgotten.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn note_kubeconfig(&self, name: &str, path: &Path) -> Result<(), RecordError> {
        let Some(record) = self.find(name) else { return Ok(()) };
        if record.kubeconfigs.last().is_some_and(|last| last == path) {
            return Ok(());
        }
        let mut record = record.clone();
        record.kubeconfigs.retain(|known| known != path);
        record.kubeconfigs.push(path.to_owned());
        let from = record.kubeconfigs.len().saturating_sub(KUBECONFIGS_MAX);
        record.kubeconfigs.drain(..from);
        self.write(&record)
    }

    /// Forgets a machine of a cluster on this host.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn drop_machine(&self, name: &str, node: &str) -> Result<(), RecordError> {
        let Some(mut record) = self.find(name).cloned() else { return Ok(()) };
        record.machines.retain(|machine| machine.node != node);
        self.write(&record)
    }

    /// Writes a record that has changed, or one whose cluster others named.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, record: &ClusterRecord) -> Result<(), RecordError> {
        let path = record.data_dir.join("cluster.json");
        let file = |source| RecordError::File { path: path.clone(), source };
        fs::create_dir_all(&record.data_dir).map_err(file)?;
        let text = serde_json::to_vec_pretty(record).map_err(|error| file(error.into()))?;
        let beside = path.with_extension("new");
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, &path)).map_err(file)
    }
}

/// What a new cluster is asked to be.
#[derive(Debug, Clone, Default)]
pub struct NewCluster {
    /// Its name.
    pub name: String,
    /// Its identity, drawn by the caller.
    pub uid: String,
    /// Name of the node on this machine.
    pub node: String,
    /// A port that the user demands.
    pub api_port: Option<u16>,
    /// The addresses of pods that the user demands.
    pub pod_cidr: Option<String>,
    /// The addresses of Services that the user demands.
    pub service_cidr: Option<String>,
    /// Its machines, if each has a process of its own.
    pub machines: Vec<nodes_machines::Machine>,
    /// Where clients reach all servers.
    pub endpoint: Option<String>,
}

/// What of this machine is taken by others: clusters of another data folder, or anything else.
pub struct Machine<'a> {
    /// Whether a port of 127.0.0.1 can be listened on.
    pub is_port_free: &'a dyn Fn(u16) -> bool,
    /// Whether there is no interface of this name.
    pub is_bridge_free: &'a dyn Fn(&str) -> bool,
    /// Whose process lives in a folder of sockets and pids.
    pub stranger: Stranger<'a>,
}

/// Given a folder of sockets and pids and a cluster's data folder: the record of the process that lives in the former,
/// if it is not of the latter.
pub(crate) type Stranger<'a> = &'a dyn Fn(&Path, &Path) -> Option<PathBuf>;

/// The node's address on its pods' bridge: the first of the range.
fn first_address(pod_cidr: &str) -> Ipv4Addr {
    let network = pod_cidr.split('/').next().unwrap_or_default().parse();
    Ipv4Addr::from(network.map_or(0, |network: Ipv4Addr| u32::from(network)) + 1)
}

fn bridge(index: u8) -> String {
    format!("sl-{index}")
}

fn is_cluster_name(name: &str) -> bool {
    let body =
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let ends = name.starts_with(|first: char| first.is_ascii_lowercase()) && !name.ends_with('-');
    body && ends && name.len() <= 20
}

#[cfg(test)]
impl ClusterRecord {
    /// One of this name, with these data.
    pub(crate) fn for_test(name: &str, data: &Path) -> Self {
        Self {
            name: name.to_owned(),
            uid: "0".repeat(32),
            index: 0,
            api_port: API_PORT,
            pod_cidr: "10.64.0.0/16".to_owned(),
            service_cidr: "10.160.0.0/16".to_owned(),
            bridge: bridge(0),
            table: format!("starling-{name}"),
            node: "n".to_owned(),
            runtime: "oci".to_owned(),
            data_dir: data.to_owned(),
            run_dir: data.join("run"),
            machines: Vec::new(),
            endpoint: None,
            kubeconfigs: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str) -> NewCluster {
        NewCluster { name: name.into(), uid: "u".into(), node: "n".into(), ..NewCluster::default() }
    }

    /// A machine on which somebody else has the bridge of index 2.
    fn machine(is_port_free: &dyn Fn(u16) -> bool) -> Machine<'_> {
        Machine { is_port_free, is_bridge_free: &|bridge| bridge != "sl-2", stranger: &|_, _| None }
    }

    fn place(folder: &Path) -> Place {
        Place { data: folder.to_owned(), run: folder.join("run"), is_root: true }
    }

    #[test]
    fn clusters_of_one_machine_share_nothing_and_free_numbers_are_used_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(folder.path());
        let mut records = Records::open(&place).expect("opened");
        let one = records.create(&wanted("starling"), &machine(&|_| true)).expect("one");
        let two = records.create(&wanted("two"), &machine(&|port| port != 6_444)).expect("two");
        assert_eq!((one.index, one.api_port), (0, 6_443));
        assert_eq!((two.index, two.api_port), (1, 6_445));
        assert_ne!(
            (&one.pod_cidr, &one.bridge, &one.table),
            (&two.pod_cidr, &two.bridge, &two.table)
        );
        drop(records);
        fs::remove_dir_all(&one.data_dir).expect("purged");
        let mut again = Records::open(&place).expect("opened again");
        assert_eq!(again.find("two"), Some(&two));
        assert_eq!(again.create(&wanted("three"), &machine(&|_| true)).expect("three").index, 0);
        let four = again.create(&wanted("four"), &machine(&|_| true)).expect("four");
        assert_eq!(four.index, 3, "another's bridge is left alone");
    }

    #[test]
    fn a_name_that_another_data_folder_runs_here_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(folder.path());
        let mut records = Records::open(&place).expect("opened");
        let other = |run: &Path, _: &Path| run.ends_with("run/two/b").then(|| PathBuf::from("/x"));
        let here = Machine { stranger: &other, ..machine(&|_| true) };
        let node = |node: &str| NewCluster {
            machines: vec![nodes_machines::Machine {
                node: node.to_owned(),
                role: Role::Server,
                number: None,
            }],
            ..wanted("two")
        };
        let refused = records.create(&node("b"), &here);
        assert!(matches!(refused, Err(RecordError::Elsewhere { .. })), "{refused:?}");
        assert!(!place.cluster_data("two").exists());
        // Another machine of that cluster, whose folder this is not.
        assert!(records.create(&node("c"), &here).is_ok());
    }

    #[test]
    fn the_files_that_a_cluster_was_written_into_are_remembered_and_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(folder.path());
        let mut records = Records::open(&place).expect("opened");
        records.create(&wanted("one"), &machine(&|_| true)).expect("one");
        drop(records);
        let note = |path: &str| {
            let records = Records::open(&place).expect("opened");
            records.note_kubeconfig("one", Path::new(path)).expect("noted");
        };
        ["/a", "/b", "/a"].into_iter().for_each(note);
        let noted = || Records::open(&place).expect("opened").all()[0].kubeconfigs.clone();
        assert_eq!(noted(), [Path::new("/b"), Path::new("/a")]);
        (0..20).for_each(|number| note(&format!("/{number}")));
        assert_eq!(noted().len(), KUBECONFIGS_MAX);
    }

    #[test]
    fn names_that_cannot_be_part_of_other_names_are_refused() {
        for name in ["", "A", "1a", "a-", "a/b", "a_b", "a123456789012345678901"] {
            assert!(!is_cluster_name(name), "{name}");
        }
        assert!(is_cluster_name("eu-1"));
    }
}
