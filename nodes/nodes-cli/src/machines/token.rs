//! `starling token`: by what machines join.
//!
//! Way in: [`run`], [`create`], [`join_line`].  Spec: kubeadm's documentation, "kubeadm token"; the Secrets are those of
//! Kubernetes' bootstrap tokens.

use std::{fs, net::SocketAddr, time::Duration};

use nodes_machines::{MachineRecord, Role};
use nodes_pki::{BootstrapToken, TokenFacts, TokenOptions, authority_hash, revocation_patch};
use serde_json::{Value, json};

use crate::{
    Arguments, Caller, ClusterRecord, Failure, Output,
    arguments::{TokenRole, TokenVerb},
    client::Client,
    table,
    up::known,
};

const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";

pub(crate) fn run(
    arguments: &Arguments,
    verb: &TokenVerb,
    caller: &mut Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let record = known_with_machines(arguments, caller)?;
    let client = Client::of(&record)?;
    match verb {
        TokenVerb::Create { token, ttl, role, once, description, print_join_command } => {
            let options = TokenOptions {
                roles: roles_of(*role),
                life: parse_life(ttl)?,
                once: *once,
                description: description.clone(),
            };
            let token = match token {
                Some(text) => parse(text)?,
                None => BootstrapToken::generate(&mut caller.rng),
            };
            create(&client, &token, &options, caller.now.wall)?;
            let role = options.roles.first().copied().unwrap_or(Role::Agent);
            let line = join_line(&record, &token, role)?;
            let text = if *print_join_command { line.clone() } else { token.to_string() };
            output.answer(&text, &json!({"token": token.to_string(), "join": line}))
        }
        TokenVerb::List => {
            let list = client.get(SECRETS)?;
            let tokens: Vec<TokenFacts> =
                list["items"].as_array().into_iter().flatten().filter_map(TokenFacts::of).collect();
            let header = ["ID", "JOINS AS", "STATE", "EXPIRES", "DESCRIPTION"];
            let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
            output.answer(&table::render(&header, &rows), &json!({"tokens": describe(&tokens)}))
        }
        TokenVerb::Revoke { token } => {
            let id = token.split('.').next().unwrap_or_default();
            revoke(&client, id).map_err(|failure| match failure.code {
                4 => Failure::new(format!("there is no token {id:?}"))
                    .next("starling token list")
                    .code(4),
                _ => failure,
            })?;
            output.answer(&format!("token {id} is revoked"), &json!({"id": id, "revoked": true}))
        }
    }
}

/// The cluster that is meant, if it is one of several machines: only those are joined.
pub(crate) fn known_with_machines(
    arguments: &Arguments,
    caller: &Caller<'_>,
) -> Result<ClusterRecord, Failure> {
    let record = known(arguments, caller)?;
    if record.has_machines() {
        return Ok(record);
    }
    let cause =
        format!("cluster {} is one process on this machine: it has no mesh to join", record.name);
    Err(Failure::usage(cause).next("starling init   (or: starling up --servers 3 --name other)"))
}

pub(crate) fn parse(text: &str) -> Result<BootstrapToken, Failure> {
    BootstrapToken::parse(text).map_err(|refusal| {
        Failure::usage(refusal.to_string()).next("starling token create   (makes a good one)")
    })
}

pub(crate) fn create(
    client: &Client,
    token: &BootstrapToken,
    options: &TokenOptions,
    now: actors_core::Wall,
) -> Result<(), Failure> {
    client.post(SECRETS, &token.manifest(options, now)).map(drop)
}

pub(crate) fn revoke(client: &Client, id: &str) -> Result<(), Failure> {
    let name = BootstrapToken::secret_name(id);
    let path = format!("{SECRETS}/{}", crate::actors::escape(&name));
    client.merge(&path, &revocation_patch()).map(drop)
}

/// The line to run on a new machine.
pub(crate) fn join_line(
    record: &ClusterRecord,
    token: &BootstrapToken,
    role: Role,
) -> Result<String, Failure> {
    let endpoint = match &record.endpoint {
        Some(endpoint) => endpoint.clone(),
        None => server_address(record)?.to_string(),
    };
    let control = if role == Role::Server { " --control-plane" } else { "" };
    Ok(format!(
        "starling join {endpoint} --token {token} --discovery-token-ca-cert-hash {}{control}",
        hash(record)?
    ))
}

