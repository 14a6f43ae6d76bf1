//! What this machine must have before a cluster starts, each lack with its remedy.
//!
//! Way in: [`check`]; [`create`] for what a new cluster chooses.

use std::{fs, net::TcpListener, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use nix::unistd::Uid;
use nodes_machines::Plan;

use crate::{
    Claims, ClusterRecord, Failure, Records,
    arguments::Part,
    processes,
    record::{Machine, NewCluster},
    up::unusable,
};

/// Longest path of a unix socket, without its end (unix(7)).
const SOCKET_PATH_MAX: usize = 107;

/// The longest name of a socket below a cluster's folder: that of a pod's shim.
const LONGEST_SOCKET: &str = "node/pods/00000000-0000-0000-0000-000000000000/shim.sock";

/// Makes the record of a new cluster with what is free on this machine, and was not chosen by another command that has
/// not taken it yet: commands of one data folder wait for each other, those of several do not.
pub(crate) fn create(
    records: &mut Records,
    wanted: &NewCluster,
    claims: &Claims,
) -> Result<ClusterRecord, Failure> {
    let machine = Machine {
        is_port_free: &|port| is_port_free(port) && claims.take(&port_name(port)),
        is_bridge_free: &|bridge| is_bridge_free(bridge) && claims.take(bridge),
        stranger: &processes::stranger,
    };
    let record = records.create(wanted, &machine).map_err(|error| unusable(&error))?;
    hold(&record, claims);
    Ok(record)
}

/// Keeps others from choosing the port of a cluster that is about to run.
pub(crate) fn hold(record: &ClusterRecord, claims: &Claims) {
    // Who was first has it: the check of the port, or the server that listens there, says so.
    let _first = claims.take(&port_name(record.api_port));
}

fn port_name(port: u16) -> String {
    format!("port-{port}")
}

/// Refuses to take another data folder's processes for those of this cluster.
pub(crate) fn check_alone(record: &ClusterRecord) -> Result<(), Failure> {
    record.check_alone(&processes::stranger).map_err(|error| unusable(&error))
}

/// Whether no interface has this name.
fn is_bridge_free(bridge: &str) -> bool {
    !fs::exists(format!("/sys/class/net/{bridge}")).unwrap_or(false)
}

/// Whether the API could listen there.
#[must_use]
pub(crate) fn is_port_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Checks ports and kernel features.
pub(crate) fn check(record: &ClusterRecord) -> Result<(), Failure> {
    check_port(record)?;
    check_folder(&record.run_dir)?;
    if record.runtime == "oci" { check_kernel() } else { Ok(()) }
}

/// Checks what several machines on this host need.
pub(crate) fn check_machines(record: &ClusterRecord, plan: &Plan) -> Result<(), Failure> {
    if processes::find_part(&record.run_dir, Part::Forwarder).server.is_none() {
        check_port(record)?;
    }
    plan.machines.iter().try_for_each(|machine| check_folder(&machine.run_dir))?;
    if Command::new("nft").arg("--version").output().is_err() {
        return Err(Failure::new(
            "the program nft, which writes the rules of Services, is missing",
        )
        .next("apt-get install nftables"));
    }
    check_kernel()
}

fn check_port(record: &ClusterRecord) -> Result<(), Failure> {
    if is_port_free(record.api_port) {
        return Ok(());
    }
    let cause = format!("port {} on 127.0.0.1, which the API needs, is in use", record.api_port);
    let next = format!("ss -ltnp 'sport = :{}'   (or: starling up --name other)", record.api_port);
    Err(Failure::new(cause).next(next))
}

fn check_folder(run_dir: &Path) -> Result<(), Failure> {
    let longest = run_dir.join(LONGEST_SOCKET).as_os_str().len();
    if longest > SOCKET_PATH_MAX {
        let cause = format!("the path {} is too long for sockets in it", run_dir.display());
        return Err(Failure::new(cause).next("XDG_RUNTIME_DIR=/run/user/$(id -u) starling up"));
    }
    let made = fs::create_dir_all(run_dir).and_then(|()| fs::metadata(run_dir));
    let owner =
        made.map_err(|error| Failure::new(format!("cannot use {}: {error}", run_dir.display())))?;
    if owner.uid() != Uid::effective().as_raw() {
        let cause = format!("{} belongs to another user", run_dir.display());
        return Err(Failure::new(cause).next("XDG_RUNTIME_DIR=/run/user/$(id -u) starling up"));
    }
    Ok(())
}

fn check_kernel() -> Result<(), Failure> {
    let filesystems = read("/proc/filesystems");
    let features: [(&str, bool, &str); 4] = [
        ("overlay file systems", filesystems.contains("overlay"), "modprobe overlay"),
        (
            "network namespaces",
            fs::exists("/proc/self/ns/net").unwrap_or(false),
            "a kernel with CONFIG_NET_NS",
        ),
        (
            "PID namespaces",
            fs::exists("/proc/self/ns/pid").unwrap_or(false),
            "a kernel with CONFIG_PID_NS",
        ),
        (
            "control groups",
            read("/proc/self/mounts").contains("cgroup"),
            "mount -t cgroup2 none /sys/fs/cgroup",
        ),
    ];
    for (feature, is_there, remedy) in features {
        if !is_there {
            return Err(Failure::new(format!(
                "this kernel offers no {feature}, which containers need"
            ))
            .next(remedy));
        }
    }
    Ok(())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
