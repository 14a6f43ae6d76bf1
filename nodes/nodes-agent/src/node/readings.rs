//! What the machine says of itself: processors, memory, disk, kernel, images.
//!
//! Way in: [`capacity`] once, [`read`] again and again.  Never: a write.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use nix::sys::{statvfs::statvfs, utsname::uname};
use nodes_oci::Image;

use crate::shared::Shared;

/// The machine as it is now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    pub(crate) memory_available: u64,
    pub(crate) disk: Disk,
    pub(crate) processes: u64,
    pub(crate) processes_max: u64,
    /// Changes when the image store does.
    pub(crate) images_stamp: i128,
    pub(crate) images: Vec<Image>,
}

/// The disk of the node's data, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disk {
    pub(crate) available: u64,
    /// What is used or available: not what the file system keeps back. df(1) counts so.
    pub(crate) usable: u64,
}

impl Disk {
    fn of(data: &Path) -> Self {
        let Ok(disk) = statvfs(data) else { return Self::default() };
        let bytes = |blocks: u64| blocks * disk.fragment_size();
        let used = disk.blocks().saturating_sub(disk.blocks_free());
        let available = disk.blocks_available();
        Self { available: bytes(available), usable: bytes(used + available) }
    }
}

/// What the machine has, as quantities by resource name; and what pods may have of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Capacity {
    pub(crate) all: Vec<(String, String)>,
    pub(crate) allocatable: Vec<(String, String)>,
}

/// Memory that stays free for the machine itself, as Kubernetes' default threshold of eviction.
const MEMORY_RESERVED: u64 = 100 << 20;

/// Reads what does not change while the machine runs.
pub(crate) fn capacity(data: &Path, pods_max: u32) -> Capacity {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = meminfo("MemTotal");
    let disk = statvfs(data).map_or(0, |disk| disk.blocks() * disk.fragment_size());
    let list = |memory: u64, disk: u64| {
        vec![
            ("cpu".to_owned(), processors.to_string()),
            ("ephemeral-storage".to_owned(), format!("{}Ki", disk / 1_024)),
            ("memory".to_owned(), format!("{}Ki", memory / 1_024)),
            ("pods".to_owned(), pods_max.to_string()),
        ]
    };
    Capacity {
        all: list(memory, disk),
        allocatable: list(memory.saturating_sub(MEMORY_RESERVED), disk / 10 * 9),
    }
}

/// Reads what changes; images only if their store did since `before`.
pub(crate) fn read(shared: &Shared, before: Reading) -> Reading {
    let stamp = fs::metadata(shared.config.images.join("references.json"));
    let stamp = stamp
        .map_or(0, |file| i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec()));
    let images = match before.images_stamp == stamp {
        true => before.images,
        false => shared.images.list().unwrap_or_default(),
    };
    let number =
        |path: &str| fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    Reading {
        memory_available: meminfo("MemAvailable"),
        disk: Disk::of(&shared.config.data),
        processes: processes(),
        processes_max: number("/proc/sys/kernel/pid_max").unwrap_or(u64::MAX),
        images_stamp: stamp,
        images,
    }
}

/// `/proc/loadavg` has `running/all` as its fourth word.
fn processes() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let all = text.split_whitespace().nth(3).and_then(|both| both.split_once('/'));
    all.and_then(|(_, all)| all.parse().ok()).unwrap_or(0)
}

fn meminfo(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

/// The architecture as container images name it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Kernel, distribution and identity of the machine.
pub(crate) struct System {
    pub(crate) kernel: String,
    pub(crate) distribution: String,
    pub(crate) machine_id: String,
    pub(crate) system_uuid: String,
    pub(crate) boot_id: String,
}

/// What does not change while the machine runs.
pub(crate) struct Machine {
    pub(crate) system: System,
    pub(crate) capacity: Capacity,
}

/// Reads what does not change while the machine runs.
pub(crate) fn machine(data: &Path, pods_max: u32) -> Machine {
    Machine { system: system(), capacity: capacity(data, pods_max) }
}

fn system() -> System {
    let text = |path: &str| {
        fs::read_to_string(path).map_or_else(|_| String::new(), |text| text.trim().to_owned())
    };
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    System {
        kernel: uname()
            .map_or_else(|_| String::new(), |name| name.release().to_string_lossy().into_owned()),
        distribution: pretty.unwrap_or("Linux").trim_matches('"').to_owned(),
        machine_id: text("/etc/machine-id"),
        system_uuid: text("/sys/class/dmi/id/product_uuid"),
        boot_id: text("/proc/sys/kernel/random/boot_id"),
    }
}
