//! Starting, stopping, and what is left.

use std::{net::TcpListener, process::Command};

use tests_e2e::{Cluster, web};

/// Interfaces, mounts, cgroups and rules that mention the cluster's own names.
fn traces_of(cluster: &Cluster, bridge: &str) -> String {
    let script = format!(
        "ip -o link | grep -w '{bridge}' ; grep -F '{name}' /proc/self/mounts ; \
         nft list tables 2>/dev/null | grep -F '{name}' ; find /sys/fs/cgroup -type d -path '*{name}*' | head -5 ; \
         ls -d /run/starling/{name} 2>/dev/null ; pgrep -fa 'starling (shim|run|guardian) .*{name}' | grep -v 'sh -c'",
        name = cluster.name
    );
    let found = Command::new("sh").arg("-c").arg(script).output().expect("a shell");
    String::from_utf8_lossy(&found.stdout).into_owned()
}

#[test]
fn down_leaves_nothing_in_the_kernel_and_up_brings_everything_back() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 2));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let record = std::fs::read_to_string(
        cluster.folder.join("data").join(&cluster.name).join("cluster.json"),
    );
    let record: serde_json::Value = serde_json::from_str(&record.expect("a record")).expect("JSON");
    let bridge = record["bridge"].as_str().expect("a bridge").to_owned();
    assert!(
        !traces_of(&cluster, &bridge).is_empty(),
        "a running cluster leaves traces, else this test sees nothing"
    );

    cluster.starling(&["down"]);
    assert_eq!(traces_of(&cluster, &bridge), "");
    assert_eq!(cluster.try_starling(&["get", "pods"]).code, 3);

    cluster.starling(&["up"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    assert!(cluster.starling(&["up"]).contains("already running"));
    cluster.starling(&["down", "--purge"]);
    assert_eq!(traces_of(&cluster, &bridge), "");
    assert!(!cluster.folder.join("data").join(&cluster.name).exists());
}

#[test]
fn two_clusters_live_beside_each_other() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let one = Cluster::up();
    let mut two = Cluster::prepared();
    // Both on one data root, as on a user's machine: ports, ranges and bridges must differ.
    let own = std::mem::replace(&mut two.folder, one.folder.clone());
    two.starling(&["up", "--no-kubeconfig"]);
    assert_eq!(one.status()["state"], "ready");
    assert_eq!(two.status()["state"], "ready");
    assert_ne!(one.status()["server"], two.status()["server"]);
    assert_ne!(one.status()["podCIDR"], two.status()["podCIDR"]);
    two.starling(&["down", "--purge"]);
    assert_eq!(one.status()["state"], "ready");
    two.folder = own;
}

#[test]
fn a_port_in_use_and_foreign_data_are_told_in_one_sentence() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let refused = cluster.try_starling(&["up", "--api-port", &port]);
    assert_ne!(refused.code, 0);
    assert!(
        refused.err.contains(&format!("port {port}")) && refused.err.contains("  try: "),
        "{}",
        refused.err
    );
    drop(taken);

    cluster.starling(&["up"]);
    cluster.starling(&["down"]);
    let path = cluster.folder.join("data").join(&cluster.name).join("cluster.json");
    let text = std::fs::read_to_string(&path).expect("a record");
    let mut record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    record["uid"] = "0123456789abcdef0123456789abcdef".into();
    std::fs::write(&path, record.to_string()).expect("written");
    let refused = cluster.try_starling(&["up"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("belongs to cluster"), "{}", refused.err);
}

#[test]
fn without_root_a_pod_runs_a_program_of_the_machine_and_the_lack_is_told() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    let script = r#"
set -e
cd "$HOME"
cat > p.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
    - {name: c, image: any, imagePullPolicy: Never, command: [/bin/sh, -c, 'echo hello; exec sleep 1000']}
YAML
./starling up --name rootless
./starling apply -f p.yaml --name rootless
./starling wait pod/p --for ready --name rootless
./starling get events --name rootless
./starling logs p --name rootless
./starling exec p --name rootless -- /bin/echo there
./starling delete pod/p --name rootless
./starling wait pod/p --for delete --name rootless
"#;
    let ran = cluster.as_nobody(script);
    let down = cluster.as_nobody("cd \"$HOME\" && ./starling down --purge --name rootless");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("without root"), "{}", ran.err);
    assert!(
        !ran.out.contains("is present"),
        "an image that is not here is said to be: {}",
        ran.out
    );
    assert!(ran.out.contains("hello\nthere\n"), "{}", ran.out);
    assert_eq!(down.code, 0, "{}", down.err);
}
