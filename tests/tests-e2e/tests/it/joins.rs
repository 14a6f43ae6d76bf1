//! Computers that join a cluster over the network: who is let in, who is not, and what the others say of it.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
    thread,
};

use actors_runtime::{Root, System};
use mesh_quic::{Lane, Limits, Mesh, MeshConfig, Peer, PeerAddress, Role, Service};
use serde_json::Value;
use tests_e2e::{Cluster, IMAGE, Lab, Ran, demo_image, until, web};

/// The words of `starling status` on an even number of voters.
const EVEN: &str = "2 servers vote";

fn warns(lab: &Lab, name: &str, said: &str) -> bool {
    lab.status(name)["warnings"].to_string().contains(said)
}

fn wait_voters(lab: &Lab, name: &str, voters: &[&str]) {
    until(&format!("{voters:?} vote"), || lab.voters(name) == voters);
}

/// All servers of the lab see each other alive and vote.
fn wait_whole(lab: &Lab, from: &str, servers: &[&str]) {
    wait_voters(lab, from, servers);
    until("all are alive", || {
        let told = lab.json(from, &["mesh", "members"]);
        let members = told["members"].as_array().cloned().unwrap_or_default();
        let alive = |node: &&str| {
            members.iter().any(|one| one["node"] == **node && one["state"] == "alive")
        };
        servers.iter().all(alive)
    });
    lab.kubectl(from, from, &["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
}

/// What whoever has the keys of another computer's node gets of a computer's API: the code; the body goes to a file.
fn ask_with_keys(lab: &Lab, (at, whose): (&str, &str), path: &str, body: &str) -> Ran {
    let keys = lab.keys(whose, &lab.cluster);
    let file = |name: &str| keys.join(name).display().to_string();
    let (authority, certificate, key) = (file("ca.crt"), file("node.crt"), file("node.key"));
    let url = format!("https://{}:6443{path}", lab.address(at));
    let words = ["-sSN", "-o", body, "-w", "%{http_code}", "--max-time", "60"];
    let keys = ["--cacert", &authority, "--cert", &certificate, "--key", &key, &url];
    lab.try_run(at, Path::new("curl"), &[&words[..], &keys[..]].concat())
}

/// A server is taken out of three, and its certificate is worth nothing at the API of the others.
fn take_out(lab: &Lab) {
    let answer = |at: &str, whose: &str| {
        ask_with_keys(lab, (at, whose), &format!("/api/v1/nodes/{whose}"), "/dev/null").out
    };
    assert_eq!(answer("a", "c"), "200");
    let heard = tempfile::NamedTempFile::new().expect("a file");
    thread::scope(|scope| {
        let body = heard.path().display().to_string();
        let watch = scope
            .spawn(move || ask_with_keys(lab, ("a", "c"), "/api/v1/services?watch=true", &body));
        until("the watch begins", || fs::metadata(heard.path()).is_ok_and(|file| file.len() > 0));
        lab.starling("a", &["server", "remove", "c"]);
        for server in ["a", "b"] {
            until("its certificate is refused", || answer(server, "c") == "401");
        }
        let watch = watch.join().expect("a watch");
        assert_eq!(
            (watch.code, &*watch.out),
            (0, "200"),
            "it ended, and not by its time: {watch:?}"
        );
    });
    assert_eq!(answer("a", "b"), "200", "that of others is not");
}

#[test]
fn three_computers_become_one_cluster_by_the_printed_line_and_change_its_servers() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let lab = Lab::of(&["a", "b", "c"]);
    let (_, line) = lab.init("b");
    lab.join("a", &line);
    wait_voters(&lab, "b", &["a", "b"]);
    assert!(warns(&lab, "b", EVEN), "{:#}", lab.status("b"));
    lab.join("c", &line);
    wait_whole(&lab, "c", &["a", "b", "c"]);
    // Another server may hear of it a moment later.
    until("an odd number votes", || !warns(&lab, "b", EVEN));
    assert_eq!(lab.kubectl("a", "c", &["get", "nodes", "-o", "name"]).lines().count(), 3);

    for name in ["a", "b", "c"] {
        assert!(lab.starling(name, &["image", "import", &demo_image()]).contains(IMAGE));
    }
    lab.apply("c", &web("web", 3));
    lab.kubectl("a", "c", &["rollout", "status", "deployment/web", "--timeout=180s"]);
    let path = "jsonpath={range .items[*]}{.status.podIP}{\"\\n\"}{end}";
    let pods = lab.kubectl("b", "a", &["get", "pods", "-l", "app=web", "-o", path]);
    assert_eq!(pods.lines().count(), 3, "{pods}");
    for pod in pods.lines() {
        for name in ["a", "b", "c"] {
            let url = format!("http://{pod}:8080/");
            let page = lab.try_run(name, Path::new("curl"), &["-sS", "--max-time", "20", &url]);
            assert!(page.out.starts_with("pod web-"), "{name} {url}: {}{}", page.out, page.err);
        }
    }

    lab.starling("a", &["down"]);
    lab.kubectl("b", "b", &["create", "configmap", "meanwhile", "--from-literal=a=b"]);
    lab.starling("a", &["up"]);
    wait_whole(&lab, "a", &["a", "b", "c"]);
    lab.kubectl("a", "a", &["get", "configmap", "meanwhile"]);

    let killed = lab.status("b")["nodes"][0]["pid"].as_i64().expect("a process");
    assert_eq!(lab.try_run("b", Path::new("kill"), &["-9", &killed.to_string()]).code, 0);
    until("the guardian brought it back", || {
        let pid = lab.status("b")["nodes"][0]["pid"].as_i64();
        pid.is_some_and(|pid| pid != killed)
    });
    lab.starling("b", &["up"]);
    wait_whole(&lab, "b", &["a", "b", "c"]);

    take_out(&lab);
    wait_voters(&lab, "a", &["a", "b"]);
    assert!(warns(&lab, "a", EVEN), "{:#}", lab.status("a"));
    lab.kubectl("a", "a", &["wait", "--for=delete", "node/c", "--timeout=120s"]);
    // What it has is worth nothing now; without it, it may come again.
    lab.starling("c", &["down", "--purge"]);
    lab.join("c", &line);
    wait_whole(&lab, "c", &["a", "b", "c"]);
}

/// Refused with this sentence, a remedy, and nothing left behind on the computer.
fn check_refused(lab: &Lab, name: &str, (line, more): (&str, &[&str]), sentence: &str) {
    let ran = lab.try_join(name, line, more);
    assert_ne!(ran.code, 0, "{line} {more:?}: {}", ran.out);
    let causes: Vec<&str> =
        ran.err.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    assert!(matches!(*causes, [cause] if cause.contains(sentence)), "{more:?}: {}", ran.err);
    assert_eq!(ran.err.matches("\n  try: ").count(), 1, "{more:?}: {}", ran.err);
    assert_eq!(lab.status(name), Value::Null, "a cluster that it never joined");
}

/// The line with another token.
fn with_token(line: &str, token: &str) -> String {
    let old = line.split_whitespace().skip_while(|word| *word != "--token").nth(1);
    line.replace(old.expect("a token"), token)
}

/// How often `server` refused somebody at this address for that reason, as `from` tells.
fn counted(lab: &Lab, from: &str, (server, name): (&str, &str), reason: &str) -> u64 {
    let told = lab.json(from, &["mesh", "refusals"]);
    let here = lab.address(name).to_string();
    let is_it = |one: &&Value| {
        one["server"] == server
            && one["from"].as_str().is_some_and(|from| from.starts_with(&here))
            && one["reason"].as_str().is_some_and(|text| text.contains(reason))
    };
    let all = told["refusals"].as_array().cloned().unwrap_or_default();
    all.iter().filter(is_it).filter_map(|one| one["count"].as_u64()).sum()
}

fn token(lab: &Lab, words: &[&str]) -> String {
    let told = lab.json("b", &[&["token", "create"], words].concat());
    told["token"].as_str().expect("a token").to_owned()
}

/// Waits until the clock is past the end of the token.
fn wait_expired(lab: &Lab, token: &str) {
    let id = token.split('.').next().expect("an id");
    let told = lab.json("b", &["token", "list"]);
    let mut tokens = told["tokens"].as_array().into_iter().flatten();
    let end = tokens.find(|one| one["id"] == id).expect("the token")["expiration"].clone();
    let end = end.as_str().expect("its end").to_owned();
    until("the token's end", || {
        let now = lab.try_run("b", Path::new("date"), &["-u", "+%Y-%m-%dT%H:%M:%SZ"]);
        now.out.trim() > end.as_str()
    });
}

#[test]
fn whoever_may_not_join_is_told_why_in_one_sentence_and_counted() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let lab = Lab::of(&["a", "b", "d", "e"]);
    let (agents, servers) = lab.init("b");
    lab.join("a", &servers);
    lab.join("d", &agents);
    lab.kubectl("b", "a", &["wait", "node/d", "--for=condition=Ready", "--timeout=120s"]);
    // All ask at one server, and the other tells of it.
    let [agents, servers] = [agents, servers]
        .map(|line| line.replace(&lab.address("b").to_string(), &lab.address("a").to_string()));

    let expired = token(&lab, &["--ttl", "1s"]);
    let revoked = token(&lab, &[]);
    lab.starling("b", &["token", "revoke", &revoked]);
    let agents_only = token(&lab, &["--role", "agent"]);
    let once = token(&lab, &["--once"]);
    lab.join("e", &with_token(&agents, &once));
    lab.starling("e", &["down", "--purge"]);
    wait_expired(&lab, &expired);
    let wrong = "aaaaaa.0123456789abcdef";
    for (line, token, more, sentence) in [
        (&agents, wrong, &[][..], "the token is wrong: this cluster has none like it"),
        (&agents, &expired, &[], "expired at "),
        (&agents, &revoked, &[], "was revoked"),
        (&agents, &once, &["--node-name", "e2"], "was good for one machine and was used by e"),
        (&servers, &agents_only, &[], "does not let a machine join as server"),
        (&agents, &agents_only, &["--node-name", "d"], "the node name d is taken by a machine"),
        (&servers, &agents_only, &["--node-name", "b"], "does not let a machine join as server"),
    ] {
        let before = counted(&lab, "b", ("a", "e"), sentence);
        check_refused(&lab, "e", (&with_token(line, token), more), sentence);
        assert_eq!(counted(&lab, "b", ("a", "e"), sentence), before + 1, "{sentence}");
    }
    // The joiner itself refuses such a server, so the token is told to nobody and no server can count it.
    let hash = agents.split_whitespace().last().expect("a hash");
    let other = agents.replace(hash, &format!("sha256:{}", "0".repeat(64)));
    check_refused(&lab, "e", (&other, &[]), "is not a server of the cluster that is meant");
    let malformed = with_token(&agents, "secret");
    check_refused(&lab, "e", (&malformed, &[]), "the token is malformed");
    let nodes = lab.kubectl("a", "b", &["get", "nodes", "-o", "name"]);
    assert!(!nodes.contains("node/e2"), "{nodes}");
}

