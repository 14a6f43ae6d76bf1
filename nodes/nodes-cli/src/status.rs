//! `starling status`: the clusters of this machine and what of them lives.
//!
//! Way in: [`run`].

use serde_json::{Value, json};

use crate::{
    Arguments, Caller, ClusterRecord, Failure, Output, Records, client::Client, processes, table,
    up,
};

pub(crate) fn run(
    _arguments: &Arguments,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let records = Records::open(&caller.place).map_err(|error| Failure::of(&error))?;
    let all = records.all().to_vec();
    drop(records);
    let clusters: Vec<Value> = all.iter().map(describe).collect();
    let header =
        ["CLUSTER", "STATE", "NODE", "ROLE", "GUARDIAN", "SERVER", "ADDRESS", "API", "DATA"];
    let rows: Vec<Vec<String>> = clusters.iter().flat_map(rows).collect();
    let text = match rows.is_empty() {
        true => "no cluster on this machine\ntry: starling up".to_owned(),
        false => table::render(&header, &rows),
    };
    output.answer(&text, &json!({"clusters": clusters}))
}

fn describe(record: &ClusterRecord) -> Value {
    let living = processes::find(record);
    let ready = living.server.is_some()
        && Client::of(record).and_then(|client| client.text("/readyz")).is_ok();
    let state = match (living.server, ready) {
        (Some(_), true) => "ready",
        (Some(_), false) => "not ready",
        (None, _) if living.guardian.is_some() => "restarting",
        (None, _) => "stopped",
    };
    json!({
        "name": record.name,
        "uid": record.uid,
        "state": state,
        "server": format!("https://127.0.0.1:{}", record.api_port),
        "podCIDR": record.pod_cidr,
        "serviceCIDR": record.service_cidr,
        "log": up::log_of(record),
        "nodes": [{
            "name": record.node,
            "role": "server+agent",
            "pid": living.server,
            "guardianPid": living.guardian,
            "addresses": ["127.0.0.1", gateway(&record.pod_cidr)],
            "dataDir": record.data_dir,
            "runtime": record.runtime,
        }],
    })
}

/// The node's address on its pods' bridge: the first of the range.
fn gateway(pod_cidr: &str) -> String {
    let network = pod_cidr.split('/').next().unwrap_or_default();
    match network.rsplit_once('.') {
        Some((head, _)) => format!("{head}.1"),
        None => network.to_owned(),
    }
}

fn rows(cluster: &Value) -> Vec<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let nodes = cluster["nodes"].as_array().cloned().unwrap_or_default();
    let row = |node: &Value| {
        let cells = [
            &cluster["name"],
            &cluster["state"],
            &node["name"],
            &node["role"],
            &node["guardianPid"],
            &node["pid"],
            &node["addresses"][1],
            &cluster["server"],
            &node["dataDir"],
        ];
        cells.into_iter().map(text).collect()
    };
    nodes.iter().map(row).collect()
}
