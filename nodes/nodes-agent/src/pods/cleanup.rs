//! Removes the files of a pod that is over.
//!
//! Way in: [`remove_files`].  Order: volumes are unmounted before; see `volumes::tear_down`.

use std::{fs, io, path::Path};

use crate::{Paths, pods::memory, shared::PodKey};

/// Removes logs, writable layers and records of the pod.
pub(crate) fn remove_files(paths: &Paths, key: &PodKey) -> io::Result<()> {
    memory::forget(paths, &key.uid)?;
    let logs = paths.pod_logs(&key.namespace, &key.name, &key.uid);
    [logs, paths.pod_data(&key.uid), paths.volumes_data(&key.uid), paths.volumes_run(&key.uid)]
        .iter()
        .try_for_each(|folder| remove(folder))
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The names in a folder; none if it is not there.
pub(crate) fn read_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
