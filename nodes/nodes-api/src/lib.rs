//! The HTTP edge: TLS, authentication, routes, encodings, discovery, OpenAPI, streams.
//!
//! Way in: [`serve`].  Never: a rule about an object; the door decides, the edge translates.
//! A request's way: `server` (TLS, peer certificate) -> `identity` (who) -> `path` (what) -> `query` (how) -> the
//! door through [`nodes_client::Client`] -> `encode` (JSON, Table) or a stream (`watch`, `logs`, `exec`).

mod actors;
mod discovery;
mod edge;
mod encode;
mod exec;
mod health;
mod identity;
mod logs;
mod mesh;
mod negotiate;
mod path;
mod protobuf;
mod query;
mod server;
mod table;
mod watch;
mod why;

pub use actors::{ActorOrder, ActorPlace, ActorsPort};
pub use edge::EdgeParts;
pub use health::{Condition, Readiness};
pub use mesh::MeshPort;
pub use server::{ServeConfig, ServeError, serve};
pub use why::Gathered;
