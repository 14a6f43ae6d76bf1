//! Computers of a test's own: network namespaces on a bridge of the test, each with its own home, data and cluster.
//!
//! Way in: [`Lab::of`].  Owns: the namespaces, the bridge, the folders; all are gone when the test ends.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use actors_runtime::Clock;
use serde_json::Value;

use crate::{IN_TIME, Ran, built_binary, claim};

/// How long a condition may take. Far longer than it does, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a condition by asking again; each question takes its time, so nothing pauses in between.
///
/// # Panics
/// If it does not come true.
pub fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let begun = Clock.now().mono;
    while !is_true() {
        let passed = Clock.now().mono.since(begun);
        assert!(passed < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
    }
}

/// Computers on one network.
#[derive(Debug)]
pub struct Lab {
    binary: PathBuf,
    /// The cluster's name that the tests use; unique on this host.
    pub cluster: String,
    bridge: String,
    net: u8,
    computers: Vec<String>,
    folder: PathBuf,
}

impl Lab {
    /// Computers with these names, which nothing runs on.
    #[must_use]
    pub fn of(computers: &[&str]) -> Self {
        let (folder, id) = claim("starling-lab-");
        let taken = run_text("ip", &["-4", "-o", "address"]);
        let free = (0..=255).find(|net| !taken.contains(&format!(" 10.230.{net}.1/")));
        let lab = Self {
            binary: std::env::var_os("STARLING_BINARY").map_or_else(built_binary, PathBuf::from),
            cluster: format!("lab-{id}"),
            bridge: format!("lab{id}"),
            net: free.expect("a free network"),
            computers: computers.iter().map(|&name| name.to_owned()).collect(),
            folder,
        };
        lab.lay();
        lab
    }

    /// Bridge, namespaces and cables.
    fn lay(&self) {
        let (bridge, gateway) = (&self.bridge, self.gateway());
        let mut script = format!(
            "set -e\nip link add {bridge} type bridge\nip address add {gateway}/24 dev {bridge}\n\
             ip link set {bridge} up\n"
        );
        for name in &self.computers {
            let (space, cable) = (self.namespace(name), format!("{bridge}{name}"));
            let address = self.address(name);
            script.push_str(&format!(
                "ip netns add {space}\nip link add {cable} type veth peer name eth0 netns {space}\n\
                 ip link set {cable} master {bridge} up\nip -n {space} link set lo up\n\
                 ip -n {space} address add {address}/24 dev eth0\nip -n {space} link set eth0 up\n\
                 ip -n {space} route add default via {gateway}\n"
            ));
            fs::create_dir_all(self.home(name)).expect("a home");
        }
        run_text("sh", &["-c", &script]);
    }

