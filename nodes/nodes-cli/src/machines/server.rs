//! `starling server`: who holds the truth, and how one more does, or one less.
//!
//! Way in: [`run`].  A server that joins is a learner until it has caught up, and votes then.

use std::time::Duration;

use nodes_machines::{MachineRecord, Role};
use nodes_pki::{BootstrapToken, TokenOptions};
use serde_json::{Value, json};

use super::{down, mesh, token};
use crate::{
    Arguments, Caller, ClusterRecord, Failure, Output, actors::escape, arguments::ServerVerb,
    client::Client, table,
};

/// How long the token of `server add` is good.
const TOKEN_LIFE: Duration = Duration::from_secs(3_600);

pub(crate) fn run(
    arguments: &Arguments,
    verb: &ServerVerb,
    caller: &mut Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let record = token::known_with_machines(arguments, caller)?;
    let client = Client::of(&record)?;
    match verb {
        ServerVerb::List => {
            let told = client.get("/starling/v1/mesh/members")?;
            let servers = mesh::servers(&told);
            let header = ["SERVER", "STATE", "VOTES", "LEADER", "API", "VERSION"];
            let rows: Vec<Vec<String>> = servers.iter().map(row).collect();
            let text = mesh::with_warnings(&told, &table::render(&header, &rows));
            output.answer(&text, &json!({"servers": servers, "warnings": told["warnings"]}))
        }
        ServerVerb::Add => {
            let new = BootstrapToken::generate(&mut caller.rng);
            let options = TokenOptions {
                roles: vec![Role::Server],
                life: Some(TOKEN_LIFE),
                once: true,
                description: "starling server add".to_owned(),
            };
            token::create(&client, &new, &options, caller.now.wall)?;
            let line = token::join_line(&record, &new, Role::Server)?;
            let text = format!("run this on the new machine within an hour:\n{line}");
            output.answer(&text, &json!({"token": new.to_string(), "join": line}))
        }
        ServerVerb::Remove { node } => {
            let path = format!("/starling/v1/server/remove?node={}", escape(node));
            let plan = record.plan();
            let made = plan.find(node).filter(|one| one.role == Role::Server);
            // Only machines in namespaces of this host are its to stop.
            let made = made.filter(|one| one.segment.is_some());
            let other = other_server(&record, node)?;
            let told = match other.as_ref().unwrap_or(&client).post(&path, &Value::Null) {
                // An earlier removal was interrupted when the cluster had done its part.
                Err(failure) if failure.code == 4 && made.is_some() => json!({"removed": node}),
                Err(failure) => return Err(explain(&client, node, failure)),
                Ok(told) => told,
            };
            if let Some(machine) = made {
                down::retire(&record, machine, caller, output)?;
            }
            let rest = match made {
                Some(_) => "its machine is gone from this host",
                None => "its machine must join again to come back",
            };
            let text = format!("server {node} is out of the cluster; {rest}");
            output.answer(&mesh::with_warnings(&told, &text), &told)
        }
    }
}

/// A server of this host that is not the one to be removed: what that one is told last it could not pass on, for its
/// certificate is worth nothing by then.
fn other_server(record: &ClusterRecord, node: &str) -> Result<Option<Client>, Failure> {
    let plan = record.plan();
    if plan.find(node).is_some_and(|one| one.role == Role::Server && one.segment.is_none()) {
        let cause = format!("{node} is this computer, which cannot take itself out");
        let next =
            format!("starling server remove {node}   (on another server: starling server list)");
        return Err(Failure::new(cause).next(next));
    }
    let others = plan.machines.iter().filter(|one| one.role == Role::Server && one.node != node);
    let mut known = others.filter_map(|one| MachineRecord::read(&one.record_path()).ok());
    Ok(known.find_map(|one| {
        let client = Client::at(record, (one.address, one.api_port).into()).ok()?;
        client.text("/readyz").is_ok().then_some(client)
    }))
}

/// Why a server cannot be removed, with what to do instead where the name is an agent's.
fn explain(client: &Client, node: &str, failure: Failure) -> Failure {
    let is_agent =
        failure.code == 4 && client.get(&format!("/api/v1/nodes/{}", escape(node))).is_ok();
    if !is_agent {
        return failure;
    }
    Failure::new(format!("{node} is an agent, not a server"))
        .next(format!(
            "starling node out {node}   (its pods move; then: starling delete node/{node})"
        ))
        .code(4)
}

fn row(server: &Value) -> Vec<String> {
    let mark = |field: &str| if server[field] == true { "yes" } else { "no" }.to_owned();
    vec![
        mesh::text(&server["node"]),
        mesh::text(&server["state"]),
        if server["learns"] == true { "learns".to_owned() } else { mark("votes") },
        mark("leader"),
        mesh::text(&server["apiAddress"]),
        mesh::text(&server["version"]),
    ]
}
