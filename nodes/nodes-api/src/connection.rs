//! One connection: what the kernel is asked to do for it, and how much it may have under way.
//!
//! Way in: [`prepare`], [`enter`], [`gone`]; [`allow_descriptors`] for all of them.  Owns: a count per connection.
//! Bounds: [`UNREAD_MAX`] bytes that the client has not read, for [`STUCK_FOR`]; [`REQUESTS_MAX`] requests and watches at
//! a time, so that streams which are opened only to be reset (CVE-2023-44487) do not pile up behind the
//! protocol's own count.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::{HttpRequest, dev::Extensions, rt::net::TcpStream};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::SockRef;
use tokio::sync::watch;

/// How long a client may read nothing of what it was sent, or be unreachable, before it is cut off.
const STUCK_FOR: Duration = Duration::from_secs(30);

/// How many bytes the kernel holds for a client beyond what is on its way.
const UNREAD_MAX: u32 = 128 * 1024;

/// Most requests of one connection at a time.
const REQUESTS_MAX: u32 = 1_024;

/// What one connection has under way.
#[derive(Debug, Clone, Default)]
struct Busy(Arc<AtomicU32>);

/// Dropped with the connection.
#[derive(Debug)]
struct Alive(watch::Sender<()>);

/// Tells when a connection is gone: a stream of HTTP/2 does not notice that by itself before it is written to.
#[derive(Debug)]
pub(crate) struct Gone(Option<watch::Receiver<()>>);

/// One request under way; over when it is dropped.
#[derive(Debug)]
pub(crate) struct Underway(Arc<AtomicU32>);

/// Most descriptors that this process may open, if the machine lets it: many systems begin with 1,024, fewer than one
/// worker may have connections. What it starts inherits them, as other runtimes have it.
const DESCRIPTORS: u64 = 65_536;

/// Lets this process open as many descriptors as its connections need, as far as the machine allows.
pub(crate) fn allow_descriptors() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = DESCRIPTORS.min(hard);
        if soft < wanted { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the number of connections is bounded by the machine's limit of descriptors");
    }
}

/// Sets up a connection that was accepted.
pub(crate) fn prepare(connection: &dyn Any, data: &mut Extensions) {
    data.insert(Busy::default());
    data.insert(Alive(watch::Sender::new(())));
    let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
    let socket = SockRef::from(stream.get_ref().0);
    let done = socket
        .set_tcp_user_timeout(Some(STUCK_FOR))
        .and_then(|()| socket.set_tcp_notsent_lowat(UNREAD_MAX))
        .and_then(|()| socket.set_tcp_nodelay(true));
    if let Err(error) = done {
        tracing::debug!(%error, "a connection is gone before it is set up");
    }
}

/// Counts a request; `None` if its connection has too many.
pub(crate) fn enter(http: &HttpRequest) -> Option<Underway> {
    let busy = http.conn_data::<Busy>().cloned().unwrap_or_default();
    let before = busy.0.fetch_add(1, Ordering::Relaxed);
    let underway = Underway(busy.0);
    (before < REQUESTS_MAX).then_some(underway)
}

/// What tells that the connection of a request is gone.
pub(crate) fn gone(http: &HttpRequest) -> Gone {
    Gone(http.conn_data::<Alive>().map(|alive| alive.0.subscribe()))
}

impl Gone {
    /// That of a connection which stays.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Self(None)
    }

    /// That of a connection which lasts as long as the other half.
    #[cfg(test)]
    pub(crate) fn with() -> (impl Drop, Self) {
        let alive = watch::Sender::new(());
        let gone = Self(Some(alive.subscribe()));
        (alive, gone)
    }

    /// Resolves when the connection is gone.
    pub(crate) async fn wait(&mut self) {
        match &mut self.0 {
            // Nothing is ever sent: it ends with its sender.
            Some(alive) => while alive.changed().await.is_ok() {},
            None => std::future::pending().await,
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
