//! The embedded runtime: an image store, OCI bundles, cgroups, and containers by libcontainer.
//!
//! Way in: [`ImageStore`] for images; [`ContainerSpec`] and [`container`] for containers; [`cgroup`] for limits.
//! Owns: the image directory, and under a pod's directories the bundles and writable layers.
//! Never: a decision about a pod (`nodes-pods`), a long-lived process (`nodes-shim`), or a pull over the network.
//!
//! libcontainer forks, so [`container`] may only be used from a process with a single thread; everything else may
//! be used from anywhere.

pub mod cgroup;
pub mod container;
mod devices;
mod images;
pub mod paths;
mod program;
mod rootfs;
mod runtime_spec;
mod spec;
mod tmpfs;
mod user;

pub use images::{
    BuildError, Collected, Digest, DigestError, Image, ImageBuilder, ImageConfig, ImageStore,
    ImportError, Reference, ReferenceError, ResolveError, StoreError,
};
pub use program::ProgramError;
pub use spec::{
    Capabilities, ContainerSpec, ExecSpec, MountSpec, ProcMount, Resources, Sandbox, SpecError,
    UserSpec,
};
pub use tmpfs::{TmpfsError, ensure_tmpfs, remove_tmpfs};

use std::path::{Path, PathBuf};

/// A file operation that failed, with what was tried on which path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct FileError {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// Makes a [`FileError`] of an I/O error: `map_err(at("read", &path))`.
fn at<E: Into<std::io::Error>>(what: &'static str, path: &Path) -> impl FnOnce(E) -> FileError {
    let path = path.to_path_buf();
    move |source| FileError { what, path, source: source.into() }
}

/// An error and everything that caused it, in one line: for protocols that carry text.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Wrappers that repeat their source's text would say everything twice.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
