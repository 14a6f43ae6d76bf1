//! Killing things while they run: what is acknowledged stays, what runs runs on, what died comes back.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    process::Command,
    time::Duration,
};

use actors_runtime::Clock;
use serde_json::Value;
use tests_e2e::{Cluster, until, web};

fn kill9(pid: i64) {
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill runs");
    assert!(killed.success(), "no process {pid}");
}

/// The first process of a pod's web server, seen from the machine: from within, nothing can kill process 1.
fn container_pid(uid: &str) -> i64 {
    let found =
        Command::new("pgrep").args(["-f", "^httpd -f -p 8080"]).output().expect("pgrep runs");
    let pids: Vec<i64> =
        String::from_utf8_lossy(&found.stdout).lines().filter_map(|pid| pid.parse().ok()).collect();
    let of_pod = |pid: &i64| {
        fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(uid))
    };
    pids.into_iter().find(of_pod).expect("a process in the pod's cgroup")
}

fn restarts(cluster: &Cluster) -> i64 {
    let pods = cluster.list("pods", "app=web");
    pods.iter()
        .map(|pod| pod["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap_or(0))
        .sum()
}

fn uids(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.list("pods", "app=web");
    let mut uids: Vec<_> =
        pods.iter().filter_map(|pod| pod["metadata"]["uid"].as_str().map(str::to_owned)).collect();
    uids.sort();
    uids
}

#[test]
fn a_killed_server_comes_back_with_every_acknowledged_write_and_its_containers_never_notice() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 2));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let before = uids(&cluster);
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        for number in 0..10 {
            let name = format!("c-{round}-{number}");
            cluster
                .apply(&format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"));
            acknowledged.push(name);
        }
        let old = cluster.pid("pid").expect("a server");
        kill9(old);
        // `up` returns when the server that the guardian started serves.
        cluster.starling(&["up"]);
        assert_ne!(cluster.pid("pid"), Some(old));
    }
    let there = cluster.kubectl(&["get", "configmaps", "-o", "name"]);
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|name| !there.contains(&format!("configmap/{name}\n")))
        .collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert_eq!(uids(&cluster), before);
    assert_eq!(restarts(&cluster), 0);
    let pod =
        cluster.list("pods", "app=web")[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    assert_eq!(cluster.kubectl(&["logs", &pod]), "started\n");
}

/// A second is for a machine on which a look at the processes takes no time; others have so many looks more.
const LOOKS: u32 = 5;

/// What a panic while panicking comes to: the process aborts.
#[test]
fn a_server_that_aborts_is_back_within_a_second_and_its_containers_never_notice() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 1));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let before = uids(&cluster);
    let container = container_pid(&before[0]);
    let looked = Clock.mono();
    let old = cluster.pid("pid").expect("a server");
    let began = Clock.mono();
    let look = began.since(looked);
    let asked = Command::new("kill").args(["-ABRT", &old.to_string()]).status();
    assert!(asked.expect("kill runs").success(), "no process {old}");
    until("another server process runs", || cluster.pid("pid").is_some_and(|pid| pid != old));
    let away = Clock.mono().since(began);
    println!("the next process came after {away:?}, a look takes {look:?}");
    assert!(away < Duration::from_secs(1) + look * LOOKS, "the next process came after {away:?}");
    cluster.starling(&["up"]);
    assert_eq!(container_pid(&before[0]), container);
    assert_eq!((uids(&cluster), restarts(&cluster)), (before, 0));
}

#[test]
fn a_container_that_ends_while_the_server_is_away_is_known_with_its_exit_code() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(
        r#"
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  restartPolicy: Never
  containers:
    - name: c
      image: starling.dev/demo:1
      imagePullPolicy: Never
      command: [sh, -c, 'while [ ! -e /tmp/end ]; do usleep 10000; done; echo bye; exit 42']
"#,
    );
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/p", "--timeout=120s"]);
    let mut pid = String::new();
    until("the container's process", || {
        let inner = Command::new("pgrep").args(["-f", "while . ! -e /tmp/end"]).output();
        let found = String::from_utf8_lossy(&inner.expect("pgrep runs").stdout).into_owned();
        pid = found.lines().next().unwrap_or_default().to_owned();
        !pid.is_empty()
    });
    kill9(cluster.pid("guardianPid").expect("a guardian"));
    kill9(cluster.pid("pid").expect("a server"));
    fs::write(format!("/proc/{pid}/root/tmp/end"), "").expect("the container can be told to end");
    cluster.starling(&["up"]);
    cluster.kubectl(&["wait", "--for=jsonpath={.status.phase}=Failed", "pod/p", "--timeout=120s"]);
    let ended = &cluster.get("pod", "p")["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["exitCode"], 42);
    assert_eq!(cluster.kubectl(&["logs", "p"]), "bye\n");
}

#[test]
fn a_killed_container_restarts_and_a_killed_shim_rebuilds_its_pod() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 1));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let pod =
        cluster.list("pods", "app=web")[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    let uid = cluster.get("pod", &pod)["metadata"]["uid"].as_str().expect("a uid").to_owned();
    kill9(container_pid(&uid));
    cluster.kubectl(&[
        "wait",
        "--for=jsonpath={.status.containerStatuses[0].restartCount}=1",
        &format!("pod/{pod}"),
        "--timeout=120s",
    ]);
    cluster.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{pod}"), "--timeout=120s"]);
    let last =
        cluster.get("pod", &pod)["status"]["containerStatuses"][0]["lastState"]["terminated"]
            .clone();
    assert_eq!(last["exitCode"], 137, "{last}");

    let shim = Command::new("pgrep")
        .args(["-f", &format!("starling shim --pod .*{uid}")])
        .output()
        .expect("pgrep runs");
    let shim = String::from_utf8_lossy(&shim.stdout)
        .lines()
        .next()
        .expect("a shim")
        .parse()
        .expect("a pid");
    kill9(shim);
    cluster.kubectl(&[
        "wait",
        "--for=jsonpath={.status.containerStatuses[0].restartCount}=2",
        &format!("pod/{pod}"),
        "--timeout=120s",
    ]);
    cluster.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{pod}"), "--timeout=120s"]);
    assert_eq!(cluster.kubectl(&["exec", &pod, "--", "hostname"]).trim(), pod);
}