/// A process of this test that speaks on the mesh with the keys of a lab's computer.
struct Speaker {
    mesh: Mesh,
    _root: Root,
    _system: System,
    _runtime: tokio::runtime::Runtime,
}

impl Speaker {
    fn start(lab: &Lab, name: &str, role: Role) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let keys = lab.keys(name, &lab.cluster);
        let read = |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).expect(file);
        let record = keys.parent().expect("a machine").join("machine.json");
        let record: Value =
            serde_json::from_str(&fs::read_to_string(record).expect("a record")).expect("JSON");
        let config = MeshConfig {
            me: Peer {
                role,
                node: name.to_owned(),
                cluster: record["uid"].as_str().expect("a uid").to_owned(),
                site: "default".to_owned(),
            },
            certificate_pem: read(&keys, "node.crt"),
            key_pem: read(&keys, "node.key"),
            authorities_pem: read(&keys, "ca.crt"),
            listen: SocketAddr::new(IpAddr::V4(lab.gateway()), 0),
            revoked: Vec::new(),
            reset_key: [7; 32],
            feature_level: 1,
            limits: Limits::default(),
        };
        let guard = runtime.enter();
        let mesh = Mesh::open(config).expect("an endpoint");
        let system = System::new(actors_runtime::entropy().expect("randomness"));
        drop(guard);
        let root = runtime.block_on(system.run(mesh.tree("mesh"))).expect("it runs");
        let speaker = Self { mesh, _root: root, _system: system, _runtime: runtime };
        let address = SocketAddr::new(IpAddr::V4(lab.address("b")), 7_443);
        let peer = PeerAddress { role: Role::Server, address };
        speaker.mesh.set_peers(BTreeMap::from([("b".to_owned(), peer)]));
        speaker
    }
}

