//! `starling status`: the clusters of this host, each of its machines, and what the others say of it.
//!
//! Way in: [`run`].  Two sources, never mixed up: what this host sees itself (processes, control groups, folders),
//! which needs no server; and what a server says of the members, where one answers.

use nodes_machines::{MachinePlan, MachineRecord, Role, group};
use serde_json::{Value, json};

use crate::{
    Caller, ClusterRecord, Failure, Output, Records,
    arguments::Part,
    client::Client,
    machines::mesh,
    processes::{self, find_part},
    table,
    up::{self, server_of},
};

const HEADER: [&str; 11] = [
    "CLUSTER", "STATE", "NODE", "ROLE", "MEMBER", "GUARDIAN", "PID", "ADDRESS", "API", "DATA",
    "EVIDENCE",
];

pub(crate) fn run(caller: &Caller<'_>, output: &Output) -> Result<(), Failure> {
    let records = Records::open(&caller.place).map_err(|error| Failure::of(&error))?;
    let all = records.all().to_vec();
    drop(records);
    let clusters: Vec<Value> = all.iter().map(describe).collect();
    let rows: Vec<Vec<String>> = clusters.iter().flat_map(rows).collect();
    let text = match rows.is_empty() {
        true => "no cluster on this machine\ntry: starling up".to_owned(),
        false => render(&rows),
    };
    let warnings: Vec<Value> = clusters
        .iter()
        .flat_map(|cluster| cluster["warnings"].as_array().cloned().unwrap_or_default())
        .collect();
    let text = mesh::with_warnings(&json!({"warnings": warnings}), &text);
    output.answer(&text, &json!({"clusters": clusters}))
}

/// Columns that say nothing in any row are left out.
fn render(rows: &[Vec<String>]) -> String {
    let says =
        |column: &usize| rows.iter().any(|row| row.get(*column).is_some_and(|cell| cell != "-"));
    let kept: Vec<usize> = (0..HEADER.len()).filter(says).collect();
    let header: Vec<&str> = kept.iter().filter_map(|column| HEADER.get(*column).copied()).collect();
    let pick =
        |row: &Vec<String>| kept.iter().filter_map(|column| row.get(*column).cloned()).collect();
    table::render(&header, &rows.iter().map(pick).collect::<Vec<_>>())
}

fn describe(record: &ClusterRecord) -> Value {
    let told = Client::of(record).and_then(|client| client.text("/readyz?verbose"));
    let ready = told.is_ok();
    let disk_full = told.is_ok_and(|checks| checks.contains("[-]disk"));
    let mut cluster = json!({
        "name": record.name,
        "uid": record.uid,
        "server": server_of(record),
        "podCIDR": record.pod_cidr,
        "serviceCIDR": record.service_cidr,
    });
    if record.has_machines() {
        describe_machines(record, ready, &mut cluster);
        return cluster;
    }
    let living = processes::find(&record.run_dir);
    let state = match (living.server, ready) {
        (Some(_), true) if disk_full => "disk full",
        (Some(_), true) => "ready",
        (Some(_), false) => "not ready",
        (None, _) if living.guardian.is_some() => "restarting",
        (None, _) => "stopped",
    };
    let address = record.single_machine().address.to_string();
    cluster["state"] = json!(state);
    cluster["log"] = json!(up::log_of(record));
    cluster["nodes"] = json!([{
        "name": record.node,
        "role": "server+agent",
        "pid": living.server,
        "guardianPid": living.guardian,
        "addresses": ["127.0.0.1", address],
        "dataDir": record.data_dir,
        "runtime": record.runtime,
    }]);
    cluster
}

