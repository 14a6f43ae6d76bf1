//! Runs a piece of netlink work in a network namespace, on a thread that ends with it.
//!
//! Way in: [`run_in`], [`within`].  Never: a change of the calling thread's namespace.

use std::{
    fs::File,
    future::Future,
    io,
    path::{Path, PathBuf},
};

use nix::sched::{CloneFlags, setns};
use rtnetlink::Handle;

/// Why a namespace could not be worked in.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// Its file cannot be opened: the pod is gone.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be entered.
    #[error("cannot enter {}", path.display())]
    Enter {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: nix::Error,
    },
    /// No netlink socket, thread or runtime could be had.
    #[error("cannot speak netlink")]
    Netlink(#[source] io::Error),
    /// The work itself panicked.
    #[error("the thread in the namespace ended early")]
    Lost,
}

/// Runs `work` with a netlink handle, in the namespace at `netns` or in the caller's own.
///
/// # Errors
/// If the namespace cannot be entered or netlink cannot be spoken; the work's own result is within.
pub(crate) fn run_in<T, F>(
    netns: Option<&Path>,
    work: impl FnOnce(Handle) -> F + Send,
) -> Result<T, NamespaceError>
where
    T: Send,
    F: Future<Output = T>,
{
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("netlink".into());
        let thread = thread.spawn_scoped(scope, || on_this_thread(netns, work));
        thread.map_err(NamespaceError::Netlink)?.join().map_err(|_| NamespaceError::Lost)?
    })
}

/// Runs `work` in the namespace at `netns`, on a thread of its own; programs that it starts are there
/// too.
///
/// # Errors
/// If the namespace cannot be entered.
pub fn within<T: Send>(netns: &Path, work: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("netns".into());
        let thread = thread.spawn_scoped(scope, || {
            enter(netns)?;
            Ok(work())
        });
        thread.map_err(NamespaceError::Netlink)?.join().map_err(|_| NamespaceError::Lost)?
    })
}

fn enter(path: &Path) -> Result<(), NamespaceError> {
    let opened =
        File::open(path).map_err(|source| NamespaceError::Open { path: path.into(), source })?;
    setns(opened, CloneFlags::CLONE_NEWNET)
        .map_err(|source| NamespaceError::Enter { path: path.into(), source })
}

fn on_this_thread<T, F: Future<Output = T>>(
    netns: Option<&Path>,
    work: impl FnOnce(Handle) -> F,
) -> Result<T, NamespaceError> {
    if let Some(path) = netns {
        enter(path)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.map_err(NamespaceError::Netlink)?.block_on(async {
        let (connection, handle, _messages) =
            rtnetlink::new_connection().map_err(NamespaceError::Netlink)?;
        tokio::select! {
            // The connection ends only with its socket.
            () = connection => Err(NamespaceError::Netlink(io::ErrorKind::BrokenPipe.into())),
            done = work(handle) => Ok(done),
        }
    })
}
