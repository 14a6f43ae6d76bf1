//! A real cluster for one test: its own name, data folder and kubeconfig; gone when the test ends.
//!
//! Way in: [`Cluster::up`].  Never: a sleep or a retried assertion; `kubectl wait` and watches await conditions.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a scenario stops where the cluster is not as it must be"
)]

mod lab;
mod load;

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::Value;

pub use lab::{Lab, until};
pub use load::{Beats, Visits, Writes};

/// The demonstration image's reference.
pub const IMAGE: &str = "starling.dev/demo:1";

/// No command takes longer, however busy the machine is: one that hangs is ended, with exit code 124, and its test fails.
pub(crate) const IN_TIME: [&str; 3] = ["timeout", "--kill-after=5s", "300s"];

static MANIFESTS: AtomicU32 = AtomicU32::new(0);

/// A cluster of this test alone.
#[derive(Debug)]
pub struct Cluster {
    binary: PathBuf,
    /// Its name.
    pub name: String,
    /// Its folder: data and kubeconfig.
    pub folder: PathBuf,
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            out: text(&output.stdout),
            err: text(&output.stderr),
            code: output.status.code().unwrap_or(-1),
        }
    }
}

impl Cluster {
    /// Why tests of a real cluster cannot run here, if they cannot; the caller prints it and returns.
    #[must_use]
    pub fn lacking() -> Option<&'static str> {
        let is_root = fs::read_to_string("/proc/self/status")
            .is_ok_and(|status| status.contains("Uid:\t0\t"));
        let kubectl = Command::new("kubectl").args(["version", "--client"]).output();
        match (is_root, kubectl.is_ok_and(|run| run.status.success())) {
            (false, _) => Some("NOT RUN: only root can make pods' namespaces"),
            (true, false) => Some("NOT RUN: kubectl is not installed"),
            (true, true) => None,
        }
    }

    /// A cluster that is not started yet.
    #[must_use]
    pub fn prepared() -> Self {
        let binary = std::env::var_os("STARLING_BINARY").map_or_else(built_binary, PathBuf::from);
        assert!(
            binary.is_file(),
            "{} is missing: cargo build --release -p starling",
            binary.display()
        );
        let (folder, id) = claim("starling-e2e-");
        Self { binary, name: format!("e2e-{id}"), folder }
    }

    /// A running cluster with the demonstration image.
    #[must_use]
    pub fn up() -> Self {
        let cluster = Self::prepared();
        cluster.starling(&["up"]);
        cluster.starling(&["image", "import", &demo_image()]);
        cluster
    }

    /// The binary that is driven.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Runs a verb that must succeed and returns what it printed.
    pub fn starling(&self, arguments: &[&str]) -> String {
        let ran = self.try_starling(arguments);
        assert_eq!(ran.code, 0, "starling {}: {}{}", arguments.join(" "), ran.out, ran.err);
        ran.out
    }

    /// Runs a verb that may fail.
    pub fn try_starling(&self, arguments: &[&str]) -> Ran {
        let mut command = self.user().bounded(&self.binary);
        // Options of a command that is run in a container stand behind `--`.
        let at = arguments.iter().position(|word| *word == "--").unwrap_or(arguments.len());
        command.args(&arguments[..at]).args(["--name", &self.name]).args(&arguments[at..]);
        Ran::of(&command.output().expect("the binary can be run"))
    }

    /// Runs a verb that may fail in a mount namespace of its own, after the script `change` has changed what is seen
    /// there. The verb runs in the shell's own process.
    #[must_use]
    pub fn try_starling_where(&self, change: &str, verb: &str) -> Ran {
        let binary = self.binary.display();
        let script = format!("set -e; {change}; exec {binary} {verb} --name {}", self.name);
        let mut command = self.command(Path::new("unshare"));
        command.args(["--mount", "sh", "-c", &script]);
        Ran::of(&command.output().expect("unshare runs"))
    }

    /// Runs kubectl, which must succeed, and returns what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let ran = self.try_kubectl(arguments);
        assert_eq!(ran.code, 0, "kubectl {}: {}{}", arguments.join(" "), ran.out, ran.err);
        ran.out
    }

    /// Runs kubectl, which may fail.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Ran {
        self.user().try_kubectl(arguments)
    }

    /// Starts kubectl in the background, its output piped.
    pub fn spawn_kubectl(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(Path::new("kubectl"));
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl can be run")
    }

    /// Applies a manifest; it must be accepted.
    pub fn apply(&self, manifest: &str) -> String {
        let ran = self.try_apply(manifest);
        assert_eq!(ran.code, 0, "kubectl apply: {}{}\n{manifest}", ran.out, ran.err);
        ran.out
    }

    /// Applies a manifest that may be refused.
    pub fn try_apply(&self, manifest: &str) -> Ran {
        let number = MANIFESTS.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.join(format!("manifest-{number}.yaml"));
        fs::write(&file, manifest).expect("a manifest can be written");
        self.try_kubectl(&["apply", "-f", file.to_str().expect("a path of text")])
    }

    /// One object as JSON.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        let text = self.kubectl(&["get", kind, name, "-o", "json"]);
        serde_json::from_str(&text).expect("kubectl prints JSON")
    }

    /// Objects of a kind with these labels as JSON.
    pub fn list(&self, kind: &str, labels: &str) -> Vec<Value> {
        let text = self.kubectl(&["get", kind, "-l", labels, "-o", "json"]);
        let list: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
        list["items"].as_array().cloned().expect("a list has items")
    }

    /// The cluster's entry of `starling status`.
    pub fn status(&self) -> Value {
        let all: Value = serde_json::from_str(&self.starling(&["status", "-o", "json"]))
            .expect("status is JSON");
        let mine = all["clusters"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|cluster| cluster["name"] == self.name.as_str());
        mine.cloned().expect("status names the cluster")
    }

    /// The pid of the server process (`pid`) or of its guardian (`guardianPid`).
    pub fn pid(&self, field: &str) -> Option<i64> {
        self.status()["nodes"][0][field].as_i64()
    }

    /// Runs a script as the user `nobody`, whose home is a folder of this cluster with the binary in it.
    #[must_use]
    pub fn as_nobody(&self, script: &str) -> Ran {
        let home = self.folder.join("nobody");
        fs::create_dir_all(&home).expect("a home for nobody");
        // A second script finds the binary there, and perhaps running.
        if !home.join("starling").exists() {
            fs::copy(&self.binary, home.join("starling")).expect("the binary can be copied");
        }
        let owned =
            Command::new("chown").args(["-R", "nobody"]).arg(&home).status().expect("chown runs");
        assert!(owned.success(), "chown failed");
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            "nobody",
            "--regid",
            "nogroup",
            "--clear-groups",
            "sh",
            "-c",
            script,
        ]);
        command.env_clear().env("HOME", &home).env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        Ran::of(&command.output().expect("setpriv runs"))
    }

    /// The name of the server that leads.
    ///
    /// # Panics
    /// If none does.
    #[must_use]
    pub fn leader(&self) -> String {
        let text = self.starling(&["server", "list", "-o", "json"]);
        let list: Value = serde_json::from_str(&text).expect("JSON");
        let mut servers = list["servers"].as_array().into_iter().flatten();
        let leader = servers.find(|server| server["leader"] == true).expect("a leader");
        leader["node"].as_str().expect("a name").to_owned()
    }

    /// Somebody else with this cluster's kubeconfig.
    #[must_use]
    pub fn user(&self) -> User {
        User { folder: self.folder.clone(), place: None, editor: None }
    }

    fn command(&self, program: &Path) -> Command {
        self.user().command(program)
    }
}

