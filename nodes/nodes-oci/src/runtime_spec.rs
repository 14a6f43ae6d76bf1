//! The OCI runtime specification's `config.json` for a container, and `process.json` for one more process in it.
//!
//! Way in: [`config`], [`process`].  Spec: <https://github.com/opencontainers/runtime-spec> 1.0.2; defaults of
//! capabilities, masked and read-only paths are those that Docker and containerd users expect.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};

use crate::{
    Capabilities, ContainerSpec, ExecSpec, MountSpec, ProcMount, Resources, Sandbox,
    cgroup::Hierarchies, devices, paths::PodPaths, user::Ids,
};

/// Given to every container that does not ask for more or less.
const CAPABILITIES_DEFAULT: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Every capability in the kernel's numbering.
const CAPABILITIES_ALL: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const PATH_DEFAULT: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What `config.json` is made of.
pub(crate) struct Parts<'a> {
    pub spec: &'a ContainerSpec,
    pub sandbox: &'a Sandbox,
    pub paths: &'a PodPaths,
    pub ids: &'a Ids,
    /// The specification's mounts, sub-paths resolved.
    pub mounts: &'a [MountSpec],
    pub hierarchies: &'a Hierarchies,
    /// The process whose pid namespace is shared, if it is not the pod's or its own.
    pub target_pid: Option<i32>,
}

/// The whole `config.json`.
pub(crate) fn config(parts: &Parts<'_>) -> Value {
    let Parts { spec, sandbox, paths, ids, .. } = parts;
    let hides = !spec.privileged && spec.proc_mount == ProcMount::Default;
    let cwd = if spec.cwd.is_empty() { "/" } else { &spec.cwd };
    json!({
        "ociVersion": "1.0.2",
        "root": { "path": paths.rootfs(&spec.id), "readonly": spec.read_only_root },
        "process": {
            "terminal": spec.terminal,
            "user": { "uid": ids.uid, "gid": ids.gid, "additionalGids": ids.groups },
            "args": spec.args,
            "env": environment(&spec.env, spec.terminal),
            "cwd": cwd,
            "noNewPrivileges": spec.no_new_privileges,
            "oomScoreAdj": spec.oom_score_adj,
            "capabilities": capabilities(&spec.capabilities, spec.privileged),
        },
        "mounts": mounts(parts),
        "linux": {
            "cgroupsPath": format!("{}/{}", sandbox.cgroup, spec.id),
            "namespaces": namespaces(parts),
            "resources": resources(&spec.resources, spec.privileged),
            "devices": if spec.privileged { devices::of_the_machine() } else { Vec::new() },
            "maskedPaths": if hides { json!(MASKED) } else { json!([]) },
            "readonlyPaths": if hides { json!(READ_ONLY) } else { json!([]) },
            "rootfsPropagation": "slave",
        },
    })
}

/// The `process.json` of an exec: the container's own process with another command line.
pub(crate) fn process(config: &Value, exec: &ExecSpec) -> Value {
    let mut process = config.get("process").cloned().unwrap_or_default();
    let own = process.get("env").and_then(Value::as_array).into_iter().flatten();
    let own: Vec<String> = own.filter_map(Value::as_str).map(str::to_owned).collect();
    let env: Vec<String> = own.into_iter().chain(exec.env.iter().cloned()).collect();
    if let Some(fields) = process.as_object_mut() {
        fields.insert("args".to_owned(), json!(exec.args));
        fields.insert("terminal".to_owned(), json!(exec.terminal));
        fields.insert("env".to_owned(), json!(environment(&env, exec.terminal)));
    }
    process
}

/// The last value of a name counts; without PATH libcontainer finds no program.
fn environment(env: &[String], terminal: bool) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut seen = BTreeSet::new();
    let mut result: Vec<String> =
        env.iter().rev().filter(|entry| seen.insert(name(entry))).cloned().collect();
    result.reverse();
    if !seen.contains("PATH") {
        result.push(PATH_DEFAULT.to_owned());
    }
    if terminal && !seen.contains("TERM") {
        result.push("TERM=xterm".to_owned());
    }
    result
}

/// None of them inheritable or ambient: a process that is not root gets none by starting a program.
fn capabilities(changes: &Capabilities, privileged: bool) -> Value {
    let known = known_capabilities();
    let full = |name: &String| {
        let upper = name.to_ascii_uppercase();
        if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") }
    };
    let mut set: BTreeSet<String> = if privileged {
        known.iter().map(|&name| name.to_owned()).collect()
    } else {
        let default = CAPABILITIES_DEFAULT.iter().filter(|name| known.contains(**name));
        default.map(|&name| name.to_owned()).collect()
    };
    let dropped: BTreeSet<String> = changes.drop.iter().map(full).collect();
    if dropped.contains("CAP_ALL") {
        set.clear();
    }
    set.retain(|name| !dropped.contains(name));
    for added in changes.add.iter().map(full) {
        if added == "CAP_ALL" {
            let others = known.iter().filter(|name| !dropped.contains(**name));
            set.extend(others.map(|&name| name.to_owned()));
        } else if known.contains(added.as_str()) {
            set.insert(added);
        }
    }
    json!({ "bounding": set, "effective": set, "permitted": set, "inheritable": [], "ambient": [] })
}

