//! A node for a test: directories, a network namespace, an image, an agent.

use std::{fs, future::Future, net::Ipv4Addr, path::PathBuf};

use actors_core::{Intensity, OnLimit, Rng};
use actors_object::Object;
use actors_runtime::{Child, NodeState, System, Tree};
use nix::{
    sched::{CloneFlags, unshare},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nodes_agent::{Agent, AgentConfig, tear_down};
use nodes_oci::{ImageBuilder, ImageConfig, ImageStore, Reference};
use nodes_shim::RuntimeKind;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{PATIENCE, SharedApi, api};

/// A node with its agent.
pub(crate) struct Node {
    pub(crate) api: SharedApi,
    pub(crate) agent: Agent,
    config: AgentConfig,
    pub(crate) system: System,
    root: actors_runtime::Root,
    folder: TempDir,
}

/// Runs `test` in a namespace of its own, if this machine lets us.
pub(crate) fn on_a_node<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Node) -> F + Send) {
    let has = |program: &str| std::path::Path::new(program).exists();
    if !nix::unistd::geteuid().is_root() || !has("/usr/bin/busybox") || !has("/usr/sbin/nft") {
        eprintln!("SKIPPED {name}: needs root, /usr/bin/busybox and nft");
        return;
    }
    std::thread::scope(|scope| {
        let node = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status();
            assert!(up.unwrap().success());
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async { test(Node::new(name).await).await });
        });
        node.join().unwrap();
    });
}

/// A folder with a short path, as sockets need, and a cluster that is called like it: both are new.
pub(crate) fn place(test: &str) -> (TempDir, String) {
    let prefix = format!("sl-agent-{test}-");
    let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in("/tmp").unwrap();
    let name = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
    (folder, name)
}

impl Node {
    async fn new(name: &str) -> Self {
        let (folder, cluster) = place(name);
        let base = folder.path();
        let config = AgentConfig {
            cluster,
            cluster_uid: "9".repeat(32),
            index: 9,
            node: "n1".into(),
            address: Ipv4Addr::new(10, 42, 0, 1),
            labels: Vec::new(),
            taints: Vec::new(),
            data: base.join("data"),
            run: base.join("run"),
            netns: None,
            images: base.join("images"),
            program: env!("CARGO_BIN_EXE_starling-agent-test").into(),
            runtime: RuntimeKind::Oci,
            pod_range: "10.42.0.0/24".parse().unwrap(),
            cluster_range: "10.42.0.0/16".parse().unwrap(),
            service_range: "10.96.0.0/16".parse().unwrap(),
            table: "starling-agent-test".into(),
            dns: None,
            domain: "cluster.local".into(),
            pods_max: 110,
        };
        import(base);
        let api = SharedApi::default();
        let (agent, system, root) = start(&config, &api).await;
        Self { api, agent, config, system, root, folder }
    }

