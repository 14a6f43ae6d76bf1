//! The QUIC endpoint of a process: identities, links, lanes, back-pressure.
//!
//! Way in: [`Mesh::open`], then [`Mesh::tree`] for the supervisor.  Owns: the socket, the links, what
//! waits in their lanes.  Never: a decision about who is alive, or a meaning of a body.
//!
//! ```text
//! Mesh::open(MeshConfig { me, certificate_pem, key_pem, authorities_pem, listen, revoked,
//!                         reset_key, feature_level, limits }) -> Result<Mesh, MeshError>
//! mesh.tree(name) -> actors_runtime::Tree
//! mesh.me() -> &Peer                 mesh.local_addr() -> SocketAddr
//! mesh.serve(service, Arc<dyn Handler>)
//! mesh.set_peers(BTreeMap<node, PeerAddress { role, address }>)
//! mesh.tell(to, lane, service, body) -> Result<(), SendError>                    never waits
//! mesh.ask(to, Ask::new(lane, service, body, within)).await -> Result<Bytes, AskError>
//! mesh.open_stream(to, service, head, trace).await -> Result<MeshStream, AskError>
//! mesh.links() -> Vec<LinkView>      mesh.link_events() -> broadcast::Receiver<LinkEvent>
//! mesh.refusals() -> Vec<Refusal>    mesh.replace_identity(certificate_pem, key_pem)
//! mesh.set_revoked(serials)
//! ```

mod asks;
mod config;
mod endpoint;
mod ends;
mod error;
mod greet;
mod handler;
mod identity;
mod lane;
mod link;
mod live;
mod machine;
mod mesh;
mod peers;
mod refusals;
mod roster;
mod shared;
mod stream;
mod tls;
mod trust;
mod view;
mod wire;

use std::time::Duration;

pub use config::{Limits, MeshConfig, MeshError, PeerAddress};
pub use error::{AskError, SendError, StreamError};
pub use handler::{Handler, Later};
pub use mesh::{Ask, Mesh};
/// What travels, as far as users of the mesh name it.
pub use mesh_wire::{Lane, Peer, Role, Service, TraceContext};
pub use refusals::Refusal;
pub use stream::{FrameReceiver, FrameSender, MESSAGE_LEN_MAX, MeshStream};
pub use view::{DownReason, LaneView, LinkEvent, LinkState, LinkView, Traffic};

/// A link on which nothing was heard for so long is down.
pub const IDLE: Duration = Duration::from_secs(3);

/// How often an idle link shows that it lives.
pub const KEEP_ALIVE: Duration = Duration::from_secs(1);