/// Somebody with a cluster's kubeconfig.
#[derive(Debug, Clone)]
pub struct User {
    folder: PathBuf,
    /// Where it works, if that is said.
    place: Option<PathBuf>,
    /// What it edits with.
    editor: Option<String>,
}

impl User {
    /// Runs kubectl, which may fail.
    #[must_use]
    pub fn try_kubectl(&self, arguments: &[&str]) -> Ran {
        let mut command = self.bounded(Path::new("kubectl"));
        Ran::of(&command.args(arguments).output().expect("kubectl can be run"))
    }

    /// The same user in another folder.
    #[must_use]
    pub fn within(mut self, place: PathBuf) -> Self {
        self.place = Some(place);
        self
    }

    /// The same user, who edits with this command.
    #[must_use]
    pub fn editing(mut self, editor: &str) -> Self {
        self.editor = Some(editor.to_owned());
        self
    }

    /// Starts any program that takes a kubeconfig from its environment; its standard output is piped.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn spawn(&self, program: &Path, arguments: &[&str]) -> Child {
        self.spawn_with(program, arguments, Stdio::inherit())
    }

    /// The same, and it is said where its standard error goes.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn spawn_with(&self, program: &Path, arguments: &[&str], errors: Stdio) -> Child {
        let mut command = self.command(program);
        command.args(arguments).stdout(Stdio::piped()).stderr(errors);
        command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
    }

    /// Runs such a program, which may fail.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn try_run(&self, program: &Path, arguments: &[&str]) -> Ran {
        let output = self.bounded(program).args(arguments).output();
        Ran::of(&output.unwrap_or_else(|error| panic!("{}: {error}", program.display())))
    }

    /// The same as [`Self::command`] of a program that must end in time.
    fn bounded(&self, program: &Path) -> Command {
        let mut command = self.command(Path::new(IN_TIME[0]));
        command.args(&IN_TIME[1..]).arg(program);
        command
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("STARLING_DATA_DIR", self.folder.join("data"))
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .env("HOME", &self.folder)
            .stdin(Stdio::null());
        if let Some(place) = &self.place {
            command.current_dir(place);
        }
        if let Some(editor) = &self.editor {
            command.env("KUBE_EDITOR", editor);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A test that failed leaves its log behind for whoever reads the failure.
        if std::thread::panicking() {
            let log = self.folder.join("data").join(&self.name).join("logs/server.log");
            let text = fs::read_to_string(log).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(60).collect();
            for line in tail.iter().rev() {
                eprintln!("log: {line}");
            }
        }
        let down = self.try_starling(&["down", "--purge"]);
        if down.code != 0 {
            eprintln!("down failed: {}", down.err);
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}

/// A new folder that every user may enter, and the end of its name: what is called like it is new too.
fn claim(prefix: &str) -> (PathBuf, String) {
    let mut new = tempfile::Builder::new();
    let new = new.prefix(prefix).permissions(fs::Permissions::from_mode(0o755));
    let folder = new.tempdir().expect("a folder").keep();
    let name =
        folder.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix(prefix));
    let id = name.expect("a name of text").to_lowercase();
    (folder, id)
}

/// The release binary of the shared build folder.
fn built_binary() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| OsString::from("../../target"));
    PathBuf::from(target).join("release/starling")
}

