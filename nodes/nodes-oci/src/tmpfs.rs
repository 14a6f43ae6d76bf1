//! The run directory's file system: bundles and Secret volumes must never reach a disk.

use std::{fs, path::Path};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::{
        stat::stat,
        statfs::{TMPFS_MAGIC, statfs},
    },
};

use crate::{FileError, at};

/// Why a directory is not on tmpfs.
#[derive(Debug, thiserror::Error)]
pub enum TmpfsError {
    /// The directory cannot be made or inspected.
    #[error(transparent)]
    File(#[from] FileError),
    /// The kernel refuses the mount.
    #[error("cannot mount a tmpfs on {directory}")]
    Mount {
        /// Where.
        directory: String,
        /// What the kernel says.
        #[source]
        source: nix::Error,
    },
}

/// Makes sure that `directory` exists and lies on a tmpfs; mounts one there if its file system is another.
///
/// # Errors
/// If the directory cannot be made, or the mount is refused (not root).
pub fn ensure_tmpfs(directory: &Path) -> Result<(), TmpfsError> {
    fs::create_dir_all(directory).map_err(at("create", directory))?;
    let found = statfs(directory).map_err(at("inspect", directory))?;
    if found.filesystem_type() == TMPFS_MAGIC {
        return Ok(());
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), directory, Some("tmpfs"), flags, Some("mode=0711"))
        .map_err(|source| TmpfsError::Mount { directory: directory.display().to_string(), source })
}

/// Undoes [`ensure_tmpfs`]: unmounts what is mounted exactly at `directory`, then removes it with its content.
///
/// # Errors
/// If a file cannot be removed. A directory that does not exist is no error.
pub fn remove_tmpfs(directory: &Path) -> Result<(), FileError> {
    if !directory.exists() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(Path::new("/"));
    let here = stat(directory).map_err(at("inspect", directory))?;
    let above = stat(parent).map_err(at("inspect", parent))?;
    if here.st_dev != above.st_dev {
        umount2(directory, MntFlags::MNT_DETACH).map_err(at("unmount", directory))?;
    }
    fs::remove_dir_all(directory).map_err(at("remove", directory))
}
