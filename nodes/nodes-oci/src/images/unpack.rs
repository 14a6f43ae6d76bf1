//! Unpacks one layer into a directory of its own, in the form that overlayfs reads.
//!
//! Way in: [`unpack`].  Never: a write outside the directory. Every parent is opened by the kernel with the
//! directory as its root (`RESOLVE_IN_ROOT`), so links and `..` cannot lead out, and last parts are never followed.
//! Spec: OCI image specification, "layer" (whiteouts); overlayfs documentation, "whiteouts and opaque directories".

use std::{
    ffi::CString,
    fs::{self, File},
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2},
    sys::{
        stat::{Mode, SFlag, UtimensatFlags, fchmod, makedev, mkdirat, mknodat, utimensat},
        time::TimeSpec,
    },
    unistd::{Gid, LinkatFlags, Uid, UnlinkatFlags, fchownat, linkat, symlinkat, unlinkat},
};

use super::{Digest, digest::HashingReader, source::decompressed};

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive cannot be read.
    #[error("the archive cannot be read")]
    Archive(#[source] io::Error),
    /// An entry cannot be written.
    #[error("entry {name} cannot be written")]
    Entry {
        /// Its name in the archive.
        name: String,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// An entry would leave the directory.
    #[error("entry {0} leads out of the layer")]
    Outside(String),
}

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// The extended attributes that are kept: file capabilities, as PAX records carry them.
const CAPABILITY_RECORD: &str = "SCHILY.xattr.security.capability";

/// Unpacks a layer blob (plain or gzip) into the new directory `target`; returns the digest of the plain archive.
pub(super) fn unpack(blob: &Path, target: &Path) -> Result<Digest, UnpackError> {
    if target.exists() {
        fs::remove_dir_all(target).map_err(UnpackError::Archive)?;
    }
    fs::create_dir_all(target).map_err(UnpackError::Archive)?;
    let file = File::open(blob).map_err(UnpackError::Archive)?;
    let reader = decompressed(file).map_err(UnpackError::Archive)?;
    let mut archive = tar::Archive::new(HashingReader::new(reader));
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
    let root =
        open(target, flags, Mode::empty()).map_err(|errno| UnpackError::Archive(errno.into()))?;
    let mut layer = Layer { root, directories: Vec::new() };
    for entry in archive.entries().map_err(UnpackError::Archive)? {
        layer.apply(&mut entry.map_err(UnpackError::Archive)?)?;
    }
    layer.finish()?;
    archive.into_inner().finish().map_err(UnpackError::Archive)
}

struct Layer {
    root: OwnedFd,
    /// Times of directories are set last: each entry inside would change them.
    directories: Vec<(PathBuf, i64)>,
}

/// What every kind of entry has.
struct Attributes {
    uid: Uid,
    gid: Gid,
    mode: Mode,
    mtime: i64,
    capability: Option<Vec<u8>>,
}

impl Layer {
    fn apply<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<(), UnpackError> {
        let raw = entry.path().map_err(UnpackError::Archive)?.into_owned();
        let shown = raw.display().to_string();
        let path = inside(&raw).ok_or_else(|| UnpackError::Outside(shown.clone()))?;
        let failed = |source: io::Error| UnpackError::Entry { name: shown.clone(), source };
        let attributes = attributes(entry).map_err(failed)?;
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            // The layer's root itself.
            self.directories.push((PathBuf::new(), attributes.mtime));
            return finish_directory(&self.root, &attributes).map_err(|e| failed(e.into()));
        };
        let parent_path = path.parent().unwrap_or(Path::new(""));
        let parent = self.parent(parent_path).map_err(|e| failed(e.into()))?;
        if name == OPAQUE {
            return nodes_sys::mark_opaque(&parent).map_err(|e| failed(e.into()));
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            return whiteout(&parent, hidden).map_err(|e| failed(e.into()));
        }
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            self.directories.push((path.clone(), attributes.mtime));
            return directory(&parent, &name, &attributes).map_err(|e| failed(e.into()));
        }
        remove_present(&parent, &name).map_err(|e| failed(e.into()))?;
        match kind {
            tar::EntryType::Link => {
                let target = entry.link_name().map_err(failed)?.unwrap_or_default().into_owned();
                return self.hard_link(&target, &parent, &name).map_err(failed);
            }
            tar::EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                symlink(&target, &parent, &name).map_err(|e| failed(e.into()))?;
            }
            tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo => {
                node(entry.header(), kind, &parent, &name).map_err(failed)?;
            }
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
                regular(entry, &parent, &name, &attributes).map_err(failed)?;
            }
            // Headers of the archive itself; the tar crate has applied them.
            _ => return Ok(()),
        }
        finish_entry(&parent, &name, kind, &attributes).map_err(|e| failed(e.into()))
    }

    /// Opens the directory that an entry goes into, and makes it if the archive did not list it.
    fn parent(&self, path: &Path) -> nix::Result<OwnedFd> {
        match self.open_in_root(path) {
            Err(Errno::ENOENT) => {}
            opened => return opened,
        }
        let above = self.parent(path.parent().ok_or(Errno::ENOENT)?)?;
        let name = path.file_name().ok_or(Errno::ENOENT)?;
        match mkdirat(&above, name, Mode::from_bits_truncate(0o755)) {
            // A link to nowhere stands there: not followed, not replaced.
            Err(errno) => Err(errno),
            Ok(()) => self.open_in_root(path),
        }
    }

    fn open_in_root(&self, path: &Path) -> nix::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let how = OpenHow::new()
            .flags(OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        openat2(&self.root, path, how)
    }

    fn hard_link(&self, target: &Path, parent: &OwnedFd, name: &str) -> io::Result<()> {
        let target = inside(target).ok_or_else(|| io::Error::other("its target is outside"))?;
        let target_name = target.file_name().ok_or(Errno::EINVAL)?;
        let target_parent = self.open_in_root(target.parent().unwrap_or(Path::new("")))?;
        Ok(linkat(&target_parent, target_name, parent, name, LinkatFlags::empty())?)
    }

    fn finish(&self) -> Result<(), UnpackError> {
        for (path, mtime) in &self.directories {
            let set = || {
                let directory = self.open_in_root(path)?;
                let time = TimeSpec::new(*mtime, 0);
                utimensat(&directory, ".", &time, &time, UtimensatFlags::FollowSymlink)
            };
            match set() {
                // A later entry replaced the directory.
                Ok(()) | Err(Errno::ENOTDIR | Errno::ENOENT) => {}
                Err(errno) => {
                    let name = path.display().to_string();
                    return Err(UnpackError::Entry { name, source: errno.into() });
                }
            }
        }
        Ok(())
    }
}

