//! What travels between processes: who speaks, on which lane, to which service, in which frame.
//!
//! Way in: [`Frame`], [`Splitter`], [`may_speak`].  Never: a socket, a clock, a key.
//! Invariants: 1. any bytes decode to a value or to an error.  2. nothing that is decoded is larger
//! than its bound, and nothing is reserved for bytes that have not come.  3. every format begins
//! with its version, and golden samples of it are committed beside the tests.

mod frame;
mod lane;
mod opening;
mod peer;
mod service;
mod split;

pub use frame::{Failure, Frame, FrameError, FrameKind, Head, TraceContext, WIRE_VERSION};
pub use lane::Lane;
pub use opening::{Answer, Hello, Opening};
pub use peer::{Peer, PeerError, Role};
pub use service::{Service, may_speak};
pub use split::{PREFIX_LEN, Splitter, TooLarge, prefix};
