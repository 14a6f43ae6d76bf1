//! `starling init` and `starling join`: this computer as one machine of a cluster of several.
//!
//! Way in: [`init`], [`join`].  Time and order: the cluster's record is written first, the machine's last before it is
//! started; either verb can be run again after an interruption.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use nodes_machines::{Machine, MachinePlan, MachineRecord, Role};
use nodes_pki::{BootstrapToken, TokenOptions};
use serde_json::json;

use super::{
    Newcomer,
    joining::{Asker, Invitation, ask, join as join_machine},
    token,
    up::power_on,
};
use crate::{
    Arguments, Caller, ClusterRecord, Failure, Output, Records,
    arguments::{InitOptions, JoinOptions},
    client::Client,
    operator::take_operator_keys,
    preflight, processes,
    record::NewCluster,
    up::{find, host_name, new_uid, server_of, unusable, write_kubeconfig},
};

/// An address that is nobody's (RFC 5737): the way to it is the default route.
const NOBODY: &str = "192.0.2.1:9";

pub(crate) fn init(
    arguments: &Arguments,
    options: &InitOptions,
    caller: &mut Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let life = token::parse_life(&options.token_ttl)?;
    let join_token = match &options.token {
        Some(text) => token::parse(text)?,
        None => BootstrapToken::generate(&mut caller.rng),
    };
    let (record, machine) = begun(arguments, options, caller)?;
    let address = match options.apiserver_advertise_address {
        Some(address) => address,
        None => own_address(NOBODY)?,
    };
    if !machine.record_path().is_file() {
        preflight::check(&record)?;
        let newcomer = Newcomer {
            cluster: &record,
            plan: &machine,
            address,
            api_port: options.apiserver_bind_port,
            api_names: &names(options),
            tainted: false,
        };
        newcomer.first().write(&machine.record_path()).map_err(|error| Failure::of(&error))?;
    }
    start(&record, &machine, output)?;
    take_operator_keys(&record)?;
    let client = Client::of(&record)?;
    let token_options = TokenOptions {
        roles: vec![Role::Agent, Role::Server],
        life,
        once: false,
        description: "made by `starling init`".to_owned(),
    };
    token::create(&client, &join_token, &token_options, caller.now.wall)?;
    if !options.no_kubeconfig {
        write_kubeconfig(&record, caller)?;
    }
    tell(&record, &join_token, options, output)
}

/// The record of the cluster that begins here, and of its first machine.
fn begun(
    arguments: &Arguments,
    options: &InitOptions,
    caller: &mut Caller<'_>,
) -> Result<(ClusterRecord, MachinePlan), Failure> {
    if let Some(there) = find(arguments, caller)? {
        let own = there.plan().machines.into_iter().next();
        return match own.filter(|one| one.role == Role::Server && one.segment.is_none()) {
            // An earlier `init` was interrupted, or is repeated.
            Some(machine) => Ok((there, machine)),
            None => Err(taken(&there)),
        };
    }
    let uid = new_uid(caller);
    let node = options.node_name.clone().unwrap_or_else(host_name);
    let endpoint = options
        .control_plane_endpoint
        .clone()
        .map(|endpoint| with_port(&endpoint, options.apiserver_bind_port));
    let wanted = NewCluster {
        name: arguments.name.clone(),
        uid,
        node: node.clone(),
        api_port: Some(options.apiserver_bind_port),
        pod_cidr: options
            .pod_network_cidr
            .clone()
            .map(|text| range("--pod-network-cidr", &text, 24))
            .transpose()?,
        service_cidr: options
            .service_cidr
            .clone()
            .map(|text| range("--service-cidr", &text, 30))
            .transpose()?,
        machines: vec![Machine { node, role: Role::Server, number: None }],
        endpoint,
    };
    create(&wanted, caller)
}

fn create(
    wanted: &NewCluster,
    caller: &Caller<'_>,
) -> Result<(ClusterRecord, MachinePlan), Failure> {
    let mut records = Records::open(&caller.place).map_err(|error| unusable(&error))?;
    let record = preflight::create(&mut records, wanted, &caller.claims)?;
    let machine = record.plan().machines.into_iter().next();
    let machine = machine.ok_or_else(|| Failure::new("the new record names no machine"))?;
    Ok((record, machine))
}

fn taken(there: &ClusterRecord) -> Failure {
    let cause = format!("this computer has a cluster {:?} already", there.name);
    Failure::new(cause).next(format!(
        "starling down --purge --name {0}   (removes it; or choose another --name)",
        there.name
    ))
}

