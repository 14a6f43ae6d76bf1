//! A container's file system: overlayfs and sub-paths, mounted in a mount namespace that goes with the container.
//!
//! Way in: [`enter_private_mounts`], then [`mount_root`] and [`mount_sub_paths`].  Never: a mount that the machine
//! sees. The process that calls leaves the machine's mount namespace, the container inherits that copy, and
//! when the last process of the container is gone the kernel unmounts everything, whatever else has crashed.

use std::{
    fs::{self, File},
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::stat::{Mode, SFlag, fstat, mkdirat},
};

use crate::{ContainerSpec, FileError, MountSpec, at, paths::PodPaths};

/// Why a file system could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// A file or directory could not be made.
    #[error(transparent)]
    File(#[from] FileError),
    /// The kernel refuses a mount namespace.
    #[error("cannot leave the machine's mount namespace")]
    Namespace(#[source] nix::Error),
    /// The kernel refuses overlayfs; the source is often a missing kernel feature.
    #[error("cannot mount the root file system with overlayfs")]
    Overlay(#[source] nix::Error),
    /// A layer is not where the image store said.
    #[error("layer {0} is missing; import the image again")]
    Layer(String),
    /// A volume is not where the agent said.
    #[error("mount source {0} does not exist")]
    Source(String),
    /// A sub-path cannot be opened inside its volume.
    #[error("cannot use sub-path {sub_path:?} of the volume at {destination}")]
    SubPath {
        /// The path inside the volume.
        sub_path: String,
        /// Where the container would see it.
        destination: String,
        /// What the kernel says.
        #[source]
        source: nix::Error,
    },
}

const NONE: Option<&str> = None;

/// Gives this process, and those it forks, mounts of their own; mounts made later by the machine still arrive.
pub(crate) fn enter_private_mounts() -> Result<(), RootfsError> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(RootfsError::Namespace)?;
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(NONE, "/", NONE, flags, NONE).map_err(RootfsError::Namespace)
}

/// Mounts the layers and the container's writable layer at its root file system path.
pub(crate) fn mount_root(spec: &ContainerSpec, paths: &PodPaths) -> Result<(), RootfsError> {
    let upper = paths.upper(&spec.id);
    let work = paths.container_data(&spec.id).join("work");
    let rootfs = paths.rootfs(&spec.id);
    for directory in [&upper, &work, &rootfs] {
        fs::create_dir_all(directory).map_err(at("create", directory))?;
    }
    for layer in &spec.layers {
        if !layer.is_dir() {
            return Err(RootfsError::Layer(layer.display().to_string()));
        }
    }
    let options = overlay_options(&spec.layers, &upper, &work)?;
    let overlay = |extra: &str| {
        let options = format!("{options}{extra}");
        mount(Some("overlay"), &rootfs, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
    };
    // The writable layer does not outlive the container, so waiting for a disk to keep it would be for nothing.
    match overlay(",volatile") {
        Err(Errno::EINVAL) => overlay("").map_err(RootfsError::Overlay),
        mounted => mounted.map_err(RootfsError::Overlay),
    }
}

/// Layers from top to bottom, as overlayfs wants them. All options must fit one page, so layers are named relative
/// to their common directory, which becomes the working directory.
fn overlay_options(layers: &[PathBuf], upper: &Path, work: &Path) -> Result<String, RootfsError> {
    let common = layers.first().and_then(|layer| layer.parent()).unwrap_or(Path::new("/"));
    std::env::set_current_dir(common).map_err(at("enter", common))?;
    let mut lower = String::new();
    for layer in layers.iter().rev() {
        let name = layer.strip_prefix(common).unwrap_or(layer);
        if !lower.is_empty() {
            lower.push(':');
        }
        lower.push_str(&name.to_string_lossy());
    }
    Ok(format!("lowerdir={lower},upperdir={},workdir={}", upper.display(), work.display()))
}

/// Opens every sub-path inside its volume and binds it below the bundle; returns the mounts with those sources.
pub(crate) fn mount_sub_paths(
    spec: &ContainerSpec,
    paths: &PodPaths,
) -> Result<Vec<MountSpec>, RootfsError> {
    let mut mounts = Vec::new();
    for (number, wanted) in spec.mounts.iter().enumerate() {
        if !wanted.source.exists() {
            return Err(RootfsError::Source(wanted.source.display().to_string()));
        }
        let mut resolved = wanted.clone();
        if let Some(sub_path) = wanted.sub_path.as_deref().filter(|path| !path.is_empty()) {
            let target = paths.bundle(&spec.id).join("mounts").join(number.to_string());
            let failed = |source| RootfsError::SubPath {
                sub_path: sub_path.to_owned(),
                destination: wanted.destination.clone(),
                source,
            };
            let opened = open_sub_path(&wanted.source, sub_path).map_err(failed)?;
            bind(&opened, &target)?;
            resolved.source = target;
        }
        mounts.push(resolved);
    }
    Ok(mounts)
}

/// Takes back what was mounted for a container that could not be created, so that its directories can be
/// removed. Only this process's mounts are affected.
pub(crate) fn unmount(spec: &ContainerSpec, paths: &PodPaths) {
    let sub_paths = paths.bundle(&spec.id).join("mounts");
    let targets = (0..spec.mounts.len()).map(|number| sub_paths.join(number.to_string()));
    for target in targets.chain([paths.rootfs(&spec.id)]) {
        // What was not mounted yet cannot be unmounted.
        umount2(&target, MntFlags::MNT_DETACH).ok();
    }
}

fn bind(opened: &OwnedFd, target: &Path) -> Result<(), RootfsError> {
    let parent = target.parent().unwrap_or(target);
    fs::create_dir_all(parent).map_err(at("create", parent))?;
    let kind = fstat(opened).map_err(at("inspect", target))?.st_mode & SFlag::S_IFMT.bits();
    if kind == SFlag::S_IFDIR.bits() {
        fs::create_dir_all(target).map_err(at("create", target))?;
    } else {
        File::create(target).map_err(at("create", target))?;
    }
    let source = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source.as_str()), target, NONE, flags, NONE).map_err(at("mount", target))?;
    Ok(())
}

/// Opens a path inside a volume, with the volume as the root of every link; makes missing directories.
fn open_sub_path(volume: &Path, sub_path: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let root = open(volume, flags, Mode::empty())?;
    let inside = |path: &Path| {
        let how = OpenHow::new()
            .flags(flags)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        openat2(&root, path, how)
    };
    let path = Path::new(sub_path);
    match inside(path) {
        Err(Errno::ENOENT) => {}
        opened => return opened,
    }
    let mut made = PathBuf::new();
    let mut parent = inside(Path::new("."))?;
    for component in path.components() {
        made.push(component);
        parent = match inside(&made) {
            Err(Errno::ENOENT) => {
                mkdirat(&parent, component.as_os_str(), Mode::from_bits_truncate(0o750))?;
                inside(&made)?
            }
            opened => opened?,
        };
    }
    Ok(parent)
}
