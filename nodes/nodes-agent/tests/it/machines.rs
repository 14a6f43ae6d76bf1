//! Two machines of one cluster on one host: the end of one is not the end of the other.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
};

use nix::sched::{CloneFlags, unshare};
use nodes_agent::{Agent, AgentConfig, tear_down};
use nodes_network::within;
use nodes_oci::cgroup::Hierarchies;
use nodes_shim::RuntimeKind;

use crate::{SharedApi, api, node::place};
use std::sync::Arc;

struct Machine {
    config: AgentConfig,
    netns: PathBuf,
    _stop: mpsc::Sender<()>,
}

impl Machine {
    fn new((base, cluster): (&Path, &str), node: &str, number: u8) -> Self {
        let (netns, stop) = namespace();
        let config = AgentConfig {
            cluster: cluster.to_owned(),
            cluster_uid: "8".repeat(32),
            index: 8,
            node: node.into(),
            address: Ipv4Addr::new(192, 0, 2, number),
            labels: Vec::new(),
            taints: Vec::new(),
            data: base.join(node).join("data"),
            run: base.join(node).join("run"),
            netns: Some(netns.clone()),
            images: base.join("images"),
            program: "/bin/false".into(),
            runtime: RuntimeKind::Oci,
            pod_range: format!("10.42.{number}.0/24").parse().unwrap(),
            cluster_range: "10.42.0.0/16".parse().unwrap(),
            service_range: "10.96.0.0/16".parse().unwrap(),
            table: "starling-machines".into(),
            dns: None,
            domain: "cluster.local".into(),
            pods_max: 110,
        };
        let door = Arc::new(api::Door(SharedApi::default()));
        within(&netns, || Agent::open(config.clone(), door).map(drop)).unwrap().unwrap();
        Self { config, netns, _stop: stop }
    }

    /// Whether there are its interface, its cgroup and its mount.
    fn traces(&self) -> (bool, bool, bool) {
        let links = within(&self.netns, links).unwrap();
        let groups = Hierarchies::discover().unwrap();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let run = self.config.run.to_str().unwrap();
        (links.contains("sl-8"), groups.exists(&self.config.cgroup()), mounts.contains(run))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if thread::panicking() {
            drop(tear_down(&self.config));
        }
    }
}

/// The names of interfaces where this thread is.
fn links() -> String {
    let output = Command::new("ip").args(["-o", "link"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A namespace that lives until the sender is dropped.
fn namespace() -> (PathBuf, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let hold = move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let thread = nix::unistd::gettid();
        tell.send(format!("/proc/{}/task/{thread}/ns/net", std::process::id()).into()).unwrap();
        stopped.recv().unwrap_or_default();
    };
    thread::Builder::new().spawn(hold).unwrap();
    (told.recv().unwrap(), stop)
}

#[test]
fn the_end_of_one_machine_leaves_the_others_alone() {
    if !nix::unistd::geteuid().is_root() || !Path::new("/usr/sbin/nft").exists() {
        eprintln!("SKIPPED machines: needs root and nft");
        return;
    }
    // Where `tear_down` is called from, an interface of the same name belongs to somebody else.
    let (outside, _stop) = namespace();
    let add = || Command::new("ip").args(["link", "add", "sl-8", "type", "bridge"]).status();
    assert!(within(&outside, add).unwrap().unwrap().success());
    let (folder, cluster) = place("machines");
    let machine = |node, number| Machine::new((folder.path(), &cluster), node, number);
    let (one, two) = (machine("one", 1), machine("two", 2));
    assert_eq!((one.traces(), two.traces()), ((true, true, true), (true, true, true)));

    within(&outside, || tear_down(&one.config)).unwrap().unwrap();
    assert_eq!((one.traces(), two.traces()), ((false, false, false), (true, true, true)));
    assert!(within(&outside, links).unwrap().contains("sl-8"), "it is somebody else's");
    let gone = AgentConfig { netns: Some("/run/netns/never-was".into()), ..one.config.clone() };
    within(&outside, || tear_down(&gone)).unwrap().unwrap();
    assert!(within(&outside, links).unwrap().contains("sl-8"), "also if its namespace is gone");

    within(&outside, || tear_down(&two.config)).unwrap().unwrap();
    assert_eq!(two.traces(), (false, false, false));
    let groups = Hierarchies::discover().unwrap();
    assert!(!groups.exists(&format!("/starling/{}", one.config.cluster)), "the last one");
}