fn start(record: &ClusterRecord, machine: &MachinePlan, output: &Output) -> Result<(), Failure> {
    preflight::check_alone(record)?;
    if processes::find(&machine.run_dir).guardian.is_some() {
        return Ok(());
    }
    power_on(&record.plan(), machine, output, &mut |_| {})
}

fn tell(
    record: &ClusterRecord,
    join_token: &BootstrapToken,
    options: &InitOptions,
    output: &Output,
) -> Result<(), Failure> {
    let agents = token::join_line(record, join_token, Role::Agent)?;
    let servers = token::join_line(record, join_token, Role::Server)?;
    let server = server_of(record);
    if options.skip_token_print {
        let text = format!(
            "cluster {} is running at {server}\ntry: starling token create --print-join-command",
            record.name
        );
        return output.answer(&text, &json!({"name": record.name, "server": server}));
    }
    let text = format!(
        "cluster {} is running at {server}\n\
         \n\
         other machines join as agents by\n\
         \x20 {agents}\n\
         \n\
         and as servers by (an odd number of servers is best)\n\
         \x20 {servers}\n\
         \n\
         try: kubectl get nodes -o wide   (or: starling get nodes)",
        record.name
    );
    let join = json!({"agent": agents, "server": servers});
    let token = join_token.to_string();
    output.answer(
        &text,
        &json!({"name": record.name, "server": server, "token": token, "join": join}),
    )
}

pub(crate) fn join(
    options: &JoinOptions,
    caller: &mut Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let endpoint = with_port(&options.endpoint, nodes_machines::API_PORT);
    if options.discovery_token_ca_cert_hash.is_empty()
        && !options.discovery_token_unsafe_skip_ca_verification
    {
        return Err(Failure::usage(
            "without the hash of the cluster's authority nobody knows whose cluster it is: give --discovery-token-ca-cert-hash",
        )
        .next("starling token create --print-join-command   (on a server: prints the whole line)"));
    }
    let role = if options.control_plane { Role::Server } else { Role::Agent };
    let node = options.node_name.clone().unwrap_or_else(host_name);
    let address = match options.apiserver_advertise_address {
        Some(address) => address,
        None => own_address(&endpoint)?,
    };
    let invitation = Invitation {
        endpoint: &endpoint,
        token: &options.token,
        hashes: &options.discovery_token_ca_cert_hash,
        believes_anybody: options.discovery_token_unsafe_skip_ca_verification,
        cluster: None,
    };
    token::parse(&options.token)?;
    output.progress(&format!("  asking {endpoint} to let {node} in as {role}"));
    let (record, machine) =
        admitted(&invitation, (role, &node), (address, options.apiserver_bind_port), caller)?;
    output.progress(&format!("  joined cluster {}", record.name));
    start(&record, &machine, output)?;
    take_operator_keys(&record)?;
    if role == Role::Server && !options.no_kubeconfig {
        write_kubeconfig(&record, caller)?;
    }
    let text = format!(
        "{node} is {} {role} of cluster {}\nlog: {}",
        if role == Role::Agent { "an" } else { "a" },
        record.name,
        machine.log_path().display()
    );
    output.answer(&text, &json!({"cluster": record.name, "node": node, "role": role}))
}