#[test]
fn every_actor_can_be_killed_and_heals() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 2));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let before = uids(&cluster);
    let tree: Value =
        serde_json::from_str(&cluster.starling(&["actors", "tree", "-o", "json"])).expect("JSON");
    let actors = tree["actors"].as_array().expect("actors").clone();
    assert!(actors.len() > 15, "only {} actors", actors.len());
    for actor in &actors {
        let path = actor["path"].as_str().expect("a path");
        // The root is the process; the edge carries the answer to this very request.
        if path.contains('/') {
            let killed = cluster.try_starling(&["actors", "kill", path]);
            println!("{path}: {}", killed.err.trim());
        }
    }
    cluster.starling(&["up"]);
    cluster.kubectl(&["scale", "deployment", "web", "--replicas=3"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let after = uids(&cluster);
    assert!(before.iter().all(|uid| after.contains(uid)), "pods were replaced");
    assert_eq!(restarts(&cluster), 0, "containers were restarted");
    until("an event tells of it", || {
        cluster.kubectl(&["get", "events", "-A"]).contains("ActorRestarted")
    });
}

/// How often each actor was started again, by path.
fn actor_restarts(cluster: &Cluster) -> BTreeMap<String, i64> {
    let tree: Value =
        serde_json::from_str(&cluster.starling(&["actors", "tree", "-o", "json"])).expect("JSON");
    let actors = tree["actors"].as_array().expect("actors").iter();
    let of = |actor: &Value| {
        (actor["path"].as_str().expect("a path").to_owned(), actor["restarts"].as_i64())
    };
    actors.map(of).map(|(path, restarts)| (path, restarts.unwrap_or(0))).collect()
}

#[test]
fn a_panic_restarts_one_controller_alone_and_an_event_names_the_cause() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 1));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let pods = uids(&cluster);
    let before = actor_restarts(&cluster);
    let path = before.keys().find(|path| path.ends_with("/control/deployment"));
    let path = path.expect("the controller of deployments").clone();
    cluster.starling(&["actors", "kill", &path, "--panic"]);
    let cause = format!("actor {path} panicked: panic asked for by an operator");
    // A watch tells of it whether it is there already or comes.
    let mut events = cluster.spawn_kubectl(&["get", "events", "--watch"]);
    let lines = BufReader::new(events.stdout.take().expect("a pipe")).lines();
    let told = lines.map_while(Result::ok).find(|line| line.contains(&cause));
    events.kill().expect("the watch can be ended");
    events.wait().expect("the watch ends");
    assert!(told.is_some_and(|line| line.contains("ActorRestarted")), "no event says: {cause}");

    cluster.kubectl(&["scale", "deployment", "web", "--replicas=3"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let mut after = actor_restarts(&cluster);
    assert_eq!(after.remove(&path), Some(before[&path] + 1));
    let changed: Vec<_> = after
        .iter()
        .filter(|(path, restarts)| before.get(*path).is_some_and(|old| old != *restarts))
        .collect();
    assert!(changed.is_empty(), "others were restarted too: {changed:?}");
    assert!(pods.iter().all(|uid| uids(&cluster).contains(uid)), "pods were replaced");
}

#[test]
fn a_watch_is_seen_with_its_watcher_and_ends_alone() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    let open = |resource: &str| {
        let path = format!("/api/v1/namespaces/default/{resource}?watch=1");
        let mut watch = cluster.spawn_kubectl(&["get", "--raw", &path]);
        let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
        // What is there already is told first: from then on the watch runs.
        assert!(lines.next().is_some_and(|line| line.is_ok()), "no first line of {resource}");
        (watch, lines)
    };
    let (mut ended, mut of_ended) = open("configmaps");
    let (mut stays, _lines) = open("serviceaccounts");
    let tree: Value =
        serde_json::from_str(&cluster.starling(&["actors", "tree", "-o", "json"])).expect("JSON");
    let parts = |tree: &Value| -> Vec<(String, String)> {
        let actors = tree["actors"].as_array().expect("actors").iter();
        let text = |actor: &Value, field: &str| actor[field].as_str().unwrap_or("").to_owned();
        let is_part = |actor: &&Value| actor["kind"] == "part";
        actors.filter(is_part).map(|actor| (text(actor, "path"), text(actor, "about"))).collect()
    };
    let mine = |name: &str| {
        let of =
            |(path, about): &(String, String)| path.contains(name) && about.contains("kubectl");
        parts(&tree).into_iter().find(of).expect("the watch is listed").0
    };
    let (victim, other) = (mine("/watches/configmaps#"), mine("/watches/serviceaccounts#"));
    cluster.starling(&["actors", "kill", &victim]);
    assert!(of_ended.next().is_none(), "the watch that was killed still tells");
    ended.wait().expect("kubectl ends with its watch");
    until("one of the two is left", || {
        let tree = cluster.starling(&["actors", "tree", "-o", "json"]);
        let tree: Value = serde_json::from_str(&tree).expect("JSON");
        let left: Vec<_> = parts(&tree).into_iter().map(|(path, _)| path).collect();
        assert!(left.contains(&other), "{left:?}");
        !left.contains(&victim)
    });
    stays.kill().expect("the other watch runs still");
    stays.wait().expect("and ends");
}
