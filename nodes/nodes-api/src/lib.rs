//! The HTTP edge: TLS, authentication, routes, encodings, discovery, OpenAPI, streams.
//!
//! Way in: [`serve`].  Never: a rule about an object; the door decides, the edge translates.
//! A request's way: `server` (TLS, peer certificate) -> `identity` (who) -> `path` (what) -> `query` (how) -> the
//! door through [`nodes_client::Client`] -> `encode` (JSON, Table) or a stream (`watch`, `logs`, `exec`).

mod actors;
mod body;
mod certificate;
mod connection;
mod crowd;
mod discovery;
mod documents;
mod edge;
mod encode;
mod exec;
mod forms;
mod health;
mod identity;
mod issuer;
mod lists;
mod logs;
mod mesh;
mod metrics;
mod negotiate;
mod path;
mod pieces;
mod protobuf;
mod query;
mod server;
mod squeeze;
mod table;
mod tape;
mod watch;
mod why;
mod yaml;

pub use actors::{ActorOrder, ActorPlace, ActorsPort};
pub use certificate::ServingCertificate;
pub use documents::Documents;
pub use edge::EdgeParts;
pub use health::{Condition, Readiness};
pub use mesh::MeshPort;
pub use metrics::{Family, FiguresPort, Labels, Metrics, Sample, Sort, Spread};
pub use server::{ServeConfig, ServeError, serve};
pub use why::Gathered;
