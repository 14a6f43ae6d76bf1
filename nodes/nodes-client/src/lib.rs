//! The one way in for callers within the process: requests and watches through the door, under an
//! identity; and the streams that a node offers (logs, exec).
//!
//! Way in: [`Client`], [`NodeStreams`].  Never: a way around the door; only the API servers touch
//! the store.

mod requests;
mod streams;
mod tracer;

use std::{collections::BTreeSet, future::Future, pin::Pin, sync::Arc};

use actors_object::ApiError;
use futures_util::{Stream, StreamExt as _};
use nodes_door::{Identity, Impersonation, Request, Response, WatchEvent};
use tokio::sync::{mpsc, watch};

pub use requests::Calls;
pub use streams::{
    ExecExit, ExecInput, ExecOutput, ExecRequest, ExecStream, LogRequest, LogStream, NodeStreams,
};
pub use tracer::{Open, Tracer};

/// A future that can be a trait object's answer.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Calls the door. Implemented by the server in its own process, and over the mesh elsewhere.
pub trait Client: Send + Sync {
    /// One request, one answer. Never retried within: a write of unknown outcome is the caller's to
    /// judge.
    fn call(&self, request: Request) -> Later<'_, Response>;

    /// Whether RBAC lets this identity use a path that is no object's: `/version`,
    /// `/starling/actors`.
    fn allows_url<'a>(
        &'a self,
        identity: &'a Identity,
        verb: &'a str,
        path: &'a str,
    ) -> Later<'a, bool>;

    /// The identity as which somebody wants to be taken, if all of it is allowed. Refused by callers of the door that
    /// serve nobody but themselves.
    fn impersonate<'a>(
        &'a self,
        by: &'a Identity,
        wanted: &'a Impersonation,
    ) -> Later<'a, Result<Identity, ApiError>> {
        let why = format!("User {:?} cannot act as {:?} here", by.user, wanted.user);
        let nothing = actors_object::GroupResource::default();
        Box::pin(std::future::ready(Err(ApiError::forbidden(&nothing, "", why))))
    }

    /// Changes as they come; `request.verb` is `Watch`.
    fn watch(&self, request: Request) -> Later<'_, Result<WatchStream, ApiError>>;

    /// Where this process remembers what led to what; none unless said otherwise.
    fn tracer(&self) -> Tracer {
        Tracer::off()
    }
}

/// Says who a bearer token belongs to.
pub trait Authenticator: Send + Sync {
    /// The identity behind a token, or `None` if nobody's.
    fn authenticate<'a>(&'a self, token: &'a str) -> Later<'a, Option<Identity>>;

    /// The serial numbers (hexadecimal digits) of client certificates that are worth nothing any more.
    fn revoked(&self) -> watch::Receiver<BTreeSet<String>>;

    /// How others can verify this cluster's tokens; `None` if they cannot.
    fn issuer(&self) -> Option<IssuerFacts> {
        None
    }
}

/// How others verify the tokens of service accounts. Spec: OpenID Connect Discovery 1.0, RFC 7517.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerFacts {
    /// The `iss` of its tokens, an HTTPS URL.
    pub issuer: String,
    /// Its public keys: the JSON of a JWK set.
    pub keys: String,
    /// The algorithms that it signs with.
    pub algorithms: Vec<String>,
}

/// A shared client.
pub type SharedClient = Arc<dyn Client>;

/// Events of one watch, in batches, bounded: a reader that is too slow gets an `Expired` error
/// event and the end. A watch that breaks off says so with an error event before it ends.
pub struct WatchStream {
    batches: Batches,
}

/// Where batches come from.
enum Batches {
    Queue(mpsc::Receiver<Vec<WatchEvent>>),
    Stream(Pin<Box<dyn Stream<Item = Vec<WatchEvent>> + Send>>),
}

impl WatchStream {
    /// Most events of one batch: who gets as many is behind.
    pub const BATCH: usize = 256;

    /// A stream fed by `batches`.
    #[must_use]
    pub fn new(batches: mpsc::Receiver<Vec<WatchEvent>>) -> Self {
        Self { batches: Batches::Queue(batches) }
    }

    /// A stream that is read where it is used, without a pump between.
    #[must_use]
    pub fn from_stream(batches: impl Stream<Item = Vec<WatchEvent>> + Send + 'static) -> Self {
        Self { batches: Batches::Stream(Box::pin(batches)) }
    }

    /// The next events; `None` when the watch has ended. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Vec<WatchEvent>> {
        match &mut self.batches {
            Batches::Queue(queue) => queue.recv().await,
            Batches::Stream(stream) => stream.next().await,
        }
    }
}

impl std::fmt::Debug for WatchStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchStream").finish_non_exhaustive()
    }
}
