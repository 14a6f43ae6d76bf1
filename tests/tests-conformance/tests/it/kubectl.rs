//! Stock kubectl at the three servers: each command has a kubeconfig of the next of them.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    os::unix::net::UnixStream,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::door::{Door, PATIENCE};

/// A user of kubectl, with a folder for a kubeconfig and what kubectl keeps.
struct User {
    door: &'static Door,
    folder: TempDir,
}

/// The sentence that says that the test has not run.
fn lacking() -> Option<&'static str> {
    let ran = Command::new("kubectl").args(["version", "--client"]).output();
    let works = ran.is_ok_and(|ran| ran.status.success());
    (!works).then_some("NOT RUN: kubectl is not installed")
}

impl User {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("starling-kubectl-").tempdir().unwrap();
        Self { door: Door::open(), folder }
    }

    fn command(&self, words: &[&str]) -> Command {
        let config = self.folder.path().join("config");
        fs::write(&config, self.door.kubeconfig()).unwrap();
        let mut command = Command::new("kubectl");
        command.env("HOME", self.folder.path()).env("KUBECONFIG", config).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn try_run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("kubectl can be run")
    }

    /// What a command prints, which must succeed.
    #[track_caller]
    fn run(&self, words: &[&str]) -> String {
        let ran = self.try_run(words);
        let text = String::from_utf8(ran.stdout).unwrap();
        let errors = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "kubectl {}: {text}{errors}", words.join(" "));
        text
    }

    /// Runs `kubectl proxy`, and returns it with the place at which it says that it serves.
    fn proxy(&self, words: &[&str]) -> (Proxy, String) {
        let words = [&["proxy"], words].concat();
        let mut child = self.command(&words).spawn().expect("kubectl can be run");
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let proxy = Proxy { child, _lines: lines };
        let place = line.trim().strip_prefix("Starting to serve on ");
        (proxy, place.unwrap_or_else(|| panic!("it says where: {line:?}")).to_owned())
    }

    fn file(&self, name: &str, object: &Value) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, object.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// A proxy; it ends with the test.
struct Proxy {
    child: Child,
    _lines: BufReader<ChildStdout>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asks whoever listens there for the API's versions, by hand.
fn api_versions(mut stream: impl std::io::Read + std::io::Write) -> Value {
    let request = b"GET /api/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (from, until) = (answer.find('{').unwrap(), answer.rfind('}').unwrap());
    serde_json::from_str(&answer[from..=until]).unwrap()
}

fn deployment(image: &str) -> Value {
    let labels = json!({ "app": "httpd" });
    let spec = json!({ "containers": [{ "name": "httpd", "image": image }] });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "httpd" },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": spec },
        },
    })
}

#[test]
fn api_versions_name_v1() {
    if let Some(lack) = lacking() {
        return println!("{lack}");
    }
    let told = User::new().run(&["api-versions"]);
    assert!(told.lines().any(|line| line == "v1"), "{told}");
    assert!(told.lines().any(|line| line == "apps/v1"), "{told}");
}

#[test]
fn cluster_info_says_where_the_control_plane_is() {
    if let Some(lack) = lacking() {
        return println!("{lack}");
    }
    let told = User::new().run(&["cluster-info"]);
    assert!(told.contains("Kubernetes control plane"), "{told}");
    assert!(told.contains("is running at"), "{told}");
    assert!(told.contains("https://127.0.0.1:"), "{told}");
}

#[test]
fn diff_finds_another_image() {
    if let Some(lack) = lacking() {
        return println!("{lack}");
    }
    let user = User::new();
    let home = user.door.home();
    let old = user.file("old.json", &deployment("httpd:1"));
    let new = user.file("new.json", &deployment("httpd:2"));
    user.run(&["-n", &home, "create", "-f", &old]);
    let ran = user.try_run(&["-n", &home, "diff", "-f", &new]);
    let text = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(text.contains("-      - image: httpd:1"), "{text}");
    assert!(text.contains("+      - image: httpd:2"), "{text}");
    let path = format!("/apis/apps/v1/namespaces/{home}/deployments/httpd");
    let stored = user.door.get(&path).expect_code(200).json();
    assert_eq!(stored["spec"]["template"]["spec"]["containers"][0]["image"], "httpd:1");
}

#[test]
fn run_makes_a_pod_that_is_not_restarted() {
    if let Some(lack) = lacking() {
        return println!("{lack}");
    }
    let user = User::new();
    let home = user.door.home();
    user.run(&["-n", &home, "run", "once", "--restart=Never", "--image=httpd:1"]);
    let path = format!("/api/v1/namespaces/{home}/pods/once");
    let pod = user.door.get(&path).expect_code(200).json();
    assert_eq!(pod["spec"]["containers"][0]["image"], "httpd:1");
    assert_eq!(pod["spec"]["restartPolicy"], "Never");
    user.run(&["-n", &home, "delete", "pod", "once", "--timeout=60s"]);
    user.door.get(&path).expect_code(404);
}

#[test]
fn a_dry_run_at_the_server_leaves_the_pod_as_it_was() {
    if let Some(lack) = lacking() {
        return println!("{lack}");
    }
    let user = User::new();
    let home = user.door.home();
    user.run(&["-n", &home, "run", "dry", "--image=httpd:1", "--labels=run=dry"]);
    user.run(&["-n", &home, "wait", "pod/dry", "--for=condition=Ready", "--timeout=60s"]);
    let patch = r#"{"spec":{"containers":[{"name":"dry","image":"busybox:1"}]}}"#;
    let would = ["-n", &home, "patch", "pod", "dry", "-p", patch, "--dry-run=server", "-o", "json"];
    let told: Value = serde_json::from_str(&user.run(&would)).unwrap();
    assert_eq!(told["spec"]["containers"][0]["image"], "busybox:1");
    let path = format!("/api/v1/namespaces/{home}/pods/dry");
    let pod = user.door.get(&path).expect_code(200).json();
    assert_eq!(pod["spec"]["containers"][0]["image"], "httpd:1");
    user.run(&["-n", &home, "delete", "pod", "dry", "--timeout=60s"]);
}

#[test]
fn version_tells_both_versions() {
    if let Some(lack) = lacking() {
        return println!("{lack}");
    }
    let told = User::new().run(&["version"]);
    for part in ["Client Version: v", "Server Version: v1.35."] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_proxy_serves_on_a_free_port() {
    if let Some(lack) = lacking() {
        return println!("{lack}");
    }
    let user = User::new();
    let (_proxy, place) = user.proxy(&["--port=0", "--disable-filter=true"]);
    let stream = TcpStream::connect(&place).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(api_versions(stream)["versions"], json!(["v1"]));
}

#[test]
fn a_proxy_serves_on_a_unix_socket() {
    if let Some(lack) = lacking() {
        return println!("{lack}");
    }
    let user = User::new();
    let socket = user.folder.path().join("socket");
    let (_proxy, place) = user.proxy(&[&format!("--unix-socket={}", socket.display())]);
    assert_eq!(place, socket.to_str().unwrap());
    let stream = UnixStream::connect(&socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(api_versions(stream)["versions"], json!(["v1"]));
}
