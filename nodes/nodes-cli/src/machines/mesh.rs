//! `starling mesh`: who is there and on whose word, which links stand, and who was turned away.
//!
//! Way in: [`run`].  Spec: `GET /starling/v1/mesh/members|links|refusals`; each is one server's own view.

use nodes_machines::{API_PORT, MachineRecord};
use serde_json::{Value, json};

use super::token::known_with_machines;
use crate::{
    Arguments, Caller, ClusterRecord, Failure, Output,
    arguments::{MeshFrom, MeshVerb},
    client::Client,
    table,
};

pub(crate) fn run(
    arguments: &Arguments,
    verb: &MeshVerb,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let record = known_with_machines(arguments, caller)?;
    let (what, from, show): (_, _, fn(&Value) -> String) = match verb {
        MeshVerb::Members(from) => ("members", from, members_table),
        MeshVerb::Links(from) => ("links", from, links_table),
        MeshVerb::Refusals(from) => {
            let told = refusals(&record, from)?;
            return output.answer(&with_warnings(&told, &refusals_table(&told)), &told);
        }
    };
    let client = client(&record, from)?;
    let told = client.get(&format!("/starling/v1/mesh/{what}"))?;
    let head = match told["me"].as_str() {
        Some(me) => format!("as {me} sees it:\n"),
        None => String::new(),
    };
    let quorum = match told["store"]["quorum"] == false {
        true => "\nwarning: this server has lost its quorum: what it says is its own view alone\n",
        false => "",
    };
    output.answer(&format!("{head}{}{quorum}", with_warnings(&told, &show(&told))), &told)
}

/// The server whose view is asked for: any, or the one that was named.
fn client(record: &ClusterRecord, from: &MeshFrom) -> Result<Client, Failure> {
    let Some(node) = &from.from else { return Client::of(record) };
    let plan = record.plan();
    let machine = plan.find(node);
    let here = machine.and_then(|machine| MachineRecord::read(&machine.record_path()).ok());
    if let Some(here) = here {
        return Client::at(record, (here.address, here.api_port).into());
    }
    let told = Client::of(record)?.get("/starling/v1/mesh/members")?;
    let address = servers(&told).iter().find(|one| one["node"] == node.as_str()).map(|one| {
        let address = one["apiAddress"].as_str().unwrap_or_default();
        address.parse().map_err(|_| address.to_owned())
    });
    match address {
        Some(Ok(address)) => Client::at(record, address),
        _ => Err(Failure::new(format!("{node} is no server of this cluster on port {API_PORT}"))
            .next("starling server list")
            .code(4)),
    }
}

/// Whom the servers turned away: each counts for itself, so all are asked that are heard, or the one that was named.
fn refusals(record: &ClusterRecord, from: &MeshFrom) -> Result<Value, Failure> {
    const PATH: &str = "/starling/v1/mesh/refusals";
    let near = client(record, from)?;
    let mut told = vec![near.get(PATH)?];
    let me = told.first().map_or(Value::Null, |own| own["me"].clone());
    let mut warnings = Vec::new();
    if from.from.is_none() {
        let known = near.get("/starling/v1/mesh/members")?;
        for server in servers(&known).iter().filter(|one| one["node"] != me) {
            match refusals_of(record, server, PATH) {
                Ok(more) => told.push(more),
                Err(why) => {
                    let node = text(&server["node"]);
                    warnings.push(format!("{node} was not asked whom it turned away: {why}"));
                }
            }
        }
    }
    Ok(merge_refusals(&told, &warnings))
}

fn refusals_of(record: &ClusterRecord, server: &Value, path: &str) -> Result<Value, String> {
    if server["state"] != "alive" {
        return Err(format!("it is {}", text(&server["state"])));
    }
    let address = text(&server["apiAddress"]);
    let address = address.parse().map_err(|_| format!("its address is {address}"))?;
    Client::at(record, address).and_then(|client| client.get(path)).map_err(|failure| failure.cause)
}

/// One list of what several servers counted, the last one first.
fn merge_refusals(told: &[Value], warnings: &[String]) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for one in told {
        all.extend(list(one, "refusals").iter().cloned().map(|mut refusal| {
            refusal["server"] = one["me"].clone();
            refusal
        }));
    }
    // Stamps are of one length and one zone, so they sort as text.
    all.sort_by_key(|refusal| std::cmp::Reverse(text(&refusal["last"])));
    let servers: Vec<&Value> = told.iter().map(|one| &one["me"]).collect();
    json!({"servers": servers, "refusals": all, "warnings": warnings})
}

/// All servers of a view of the members.
pub(crate) fn servers(told: &Value) -> Vec<Value> {
    let is_server = |member: &&Value| member["role"] == "server";
    list(told, "members").iter().filter(is_server).map(|member| describe(told, member)).collect()
}

/// One member as the verbs show it.
fn describe(told: &Value, member: &Value) -> Value {
    let store = &told["store"];
    let has = |list: &str| {
        store[list].as_array().is_some_and(|all| all.iter().any(|one| one == &member["node"]))
    };
    json!({
        "node": member["node"],
        "role": member["role"],
        "state": member["state"],
        "since": member["since"],
        "evidence": member["evidence"],
        "votes": has("voters"),
        "learns": has("learners"),
        "leader": leads(told, member["node"].as_str().unwrap_or_default()),
        "meshAddress": member["meshAddress"],
        "apiAddress": member["apiAddress"],
        "version": member["version"],
    })
}

/// Whether the store's group follows this node.
pub(crate) fn leads(told: &Value, node: &str) -> bool {
    !node.is_empty() && told["store"]["leader"] == node
}

