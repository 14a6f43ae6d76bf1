//! The door, the streams of nodes and Raft between machines.
//!
//! Way in: [`RemoteClient`] for a machine without a server, [`DoorService`] for one with; [`MeshTransport`] for the
//! store; [`RoutedStreams`] and [`serve_streams`] for logs and commands.
//! Never: a decision about an object, or about who is alive.
//!
//! # How a process is put together
//!
//! An **agent**:
//!
//! ```text
//! let keys = NodeKeys::open(pki_folder)?;                       // written by JoinAnswer::store
//! let mesh = Mesh::open(MeshConfig { me, certificate_pem: keys.certificate_pem, .. })?;
//! let membership = Membership::new(mesh.clone(), info, seeds).with_peers_file(path);
//! let client = RemoteClient::new(mesh.clone(), membership.view());
//! let agent = Agent::open(agent_config, Arc::new(client.clone()))?;
//! serve_streams(&mesh, Arc::new(agent.handle()));
//! tree: mesh.tree("mesh"), membership.tree("membership"), client.child(),
//!       renewal(&mesh, &client, pki_folder), hear_revocations(&mesh), agent.tree("agent")
//! ```
//!
//! A **server**, which is also a node:
//!
//! ```text
//! let keys = nodes_server::node_keys(&config, &subject, rng)?;   // signed here: servers hold the authority
//! let mesh = Mesh::open(..)?;
//! let membership = Membership::new(mesh.clone(), info with member and api_address, seeds)..;
//! let mut config = ServerConfig { mesh: Some(ServerMesh::new(mesh, membership, known members)), .. };
//! let server = Server::open(config, &system, rng)?;              // serves RAFT, DOOR, RENEW, OPS…
//! let agent = Agent::open(agent_config, server.client())?;
//! serve_streams(&mesh, Arc::new(agent.handle()));
//! tree: mesh.tree("mesh"), membership.tree("membership"),
//!       server.children(listeners, Arc::new(agent.handle())), then agent.tree("agent")
//! ```

mod actors;
mod choice;
mod directory;
mod door;
mod following;
mod raft;
mod remote;
mod renewal;
mod revoked;
mod spans;
mod streams;
mod wire;

pub use actors::{ActorsAnswer, ActorsQuestion, ask_actors, ask_tree, serve_actors};
pub use directory::{Directory, View};
pub use door::DoorService;
pub use raft::MeshTransport;
pub use remote::RemoteClient;
pub use renewal::{SignedLog, own_renewal, renewal, serve_renewals, subject_of_peer};
pub use revoked::{hear_revocations, tell_revocations};
pub use spans::{ask_spans, serve_spans};
pub use streams::{RoutedStreams, serve_streams};
