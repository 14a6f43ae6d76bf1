//! Wrong input gets an answer that names the field and the fix, and never ends a process.

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
};

use tests_e2e::{Cluster, web};

#[test]
fn wrong_manifests_are_refused_with_the_fields_path() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    let good = web("web", 1);
    let cases = [
        (good.replace("replicas: 1", "replcas: 1"), "unknown field \"spec.replcas\""),
        (good.replace("replicas: 1", "replicas: -1"), "spec.replicas: Invalid value"),
        (good.replace("replicas: 1", "replicas: lots"), "replicas"),
        (good.replace("{name: web}\nspec:\n  replicas", "{}\nspec:\n  replicas"), "name"),
        (
            good.replace("imagePullPolicy: Never", "resources: {limits: {memory: 12Quux}}"),
            "spec.template.spec.containers[0].resources.limits",
        ),
        (
            good.replace("containerPort: 8080", "containerPort: 80800"),
            "containers[0].ports[0].containerPort",
        ),
        (good.replace("matchLabels: {app: web}", "matchLabels: {app: other}"), "selector"),
    ];
    for (manifest, expected) in cases {
        let refused = cluster.try_apply(&manifest);
        assert_ne!(refused.code, 0, "accepted:\n{manifest}");
        assert!(refused.err.contains(expected), "{expected:?} is not in:\n{}", refused.err);
    }
}

#[test]
fn malformed_bodies_get_an_answer_and_leave_the_server_alive() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    let before = cluster.pid("pid");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        b"{\"kind\":\"Pod\",\"kind\":\"Pod\"}".to_vec(),
        b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":7}".to_vec(),
        b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":{}}}".to_vec(),
        b"1e999".to_vec(),
        deep.into_bytes(),
        vec![b' '; 4 * 1024 * 1024],
    ];
    for body in bodies {
        let told = post(&cluster, "/api/v1/namespaces/default/pods", &body);
        let code: u16 = told.lines().last().and_then(|code| code.parse().ok()).unwrap_or(0);
        assert!(
            (400..500).contains(&code),
            "{:?} got {told}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
    }
    assert_eq!(cluster.pid("pid"), before, "the server was restarted");
}

/// Posts with curl and the operator's certificate; the last line of the answer is its code.
fn post(cluster: &Cluster, path: &str, body: &[u8]) -> String {
    let pki = cluster.folder.join("data").join(&cluster.name).join("pki");
    let server = cluster.status()["server"].as_str().expect("a server").to_owned();
    let mut curl = Command::new("curl")
        .args([
            "--silent",
            "--max-time",
            "20",
            "--write-out",
            "\n%{http_code}",
            "--data-binary",
            "@-",
        ])
        .args(["--header", "content-type: application/json"])
        .arg("--cacert")
        .arg(pki.join("ca.crt"))
        .arg("--cert")
        .arg(pki.join("kubernetes-admin.crt"))
        .arg("--key")
        .arg(pki.join("kubernetes-admin.key"))
        .arg(format!("{server}{path}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl runs");
    // The server may answer and hang up before it has read everything.
    let _early = curl.stdin.take().expect("piped").write_all(body);
    let mut told = String::new();
    curl.stdout.take().expect("piped").read_to_string(&mut told).expect("text");
    curl.wait().expect("curl ends");
    told
}

#[test]
fn strangers_learn_nothing_but_health() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    let server = cluster.status()["server"].as_str().expect("a server").to_owned();
    for (path, expected) in [
        ("/readyz", "200"),
        ("/version", "200"),
        ("/api/v1/pods", "403"),
        ("/starling/actors", "403"),
        ("/openapi/v3", "403"),
    ] {
        let told = Command::new("curl")
            .args([
                "--silent",
                "--insecure",
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
            ])
            .arg(format!("{server}{path}"))
            .output()
            .expect("curl runs");
        assert_eq!(String::from_utf8_lossy(&told.stdout), expected, "{path}");
    }
    let token = Command::new("curl")
        .args(["--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{http_code}"])
        .args(["--header", "authorization: Bearer forged"])
        .arg(format!("{server}/api/v1/pods"))
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&token.stdout), "401");
}

#[test]
fn a_missing_kernel_feature_is_told_in_one_sentence_before_anything_starts() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    let without = |line: &str, file: &str| {
        let copy = cluster.folder.join("seen");
        format!("grep -v {line} {file} > {copy}; mount --bind {copy} {file}", copy = copy.display())
    };
    let cases = [
        ("overlay", "/proc/filesystems", "no overlay file systems", "modprobe overlay"),
        ("cgroup", "/proc/$$/mounts", "no control groups", "mount -t cgroup2"),
    ];
    for (line, file, cause, next) in cases {
        // The verb runs in the shell's own process: its mounts are those that were changed.
        let refused = cluster.try_starling_where(&without(line, file), "up");
        assert_ne!(refused.code, 0, "{cause}: started: {}", refused.out);
        let told: Vec<&str> = refused.err.lines().collect();
        assert!(told.len() <= 2 && told[0].contains(cause), "{}", refused.err);
        assert!(refused.err.contains("  try: ") && refused.err.contains(next), "{}", refused.err);
    }
    cluster.starling(&["up"]);
}