/// The hash of the cluster's authority.
pub(crate) fn hash(record: &ClusterRecord) -> Result<String, Failure> {
    let path = record.data_dir.join("pki/ca.crt");
    let certificate = fs::read_to_string(&path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    authority_hash(&certificate)
        .ok_or_else(|| Failure::new(format!("{} is no certificate", path.display())))
}

/// Where other machines reach the API of a server of this host.
fn server_address(record: &ClusterRecord) -> Result<SocketAddr, Failure> {
    let plan = record.plan();
    let servers = plan.machines.iter().filter(|machine| machine.role == Role::Server);
    let mut known = servers.filter_map(|one| MachineRecord::read(&one.record_path()).ok());
    known.next().map(|one| SocketAddr::from((one.address, one.api_port))).ok_or_else(|| {
        Failure::new("no server of this cluster is on this host").next("starling status")
    })
}

fn roles_of(role: TokenRole) -> Vec<Role> {
    match role {
        TokenRole::Server => vec![Role::Server],
        TokenRole::Agent => vec![Role::Agent],
        TokenRole::Any => vec![Role::Agent, Role::Server],
    }
}

fn joins_as(facts: &TokenFacts) -> String {
    let names = [("server", facts.servers), ("agent", facts.agents)];
    let may: Vec<&str> = names.into_iter().filter(|(_, may)| *may).map(|(name, _)| name).collect();
    if may.is_empty() { "-".to_owned() } else { may.join(",") }
}

fn state(facts: &TokenFacts) -> String {
    match (&facts.used_by, facts.revoked) {
        (_, true) => "revoked".to_owned(),
        (Some(node), _) if facts.once => format!("used by {node}"),
        _ if facts.once => "for one machine".to_owned(),
        _ => "good".to_owned(),
    }
}

fn row(facts: &TokenFacts) -> Vec<String> {
    vec![
        facts.id.clone(),
        joins_as(facts),
        state(facts),
        facts.expiration.clone().unwrap_or("never".to_owned()),
        facts.description.clone(),
    ]
}

fn describe(tokens: &[TokenFacts]) -> Vec<Value> {
    let one = |facts: &TokenFacts| {
        json!({
            "id": facts.id,
            "servers": facts.servers,
            "agents": facts.agents,
            "once": facts.once,
            "usedBy": facts.used_by,
            "revoked": facts.revoked,
            "expiration": facts.expiration,
            "description": facts.description,
        })
    };
    tokens.iter().map(one).collect()
}

/// `30m`, `24h`, `1h30m`, `90s`; `0` is for ever. Spec: Go's durations, as kubeadm takes them.
pub(crate) fn parse_life(text: &str) -> Result<Option<Duration>, Failure> {
    let bad = || Failure::usage(format!("{text:?} is no length of time: write 30m, 24h, or 0"));
    if text == "0" {
        return Ok(None);
    }
    let (mut seconds, mut digits) = (0_u64, String::new());
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let count: u64 = digits.parse().map_err(|_| bad())?;
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(bad()),
        };
        seconds =
            count.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(bad)?;
        digits.clear();
    }
    match (digits.is_empty(), seconds) {
        (false, _) => Err(bad()),
        (true, 0) => Ok(None),
        (true, seconds) => Ok(Some(Duration::from_secs(seconds))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, seconds: Result<Option<u64>, u8>) {
        let life = parse_life(text).map(|life| life.map(|life| life.as_secs()));
        assert_eq!(life.map_err(|failure| failure.code), seconds, "{text}");
    }

    #[test]
    fn lives_of_tokens_are_read_as_kubeadm_reads_them() {
        check("24h", Ok(Some(86_400)));
        check("24h0m0s", Ok(Some(86_400)));
        check("1h30m", Ok(Some(5_400)));
        check("0", Ok(None));
        check("0s", Ok(None));
        for text in ["24", "h", "-1h", "1x", "99999999999999999999h", "9999999999999999h"] {
            check(text, Err(2));
        }
    }
}
