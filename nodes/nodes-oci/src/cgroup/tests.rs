//! Reading of mountinfo, and one group's life on this machine's own hierarchies.

use std::process::{Command, Stdio};

use super::{Hierarchies, v1_controllers, weight};
use crate::Resources;

#[test]
fn controllers_are_found_by_their_options() {
    let line = "30 25 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct";
    let found: Vec<String> = v1_controllers(line).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["cpu", "cpuacct"]);
    let named = "31 25 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd";
    assert!(v1_controllers(named).is_empty());
    assert!(v1_controllers("32 25 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw").is_empty());
}

#[test]
fn shares_become_weights() {
    assert_eq!([2, 1024, 262_144].map(weight), [1, 39, 10_000]);
}

#[test]
fn a_group_limits_and_kills_what_joins_it() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: cgroups are not tested");
        return;
    }
    let hierarchies = Hierarchies::discover().unwrap();
    let path = format!("/starling-test-cgroup-{}/pod", std::process::id());
    let leaf = format!("{path}/leaf");
    let top = path.trim_end_matches("/pod");
    // A process of this number that was killed may have left its group.
    hierarchies.kill(top, 5_000).unwrap();
    hierarchies.remove(top).unwrap();
    let limits = Resources { memory_limit_bytes: Some(64 << 20), ..Resources::default() };
    hierarchies.create(&path, &limits).unwrap();
    hierarchies.delegate(&path).unwrap();
    hierarchies.create(&leaf, &Resources { pids_max: Some(10), ..Resources::default() }).unwrap();
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    hierarchies.join(&leaf, pid).unwrap();
    assert!(hierarchies.processes(&path).contains(&pid));
    assert!(hierarchies.remove(top).is_err(), "a group with a process cannot go");
    hierarchies.kill(&path, 5_000).unwrap();
    child.wait().unwrap();
    hierarchies.remove(top).unwrap();
    assert!(!hierarchies.exists(top));
}
