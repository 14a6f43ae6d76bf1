//! A secret's value is where it must be (in answers to those who may read it, in memory where a pod sees it) and
//! nowhere else: no file on disk, log, metric or dump.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::Value;
use tests_e2e::{Cluster, IMAGE, Ran, demo_image};

/// One for each way in which a value comes: no two begin alike, so that each is stored as it is.
const CANARIES: [&str; 7] = [
    "Kq7applied0Zr4vWn8",
    "Xb2encoded5Jt9mLs3",
    "Hy6patched1Cu8dPe7",
    "Vf3created4Gk2oTa9",
    "Rw9claimed6Ei5zQh1",
    "Nj4refused8Bd7xSy2",
    "Uc1mistype3Lo6gFm5",
];

/// Something that is no secret, to see that what is stored would be found.
const PLAIN: &str = "Mz5plainly7Dx1rKv6";

/// Every form in which a value may stand somewhere: as it is, as hexadecimal digits, and as base64 wherever it begins
/// in what is encoded.
fn forms(value: &str) -> Vec<String> {
    let hex = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![value.to_owned(), hex];
    for shift in 0..3 {
        let encoded = STANDARD_NO_PAD.encode(format!("{}{value}", &"xy"[..shift]));
        // What the neighbours have a part in is left out.
        let first = (shift * 8).div_ceil(6);
        let last = encoded.len() - usize::from(!(shift + value.len()).is_multiple_of(3));
        all.push(encoded[first..last].to_owned());
    }
    all
}

