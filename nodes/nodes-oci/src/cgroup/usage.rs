//! What a cgroup uses: the figures behind node statistics and eviction.

use std::{fs, path::Path};

use super::Hierarchies;

/// What a group uses; zero where the kernel gives no figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// CPU time so far, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory in bytes without the page cache that could be dropped at once: Kubernetes' "working set".
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

pub(super) fn read(hierarchies: &Hierarchies, path: &str) -> Usage {
    let file = |controller: &str, name: &str| {
        hierarchies.directory(controller, path).map(|directory| directory.join(name))
    };
    let (cpu_ns, total, cache) = match hierarchies {
        Hierarchies::V1(_) => (
            file("cpuacct", "cpuacct.usage").map_or(0, |path| number(&path)),
            file("memory", "memory.usage_in_bytes").map_or(0, |path| number(&path)),
            file("memory", "memory.stat").map_or(0, |path| keyed(&path, "total_inactive_file")),
        ),
        Hierarchies::V2(_) => (
            file("cpu", "cpu.stat").map_or(0, |path| keyed(&path, "usage_usec")) * 1_000,
            file("memory", "memory.current").map_or(0, |path| number(&path)),
            file("memory", "memory.stat").map_or(0, |path| keyed(&path, "inactive_file")),
        ),
    };
    let pids = file("pids", "pids.current").map_or(0, |path| number(&path));
    Usage { cpu_ns, memory_bytes: total.saturating_sub(cache), pids }
}

fn number(path: &Path) -> u64 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The number behind a key in a file of `key number` lines.
pub(super) fn keyed(path: &Path, key: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    found.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}