    /// The agent ends, and another one begins.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.begin().await;
    }

    /// The agent ends; pods go on.
    pub(crate) async fn stop(&self) {
        self.root.shutdown().await;
    }

    /// Another agent begins.
    pub(crate) async fn begin(&mut self) {
        (self.agent, self.system, self.root) = start(&self.config, &self.api).await;
    }

    pub(crate) fn pod(&self) -> Option<Arc<Object>> {
        self.api.get("pods", "shop", "web")
    }

    /// Waits until the pod is as it should be.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Object) -> bool) -> Arc<Object> {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let changed = self.api.changed.notified();
                if let Some(pod) = self.pod().filter(|pod| is_so(pod)) {
                    return pod;
                }
                changed.await;
            }
        });
        let shown = || {
            self.pod().map(|pod| {
                String::from_utf8(actors_object::json::to_vec(pod.0.at("status"))).unwrap()
            })
        };
        found.await.unwrap_or_else(|_| panic!("not so: {what}; {:?}; {:?}", shown(), self.events()))
    }

    pub(crate) async fn until_event(&self, reason: &str, message: &str) {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let changed = self.api.changed.notified();
                if self
                    .events()
                    .iter()
                    .any(|event| event.contains(reason) && event.contains(message))
                {
                    return;
                }
                changed.await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("no event {reason} {message}: {:?}", self.events()));
    }

    fn events(&self) -> Vec<String> {
        let text = |event: &Arc<Object>, field: &str| {
            event.0.at(field).as_str().unwrap_or_default().to_owned()
        };
        let events = self.api.all("events");
        events
            .iter()
            .map(|event| format!("{}: {}", text(event, "reason"), text(event, "message")))
            .collect()
    }

    /// Waits until an actor runs.
    pub(crate) async fn running(&self, path: &str) {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(10));
        let found = tokio::time::timeout(PATIENCE, async {
            while !self
                .system
                .tree()
                .iter()
                .any(|one| one.path == path && one.state == NodeState::Running)
            {
                look.tick().await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("{path} does not run: {:?}", self.system.tree()));
    }

    /// Waits until the pod is gone from the API and from the disk.
    pub(crate) async fn gone(&self) {
        let gone = tokio::time::timeout(PATIENCE, async {
            loop {
                let changed = self.api.changed.notified();
                if self.pod().is_none() {
                    return;
                }
                changed.await;
            }
        });
        gone.await.unwrap_or_else(|_| panic!("the pod is still there: {:?}", self.events()));
        assert!(self.is_clean(), "{:?}", self.left());
    }

    /// Whether no file of any pod is left.
    pub(crate) fn is_clean(&self) -> bool {
        self.left().is_empty()
    }

    fn left(&self) -> Vec<PathBuf> {
        let folders =
            ["data/pods", "data/logs", "data/volumes", "run/pods", "run/volumes", "run/told"];
        let entries =
            folders.iter().flat_map(|folder| fs::read_dir(self.folder.path().join(folder)));
        entries.flatten().flatten().map(|entry| entry.path()).collect()
    }

    /// The first process of this node's pods whose command line has `text` in it.
    pub(crate) fn process(&self, text: &str) -> Option<i32> {
        let group = self.config.cgroup();
        let mut pids: Vec<i32> = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            if line.contains(text) && String::from_utf8_lossy(&read("cgroup")).contains(&group) {
                pids.push(pid);
            }
        }
        pids.sort_unstable();
        pids.first().copied()
    }

    /// Kills the first process of this node's pods whose command line has `text` in it.
    pub(crate) fn kill_first_process(&self, text: &str) -> i32 {
        let first = self.process(text).unwrap_or_else(|| panic!("no process {text}"));
        kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
        first
    }

    /// Waits until something is so that nobody tells of.
    pub(crate) async fn until_seen(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
        let seen = tokio::time::timeout(PATIENCE, async {
            while !is_so(self) {
                look.tick().await;
            }
        });
        seen.await.unwrap_or_else(|_| panic!("not so: {what}; {:?}", self.events()));
    }

    /// Everything that runs for this node's pods dies, as in a loss of power; what is on disk and
    /// in memory stays.
    pub(crate) fn lose_power(&self) {
        let groups = nodes_oci::cgroup::Hierarchies::discover().unwrap();
        groups.kill(&self.config.cgroup(), 5_000).unwrap();
    }

    /// What the pod answers on a port of this node.
    pub(crate) async fn fetch(&self, port: u16) -> String {
        let mut stream =
            tokio::net::TcpStream::connect((Ipv4Addr::new(10, 42, 0, 1), port)).await.unwrap();
        stream.write_all(b"GET /file HTTP/1.0\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Ends the agent and removes all that it made.
    pub(crate) async fn finish(self) {
        self.root.shutdown().await;
        let config = self.config.clone();
        tokio::task::spawn_blocking(move || tear_down(&config)).await.unwrap().unwrap();
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(self.folder.path().to_str().unwrap()), "{mounts}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A test that failed leaves nothing running either.
        if std::thread::panicking() && tear_down(&self.config).is_err() {
            // Below are mounts, perhaps of what is not the test's.
            self.folder.disable_cleanup(true);
        }
    }
}

async fn start(config: &AgentConfig, api: &SharedApi) -> (Agent, System, actors_runtime::Root) {
    let (config, door) = (config.clone(), Arc::new(api::Door(Arc::clone(api))));
    let agent =
        tokio::task::spawn_blocking(move || Agent::open(config, door)).await.unwrap().unwrap();
    let system = System::new(Rng::from_number(7));
    let intensity = Intensity { restarts: 1, period: std::time::Duration::from_secs(60) };
    let tree = Tree::new("test", intensity, OnLimit::Escalate)
        .child(actors_core::ChildSpec::permanent("agent"), Child::supervisor(agent.tree("agent")));
    let root = system.run(tree).await.unwrap();
    (agent, system, root)
}

fn import(base: &std::path::Path) {
    let reference = Reference::parse("test/busybox:1").unwrap();
    let mut image = ImageBuilder::new(reference, ImageConfig::default())
        .copy("/usr/bin/busybox".as_ref(), "/bin/busybox", 0o755)
        .directory("/tmp", 0o1777);
    for applet in ["cat", "echo", "grep", "hostname", "httpd", "ls", "sh", "sleep", "stat", "test"]
    {
        image = image.link(&format!("/bin/{applet}"), "busybox");
    }
    let archive = base.join("busybox.tar");
    image.write(&archive).unwrap();
    ImageStore::open(&base.join("images")).unwrap().import(&archive, None).unwrap();
    fs::remove_file(archive).unwrap();
}