/// Those that this process may hand on: its own bounding set leaves out what the kernel does not know, and what the
/// machine itself does not have, for instance because it is a container.
fn known_capabilities() -> BTreeSet<&'static str> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bits =
        bounding.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(u64::MAX);
    let numbered = (0..).zip(CAPABILITIES_ALL);
    numbered.filter(|(number, _)| bits >> number & 1 == 1).map(|(_, name)| name).collect()
}

fn mounts(parts: &Parts<'_>) -> Vec<Value> {
    let Parts { spec, sandbox, paths, .. } = parts;
    let access = if spec.privileged { "rw" } else { "ro" };
    let hidden = ["nosuid", "noexec", "nodev"];
    let mut mounts = vec![
        mount("/proc", "proc", &hidden),
        mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", access]),
        mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", access]),
    ];
    if sandbox.host_ipc {
        mounts.push(bind(
            Path::new("/dev/mqueue"),
            "/dev/mqueue",
            &["rbind", "nosuid", "noexec", "nodev"],
        ));
        mounts.push(bind(
            Path::new("/dev/shm"),
            "/dev/shm",
            &["rbind", "nosuid", "noexec", "nodev"],
        ));
    } else {
        mounts.push(mount("/dev/mqueue", "mqueue", &hidden));
        mounts.push(bind(&paths.shm(), "/dev/shm", &["bind", "nosuid", "noexec", "nodev"]));
    }
    for volume in parts.mounts {
        let access = if volume.read_only { "ro" } else { "rw" };
        let propagation = if volume.follow_host { "rslave" } else { "rprivate" };
        mounts.push(bind(&volume.source, &volume.destination, &["rbind", propagation, access]));
    }
    mounts
}

fn mount(destination: &str, kind: &str, options: &[&str]) -> Value {
    json!({ "destination": destination, "type": kind, "source": kind, "options": options })
}

fn bind(source: &Path, destination: &str, options: &[&str]) -> Value {
    json!({ "destination": destination, "type": "bind", "source": source, "options": options })
}

fn namespaces(parts: &Parts<'_>) -> Vec<Value> {
    let Parts { sandbox, hierarchies, .. } = parts;
    let of = |pid: i32, kind: &str, file: &str| json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") });
    let shared = |kind: &str, file: &str| of(sandbox.pause_pid, kind, file);
    let mut namespaces = vec![json!({ "type": "mount" })];
    if !sandbox.host_network {
        namespaces.push(shared("network", "net"));
        namespaces.push(shared("uts", "uts"));
    }
    if !sandbox.host_ipc {
        namespaces.push(shared("ipc", "ipc"));
    }
    if sandbox.share_processes {
        namespaces.push(shared("pid", "pid"));
    } else if let Some(pid) = parts.target_pid.filter(|_| !sandbox.host_pid) {
        namespaces.push(of(pid, "pid", "pid"));
    } else if !sandbox.host_pid {
        namespaces.push(json!({ "type": "pid" }));
    }
    // With version 1 libcontainer shows a container its own groups by bind mounts; no namespace is needed.
    if matches!(hierarchies, Hierarchies::V2(_)) {
        namespaces.push(json!({ "type": "cgroup" }));
    }
    namespaces
}

fn resources(limits: &Resources, privileged: bool) -> Value {
    let mut cpu = serde_json::Map::new();
    if let Some(shares) = limits.cpu_shares {
        cpu.insert("shares".to_owned(), json!(shares));
    }
    if let Some(quota) = limits.cpu_quota_us {
        cpu.insert("quota".to_owned(), json!(quota));
        cpu.insert("period".to_owned(), json!(limits.cpu_period_us.unwrap_or(100_000)));
    }
    let mut resources = serde_json::Map::new();
    // libcontainer adds the devices that every container has (null, zero, random, tty...).
    let devices = json!([{ "allow": privileged, "access": "rwm" }]);
    resources.insert("devices".to_owned(), devices);
    resources.insert("cpu".to_owned(), Value::Object(cpu));
    if let Some(bytes) = limits.memory_limit_bytes {
        resources.insert("memory".to_owned(), json!({ "limit": bytes }));
    }
    if let Some(pids) = limits.pids_max {
        resources.insert("pids".to_owned(), json!({ "limit": pids }));
    }
    Value::Object(resources)
}

#[cfg(test)]
mod tests;
