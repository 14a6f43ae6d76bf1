//! What ties a machine to the others: its endpoint on the mesh and its membership.
//!
//! Way in: [`Linked::open`].  Owns: `peers.json`, and `pki/reset.key`, by which others learn of a restart at once.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use actors_core::Rng;
use actors_runtime::{Child, Clock, Tree};
use anyhow::{Context as _, Result};
use mesh_gossip::Membership;
use mesh_member::MemberInfo;
use mesh_quic::{Limits, Mesh, MeshConfig, PeerAddress};
use mesh_wire::{Peer, Role};
use nodes_machines::{MachineRecord, Role as MachineRole};
use nodes_pki::NodeKeys;
use nodes_server::ServerMesh;
use store_raft::NodeId;

/// The newest format of the store's entries and of the mesh's messages that this program has.
const FEATURE_LEVEL: u16 = 1;

/// The site of every machine, until sites can be configured.
pub(crate) const SITE: &str = "default";

/// A machine's endpoint and what it knows of the others; nothing runs yet.
pub(crate) struct Linked {
    pub(crate) mesh: Mesh,
    pub(crate) membership: Membership,
}

impl Linked {
    /// Binds the machine's port of the mesh.
    pub(crate) fn open(
        record: &MachineRecord,
        listen: SocketAddr,
        keys: NodeKeys,
        rng: &mut Rng,
    ) -> Result<Self> {
        let me = Peer {
            role: role_of(record.role),
            node: record.node.clone(),
            cluster: record.uid.clone(),
            site: SITE.to_owned(),
        };
        let config = MeshConfig {
            me: me.clone(),
            certificate_pem: keys.certificate_pem,
            key_pem: keys.key_pem,
            authorities_pem: keys.authority_pem,
            // On all addresses: others may reach this machine by another one than it knows.
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.port())),
            revoked: Vec::new(),
            reset_key: reset_key(&record.data_dir.join("pki/reset.key"), rng)?,
            feature_level: FEATURE_LEVEL,
            limits: Limits::default(),
        };
        let mesh = Mesh::open(config)?;
        let api_address = SocketAddr::from((record.address, record.api_port)).to_string();
        let info = MemberInfo {
            member: record.member,
            mesh_address: listen.to_string(),
            api_address: if me.role == Role::Server { api_address } else { String::new() },
            version: env!("CARGO_PKG_VERSION").to_owned(),
            feature_level: FEATURE_LEVEL,
            ..MemberInfo::new(me.node, me.role, Clock.now().wall)
        };
        let seeds: BTreeMap<String, PeerAddress> = record
            .seeds
            .iter()
            .map(|seed| {
                let address = PeerAddress { role: role_of(seed.role), address: seed.mesh_address };
                (seed.node.clone(), address)
            })
            .collect();
        let membership = Membership::new(mesh.clone(), info, seeds)
            .with_peers_file(record.data_dir.join("peers.json"));
        Ok(Self { mesh, membership })
    }

    /// The same for a server, with the members of the store that its record names.
    pub(crate) fn for_server(&self, record: &MachineRecord) -> ServerMesh {
        let own = record.member.map(|member| (NodeId(member), record.node.clone()));
        let others =
            record.seeds.iter().filter_map(|seed| Some((NodeId(seed.member?), seed.node.clone())));
        ServerMesh::new(self.mesh.clone(), self.membership.clone(), own.into_iter().chain(others))
    }

    /// The tree with the endpoint and membership in front of everything else.
    pub(crate) fn plant(&self, tree: Tree, spec: fn(&str) -> actors_core::ChildSpec) -> Tree {
        tree.child(spec("mesh"), Child::supervisor(self.mesh.tree("mesh")))
            .child(spec("membership"), Child::supervisor(self.membership.tree("membership")))
    }
}

fn role_of(role: MachineRole) -> Role {
    match role {
        MachineRole::Server => Role::Server,
        MachineRole::Agent => Role::Agent,
    }
}

/// The key that outlives restarts; drawn at the first start.
fn reset_key(path: &Path, rng: &mut Rng) -> Result<[u8; 32]> {
    match fs::read(path) {
        Ok(bytes) => {
            let key = <[u8; 32]>::try_from(bytes).ok();
            key.with_context(|| format!("{} is damaged: remove it", path.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            rng.fill(&mut key);
            write_secret(path, &key).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let beside = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