    /// This host's address on their network.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 230, self.net, 1)
    }

    /// A computer's address.
    #[must_use]
    pub fn address(&self, name: &str) -> Ipv4Addr {
        let at = self.computers.iter().position(|one| one == name).expect("a computer");
        Ipv4Addr::new(10, 230, self.net, u8::try_from(at).expect("few") + 11)
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.bridge)
    }

    fn home(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The keys of a computer's node.
    #[must_use]
    pub fn keys(&self, name: &str, cluster: &str) -> PathBuf {
        self.home(name).join("data").join(cluster).join("machines").join(name).join("pki")
    }

    /// Runs a program on a computer; it may fail.
    #[must_use]
    pub fn try_run(&self, name: &str, program: &Path, words: &[&str]) -> Ran {
        // Only the network is another one: `ip netns exec` would hide the control groups.
        let namespace = format!("--net=/run/netns/{}", self.namespace(name));
        let home = self.home(name);
        let mut command = Command::new(IN_TIME[0]);
        command
            .args(&IN_TIME[1..])
            .arg("nsenter")
            .arg(namespace)
            .arg("--")
            .arg(program)
            .args(words);
        command
            .env("STARLING_DATA_DIR", home.join("data"))
            .env("KUBECONFIG", home.join("kubeconfig"))
            .env("HOME", &home)
            .stdin(Stdio::null());
        Ran::of(&command.output().expect("nsenter runs"))
    }

    /// Runs a verb on a computer; it may fail.
    #[must_use]
    pub fn try_starling(&self, name: &str, words: &[&str]) -> Ran {
        self.try_run(name, &self.binary, words)
    }

    /// Runs a verb on a computer for its cluster, which must succeed, and returns what it printed.
    pub fn starling(&self, name: &str, words: &[&str]) -> String {
        let ran = self.try_starling(name, &[words, &["--name", &self.cluster]].concat());
        assert_eq!(ran.code, 0, "{name}: starling {}: {}{}", words.join(" "), ran.out, ran.err);
        ran.out
    }

    /// The same, and what it printed is JSON.
    pub fn json(&self, name: &str, words: &[&str]) -> Value {
        let text = self.starling(name, &[words, &["-o", "json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }

    /// Makes a computer a cluster's first server, and returns the lines that others run: agents, servers.
    #[must_use]
    pub fn init(&self, name: &str) -> (String, String) {
        let told = self.starling(name, &["init", "--node-name", name]);
        let lines = told.lines().map(str::trim).filter(|line| line.starts_with("starling join "));
        let (servers, agents): (Vec<&str>, Vec<&str>) =
            lines.partition(|line| line.ends_with(" --control-plane"));
        assert_eq!((agents.len(), servers.len()), (1, 1), "{told}");
        (agents.concat(), servers.concat())
    }

    /// Runs a line that was printed for new machines; it may be refused.
    #[must_use]
    pub fn try_join(&self, name: &str, line: &str, more: &[&str]) -> Ran {
        let words: Vec<&str> =
            line.split_whitespace().skip(1).chain(more.iter().copied()).collect();
        let named = words.contains(&"--node-name");
        let own: &[&str] = if named { &[] } else { &["--node-name", name] };
        self.try_starling(name, &[&words, own].concat())
    }

    /// The same, and the computer must be let in.
    pub fn join(&self, name: &str, line: &str) {
        let ran = self.try_join(name, line, &[]);
        assert_eq!(ran.code, 0, "{name}: {line}: {}{}", ran.out, ran.err);
    }

    /// kubectl on a computer, with the kubeconfig of `whose`; it must succeed.
    pub fn kubectl(&self, name: &str, whose: &str, words: &[&str]) -> String {
        let kubeconfig = self.home(whose).join("kubeconfig");
        let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
        let ran =
            self.try_run(name, Path::new("kubectl"), &[&[kubeconfig.as_str()], words].concat());
        assert_eq!(ran.code, 0, "{name}: kubectl {}: {}{}", words.join(" "), ran.out, ran.err);
        ran.out
    }

    /// Applies a manifest on a computer.
    pub fn apply(&self, name: &str, manifest: &str) {
        let file = self.home(name).join("manifest.yaml");
        fs::write(&file, manifest).expect("a manifest can be written");
        self.kubectl(name, name, &["apply", "-f", file.to_str().expect("a path of text")]);
    }

    /// The cluster's entry of `starling status` on a computer.
    #[must_use]
    pub fn status(&self, name: &str) -> Value {
        let all = self.json(name, &["status"]);
        let mut clusters = all["clusters"].as_array().into_iter().flatten();
        let mine = clusters.find(|cluster| cluster["name"] == self.cluster.as_str());
        mine.cloned().unwrap_or(Value::Null)
    }

    /// The servers that vote, as a computer's server says.
    #[must_use]
    pub fn voters(&self, name: &str) -> Vec<String> {
        let list = self.json(name, &["server", "list"]);
        let servers = list["servers"].as_array().into_iter().flatten();
        let mut voters: Vec<String> = servers
            .filter(|server| server["votes"] == true)
            .filter_map(|server| server["node"].as_str().map(str::to_owned))
            .collect();
        voters.sort();
        voters
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in &self.computers {
            let all = self.try_starling(name, &["status", "-o", "json"]);
            let all: Value = serde_json::from_str(&all.out).unwrap_or_default();
            for cluster in all["clusters"].as_array().into_iter().flatten() {
                let cluster = cluster["name"].as_str().unwrap_or_default();
                let down = self.try_starling(name, &["down", "--purge", "--name", cluster]);
                if down.code != 0 {
                    eprintln!("{name}: down failed: {}", down.err);
                }
            }
            let space = self.namespace(name);
            let gone = Command::new("ip").args(["netns", "delete", &space]).status();
            if !gone.is_ok_and(|status| status.success()) {
                eprintln!("the namespace {space} stays");
            }
        }
        let gone = Command::new("ip").args(["link", "delete", &self.bridge]).status();
        if !gone.is_ok_and(|status| status.success()) {
            eprintln!("the bridge {} stays", self.bridge);
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}

/// What a program of this host prints; it must succeed.
fn run_text(program: &str, words: &[&str]) -> String {
    let output: Output = Command::new(program).args(words).output().expect("it can be run");
    let ran = Ran::of(&output);
    assert_eq!(ran.code, 0, "{program} {}: {}", words.join(" "), ran.err);
    ran.out
}
