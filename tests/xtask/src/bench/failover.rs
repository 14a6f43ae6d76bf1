//! `bench failover`: three servers and two agents that lose machines, seen from outside by their users.
//!
//! Way in: [`measure`].  Owns: what is lost, and when it counts as replaced.
//! Time and order: a loss begins before `starling node kill` is run; the time of that command is part of what is told.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{
    Row,
    api::{self, Api, Objects},
    cluster::{Cluster, IMAGE, demo_image},
    pause, uptime,
};

/// Pods of the Deployment.
const REPLICAS: usize = 6;

/// Writers while a leader is lost.
const WRITERS: usize = 8;

/// Writers that use all that there is, and for how long, in seconds.
const CROWD: usize = 64;
const CROWD_SECS: u32 = 60;

/// Where pods, ConfigMaps and nodes are.
const PODS: &str = "/api/v1/namespaces/default/pods";
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const NODES: &str = "/api/v1/nodes";

const PODS_REFERENCE: Option<&str> = Some(
    "Nomad 2.0.6 21.5 s median (measured on such a machine; no package); Kubernetes about 350 s (published)",
);
const WRITES_REFERENCE: Option<&str> =
    Some("Nomad 2.0.6 3.3 s (measured on such a machine; no package)");

/// Losses in one cluster: a machine that comes and goes is let back ever later, up to a minute, which is not what is
/// measured here.
const RUNS_OF_A_CLUSTER: usize = 10;

pub(crate) fn measure(runs: usize) -> Result<Vec<Row>> {
    let (mut replaced, mut written) = (Vec::new(), Vec::new());
    let (mut changes, mut writes) = (0.0, 0);
    while replaced.len() < runs {
        let more = RUNS_OF_A_CLUSTER.min(runs - replaced.len());
        let cluster = Cluster::up_machines(3, 2)?;
        let api = cluster.api()?;
        api.watch(NODES)?.until(|nodes| nodes.len() == 5 && nodes.values().all(is_ready))?;
        cluster.run(&["image", "import", &text(&demo_image()?)?])?;
        api.create("/apis/apps/v1/namespaces/default/deployments", &deployment())?;
        api.watch(PODS)?.until(|pods| running(pods, "") == REPLICAS)?;
        replaced.extend(repeat(more, || lose_agent(&cluster, &api))?);
        written.extend(repeat(more, || lose_leader(&cluster, &api))?);
        if replaced.len() == runs {
            (changes, writes) = crowd(&cluster, &api)?;
        }
    }
    Ok(vec![
        Row::alone(
            "agent lost to its pods Running again, p50",
            "s",
            replaced.clone(),
            5.0,
            PODS_REFERENCE,
        ),
        Row::tail("agent lost to its pods Running again, p99", "s", replaced, 5.0, PODS_REFERENCE),
        Row::alone("leader lost to a write, p50", "s", written.clone(), 1.0, WRITES_REFERENCE),
        Row::tail("leader lost to a write, p99", "s", written, 1.0, WRITES_REFERENCE),
        Row::alone(
            format!("elections, {CROWD} writers, {CROWD_SECS} s, {writes} writes"),
            "",
            vec![changes],
            0.0,
            None,
        ),
    ])
}

fn repeat(runs: usize, mut once: impl FnMut() -> Result<f64>) -> Result<Vec<f64>> {
    (0..runs).map(|_| once()).collect()
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).context("a path that is no text")
}

/// Pods whose program runs at once: nothing but the replacement is measured.
fn deployment() -> Value {
    let container = json!({
        "name": "web", "image": IMAGE, "imagePullPolicy": "Never",
        "command": ["sh", "-c", "exec httpd -f -p 8080 -h /www"],
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": {
            "replicas": REPLICAS,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "terminationGracePeriodSeconds": 1, "containers": [container] },
            },
        },
    })
}

fn is_ready(node: &Value) -> bool {
    api::is(node, "Ready")
}

/// How many pods that stay are Running and Ready elsewhere than on `lost`.
fn running(pods: &Objects, lost: &str) -> usize {
    pods.values().filter(|pod| runs(pod) && pod["spec"]["nodeName"] != lost).count()
}

/// Whether a pod stays, and is Running and Ready.
fn runs(pod: &Value) -> bool {
    let stays = pod["metadata"]["deletionTimestamp"].is_null();
    stays && pod["status"]["phase"] == "Running" && is_ready(pod)
}

