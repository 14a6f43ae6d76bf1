//! Five machines under a load of writes: every sort of loss, one after the other.

use std::process::Command;

use actors_core::Mono;
use actors_runtime::Clock;
use serde_json::Value;
use tests_e2e::{Beats, Cluster, Visits, Writes, demo_image, web};

/// Three servers and two agents with the demonstration image.
fn five_machines() -> Cluster {
    let cluster = Cluster::prepared();
    cluster.starling(&["up", "--servers", "3", "--agents", "2"]);
    wait_all_ready(&cluster);
    cluster.starling(&["image", "import", &demo_image()]);
    cluster
}

fn wait_all_ready(cluster: &Cluster) {
    cluster.kubectl(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
}

fn wait_dead(cluster: &Cluster, node: &str) {
    let node = format!("node/{node}");
    cluster.kubectl(&["wait", &node, "--for=condition=Ready=Unknown", "--timeout=120s"]);
}

fn wait_rolled_out(cluster: &Cluster) {
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=180s"]);
}

/// The machines of `starling status`.
fn machines(cluster: &Cluster) -> Vec<Value> {
    cluster.status()["nodes"].as_array().cloned().expect("machines")
}

/// The name of the server that leads (`true`), or of one that follows.
fn server(cluster: &Cluster, leads: bool) -> String {
    let machines = machines(cluster);
    let is_it = |node: &&Value| {
        node["name"].as_str().is_some_and(|name| name.starts_with("server"))
            && node["leader"] == leads
    };
    machines.iter().find(is_it).and_then(|node| node["name"].as_str()).expect("a server").to_owned()
}

fn address(cluster: &Cluster, node: &str) -> String {
    let machines = machines(cluster);
    let machine = machines.iter().find(|machine| machine["name"] == node).expect("a machine");
    machine["addresses"][0].as_str().expect("an address").to_owned()
}

/// Runs a script within a machine's network namespace.
fn within(cluster: &Cluster, node: &str, script: &str) {
    let namespace = format!("--net=/run/netns/stl-{}-{node}", cluster.name);
    let ran = Command::new("nsenter").args([&namespace, "sh", "-ec", script]).output();
    let ran = ran.expect("nsenter runs");
    assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// Cuts a machine off from all others: in both directions, or only what it sends. The host still hears it.
fn cut(cluster: &Cluster, node: &str, both: bool) {
    let own = address(cluster, node);
    let net = own.rsplit_once('.').expect("IPv4").0;
    let others = format!("{net}.2-{net}.254");
    let incoming = format!("nft add rule inet cut in ip saddr {others} drop");
    let incoming = if both { incoming.as_str() } else { "true" };
    let hook = |way| format!("'{{ type filter hook {way} priority -300 ; }}'");
    let script = format!(
        "nft add table inet cut
         nft add chain inet cut in {}
         nft add chain inet cut out {}
         nft add chain inet cut through {}
         {incoming}
         nft add rule inet cut out ip daddr {others} ip daddr != {own} drop
         nft add rule inet cut through ip daddr {others} drop",
        hook("input"),
        hook("output"),
        hook("forward"),
    );
    within(cluster, node, &script);
}

fn heal(cluster: &Cluster, node: &str) {
    within(cluster, node, "nft delete table inet cut");
}

/// Pods of the Deployment with how often their containers were restarted.
fn pods(cluster: &Cluster) -> Vec<(String, i64)> {
    let of = |pod: &Value| {
        let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_i64();
        (pod["metadata"]["uid"].as_str().expect("a uid").to_owned(), restarts.unwrap_or(-1))
    };
    let mut pods: Vec<_> = cluster.list("pods", "app=web").iter().map(of).collect();
    pods.sort();
    pods
}

/// What the cluster must look like when nothing is broken.
fn settle(cluster: &Cluster) {
    wait_all_ready(cluster);
    wait_rolled_out(cluster);
    let running = cluster.kubectl(&[
        "get",
        "pods",
        "-l",
        "app=web",
        "--field-selector=status.phase=Running",
        "-o",
        "name",
    ]);
    assert!(running.lines().count() >= 4, "{running}");
}

/// Who writes and who visits while things break.
struct Load {
    writes: Writes,
    visits: Visits,
}

impl Load {
    fn on(cluster: &Cluster) -> Self {
        let service = cluster.get("service", "web");
        let address = service["spec"]["clusterIP"].as_str().expect("an address");
        Self { writes: Writes::on(cluster), visits: Visits::to(&format!("{address}:80")) }
    }

    fn fault(&self, what: String) -> Fault<'_> {
        println!("{what}");
        Fault { load: self, since: Clock.mono() }
    }
}

/// Something that breaks under a load. How long the load had to wait is printed, and judged by `bench failover`.
struct Fault<'a> {
    load: &'a Load,
    since: Mono,
}

impl Fault<'_> {
    fn ends(self) {
        let writes = self.load.writes.longest_wait(self.since).as_millis();
        let visits = self.load.visits.longest_wait(self.since).as_millis();
        println!("    longest wait of kubectl: {writes} ms, of a visitor: {visits} ms");
    }
}

/// A follower and then the leader lose power.
fn lose_servers(cluster: &Cluster, load: &Load) {
    for leads in [false, true] {
        let node = server(cluster, leads);
        let before = pods(cluster);
        let fault = load.fault(format!("a server's machine is lost: {node}, leader: {leads}"));
        cluster.starling(&["node", "kill", &node]);
        wait_dead(cluster, &node);
        fault.ends();
        cluster.starling(&["node", "start", &node]);
        settle(cluster);
        assert_eq!(pods(cluster), before, "a server's loss is nothing to pods elsewhere");
    }
}

