//! Network namespaces that have a name: made, entered, removed, without another program.
//!
//! Way in: [`create`], [`enter`], [`run_in`], [`remove`].
//! Spec: ip-netns(8) for the place and form of names, so that `ip netns exec` works with these; setns(2), mount(2).

use std::{
    fs::{self, File},
    future::Future,
    io,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::statfs::{NSFS_MAGIC, statfs},
};
use rtnetlink::Handle;

/// Why a namespace could not be made, entered or removed.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// A file operation.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The kernel refused.
    #[error("cannot {what} {}", path.display())]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Errno,
    },
    /// No netlink socket, thread or runtime could be had.
    #[error("cannot speak netlink")]
    Netlink(#[source] io::Error),
    /// The work itself panicked.
    #[error("the thread in the namespace ended early")]
    Lost,
}

/// Whether a namespace has this name.
#[must_use]
pub fn exists(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC)
}

/// Makes an empty network namespace with this name; one that is there is left alone.
///
/// # Errors
/// Without root, or if the name cannot be made.
pub fn create(path: &Path) -> Result<(), NamespaceError> {
    if exists(path) {
        return Ok(());
    }
    let file = |what, source| NamespaceError::File { what, path: path.to_owned(), source };
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(|error| file("make", error))?;
    File::create(path).map_err(|error| file("make", error))?;
    let kernel = |what, source| NamespaceError::Kernel { what, path: path.to_owned(), source };
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| kernel("make a namespace for", errno))?;
        let own = Some("/proc/thread-self/ns/net");
        mount(own, path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|errno| kernel("name a namespace", errno))
    })?
}

/// Takes the name away; the namespace goes with its last process. Safe to repeat.
///
/// # Errors
/// If the kernel refuses.
pub fn remove(path: &Path) -> Result<(), NamespaceError> {
    // An interrupted life may have left several mounts on one another.
    while exists(path) {
        umount2(path, MntFlags::MNT_DETACH).map_err(|source| NamespaceError::Kernel {
            what: "unmount",
            path: path.to_owned(),
            source,
        })?;
    }
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(NamespaceError::File { what: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Moves the calling thread into the namespace; a process with one thread moves as a whole.
///
/// # Errors
/// If it is not there, or without root.
pub fn enter(path: &Path) -> Result<(), NamespaceError> {
    let opened = File::open(path).map_err(|source| NamespaceError::File {
        what: "open",
        path: path.to_owned(),
        source,
    })?;
    setns(opened, CloneFlags::CLONE_NEWNET).map_err(|source| NamespaceError::Kernel {
        what: "enter",
        path: path.to_owned(),
        source,
    })
}

/// Runs `work` in the namespace, on a thread of its own; what it starts is in there too.
///
/// # Errors
/// If it cannot be entered; the work's own result is within.
pub fn run_in<T: Send>(path: &Path, work: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
    on_a_thread(|| enter(path).map(|()| work()))?
}

/// Runs `work` with a netlink handle, in the namespace at `path` or in the caller's own.
///
/// # Errors
/// If the namespace cannot be entered or netlink cannot be spoken; the work's own result is within.
pub(crate) fn with_netlink<T, F>(
    path: Option<&Path>,
    work: impl FnOnce(Handle) -> F + Send,
) -> Result<T, NamespaceError>
where
    T: Send,
    F: Future<Output = T>,
{
    on_a_thread(|| {
        path.map(enter).transpose()?;
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
    })?
}

/// Namespaces belong to threads: the caller's own must not change.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("namespace".into());
        let thread = thread.spawn_scoped(scope, work).map_err(NamespaceError::Netlink)?;
        thread.join().map_err(|_| NamespaceError::Lost)
    })
}
