//! A pod for a test: directories, a cgroup, an image, a shim; and short ways to ask it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::unistd::Pid;
use nodes_oci::{
    ContainerSpec, ExecSpec, ImageBuilder, ImageConfig, ImageStore, Reference, cgroup::Hierarchies,
};
use nodes_shim::{
    ClientError, ExecOutput, PodSpec, ShimClient, bury, find, launch,
    wire::{ContainerStatus, EventKind, Reply, Request},
};
use nodes_sys::PidFd;
use tempfile::TempDir;

const APPLETS: [&str; 15] = [
    "cat", "dd", "echo", "env", "hostname", "id", "ifconfig", "ls", "sh", "sleep", "stty", "test",
    "touch", "tr", "tty",
];

/// One pod in directories and a cgroup of its own; all of it must be gone at the end.
pub(crate) struct Pod {
    pub(crate) base: PathBuf,
    pub(crate) group: String,
    pub(crate) spec: PodSpec,
    pub(crate) layers: Vec<PathBuf>,
    _folder: TempDir,
}

impl Pod {
    /// None without root: then there is nothing to test.
    pub(crate) fn new(name: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not root: containers are not tested");
            return None;
        }
        let prefix = format!("starling-shim-{name}-");
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().unwrap();
        let base = folder.path().to_owned();
        let group = format!("/{}", base.file_name().unwrap().to_str().unwrap());
        let spec = PodSpec {
            uid: name.to_owned(),
            name: format!("default/{name}"),
            run: base.join("run/pod"),
            data: base.join("data"),
            cgroup: format!("{group}/pod"),
            shim_cgroup: format!("{group}/shims"),
            hostname: name.to_owned(),
            ..PodSpec::default()
        };
        nodes_oci::ensure_tmpfs(&base.join("run")).unwrap();
        let layers = import(&base);
        Some(Self { base, group, spec, layers, _folder: folder })
    }

    pub(crate) fn launch(&self) -> ShimClient {
        launch(program(), &self.spec).unwrap()
    }

    pub(crate) fn connect(&self) -> ShimClient {
        find(&self.spec.paths()).unwrap().unwrap()
    }

    /// A container that runs a line of shell.
    pub(crate) fn container(&self, id: &str, script: &str) -> ContainerSpec {
        ContainerSpec {
            id: id.to_owned(),
            layers: self.layers.clone(),
            args: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            log_path: Some(self.log_path(id)),
            ..ContainerSpec::default()
        }
    }

    pub(crate) fn log_path(&self, id: &str) -> PathBuf {
        self.base.join("logs").join(id).join("0.log")
    }

    /// The log's lines without their time stamps.
    pub(crate) fn log(&self, id: &str) -> Vec<String> {
        let text = fs::read_to_string(self.log_path(id)).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let groups = Hierarchies::discover().unwrap();
        if std::thread::panicking() {
            // The test has failed already; only tidy up.
            groups.kill(&self.group, 5_000).ok();
            bury(&self.spec.paths()).ok();
        } else {
            self.shut_down(&groups);
        }
        groups.remove(&self.group).ok();
        nodes_oci::remove_tmpfs(&self.base.join("run")).ok();
    }
}

impl Pod {
    /// Ends the shim, and checks that nothing is left.
    fn shut_down(&self, groups: &Hierarchies) {
        if let Ok(Some(mut client)) = find(&self.spec.paths()) {
            client.shutdown().unwrap();
            let closed = client.receive();
            assert!(matches!(closed, Err(ClientError::Io(_))), "the shim ends after its answer");
        }
        for shim in groups.processes(&self.group).into_iter().filter_map(|pid| process(pid).ok()) {
            assert!(shim.wait_end(20_000).unwrap(), "the shim and its helpers have ended");
        }
        assert!(!groups.exists(&self.spec.cgroup), "the pod's cgroup is left over");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let pod = self.spec.run.display().to_string();
        assert!(!mounts.contains(&pod), "mounts are left over");
    }
}

pub(crate) fn process(pid: i32) -> nix::Result<PidFd> {
    PidFd::open(Pid::from_raw(pid))
}

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_starling-shim-test"))
}

pub(crate) fn import(base: &Path) -> Vec<PathBuf> {
    let archive = base.join("busybox.tar");
    let mut image = ImageBuilder::new(Reference::parse("busybox").unwrap(), ImageConfig::default())
        .copy(Path::new("/usr/bin/busybox"), "bin/busybox", 0o755)
        .file("etc/passwd", b"root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\n", 0o644)
        .file("etc/group", b"root:x:0:\nweb:x:33:\n", 0o644)
        .directory("tmp", 0o1777);
    for applet in APPLETS {
        image = image.link(&format!("bin/{applet}"), "busybox");
    }
    image.write(&archive).unwrap();
    let store = ImageStore::open(&base.join("images")).unwrap();
    store.import(&archive, None).unwrap();
    store.resolve("busybox").unwrap().layers
}

pub(crate) fn run(client: &mut ShimClient, spec: ContainerSpec) {
    let id = spec.id.clone();
    client.create(spec).unwrap();
    client.start(&id).unwrap();
}

/// Runs a container and waits until its output has this text.
pub(crate) fn run_until(pod: &Pod, spec: ContainerSpec, expected: &str) {
    let container = spec.id.clone();
    let mut listener = pod.connect();
    listener.create(spec).unwrap();
    listener.send(Request::Attach { container: container.clone() }).unwrap();
    assert_eq!(listener.receive().unwrap().reply, Reply::Done);
    pod.connect().start(&container).unwrap();
    let mut seen = String::new();
    while !seen.contains(expected) {
        match listener.receive().unwrap().reply {
            Reply::Output { bytes, .. } => seen.push_str(&String::from_utf8(bytes).unwrap()),
            other => assert_eq!(other, Reply::Done, "after {seen:?}"),
        }
    }
}

pub(crate) fn exec(client: &mut ShimClient, container: &str, script: &str) -> ExecOutput {
    client.exec(shell(container, script), b"").unwrap()
}

pub(crate) fn shell(container: &str, script: &str) -> ExecSpec {
    ExecSpec {
        container: container.to_owned(),
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        ..ExecSpec::default()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap().trim().replace("\r\n", "\n")
}

/// Waits for the end of a container, on a subscription.
pub(crate) fn wait_exit(events: &mut ShimClient, id: &str) -> ContainerStatus {
    loop {
        if let EventKind::Exited(status) = events.next_event().unwrap().kind
            && status.id == id
        {
            return status;
        }
    }
}

pub(crate) fn subscribe(pod: &Pod) -> ShimClient {
    let mut events = pod.connect();
    events.subscribe(0).unwrap();
    events
}
