//! `starling why`: one apply is one tree, from the client to the report of the agent.

use serde_json::Value;
use tests_e2e::{Cluster, demo_image, until, web};

/// The report of one object.
fn why(cluster: &Cluster, object: &str) -> Value {
    let text = cluster.starling(&["why", object, "-o", "json"]);
    serde_json::from_str(&text).expect("why prints JSON")
}

fn steps(report: &Value) -> Vec<Value> {
    report["steps"].as_array().cloned().expect("a report has steps")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The words of the steps from the first one to `last`, as the tree has them.
fn way_to(steps: &[Value], last: &Value) -> Vec<String> {
    let mut way = Vec::new();
    let mut at = Some(last);
    while let Some(step) = at {
        let part = text(step, "who").split(['@', ' ']).next().unwrap_or_default();
        way.push(format!("{part} {} {}", text(step, "name"), text(&step["object"], "kind")));
        at = steps.iter().find(|one| text(one, "span") == text(step, "parent"));
    }
    way.reverse();
    way
}

/// The way from the client to the write of the status that said that the pod is ready.
fn check_way(cluster: &Cluster, pod: &str) -> Vec<Value> {
    let mut report = Value::Null;
    // The agent notes its report when that is answered, which others may have heard of by then.
    until("the report of a ready pod", || {
        report = why(cluster, &format!("pod/{pod}"));
        steps(&report).iter().any(|step| text(step, "outcome") == "Running, ready")
    });
    assert_eq!(report["isWhole"], true, "{report:#}");
    assert_eq!(text(&report, "trace").len(), 32, "{report:#}");
    assert_eq!(report["missing"], serde_json::json!([]), "{report:#}");
    let steps = steps(&report);
    let ready = steps.iter().find(|step| text(step, "outcome") == "Running, ready");
    let ready = ready.expect("there is one");
    let way = way_to(&steps, ready);
    let expected = [
        "client create Deployment",
        "api create Deployment",
        "deployment reconcile Deployment",
        "api create ReplicaSet",
        "replicaset reconcile ReplicaSet",
        "api create Pod",
        "scheduler schedule Pod",
        "api create binding Pod",
        "agent probe Pod",
        "agent report Pod",
    ];
    assert_eq!(way, expected, "{report:#}");
    for part in ["store store", "agent sandbox", "agent container", "api patch status"] {
        let is_there = steps.iter().any(|step| {
            format!(
                "{} {}",
                text(step, "who").split('@').next().unwrap_or_default(),
                text(step, "name")
            ) == part
        });
        assert!(is_there, "no step {part:?}: {report:#}");
    }
    steps
}

fn name_of(pod: &Value) -> &str {
    text(&pod["metadata"], "name")
}

#[test]
fn one_apply_is_one_tree_and_every_step_has_its_cause() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 1));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    check_way(&cluster, name_of(&cluster.list("pod", "app=web")[0]));

    cluster.apply(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: big}\nspec: {containers: [{name: c, \
         image: none, resources: {requests: {cpu: 9999}}}]}\n",
    );
    cluster.kubectl(&["wait", "pod/big", "--for=condition=PodScheduled=false", "--timeout=120s"]);
    let told = cluster.starling(&["why", "pod/big"]);
    assert!(told.contains("Pending, without a node"), "{told}");
    assert!(told.contains("Insufficient cpu"), "{told}");
    let scheduler = told.lines().find(|line| line.contains("scheduler@"));
    assert!(scheduler.is_some_and(|line| line.contains("Insufficient cpu")), "{told}");

    assert_eq!(cluster.try_starling(&["why", "pod/nobody"]).code, 4);
    assert_eq!(cluster.try_starling(&["why", "pod"]).code, 2);
}

#[test]
fn a_trace_goes_over_machines() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    cluster.starling(&["up", "--servers", "3", "--agents", "2"]);
    cluster.kubectl(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
    cluster.starling(&["image", "import", &demo_image()]);
    cluster.apply(&web("web", 1));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let pods = cluster.list("pod", "app=web");
    let node = text(&pods[0]["spec"], "nodeName").to_owned();
    let steps = check_way(&cluster, name_of(&pods[0]));
    let of_agent = steps.iter().filter(|step| text(step, "name") == "sandbox");
    for step in of_agent {
        assert_eq!(text(step, "who"), format!("agent@{node}"));
    }
}