/// An agent and then the leader are cut off, both ways and one way; then the leader stands still.
fn cut_off_and_pause(cluster: &Cluster, load: &Load) {
    for both in [true, false] {
        let fault = load.fault(format!("an agent is cut off, both ways: {both}"));
        cut(cluster, "agent-1", both);
        wait_dead(cluster, "agent-1");
        wait_rolled_out(cluster);
        fault.ends();
        heal(cluster, "agent-1");
        settle(cluster);
    }
    for both in [true, false] {
        let leader = server(cluster, true);
        let fault = load.fault(format!("the leader is cut off: {leader}, both ways: {both}"));
        cut(cluster, &leader, both);
        wait_dead(cluster, &leader);
        fault.ends();
        heal(cluster, &leader);
        settle(cluster);
    }
    let leader = server(cluster, true);
    let fault = load.fault(format!("the leader stands still: {leader}"));
    cluster.starling(&["node", "pause", &leader]);
    wait_dead(cluster, &leader);
    fault.ends();
    cluster.starling(&["node", "resume", &leader]);
    settle(cluster);
}

#[test]
fn every_loss_is_survived_and_no_acknowledged_write_is_lost() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = five_machines();
    cluster.apply(&web("web", 4));
    settle(&cluster);
    let load = Load::on(&cluster);

    for node in ["agent-1", "agent-2"] {
        let fault = load.fault(format!("an agent's machine is lost: {node}"));
        cluster.starling(&["node", "kill", node]);
        wait_dead(&cluster, node);
        wait_rolled_out(&cluster);
        fault.ends();
        cluster.starling(&["node", "start", node]);
        settle(&cluster);
    }
    lose_servers(&cluster, &load);
    let (before, old) = (pods(&cluster), process(&cluster, "agent-1"));
    let fault = load.fault("an agent's process alone is lost".to_owned());
    let killed = Command::new("kill").args(["-9", &old.to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()), "kill -9 {old}");
    // Its guardian starts the next one, which says so in the node's log.
    cluster.starling(&["up"]);
    assert_ne!(process(&cluster, "agent-1"), old);
    settle(&cluster);
    fault.ends();
    assert_eq!(pods(&cluster), before, "nothing is replaced, no container restarts");

    cut_off_and_pause(&cluster, &load);

    let fault = load.fault("power is lost everywhere".to_owned());
    for machine in machines(&cluster) {
        cluster.starling(&["node", "kill", machine["name"].as_str().expect("a name")]);
    }
    cluster.starling(&["up"]);
    settle(&cluster);
    fault.ends();

    let (visits, missed) = load.visits.counts();
    println!("{visits} visits, {missed} got no page");
    let (acknowledged, failed) = load.writes.end(&cluster);
    println!("{acknowledged} writes were acknowledged, {failed} were not");
    assert!(acknowledged > 50, "only {acknowledged} writes were acknowledged");
}

fn process(cluster: &Cluster, node: &str) -> i64 {
    let machines = machines(cluster);
    let machine = machines.iter().find(|machine| machine["name"] == node);
    machine.and_then(|machine| machine["pid"].as_i64()).expect("a process")
}

/// One pod that says its name to the host five times a second, and must never run twice.
fn only_one(host: &str) -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: only}}
spec:
  replicas: 1
  strategy: {{type: Recreate}}
  selector: {{matchLabels: {{app: only}}}}
  template:
    metadata:
      labels: {{app: only}}
      annotations: {{starling.dev/fence-after: 15s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: c
          image: {image}
          imagePullPolicy: Never
          command: [sh, -c]
          args: ['while true; do printf "GET /%s HTTP/1.0\\r\\n\\r\\n" $HOSTNAME | nc -w 1 {host}; sleep 0.2; done']
"#,
        image = tests_e2e::IMAGE,
    )
}

fn node_of_only(cluster: &Cluster) -> String {
    let pods = cluster.list("pods", "app=only");
    let alive = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let pod = pods.iter().find(alive).expect("a pod");
    pod["spec"]["nodeName"].as_str().expect("a node").to_owned()
}

#[test]
fn a_fenced_pod_never_runs_twice() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = five_machines();
    let beats = Beats::listen();
    let net = address(&cluster, "agent-1");
    let host = format!("{}.1 {}", net.rsplit_once('.').expect("IPv4").0, beats.port());
    cluster.apply(&only_one(&host));
    let rolled_out = || {
        cluster.kubectl(&["rollout", "status", "deployment/only", "--timeout=180s"]);
    };
    rolled_out();
    beats.wait_for(1);

    let node = node_of_only(&cluster);
    println!("the machine of the pod is paused past its fence: {node}");
    cluster.starling(&["node", "pause", &node]);
    wait_dead(&cluster, &node);
    rolled_out();
    beats.wait_for(2);
    cluster.starling(&["node", "resume", &node]);
    wait_all_ready(&cluster);

    let node = node_of_only(&cluster);
    println!("the machine of the pod is cut off: {node}");
    cut(&cluster, &node, true);
    wait_dead(&cluster, &node);
    rolled_out();
    beats.wait_for(3);
    heal(&cluster, &node);
    wait_all_ready(&cluster);

    let node = node_of_only(&cluster);
    println!("the machine of the pod is lost: {node}");
    cluster.starling(&["node", "kill", &node]);
    wait_dead(&cluster, &node);
    rolled_out();
    beats.wait_for(4);
    cluster.starling(&["node", "start", &node]);
    wait_all_ready(&cluster);

    let heard = beats.one_after_the_other();
    assert_eq!(heard.len(), 4, "{heard:?}");
}