fn describe_machines(record: &ClusterRecord, ready: bool, cluster: &mut Value) {
    let told = match ready {
        true => Client::of(record).and_then(|client| client.get("/starling/v1/mesh/members")),
        // A server without a quorum still tells what it sees.
        false => members_of_any(record),
    };
    let told = told.unwrap_or(Value::Null);
    let plan = record.plan();
    let mut nodes: Vec<Value> =
        plan.machines.iter().map(|machine| machine_of(record, machine, &told)).collect();
    // Machines of other hosts are known by what the servers say alone; who has left is remembered for a while.
    let is_elsewhere = |member: &&Value| {
        member["node"].as_str().is_some_and(|node| plan.find(node).is_none())
            && member["state"] != "left"
    };
    let others = told["members"].as_array().into_iter().flatten().filter(is_elsewhere);
    nodes.extend(others.map(|member| {
        json!({
            "name": member["node"],
            "role": member["role"],
            "state": "elsewhere",
            "member": member_of(&told, member["node"].as_str().unwrap_or_default()),
            "addresses": [member["meshAddress"]],
        })
    }));
    let runs = plan.machines.iter().any(|one| group::state(&one.group) != group::State::Down);
    let state = match (ready, runs) {
        (true, _) => "ready",
        (false, true) => "not ready",
        (false, false) => "stopped",
    };
    cluster["state"] = json!(state);
    cluster["warnings"] = told["warnings"].clone();
    cluster["nodes"] = json!(nodes);
    if record.is_hosted() {
        let forwarder = find_part(&record.run_dir, Part::Forwarder);
        cluster["forwarder"] = json!({"pid": forwarder.server, "guardianPid": forwarder.guardian});
    }
}

/// What the first server of this host that runs says of the members.
fn members_of_any(record: &ClusterRecord) -> Result<Value, Failure> {
    let runs = |machine: &&MachinePlan| {
        machine.role == Role::Server
            && group::state(&machine.group) == group::State::Running
            && processes::find(&machine.run_dir).server.is_some()
    };
    let plan = record.plan();
    let running = plan.machines.iter().filter(runs);
    let told = running.filter_map(|machine| {
        let known = MachineRecord::read(&machine.record_path()).ok()?;
        let client = Client::at(record, (known.address, known.api_port).into()).ok()?;
        client.get("/starling/v1/mesh/members").ok()
    });
    told.into_iter().next().ok_or_else(|| Failure::new("no server answers"))
}

/// One machine of this host.
fn machine_of(record: &ClusterRecord, machine: &MachinePlan, told: &Value) -> Value {
    let living = processes::find(&machine.run_dir);
    let known = MachineRecord::read(&machine.record_path()).ok();
    let state = match (group::state(&machine.group), living.guardian, living.server) {
        (group::State::Paused, _, _) => "paused",
        (_, _, Some(_)) => "running",
        (_, Some(_), None) => "restarting",
        (group::State::Running, None, None) => "pods only",
        _ if known.is_none() => "not joined",
        _ => "down",
    };
    let role = if machine.role == Role::Server { "server+agent" } else { "agent" };
    json!({
        "name": machine.node,
        "role": role,
        "state": state,
        "member": member_of(told, &machine.node),
        "leader": mesh::leads(told, &machine.node),
        "pid": living.server,
        "guardianPid": living.guardian,
        "addresses": known.as_ref().map(|known| vec![known.address.to_string()]),
        "podCIDR": known.as_ref().map(|known| known.node_range.clone()),
        "dataDir": machine.data_dir,
        "log": machine.log_path(),
        "runtime": record.runtime,
    })
}

/// What the servers say of a member: its state, since when, and on whose word.
fn member_of(told: &Value, node: &str) -> Value {
    let members = told["members"].as_array();
    let member = members.into_iter().flatten().find(|member| member["node"] == node);
    member.map_or(Value::Null, |member| {
        json!({
            "state": member["state"],
            "since": member["since"],
            "heardAgoMs": member["heardAgoMs"],
            "evidence": member["evidence"],
        })
    })
}

fn rows(cluster: &Value) -> Vec<Vec<String>> {
    let nodes = cluster["nodes"].as_array().cloned().unwrap_or_default();
    let row = |node: &Value| {
        let addresses = node["addresses"].as_array();
        let state = if node["state"].is_null() { &cluster["state"] } else { &node["state"] };
        let leads = if node["leader"] == true { " (leader)" } else { "" };
        vec![
            mesh::text(&cluster["name"]),
            mesh::text(state),
            mesh::text(&node["name"]),
            format!("{}{leads}", mesh::text(&node["role"])),
            mesh::text(&node["member"]["state"]),
            mesh::text(&node["guardianPid"]),
            mesh::text(&node["pid"]),
            mesh::text(addresses.and_then(|all| all.last()).unwrap_or(&Value::Null)),
            mesh::text(&cluster["server"]),
            mesh::text(&node["dataDir"]),
            mesh::evidence(&node["member"]),
        ]
    };
    nodes.iter().map(row).collect()
}
