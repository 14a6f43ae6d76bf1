//! `starling up`: a cluster on this machine, from nothing or from its data.
//!
//! Way in: [`run`].  Time and order: the record is written before anything starts; the kubeconfig only when the API
//! serves.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use nodes_machines::{MachineRecord, Role};
use nodes_pki::Kubeconfig;
use serde_json::{Value, json};

use crate::{
    Arguments, Caller, ClusterRecord, Failure, Output, Records,
    arguments::UpOptions,
    client::Client,
    launch::Launch,
    machines,
    operator::Operator,
    preflight, processes,
    record::{NewCluster, RecordError},
};

pub(crate) fn run(
    arguments: &Arguments,
    options: &UpOptions,
    caller: &mut Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    if options.servers.is_none() && options.agents.is_some() {
        return Err(Failure::usage("--agents needs --servers: a cluster begins with its servers")
            .next("starling up --servers 1 --agents 2"));
    }
    let there = find(arguments, caller)?;
    let has_machines = there.as_ref().is_some_and(ClusterRecord::has_machines);
    match (&there, options.servers) {
        (Some(record), Some(_)) if !has_machines => {
            let cause = format!(
                "cluster {} is one process on this machine and cannot become several machines",
                record.name
            );
            return Err(Failure::usage(cause).next("starling up --servers 3 --name other"));
        }
        (_, Some(_)) => return machines::up::run(arguments, options, caller, output),
        _ if has_machines => return machines::up::run(arguments, options, caller, output),
        _ => {}
    }
    let record = open_record(arguments, options, caller)?;
    preflight::check_alone(&record)?;
    let living = processes::find(&record.run_dir);
    let (log, path) = (log_of(&record), record.data_dir.join("cluster.json"));
    let launch = Launch { who: "", record: &path, run_dir: &record.run_dir, log: &log };
    if living.guardian.is_some() {
        launch.wait_ready(output, || {
            Client::of(&record).and_then(|client| client.text("/readyz")).map(drop)
        })?;
        if !options.no_kubeconfig {
            write_kubeconfig(&record, caller)?;
        }
        return answer(&record, output, "already running");
    }
    if living.server.is_none() {
        preflight::check(&record)?;
    }
    if !caller.place.is_root {
        output.progress(
            "note: without root, pods run as plain processes of this user: no isolation, images or pod network",
        );
    }
    launch.start(output, &mut |_| {})?;
    if !options.no_kubeconfig {
        write_kubeconfig(&record, caller)?;
    }
    answer(&record, output, "running")
}

/// The record of the cluster that is meant, if there is one.
pub(crate) fn find(
    arguments: &Arguments,
    caller: &Caller<'_>,
) -> Result<Option<ClusterRecord>, Failure> {
    let records = Records::open(&caller.place).map_err(|error| unusable(&error))?;
    Ok(records.find(&arguments.name).cloned())
}

/// A new cluster's identity.
pub(crate) fn new_uid(caller: &mut Caller<'_>) -> String {
    let mut uid = [0; 16];
    caller.rng.fill(&mut uid);
    uid.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open_record(
    arguments: &Arguments,
    options: &UpOptions,
    caller: &mut Caller<'_>,
) -> Result<ClusterRecord, Failure> {
    let mut records = Records::open(&caller.place).map_err(|error| unusable(&error))?;
    if let Some(record) = records.find(&arguments.name) {
        let mut record = record.clone();
        record.api_port = options.api_port.unwrap_or(record.api_port);
        preflight::hold(&record, &caller.claims);
        return Ok(record);
    }
    let wanted = NewCluster {
        name: arguments.name.clone(),
        uid: new_uid(caller),
        node: options.node.clone().unwrap_or_else(host_name),
        api_port: options.api_port,
        ..NewCluster::default()
    };
    preflight::create(&mut records, &wanted, &caller.claims)
}

pub(crate) fn unusable(error: &RecordError) -> Failure {
    let failure = Failure::of(error);
    match error {
        RecordError::File { path, source } if source.kind() == std::io::ErrorKind::StorageFull => {
            failure.next(format!("df -h {}", path.parent().unwrap_or(path).display()))
        }
        RecordError::Elsewhere { .. } => {
            failure.next("starling up --name other   (or set STARLING_DATA_DIR to that folder's)")
        }
        RecordError::Damaged { path, .. } => failure.next(format!("less {}", path.display())),
        _ => failure,
    }
}

/// The machine's name as a node's: lower case, of a DNS name's letters.
pub(crate) fn host_name() -> String {
    let name =
        fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_lowercase();
    let good = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    let name: String = name.chars().map(|letter| if good(letter) { letter } else { '-' }).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "node-1".to_owned() } else { name.to_owned() }
}