/// How often `b` refused somebody on its mesh for this reason, as it tells.
fn counted_on_mesh(lab: &Lab, reason: &str) -> u64 {
    let told = lab.json("b", &["mesh", "refusals"]);
    let is_it = |one: &&Value| {
        one["server"] == "b"
            && one["at"] == "mesh"
            && one["reason"].as_str().is_some_and(|text| text.contains(reason))
    };
    let all = told["refusals"].as_array().cloned().unwrap_or_default();
    all.iter().filter(is_it).filter_map(|one| one["count"].as_u64()).sum()
}

#[test]
fn an_agent_that_speaks_raft_is_turned_away_and_counted() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let lab = Lab::of(&["b", "d"]);
    let (line, _) = lab.init("b");
    lab.join("d", &line);
    lab.kubectl("b", "b", &["wait", "node/d", "--for=condition=Ready", "--timeout=120s"]);
    // The test takes the agent's place with its keys, and says what only servers say.
    lab.starling("d", &["down"]);
    let agent = Speaker::start(&lab, "d", Role::Agent);
    let sentence = "agent d may not speak to raft";
    until("the agent's frame of Raft is counted", || {
        let sent = agent.mesh.tell("b", Lane::Raft, Service::RAFT, b"vote for me".to_vec().into());
        sent.is_ok() && counted_on_mesh(&lab, sentence) > 0
    });
    let shown = lab.starling("b", &["mesh", "refusals"]);
    assert!(shown.contains(sentence), "{shown}");
}

