//! Where the logs of a pod lie, and which life of a container wrote which.
//!
//! Way in: [`log_path`], [`lives`], [`rotated`], [`tail`].

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
};

use nodes_pods::ContainerRef;
use nodes_shim::LOG_FILES_MAX;

use super::cri::{Line, Writer};

/// The log of one life, in the folder of its pod's logs.
pub(crate) fn log_path(folder: &Path, container: &ContainerRef) -> PathBuf {
    folder.join(&container.name).join(format!("{}.log", container.attempt))
}

/// The lives of a container that have a log, oldest first.
pub(super) fn lives(folder: &Path, container: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder.join(container)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut all: Vec<u32> =
        names.filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
    all.sort_unstable();
    all
}

/// All files of one log, oldest first; the last one is still written to.
pub(super) fn rotated(path: &Path) -> Vec<PathBuf> {
    let numbered = |number: usize| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let older = (1..LOG_FILES_MAX).rev().map(numbered).filter(|path| path.exists());
    older.chain([path.to_owned()]).collect()
}

/// The last lines of a log, at most `bytes_max` of them.
pub(crate) fn tail(path: &Path, lines_max: usize, bytes_max: usize) -> String {
    let Ok(bytes) = fs::read(path) else { return String::new() };
    let mut last: VecDeque<&[u8]> = VecDeque::new();
    for record in bytes.split_inclusive(|byte| *byte == b'\n') {
        if last.len() == lines_max {
            last.pop_front();
        }
        last.push_back(record);
    }
    let (mut writer, mut text) = (Writer::default(), Vec::new());
    for line in last.iter().filter_map(|record| Line::parse(record)) {
        writer.add(&line, &mut text);
    }
    let from = text.len().saturating_sub(bytes_max);
    String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned()
}