/// Takes an agent with pods away. From before the command to the event that makes the replacements complete.
fn lose_agent(cluster: &Cluster, api: &Api) -> Result<f64> {
    let mut pods = api.watch(PODS)?;
    pods.until(|pods| running(pods, "") == REPLICAS)?;
    let is_agents = |node: &&str| node.starts_with("agent");
    // A pod that is about to go may still name a machine that was lost before.
    let staying = pods.objects().values().filter(|pod| runs(pod));
    let mut nodes = staying.filter_map(|pod| pod["spec"]["nodeName"].as_str());
    let node = nodes.find(is_agents).context("no pod runs on an agent")?.to_owned();
    let began = uptime()?;
    cluster.run(&["node", "kill", &node])?;
    let replaced = pods.until(|pods| running(pods, &node) == REPLICAS)?;
    come_back(cluster, api, &node)?;
    Ok(replaced - began)
}

/// Starts a machine that was lost, until the cluster is whole.
fn come_back(cluster: &Cluster, api: &Api, node: &str) -> Result<()> {
    let is_whole = |nodes: &Objects| {
        let lacks = |node: &Value| node["spec"]["taints"].to_string().contains("unreachable");
        nodes.len() == 5 && nodes.values().all(|node| is_ready(node) && !lacks(node))
    };
    // Its loss must have been told before its return can be.
    let mut nodes = api.watch(NODES)?;
    nodes.until(|nodes| nodes.get(node).is_some_and(|node| !is_ready(node)))?;
    cluster.run(&["node", "start", node])?;
    nodes.until(is_whole)?;
    Ok(())
}

/// Takes the leader away while others write. From before the command to the first acknowledgement of a write that
/// began when no process of the machine was left.
fn lose_leader(cluster: &Cluster, api: &Api) -> Result<f64> {
    let leader = store(api)?["leader"].as_str().context("nobody leads")?.to_owned();
    let (stop, is_lost) = (AtomicBool::new(false), AtomicBool::new(false));
    let (began, written) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (stop, is_lost) = (&stop, &is_lost);
                let api = cluster.api();
                scope.spawn(move || first_write(&api?, writer, (is_lost, stop)))
            })
            .collect();
        // So that connections are open and writes are on their way.
        pause(1)?;
        let began = uptime()?;
        cluster.run(&["node", "kill", &leader])?;
        is_lost.store(true, Ordering::Release);
        let firsts: Vec<f64> = writers
            .into_iter()
            .map(|writer| writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?)
            .collect::<Result<_>>()?;
        let written = firsts.into_iter().fold(f64::INFINITY, f64::min);
        anyhow::Ok((began, written))
    })?;
    come_back(cluster, api, &leader)?;
    Ok(written - began)
}

/// Writes until a write that began after the loss is acknowledged here, or anywhere; when that was here.
fn first_write(
    api: &Api,
    writer: usize,
    (is_lost, stop): (&AtomicBool, &AtomicBool),
) -> Result<f64> {
    let began = uptime()?;
    for number in 0.. {
        if stop.load(Ordering::Acquire) {
            break;
        }
        if uptime()? - began > 60.0 {
            bail!("no write was acknowledged within a minute");
        }
        let counts = is_lost.load(Ordering::Acquire);
        let name = format!("lost-{}-{writer}-{number}", uptime()?.to_bits());
        // A refused or broken write is tried again, as users do.
        if api.create(CONFIG_MAPS, &config_map(&name)).is_ok() && counts {
            stop.store(true, Ordering::Release);
            return uptime();
        }
    }
    Ok(f64::INFINITY)
}

fn config_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name },
        "data": { "text": "x".repeat(200) },
    })
}

/// What the store says of its members.
fn store(api: &Api) -> Result<Value> {
    Ok(api.get("/starling/v1/mesh/members")?["store"].take())
}

/// How often the term changed while a crowd wrote, and how many writes were acknowledged.
fn crowd(cluster: &Cluster, api: &Api) -> Result<(f64, u64)> {
    let term = || store(api)?["term"].as_u64().context("the store tells no term");
    let before = term()?;
    let (stop, writes) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for writer in 0..CROWD {
            let (stop, writes, api) = (&stop, &writes, cluster.api());
            scope.spawn(move || {
                let api = api?;
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("crowd-{writer}-{number}");
                    if api.create(CONFIG_MAPS, &config_map(&name)).is_ok() {
                        writes.fetch_add(1, Ordering::Relaxed);
                    }
                }
                anyhow::Ok(())
            });
        }
        let waited = pause(CROWD_SECS);
        stop.store(true, Ordering::Relaxed);
        waited
    })?;
    match writes.into_inner() {
        0 => bail!("no write of the crowd was acknowledged"),
        writes => Ok(((term()? - before) as f64, writes)),
    }
}
