//! Writes the Node's status from readings: pure, but for what it was told before.
//!
//! Way in: [`status`].  Spec: Kubernetes documentation, "Node Status", "Node-pressure Eviction"
//! (thresholds).

use actors_core::Wall;
use actors_object::{Value, timefmt, value};

use super::readings::{Disk, Machine, Reading, architecture};
use crate::shared::Shared;

/// Less memory than this is pressure.
const MEMORY_MIN: u64 = 100 << 20;
/// Less of the disk than one of so many parts is pressure: `nodefs.available<10%`.
const DISK_MIN_PART: u64 = 10;
/// So much is enough on a disk of any size.
const DISK_ENOUGH: u64 = 10 << 30;
/// A larger share of all process numbers in use, in percent, is pressure.
const PROCESSES_MAX_PERCENT: u64 = 90;
/// The node names at most so many images.
const IMAGES_MAX: usize = 50;

/// What the API was told, and since when each condition is as it is.
#[derive(Debug, Default)]
pub(super) struct Told {
    status: Option<Value>,
    conditions: Vec<(&'static str, bool, Wall)>,
}

impl Told {
    /// Whether this differs from what was accepted last.
    pub(super) fn is_new(&self, status: &Value) -> bool {
        self.status.as_ref() != Some(status)
    }

    pub(super) fn accepted(&mut self, status: Value) {
        self.status = Some(status);
    }

    fn since(&mut self, kind: &'static str, met: bool, now: Wall) -> Wall {
        match self.conditions.iter_mut().find(|(known, _, _)| *known == kind) {
            Some((_, before, since)) => {
                if *before != met {
                    (*before, *since) = (met, now);
                }
                *since
            }
            None => {
                self.conditions.push((kind, met, now));
                now
            }
        }
    }
}

/// The node's status.
pub(super) fn status(
    shared: &Shared,
    machine: &Machine,
    reading: &Reading,
    told: &mut Told,
) -> Value {
    let config = &shared.config;
    let now = shared.clock.now().wall;
    let Machine { system, capacity } = machine;
    let list = |all: &[(String, String)]| {
        let mut map = Value::Null;
        for (name, amount) in all {
            map.make_map().insert(name.as_str(), amount.as_str());
        }
        map
    };
    value!({
        "addresses": [
            { "type": "InternalIP", "address": config.address.to_string() },
            { "type": "Hostname", "address": config.node.as_str() },
        ],
        "capacity": list(&capacity.all),
        "allocatable": list(&capacity.allocatable),
        "conditions": Value::List(conditions(reading, told, now)),
        "nodeInfo": {
            "machineID": system.machine_id.as_str(),
            "systemUUID": system.system_uuid.as_str(),
            "bootID": system.boot_id.as_str(),
            "kernelVersion": system.kernel.as_str(),
            "osImage": system.distribution.as_str(),
            "containerRuntimeVersion": concat!("starling://", env!("CARGO_PKG_VERSION")),
            "kubeletVersion": "v1.35.0+starling",
            "kubeProxyVersion": "v1.35.0+starling",
            "operatingSystem": "linux",
            "architecture": architecture(),
        },
        "images": Value::List(images(reading)),
    })
}

/// A disk that cannot be read is short, too.
fn is_short(disk: Disk) -> bool {
    disk.usable == 0 || disk.available < (disk.usable / DISK_MIN_PART).min(DISK_ENOUGH)
}

fn conditions(reading: &Reading, told: &mut Told, now: Wall) -> Vec<Value> {
    let percent = |part: u64, whole: u64| part.saturating_mul(100) / whole.max(1);
    let memory = reading.memory_available < MEMORY_MIN;
    let disk = is_short(reading.disk);
    let processes = percent(reading.processes, reading.processes_max) > PROCESSES_MAX_PERCENT;
    let rows = [
        (
            "MemoryPressure",
            memory,
            "KubeletHasInsufficientMemory",
            "KubeletHasSufficientMemory",
            "memory",
        ),
        (
            "DiskPressure",
            disk,
            "KubeletHasDiskPressure",
            "KubeletHasNoDiskPressure",
            "space on the disk of its data",
        ),
        (
            "PIDPressure",
            processes,
            "KubeletHasInsufficientPID",
            "KubeletHasSufficientPID",
            "process numbers",
        ),
    ];
    let mut all: Vec<Value> = rows
        .into_iter()
        .map(|(kind, met, bad, good, what)| {
            let since = told.since(kind, met, now);
            let message =
                format!("the node has {} {what}", if met { "too little or few" } else { "enough" });
            condition((kind, met), since, if met { bad } else { good }, &message)
        })
        .collect();
    let since = told.since("Ready", true, now);
    all.push(condition(("Ready", true), since, "KubeletReady", "the node agent runs pods"));
    all
}

fn condition((kind, met): (&str, bool), since: Wall, reason: &str, message: &str) -> Value {
    let stamp = timefmt::seconds(since);
    value!({
        "type": kind,
        "status": if met { "True" } else { "False" },
        "lastHeartbeatTime": stamp.as_str(),
        "lastTransitionTime": stamp.as_str(),
        "reason": reason,
        "message": message,
    })
}

/// The largest images, as the scheduler likes to know them.
fn images(reading: &Reading) -> Vec<Value> {
    let mut images: Vec<_> = reading.images.iter().collect();
    images.sort_by_key(|image| std::cmp::Reverse(image.size_bytes));
    let entry = |image: &&nodes_oci::Image| {
        let names: Vec<Value> =
            image.references.iter().map(|name| Value::from(name.as_str())).collect();
        let size = i64::try_from(image.size_bytes).unwrap_or(i64::MAX);
        value!({ "names": Value::List(names), "sizeBytes": size })
    };
    images.iter().take(IMAGES_MAX).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_a_disk_must_be_free_and_of_a_large_one_ten_gibibytes() {
        let is_short = |available: u64, usable: u64| {
            is_short(Disk { available: available << 30, usable: usable << 30 })
        };
        assert!(is_short(4, 50));
        assert!(!is_short(5, 50));
        assert!(is_short(9, 4_000));
        assert!(!is_short(10, 4_000));
        assert!(is_short(0, 0));
    }
}