/// The files below a folder that have a value in them, in any form.
fn found_in(folder: &Path, value: &str) -> Vec<String> {
    let mut grep = Command::new("grep");
    grep.args(["-r", "-l", "-a", "-F"]);
    for form in forms(value) {
        grep.args(["-e", &form]);
    }
    let output = grep.arg(folder).output().expect("grep runs");
    // 1 is "nothing found"; sockets and files that have gone meanwhile are no failure of the search.
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

/// Starts the cluster so that its processes say all that they can say.
fn up(cluster: &Cluster) {
    let binary = cluster.binary().to_str().expect("a path of text");
    let loud = ["STARLING_LOG=debug", binary, "up", "--name", &cluster.name];
    let ran = cluster.user().try_run(Path::new("env"), &loud);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// Gives kubectl a manifest that lies in no folder of the cluster's.
fn apply(cluster: &Cluster, words: &[&str], manifest: &str) -> Ran {
    let path = cluster.folder.join("secret.yaml");
    std::fs::write(&path, manifest).expect("a manifest");
    let file = path.to_str().expect("a path of text");
    cluster.try_kubectl(&[words, &["-f", file]].concat())
}

/// Writes secrets in each way that there is.
fn write_secrets(cluster: &Cluster) {
    let [applied, encoded, patched, created, claimed, refused, mistyped] = CANARIES;
    let secret = |name: &str, rest: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n{rest}\n")
    };
    let both = format!(
        "stringData: {{password: {applied}}}\ndata: {{key: {}}}",
        base64::engine::general_purpose::STANDARD.encode(encoded)
    );
    // kubectl keeps the whole manifest, its values as they are, in an annotation; twice, so that it is replaced.
    for round in ["a: b", "a: c"] {
        let manifest =
            secret("s", &both).replace("{name: s}", &format!("{{name: s, labels: {{{round}}}}}"));
        let ran = apply(cluster, &["apply"], &manifest);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    let patch = format!("{{\"stringData\":{{\"other\":\"{patched}\"}}}}");
    cluster.kubectl(&["patch", "secret", "s", "-p", &patch]);
    let literal = format!("--from-literal=k={created}");
    cluster.kubectl(&["create", "secret", "generic", "c", &literal]);
    let ran = apply(
        cluster,
        &["apply", "--server-side"],
        &secret("ssa", &format!("stringData: {{k: {claimed}}}")),
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    // What is refused was decoded, or nearly.
    let wrong =
        [format!("data: {{k: 'no {refused} base64'}}"), format!("stringDate: {{k: {mistyped}}}")];
    for rest in wrong {
        let ran = apply(cluster, &["create"], &secret("w", &rest));
        assert_ne!(ran.code, 0, "{}", ran.out);
    }
    let plain = format!("--from-literal=k={PLAIN}");
    cluster.kubectl(&["create", "configmap", "plain", &plain]);
}

/// A pod that sees the secret as a file and in its environment.
fn run_reader(cluster: &Cluster) {
    let manifest = format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: reader}}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{{name: v, secret: {{secretName: s}}}}]
  containers:
    - name: c
      image: {IMAGE}
      command: [sh, -c, 'exec sleep 1000']
      env: [{{name: PASSWORD, valueFrom: {{secretKeyRef: {{name: s, key: password}}}}}}]
      envFrom: [{{secretRef: {{name: c}}}}]
      volumeMounts: [{{name: v, mountPath: /secret}}]
      livenessProbe: {{exec: {{command: [sh, -c, 'test -n "$PASSWORD"']}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Pod
metadata: {{name: stuck}}
spec:
  containers:
    - name: c
      image: {IMAGE}
      env: [{{name: A, valueFrom: {{secretKeyRef: {{name: s, key: absent}}}}}}]
"#
    );
    cluster.apply(&manifest);
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/reader", "--timeout=120s"]);
    let told = cluster.kubectl(&[
        "exec",
        "reader",
        "--",
        "sh",
        "-c",
        "echo $PASSWORD $k; cat /secret/key",
    ]);
    assert_eq!(told, format!("{} {}\n{}", CANARIES[0], CANARIES[3], CANARIES[1]));
}

/// All paths of the tree that `starling actors tree` prints.
fn paths(tree: &Value, found: &mut Vec<String>) {
    match tree {
        Value::Object(fields) => {
            if let Some(path) = fields.get("path").and_then(Value::as_str) {
                found.push(path.to_owned());
            }
            fields.values().for_each(|value| paths(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, found)),
        _ => {}
    }
}

/// What the cluster tells of itself to those who look after it, by the question.
fn diagnostics(cluster: &Cluster) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let mut ask = |words: &[&str]| told.push((words.join(" "), cluster.starling(words)));
    ask(&["status", "-o", "json"]);
    ask(&["actors", "tree", "-o", "json"]);
    ask(&["actors", "top", "-o", "json"]);
    for object in ["secret/s", "secret/c", "secret/ssa", "pod/reader", "pod/stuck"] {
        ask(&["why", object, "-o", "json"]);
    }
    let tree = serde_json::from_str(&told[1].1).expect("a tree is JSON");
    let mut actors = Vec::new();
    paths(&tree, &mut actors);
    assert!(actors.len() > 20, "the tree has paths: {}", told[1].1);
    for actor in &actors {
        // Some come and go with their work.
        let ran = cluster.try_starling(&["actors", "show", actor, "-o", "json"]);
        told.push((format!("show {actor}"), format!("{}{}", ran.out, ran.err)));
    }
    for words in [
        &["get", "--raw", "/metrics"][..],
        &["get", "events", "-A", "-o", "json"],
        &["get", "pods,configmaps", "-A", "-o", "json"],
        &["describe", "pod", "reader", "stuck"],
        &["describe", "secret", "s", "c", "ssa"],
        &["logs", "reader"],
    ] {
        told.push((words.join(" "), cluster.kubectl(words)));
    }
    told
}

/// No canary is in a file of the cluster's, whatever the file is for.
fn check_files(cluster: &Cluster, when: &str) {
    let data = cluster.folder.join("data");
    assert_ne!(found_in(&data, PLAIN), [""; 0], "{when}: what is stored would be found");
    for canary in CANARIES {
        assert_eq!(found_in(&data, canary), [""; 0], "{when}: {canary} is on disk");
    }
}

/// What pods see of secrets lies in memory: each file on a file system that has no disk.
fn check_memory(cluster: &Cluster) {
    let run = PathBuf::from("/run/starling").join(&cluster.name);
    let seen = found_in(&run, CANARIES[0]);
    assert_ne!(seen, [""; 0], "the pod's volume is below {}", run.display());
    for file in CANARIES.iter().flat_map(|canary| found_in(&run, canary)) {
        let mounts = Command::new("findmnt").args(["-n", "-o", "FSTYPE", "-T", &file]).output();
        let kind = String::from_utf8_lossy(&mounts.expect("findmnt runs").stdout).trim().to_owned();
        assert_eq!(kind, "tmpfs", "{file}");
    }
}

#[test]
fn a_secrets_value_is_in_no_file_log_metric_or_dump() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    up(&cluster);
    cluster.starling(&["image", "import", &demo_image()]);
    write_secrets(&cluster);
    run_reader(&cluster);
    // A crash's message is kept, and shown to whoever asks.
    for actor in ["starling/agent/pods", "starling/control"] {
        let ran = cluster.try_starling(&["actors", "kill", actor, "--panic"]);
        println!("{actor}: {}{}", ran.out, ran.err);
    }
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/reader", "--timeout=120s"]);
    for (question, answer) in diagnostics(&cluster) {
        for canary in CANARIES {
            let found = forms(canary).into_iter().find(|form| answer.contains(form));
            assert_eq!(found, None, "{question} tells {canary}");
        }
    }
    check_files(&cluster, "while it runs");
    check_memory(&cluster);

    let server = cluster.pid("pid").expect("a server").to_string();
    let killed = Command::new("kill").args(["-9", &server]).status().expect("kill runs");
    assert!(killed.success(), "no process {server}");
    up(&cluster);
    let read = cluster.kubectl(&["get", "secret", "s", "-o", "jsonpath={.data.other}"]);
    assert_eq!(read, base64::engine::general_purpose::STANDARD.encode(CANARIES[2]));
    check_files(&cluster, "after a crash");
    cluster.kubectl(&["delete", "secret", "c"]);
    cluster.starling(&["down"]);
    check_files(&cluster, "when it is down");
    let logs = cluster.folder.join("data").join(&cluster.name).join("logs");
    let log = std::fs::read_to_string(logs.join("server.log")).expect("a log");
    assert!(log.contains(" DEBUG "), "the log says all that it can say");
}

#[test]
fn a_value_is_found_in_every_form() {
    for value in ["abc", "abcd", "abcde", CANARIES[0]] {
        for before in ["", "1", "12", "123"] {
            let text = STANDARD_NO_PAD.encode(format!("{before}{value}z"));
            assert!(forms(value).iter().any(|form| text.contains(form)), "{value} in {text}");
        }
    }
}