/// Where the guardian and the server write what they say.
pub(crate) fn log_of(record: &ClusterRecord) -> PathBuf {
    record.data_dir.join("logs/server.log")
}

/// Where clients find the API: on this host, or where the operator of several machines said.
pub(crate) fn server_of(record: &ClusterRecord) -> String {
    if let Some(endpoint) = &record.endpoint {
        return format!("https://{endpoint}");
    }
    // A server that is this computer itself is named as others reach it: kubeconfigs travel.
    let real = record.plan().machines.into_iter().find(|one| one.segment.is_none());
    let known = real.and_then(|one| MachineRecord::read(&one.record_path()).ok());
    match known.filter(|one| one.role == Role::Server) {
        Some(one) => format!("https://{}:{}", one.address, one.api_port),
        None => format!("https://127.0.0.1:{}", record.api_port),
    }
}

fn answer(record: &ClusterRecord, output: &Output, state: &str) -> Result<(), Failure> {
    let server = format!("https://127.0.0.1:{}", record.api_port);
    let json = json!({"name": record.name, "state": state, "server": server, "node": record.node});
    let text = format!(
        "cluster {} is {state} at {server}\n\
         try: kubectl get nodes -o wide   (or: starling get nodes)\n\
         log: {}",
        record.name,
        log_of(record).display()
    );
    output.answer(&text, &json)
}

pub(crate) fn print_kubeconfig(arguments: &Arguments, caller: &Caller<'_>) -> Result<(), Failure> {
    let record = known(arguments, caller)?;
    let config = with_kubeconfig(&record, |kubeconfig| kubeconfig.to_json())?;
    writeln!(std::io::stdout(), "{config:#}").map_err(|error| Failure::of(&error))
}

/// The record that a verb means; a failure that names the others if it is unknown.
pub(crate) fn known(arguments: &Arguments, caller: &Caller<'_>) -> Result<ClusterRecord, Failure> {
    let records = Records::open(&caller.place).map_err(|error| unusable(&error))?;
    records.find(&arguments.name).cloned().ok_or_else(|| {
        let names: Vec<&str> = records.all().iter().map(|record| record.name.as_str()).collect();
        let (there, next) = match names.first() {
            None => ("none".to_owned(), format!("starling up --name {}", arguments.name)),
            Some(first) => (names.join(", "), format!("the same with --name {first}")),
        };
        Failure::new(format!(
            "there is no cluster {:?} on this machine; there is: {there}",
            arguments.name
        ))
        .next(next)
        .code(3)
    })
}

/// Reads the keys that the server made.
pub(crate) fn with_kubeconfig<T>(
    record: &ClusterRecord,
    use_it: impl FnOnce(&Kubeconfig<'_>) -> T,
) -> Result<T, Failure> {
    let Operator { authority_pem, leaf } = Operator::of(record)?;
    let server = server_of(record);
    Ok(use_it(&Kubeconfig {
        name: &record.name,
        server: &server,
        authority_pem: &authority_pem,
        client: &leaf,
    }))
}

/// Writes the cluster into the caller's kubeconfig, and notes where: a purge takes it out of there again.
pub(crate) fn write_kubeconfig(record: &ClusterRecord, caller: &Caller<'_>) -> Result<(), Failure> {
    let path = caller.environment.kubeconfig_path();
    let path = std::path::absolute(&path).unwrap_or(path);
    let records = Records::open(&caller.place).map_err(|error| unusable(&error))?;
    records.note_kubeconfig(&record.name, &path).map_err(|error| unusable(&error))?;
    // Under the same lock, so that two clusters that come up at once do not write over each other.
    let mut config = read_kubeconfig(&path)?;
    with_kubeconfig(record, |kubeconfig| kubeconfig.merge_into(&mut config))?;
    save_kubeconfig(&path, &config)
}

pub(crate) fn read_kubeconfig(path: &Path) -> Result<Value, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => text,
        _ => return Ok(json!({"apiVersion": "v1", "kind": "Config", "preferences": {}})),
    };
    serde_saphyr::from_str(&text)
        .map_err(|error| Failure::new(format!("{} is no kubeconfig: {error}", path.display())))
}

pub(crate) fn save_kubeconfig(path: &Path, config: &Value) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let beside = path.with_extension("starling-new");
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside).map_err(failed)?;
    writeln!(file, "{config:#}").and_then(|()| fs::rename(&beside, path)).map_err(failed)
}
