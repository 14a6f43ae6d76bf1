//! Where volumes lie on the node, and making and removing the places.
//!
//! Way in: [`paths`], [`make`], [`remove`].  Never: the content of a `hostPath` is removed.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use actors_object::{Object, Quantity, Value};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{VolumeError, content, fs_group};
use crate::{Paths, shared::Shared};

/// A volume that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Nobody may write it, whatever the mount says.
    pub(crate) read_only: bool,
}

/// All volumes of the pod.
pub(crate) fn paths(shared: &Shared, pod: &Object) -> Vec<Volume> {
    let all = pod.0.list_at(&["spec", "volumes"]).iter();
    all.filter_map(|volume| {
        let name = volume.at("name").as_str()?;
        let path = match volume.str_at(&["hostPath", "path"]) {
            Some(path) => PathBuf::from(path),
            None => place(&shared.paths, pod.uid(), volume),
        };
        Some(Volume { name: name.to_owned(), path, read_only: content::is_written(volume) })
    })
    .collect()
}

fn place(paths: &Paths, uid: &str, volume: &Value) -> PathBuf {
    let name = volume.at("name").as_str().unwrap_or_default();
    match volume.get("emptyDir") {
        Some(empty) if empty.at("medium").as_str() != Some("Memory") => {
            paths.volumes_data(uid).join(name)
        }
        _ => paths.volumes_run(uid).join(name),
    }
}

/// Makes the places of all volumes; those with content of the API stay empty.
pub(super) fn make(shared: &Shared, pod: &Object) -> Result<(), VolumeError> {
    for volume in pod.0.list_at(&["spec", "volumes"]) {
        let name = volume.at("name").as_str().unwrap_or_default().to_owned();
        let failed = |source| VolumeError::File { volume: name.clone(), source };
        let path = place(&shared.paths, pod.uid(), volume);
        if let Some(empty) = volume.get("emptyDir") {
            make_empty(&path, empty, fs_group(pod)).map_err(failed)?;
        } else if let Some(host) = volume.get("hostPath") {
            check_host_path(host).map_err(|what| VolumeError::content(&name, what))?;
        } else if content::is_written(volume) {
            fs::create_dir_all(&path).map_err(failed)?;
        } else {
            let kinds = volume.as_map().into_iter().flat_map(|map| map.keys());
            let kind =
                kinds.map(|kind| kind.as_str()).find(|kind| *kind != "name").unwrap_or("unknown");
            let what = format!("volumes of kind {kind} are not supported on this node");
            return Err(VolumeError::content(&name, what));
        }
    }
    Ok(())
}

fn make_empty(path: &Path, empty: &Value, group: Option<u32>) -> io::Result<()> {
    let is_new = !path.exists();
    fs::create_dir_all(path)?;
    if empty.at("medium").as_str() == Some("Memory") && is_new {
        let limit = empty.get("sizeLimit").and_then(|limit| Quantity::from_value(limit).ok());
        let size = limit.map_or(String::new(), |limit| format!(",size={}", limit.value()));
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let options = format!("mode=0777{size}");
        mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options.as_str()))?;
    }
    if let Some(group) = group {
        chown(path, None, Some(group))?;
    }
    // With a group, files made inside belong to it.
    let mode = if group.is_some() { 0o2777 } else { 0o777 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Makes what `type` allows to be made, and checks the rest.
fn check_host_path(host: &Value) -> Result<(), String> {
    let path = Path::new(host.at("path").as_str().unwrap_or_default());
    let kind = host.at("type").as_str().unwrap_or_default();
    let shown = path.display();
    let failed = |error: io::Error| format!("hostPath {shown}: {error}");
    match kind {
        "DirectoryOrCreate" => fs::create_dir_all(path).map_err(failed)?,
        "FileOrCreate" if !path.exists() => fs::write(path, "").map_err(failed)?,
        _ => {}
    }
    let found = match fs::metadata(path) {
        // The runtime needs something to mount, as it always has.
        Err(error) if kind.is_empty() && error.kind() == io::ErrorKind::NotFound => {
            return fs::create_dir_all(path).map_err(failed);
        }
        found => found.map_err(failed)?.file_type(),
    };
    let fits = match kind {
        "Directory" | "DirectoryOrCreate" => found.is_dir(),
        "File" | "FileOrCreate" => found.is_file(),
        "Socket" => found.is_socket(),
        "CharDevice" => found.is_char_device(),
        "BlockDevice" => found.is_block_device(),
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("hostPath {shown} is not a {kind}")) }
}

/// Removes all of a pod's volumes; safe to repeat.
pub(crate) fn remove(paths: &Paths, uid: &str) -> io::Result<()> {
    let in_memory = paths.volumes_run(uid);
    for entry in fs::read_dir(&in_memory).into_iter().flatten().flatten() {
        // What is mounted nowhere cannot be unmounted, which is just as well.
        umount2(&entry.path(), MntFlags::MNT_DETACH).unwrap_or_default();
    }
    for folder in [in_memory, paths.volumes_data(uid)] {
        crate::pods::cleanup::remove(&folder)?;
    }
    Ok(())
}
