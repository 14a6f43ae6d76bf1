//! The machine's devices, which privileged containers see in their own /dev.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

use nix::sys::stat::{major, minor};
use serde_json::{Value, json};

/// Directories of /dev that every container has of its own.
const OWN: [&str; 4] = ["pts", "shm", "mqueue", "fd"];
/// /dev has no deeper directories that matter, such as /dev/bus/usb/001/.
const DEPTH_MAX: usize = 4;

/// All character and block devices below /dev, as the runtime specification lists them.
pub(crate) fn of_the_machine() -> Vec<Value> {
    let mut devices = Vec::new();
    scan(Path::new("/dev"), 0, &mut devices);
    devices
}

fn scan(directory: &Path, depth: usize, devices: &mut Vec<Value>) {
    // A device may go while the list is made; then the container does not have it either.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let kind = metadata.file_type();
        let name = entry.file_name();
        let is_own = depth == 0 && OWN.iter().any(|own| name == *own);
        if kind.is_dir() && depth < DEPTH_MAX && !is_own {
            scan(&entry.path(), depth + 1, devices);
        } else if (kind.is_char_device() || kind.is_block_device()) && name != "console" {
            devices.push(json!({
                "path": entry.path(),
                "type": if kind.is_block_device() { "b" } else { "c" },
                "major": major(metadata.rdev()),
                "minor": minor(metadata.rdev()),
                "fileMode": metadata.mode() & 0o7777,
                "uid": metadata.uid(),
                "gid": metadata.gid(),
            }));
        }
    }
}