/// Asks to be let in and keeps what was told. A machine that has it already is not asked for again.
fn admitted(
    invitation: &Invitation<'_>,
    (role, node): (Role, &str),
    (address, api_port): (Ipv4Addr, u16),
    caller: &mut Caller<'_>,
) -> Result<(ClusterRecord, MachinePlan), Failure> {
    let records = Records::open(&caller.place).map_err(|error| unusable(&error))?;
    let own = |record: &ClusterRecord| {
        let machine = record.plan().find(node).filter(|one| one.segment.is_none()).cloned()?;
        (machine.role == role).then(|| (record.clone(), machine))
    };
    let there = records.all().iter().find_map(own);
    let is_real = |record: &&ClusterRecord| record.has_machines() && !record.is_hosted();
    if let Some(other) = records.all().iter().find(is_real).filter(|_| there.is_none()) {
        // It is part of a cluster already, and would be asked for in vain.
        return Err(taken(other));
    }
    drop(records);
    if let Some((record, machine)) = there {
        if MachineRecord::read(&machine.record_path()).is_ok() {
            return Ok((record, machine));
        }
        let newcomer = Newcomer {
            cluster: &record,
            plan: &machine,
            address,
            api_port,
            api_names: &[host_of(invitation.endpoint)],
            tainted: false,
        };
        // An earlier join was interrupted: the record names the cluster, and the rest is asked for again.
        join_machine(&newcomer, &Invitation { cluster: Some(&record.uid), ..*invitation })?;
        return Ok((record, machine));
    }
    let asker = Asker {
        role,
        node,
        mesh_address: format!("{address}:{}", nodes_machines::MESH_PORT),
        api_address: format!("{address}:{api_port}"),
    };
    let admission = ask(invitation, &asker)?;
    let facts = &admission.answer.cluster;
    let wanted = NewCluster {
        name: facts.name.clone(),
        uid: facts.uid.clone(),
        node: node.to_owned(),
        api_port: Some(api_port),
        pod_cidr: Some(facts.pod_cidr.clone()),
        service_cidr: Some(facts.service_cidr.clone()),
        machines: vec![Machine { node: node.to_owned(), role, number: None }],
        endpoint: None,
    };
    let records = Records::open(&caller.place).map_err(|error| unusable(&error))?;
    if let Some(other) = records.find(&facts.name) {
        return Err(taken(other));
    }
    drop(records);
    let (record, machine) = create(&wanted, caller)?;
    let newcomer = Newcomer {
        cluster: &record,
        plan: &machine,
        address,
        api_port,
        api_names: &[host_of(invitation.endpoint)],
        tainted: false,
    };
    admission.keep(&newcomer)?;
    Ok((record, machine))
}

/// Further names of the API that the operator gave.
fn names(options: &InitOptions) -> Vec<String> {
    let endpoint = options.control_plane_endpoint.iter().map(|text| host_of(text));
    options.apiserver_cert_extra_sans.iter().cloned().chain(endpoint).collect()
}

fn host_of(endpoint: &str) -> String {
    endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host).to_owned()
}

fn with_port(endpoint: &str, port: u16) -> String {
    let endpoint = endpoint.trim_start_matches("https://").trim_end_matches('/');
    match endpoint.rsplit_once(':') {
        Some((_, text)) if text.parse::<u16>().is_ok() => endpoint.to_owned(),
        _ => format!("{endpoint}:{port}"),
    }
}

/// The address of this computer on the way to another. Nothing is sent.
fn own_address(other: &str) -> Result<Ipv4Addr, Failure> {
    let found = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(other)?;
        socket.local_addr()
    });
    match found.map(|address| address.ip()) {
        Ok(IpAddr::V4(address)) if !address.is_unspecified() => Ok(address),
        _ => Err(Failure::new(format!("this computer has no address on the way to {other}"))
            .next("ip -4 address   (and give one with --apiserver-advertise-address)")),
    }
}

/// A range of addresses as it was typed, if it is one and has room.
fn range(flag: &str, text: &str, prefix_max: u8) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::usage(format!("{flag} {text}: {why}"));
    let (network, prefix) =
        text.split_once('/').ok_or_else(|| wrong("write it as 10.244.0.0/16"))?;
    let network: Ipv4Addr = network.parse().map_err(|_| wrong("that is no IPv4 address"))?;
    let prefix: u8 = prefix.parse().map_err(|_| wrong("the length is a number up to 32"))?;
    if prefix > prefix_max || prefix < 8 {
        return Err(wrong(&format!("its length must be between 8 and {prefix_max}")));
    }
    let mask = u32::MAX << (32 - u32::from(prefix));
    match u32::from(network) & !mask {
        0 => Ok(text.to_owned()),
        _ => {
            let first = Ipv4Addr::from(u32::from(network) & mask);
            Err(wrong(&format!("it begins at {first}, so write {first}/{prefix}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_get_the_apis_port_where_they_name_none() {
        assert_eq!(with_port("10.0.0.1", 6_443), "10.0.0.1:6443");
        assert_eq!(with_port("https://api.example:8443/", 6_443), "api.example:8443");
        assert_eq!(host_of("api.example:8443"), "api.example");
    }

    #[test]
    fn ranges_that_are_none_are_refused_with_the_right_one() {
        let check = |text: &str| range("--pod-network-cidr", text, 24).map_err(|why| why.cause);
        assert_eq!(check("10.244.0.0/16"), Ok("10.244.0.0/16".to_owned()));
        assert_eq!(
            check("10.244.1.0/16"),
            Err(
                "--pod-network-cidr 10.244.1.0/16: it begins at 10.244.0.0, so write 10.244.0.0/16"
                    .to_owned()
            )
        );
        for text in ["10.244.0.0", "x/16", "10.244.0.0/x", "10.244.0.0/30", "0.0.0.0/0"] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