/// How the archives of test processes begin; the number of their process follows.
const ARCHIVE: &str = "starling-e2e-demo-";

/// Removes the archives of test processes that have ended: none can clear up behind itself.
fn remove_old_archives() {
    let entries = fs::read_dir(tempfile::env::temp_dir()).into_iter().flatten();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let process =
            name.to_str().and_then(|name| name.strip_prefix(ARCHIVE)?.strip_suffix(".tar"));
        let process = process.and_then(|number| number.parse::<u32>().ok());
        if process.is_some_and(|number| !Path::new(&format!("/proc/{number}")).exists()) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// The archive of the demonstration image, made once a test process.
#[must_use]
pub fn demo_image() -> String {
    static MADE: OnceLock<String> = OnceLock::new();
    let make = || {
        remove_old_archives();
        let archive =
            tempfile::env::temp_dir().join(format!("{ARCHIVE}{}.tar", std::process::id()));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/demo-image");
        let made =
            Command::new(script).arg(&archive).arg(IMAGE).status().expect("the script can be run");
        assert!(made.success(), "scripts/demo-image failed");
        archive.to_str().expect("a path of text").to_owned()
    };
    MADE.get_or_init(make).clone()
}

/// A Deployment of the demonstration's web server and its Service.
#[must_use]
pub fn web(name: &str, replicas: u32) -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 3
      containers:
        - name: web
          image: {IMAGE}
          imagePullPolicy: Never
          command: [sh, -c]
          args: ['echo "pod $POD $VERSION" > /www/index.html; echo started; exec httpd -f -p 8080 -h /www']
          env:
            - {{name: POD, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
            - {{name: VERSION, value: one}}
          ports: [{{name: http, containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{name: http, port: 80, targetPort: http}}]
"#
    )
}
