//! Several machines on one host: they come up, take over from each other, and go without a trace.

use std::process::Command;

use tests_e2e::{Cluster, IMAGE, demo_image, web};

/// What of a cluster's machines is left on this host, by their names alone.
fn traces_of(cluster: &Cluster, bridge: &str) -> String {
    let script = format!(
        "ip -o link | grep -E ' {bridge}[-:]' ; ls /run/netns | grep -F 'stl-{name}-' ; ip route | grep -w {bridge} ; \
         grep -F '{name}' /proc/self/mounts ; nft list tables | grep -w '{bridge}' ; \
         find /sys/fs/cgroup -type d -path '*{name}*' | head -5 ; ls -d /run/starling/{name} 2>/dev/null ; \
         pgrep -fa 'starling (shim|run|guardian) .*{name}' | grep -v 'sh -c'",
        name = cluster.name
    );
    let found = Command::new("sh").arg("-c").arg(script).output().expect("a shell");
    String::from_utf8_lossy(&found.stdout).into_owned()
}

/// The bridge between the machines, by the cluster's record.
fn bridge_of(cluster: &Cluster) -> String {
    let path = cluster.folder.join("data").join(&cluster.name).join("cluster.json");
    let text = std::fs::read_to_string(path).expect("a record");
    let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    format!("stm{}", record["index"])
}

fn wait_all_ready(cluster: &Cluster) {
    cluster.kubectl(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
}

#[test]
fn five_machines_serve_survive_a_loss_and_leave_nothing() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    cluster.starling(&["up", "--servers", "3", "--agents", "2"]);
    let bridge = bridge_of(&cluster);
    assert!(traces_of(&cluster, &bridge).contains(&bridge), "else this test sees nothing");
    wait_all_ready(&cluster);
    let status = cluster.status();
    let nodes = status["nodes"].as_array().expect("machines");
    assert_eq!(nodes.len(), 5, "{status:#}");
    assert_eq!(nodes.iter().filter(|node| node["leader"] == true).count(), 1, "{status:#}");

    assert!(cluster.starling(&["image", "import", &demo_image()]).contains(IMAGE));
    cluster.apply(&web("web", 2));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    for pod in cluster.list("pod", "app=web") {
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        assert!(node.starts_with("agent-"), "a pod on a tainted server: {node}");
    }

    cluster.starling(&["node", "kill", "agent-1"]);
    assert_eq!(cluster.try_starling(&["node", "kill", "agent-1"]).code, 1, "it is down already");
    cluster.kubectl(&["wait", "node/agent-1", "--for=condition=Ready=Unknown", "--timeout=120s"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    cluster.starling(&["node", "start", "agent-1"]);
    wait_all_ready(&cluster);

    cluster.starling(&["down"]);
    assert_eq!(traces_of(&cluster, &bridge), "");
    cluster.starling(&["up"]);
    wait_all_ready(&cluster);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    cluster.starling(&["down", "--purge"]);
    assert_eq!(traces_of(&cluster, &bridge), "");
}

#[test]
fn the_leaders_loss_is_survived_through_the_same_kubeconfig() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    cluster.starling(&["up", "--servers", "3"]);
    cluster.kubectl(&["create", "configmap", "before", "--from-literal=a=b"]);
    let leader = cluster.leader();
    cluster.starling(&["node", "kill", &leader]);
    // Waiting is a watch here, so a server that answers it has taken over.
    cluster.kubectl(&[
        "wait",
        &format!("node/{leader}"),
        "--for=condition=Ready=Unknown",
        "--timeout=120s",
    ]);
    cluster.kubectl(&["create", "configmap", "after", "--from-literal=a=b"]);
    assert_eq!(cluster.get("configmap", "before")["data"]["a"], "b");
}

#[test]
fn wishes_that_cannot_be_met_are_told_in_one_sentence() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    let check = |words: &[&str], code: i32, said: &str| {
        let ran = cluster.try_starling(words);
        assert_eq!(ran.code, code, "{words:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(said) && ran.err.contains("\n  try: "), "{words:?}: {}", ran.err);
    };
    check(&["up", "--agents", "2"], 2, "--agents needs --servers");
    check(&["up", "--servers", "0"], 2, "a cluster needs at least one server");
    check(&["up", "--servers", "3", "--agents", "900"], 2, "903 machines are too many");
    check(&["node", "kill", "agent-1"], 3, "there is no cluster");
    check(
        &["join", "127.0.0.1:1", "--token", "abcdef.0123456789abcdef"],
        2,
        "without the hash of the cluster's authority",
    );
    cluster.starling(&["up"]);
    check(&["up", "--servers", "3"], 2, "cannot become several machines");
    check(&["token", "create"], 2, "it has no mesh to join");
    let ran = cluster.as_nobody("cd \"$HOME\" && ./starling up --servers 3");
    assert!(ran.code != 0 && ran.err.contains("need root"), "{}", ran.err);
}