/// The path without `.` and a leading `/`; none if it has `..`.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

fn attributes<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Attributes> {
    let mut capability = None;
    if let Some(records) = entry.pax_extensions()? {
        for record in records {
            let record = record?;
            if record.key_bytes() == CAPABILITY_RECORD.as_bytes() {
                capability = Some(record.value_bytes().to_vec());
            }
        }
    }
    let header = entry.header();
    let id = |id: u64| u32::try_from(id).map_err(|_| io::Error::other("its owner is out of range"));
    Ok(Attributes {
        uid: Uid::from_raw(id(header.uid()?)?),
        gid: Gid::from_raw(id(header.gid()?)?),
        mode: Mode::from_bits_truncate(header.mode()? & 0o7777),
        mtime: i64::try_from(header.mtime()?).unwrap_or(0),
        capability,
    })
}

/// An earlier entry of the same name gives way; the last one in an archive counts.
fn remove_present(parent: &OwnedFd, name: &str) -> nix::Result<()> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EISDIR) => unlinkat(parent, name, UnlinkatFlags::RemoveDir),
        Err(errno) => Err(errno),
    }
}

/// A file of the layers below disappears: overlayfs knows that by a character device 0:0. If this layer has a file
/// of that name, the file stays, for it came in the same layer.
fn whiteout(parent: &OwnedFd, hidden: &str) -> nix::Result<()> {
    match mknodat(parent, hidden, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0)) {
        Err(Errno::EEXIST) => Ok(()),
        made => made,
    }
}

fn directory(parent: &OwnedFd, name: &str, attributes: &Attributes) -> nix::Result<()> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    if let Err(errno) = mkdirat(parent, name, Mode::from_bits_truncate(0o700)) {
        if errno != Errno::EEXIST {
            return Err(errno);
        }
        if openat(parent, name, flags, Mode::empty()).is_err() {
            unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)?;
            mkdirat(parent, name, Mode::from_bits_truncate(0o700))?;
        }
    }
    let opened = openat(parent, name, flags, Mode::empty())?;
    finish_directory(&opened, attributes)
}

fn finish_directory(directory: &OwnedFd, attributes: &Attributes) -> nix::Result<()> {
    nix::unistd::fchown(directory, Some(attributes.uid), Some(attributes.gid))?;
    fchmod(directory, attributes.mode)
}

fn symlink(target: &[u8], parent: &OwnedFd, name: &str) -> nix::Result<()> {
    let target = CString::new(target).map_err(|_| Errno::EINVAL)?;
    symlinkat(target.as_c_str(), parent, name)
}

fn node(
    header: &tar::Header,
    kind: tar::EntryType,
    parent: &OwnedFd,
    name: &str,
) -> io::Result<()> {
    let number = |number: Option<u32>| u64::from(number.unwrap_or(0));
    let device = makedev(number(header.device_major()?), number(header.device_minor()?));
    let kind = match kind {
        tar::EntryType::Char => SFlag::S_IFCHR,
        tar::EntryType::Block => SFlag::S_IFBLK,
        _ => SFlag::S_IFIFO,
    };
    Ok(mknodat(parent, name, kind, Mode::from_bits_truncate(0o600), device)?)
}

fn regular<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    parent: &OwnedFd,
    name: &str,
    attributes: &Attributes,
) -> io::Result<()> {
    let flags =
        OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = openat(parent, name, flags, Mode::from_bits_truncate(0o600))?;
    let mut file = File::from(opened);
    io::copy(entry, &mut file)?;
    // Changing the owner takes set-id bits and capabilities away, so it comes first.
    nix::unistd::fchown(&file, Some(attributes.uid), Some(attributes.gid))?;
    fchmod(&file, attributes.mode)?;
    if let Some(capability) = &attributes.capability {
        nodes_sys::set_capability_attribute(file.as_fd(), capability)?;
    }
    Ok(())
}

fn finish_entry(
    parent: &OwnedFd,
    name: &str,
    kind: tar::EntryType,
    attributes: &Attributes,
) -> nix::Result<()> {
    if !matches!(
        kind,
        tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse
    ) {
        let (uid, gid) = (Some(attributes.uid), Some(attributes.gid));
        fchownat(parent, name, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    }
    if matches!(kind, tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo) {
        let flags = nix::sys::stat::FchmodatFlags::FollowSymlink;
        nix::sys::stat::fchmodat(parent, name, attributes.mode, flags)?;
    }
    let time = TimeSpec::new(attributes.mtime, 0);
    utimensat(parent, name, &time, &time, UtimensatFlags::NoFollowSymlink)
}