/// What `starling status` says of a node: its state as a member, and the evidence.
fn judged(cluster: &Cluster, node: &str) -> (String, usize) {
    let status = cluster.status();
    let mut nodes = status["nodes"].as_array().into_iter().flatten();
    let member =
        nodes.find(|one| one["name"] == node).map_or(Value::Null, |one| one["member"].clone());
    let evidence = member["evidence"].as_array().map_or(0, Vec::len);
    (member["state"].as_str().unwrap_or_default().to_owned(), evidence)
}

#[test]
fn a_paused_machine_is_suspect_and_then_dead_on_the_word_of_the_servers() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    cluster.starling(&["up", "--servers", "3", "--agents", "1"]);
    cluster.starling(&["node", "pause", "agent-1"]);
    until("the verdict with evidence", || {
        let (state, evidence) = judged(&cluster, "agent-1");
        state == "dead" && evidence >= 2
    });
    let members = cluster.starling(&["mesh", "members"]);
    let line = members.lines().find(|line| line.starts_with("agent-1")).expect("a line");
    assert!(line.contains("dead") && line.contains("server-1 heard it "), "{members}");
    cluster.starling(&["node", "resume", "agent-1"]);
    until("it lives again", || judged(&cluster, "agent-1").0 == "alive");

    // One of three servers can suspect, and without the others' word it never judges.
    for node in ["server-2", "server-3"] {
        cluster.starling(&["node", "pause", node]);
    }
    for node in ["server-2", "server-3"] {
        until("the suspicion with evidence", || {
            let (state, evidence) = judged(&cluster, node);
            state == "suspect" && evidence >= 1
        });
    }
    let members = cluster.starling(&["mesh", "members", "--from", "server-1"]);
    assert!(members.contains("suspect") && members.contains("lost its quorum"), "{members}");
}

/// The machines of a cluster on this host, by its status.
fn machines(cluster: &Cluster) -> Vec<String> {
    let status = cluster.status();
    let nodes = status["nodes"].as_array().into_iter().flatten();
    nodes.filter_map(|node| node["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_server_that_is_taken_out_is_gone_from_the_host_and_a_purged_cluster_from_kubeconfigs() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    cluster.starling(&["up", "--servers", "3", "--agents", "1"]);
    let refused = cluster.try_starling(&["server", "remove", "agent-1"]);
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(refused.err.contains("agent-1 is an agent, not a server"), "{}", refused.err);
    assert!(refused.err.contains("try: starling node out agent-1"), "{}", refused.err);

    cluster.starling(&["server", "remove", "server-3"]);
    assert_eq!(machines(&cluster), ["server-1", "server-2", "agent-1"]);
    let data = cluster.folder.join("data").join(&cluster.name).join("machines/server-3");
    assert!(!data.exists(), "its keys and its store are worth nothing");
    let left = format!(
        "pgrep -fa 'starling .*{name}/machines/server-3'; ls /run/netns | grep -F 'stl-{name}-server-3'; \
         find /sys/fs/cgroup -type d -path '*{name}/server-3*'",
        name = cluster.name
    );
    let left = Command::new("sh").args(["-c", &left]).output().expect("a shell");
    // The shell finds itself.
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    let left: Vec<&str> = left.lines().filter(|line| !line.contains("pgrep")).collect();
    assert_eq!(left, Vec::<&str>::new());
    cluster.kubectl(&["wait", "--for=delete", "node/server-3", "--timeout=120s"]);
    // The others go on, also after they were all started anew.
    cluster.starling(&["down"]);
    cluster.starling(&["up"]);
    cluster.kubectl(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
    assert_eq!(machines(&cluster), ["server-1", "server-2", "agent-1"]);

    cluster.starling(&["down"]);
    let kubeconfig = cluster.folder.join("kubeconfig");
    let says = || fs::read_to_string(&kubeconfig).expect("a kubeconfig").contains(&cluster.name);
    assert!(says());
    let elsewhere = format!("export KUBECONFIG={}", cluster.folder.join("other").display());
    let purged = cluster.try_starling_where(&elsewhere, "down --purge");
    assert_eq!(purged.code, 0, "{}", purged.err);
    assert!(!says(), "it was written there, wherever the caller's own is now");
}
