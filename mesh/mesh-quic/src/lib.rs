//! The QUIC endpoint of a process: identities, links, lanes, back-pressure.
//!
//! Way in: [`Mesh::open`], then [`Mesh::tree`] for the supervisor.  Owns: the socket, the links, what
//! waits in their lanes.  Never: a decision about who is alive, or a meaning of a body.
//!
//! ```text
//! Mesh::open(MeshConfig { me, certificate_pem, key_pem, authorities_pem, listen, revoked,
//!                         reset_key, feature_level, limits }) -> Result<Mesh, MeshError>
//! mesh.tree(name) -> actors_runtime::Tree        endpoint, links/<node>..., roster
//! mesh.me() -> &Peer                             mesh.local_addr() -> SocketAddr
//! mesh.serve(service, Arc<dyn Handler>)          Handler::{tell, ask, stream}; what is left refuses
//! mesh.set_peers(BTreeMap<node, PeerAddress { role, address }>)
//! mesh.tell(to, lane, service, body) -> Result<(), SendError>           never waits
//! mesh.ask(to, Ask::new(lane, service, body, within).traced(trace)).await -> Result<Bytes, AskError>
//! mesh.open_stream(to, service, head, trace).await -> Result<MeshStream, AskError>
//!     MeshStream { send: FrameSender, recv: FrameReceiver, trace }
//! mesh.links() -> Vec<LinkView>, mesh.link(node)  mesh.link_events() -> broadcast::Receiver<LinkEvent>
//! mesh.refusals() -> Vec<Refusal>
//! mesh.replace_identity(certificate_pem, key_pem) -> Result<(), MeshError>
//! mesh.set_revoked(serials)
//! ```
//!
//! What holds:
//! - A link has five lanes, each one long stream with a queue of its own at each end. Frames of a
//!   lane arrive in order or the link is lost; a full queue refuses; no lane waits for another.
//! - Of all that calls and is called, one link per peer counts: see `machine`.
//! - A link that was closed or reset is known to be at once, one that is silent after [`IDLE`]; then
//!   all questions on it end as [`AskError::Lost`], and all work for the peer is dropped.
//! - Each frame and each stream is compared with [`mesh_wire::may_speak`] by its receiver.
//! - A certificate is welcome if an authority of the cluster signed it for both usages (server and
//!   client), it is valid now, not revoked, and has as subject alternative names the DNS name of the
//!   node and exactly one URI `starling://CLUSTER/SITE/ROLE/NODE` of this cluster. What is refused is
//!   counted at one end ([`Mesh::refusals`]) and told in one sentence to the other
//!   ([`DownReason::Refused`]). A link ends with its certificate.

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