fn members_table(told: &Value) -> String {
    let header =
        ["NODE", "ROLE", "STATE", "SINCE", "HEARD", "REJOINED", "LINK", "MESH", "EVIDENCE"];
    let rows: Vec<Vec<String>> = list(told, "members")
        .iter()
        .map(|member| {
            let known = describe(told, member);
            let marks = [("leader", " (leader)"), ("votes", " (votes)"), ("learns", " (learns)")];
            let mark = marks.into_iter().find(|(field, _)| known[*field] == true);
            let mark = mark.map_or("", |(_, mark)| mark);
            vec![
                text(&member["node"]),
                format!("{}{mark}", text(&member["role"])),
                text(&member["state"]),
                text(&member["since"]),
                ago(&member["heardAgoMs"]),
                text(&member["rejoined"]),
                text(&member["link"]),
                text(&member["meshAddress"]),
                evidence(member),
            ]
        })
        .collect();
    table::render(&header, &rows)
}

/// Who says what of a member, in one line.
pub(crate) fn evidence(member: &Value) -> String {
    let said: Vec<String> = member["evidence"].as_array().into_iter().flatten().map(text).collect();
    if said.is_empty() { "-".to_owned() } else { said.join("; ") }
}

fn links_table(told: &Value) -> String {
    let header = [
        "PEER",
        "ROLE",
        "STATE",
        "SINCE",
        "RTT",
        "SENT",
        "RECEIVED",
        "WAITING",
        "RECONNECTS",
        "LAST ERROR",
    ];
    let rows: Vec<Vec<String>> = list(told, "links")
        .iter()
        .map(|link| {
            let waiting: u64 = link["lanes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|lane| lane["frames"].as_u64())
                .sum();
            vec![
                text(&link["node"]),
                text(&link["role"]),
                text(&link["state"]),
                text(&link["since"]),
                micros(&link["rttUs"]),
                traffic(&link["sent"]),
                traffic(&link["received"]),
                waiting.to_string(),
                text(&link["reconnects"]),
                text(&link["lastError"]),
            ]
        })
        .collect();
    table::render(&header, &rows)
}

fn refusals_table(told: &Value) -> String {
    let refusals = list(told, "refusals");
    if refusals.is_empty() {
        let asked: Vec<String> = list(told, "servers").iter().map(text).collect();
        return format!("nobody was turned away since these servers started: {}", asked.join(", "));
    }
    let header = ["SERVER", "FROM", "WHO", "COUNT", "LAST", "REASON"];
    let rows: Vec<Vec<String>> = refusals
        .iter()
        .map(|one| {
            vec![
                text(&one["server"]),
                text(&one["from"]),
                text(&one["peer"]),
                text(&one["count"]),
                text(&one["last"]),
                text(&one["reason"]),
            ]
        })
        .collect();
    table::render(&header, &rows)
}

fn list<'a>(told: &'a Value, name: &str) -> &'a [Value] {
    told[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A cell: what is not there is a dash.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The table, and below it what the operator should know.
pub(crate) fn with_warnings(told: &Value, table: &str) -> String {
    let warnings =
        list(told, "warnings").iter().map(|warning| format!("warning: {}\n", text(warning)));
    let warnings: String = warnings.collect();
    if warnings.is_empty() { table.to_owned() } else { format!("{}\n{warnings}", table.trim_end()) }
}

fn ago(millis: &Value) -> String {
    millis.as_u64().map_or("-".to_owned(), |ms| format!("{}.{} s ago", ms / 1_000, ms / 100 % 10))
}

fn micros(micros: &Value) -> String {
    micros.as_u64().map_or("-".to_owned(), |us| format!("{}.{} ms", us / 1_000, us / 100 % 10))
}

fn traffic(one: &Value) -> String {
    let bytes = one["bytes"].as_u64().unwrap_or(0);
    let amount = match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    };
    format!("{} in {amount}", one["frames"].as_u64().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_all_servers_are_one_list_and_a_silent_server_is_named() {
        let of = |me: &str, last: &str| json!({"me": me, "refusals": [{"from": "10.0.0.9", "count": 1, "last": last, "reason": "no"}]});
        let told = merge_refusals(
            &[of("server-1", "12:00:01"), of("server-2", "12:00:02")],
            &["server-3 was not asked whom it turned away: it is dead".to_owned()],
        );
        let shown = with_warnings(&told, &refusals_table(&told));
        let places = ["server-2", "server-1", "warning: server-3 was not asked"];
        let places: Vec<_> = places.iter().map(|what| shown.find(what)).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{shown}");
        let none = merge_refusals(&[json!({"me": "server-1", "refusals": []})], &[]);
        assert!(refusals_table(&none).ends_with("started: server-1"), "{none}");
    }

    #[test]
    fn a_leader_and_a_dead_member_are_seen_at_a_glance() {
        let told = json!({
            "store": {"leader": "server-1", "voters": ["server-1", "server-2"]},
            "warnings": ["2 voters survive no loss: add or remove one"],
            "members": [
                {"node": "server-1", "role": "server", "state": "alive", "heardAgoMs": 120},
                {"node": "agent-1", "role": "agent", "state": "dead", "since": "12:00:01",
                 "evidence": ["server-1 heard it 2.6 s before", "server-2 heard it 2.7 s before"]},
            ],
        });
        let shown = with_warnings(&told, &members_table(&told));
        assert!(shown.contains("server-1   server (leader)   alive"), "{shown}");
        assert!(
            shown.contains("server-1 heard it 2.6 s before; server-2 heard it 2.7 s"),
            "{shown}"
        );
        assert!(
            shown.ends_with("warning: 2 voters survive no loss: add or remove one\n"),
            "{shown}"
        );
        let servers = servers(&told);
        assert_eq!((servers.len(), &servers[0]["leader"]), (1, &json!(true)));
    }
}
