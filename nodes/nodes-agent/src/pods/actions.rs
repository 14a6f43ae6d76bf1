//! Runs probes and hooks.
//!
//! Way in: [`probe`], [`hook`].  Spec: Kubernetes documentation, "Probes", "Container Lifecycle
//! Hooks".

use std::{sync::Arc, time::Duration};

use nodes_oci::ExecSpec;
use nodes_pods::{Action, ContainerRef, HttpAction, PortRef, ProbeOutcome};
use nodes_shim::wire::{Reply, Request};
use tokio::net::TcpStream;

use crate::{
    pods::{
        http::{self, Target},
        sandbox::container_id,
        shim::{Connection, ShimError},
    },
    shared::{PodRecord, Shared},
};

/// So much of a command's output stands in the message of a failed probe.
const OUTPUT_MAX: usize = 1_024;

/// Runs a probe once.
pub(crate) async fn probe(
    shared: &Arc<Shared>,
    record: &PodRecord,
    (container, action): (&ContainerRef, &Action),
    timeout: Duration,
) -> ProbeOutcome {
    match run(shared, record, (container, action), timeout).await {
        Ok(()) => ProbeOutcome::Success,
        Err(Trouble::Failed(text)) => ProbeOutcome::Failure(text),
        Err(Trouble::Unable(text)) => ProbeOutcome::Unknown(text),
    }
}

/// Runs a hook.
///
/// # Errors
/// Why it failed, for people.
pub(crate) async fn hook(
    shared: &Arc<Shared>,
    record: &PodRecord,
    (container, action): (&ContainerRef, &Action),
    timeout: Duration,
) -> Result<(), String> {
    match run(shared, record, (container, action), timeout).await {
        Ok(()) => Ok(()),
        Err(Trouble::Failed(text) | Trouble::Unable(text)) => Err(text),
    }
}

enum Trouble {
    /// It was run and did not pass.
    Failed(String),
    /// It could not be run.
    Unable(String),
}

async fn run(
    shared: &Arc<Shared>,
    record: &PodRecord,
    (container, action): (&ContainerRef, &Action),
    timeout: Duration,
) -> Result<(), Trouble> {
    let work = async {
        match action {
            Action::Exec(command) => exec(shared, record, (container, command), timeout).await,
            Action::Http(http) => get(record, http).await,
            Action::Tcp { host, port } => {
                let address = address(record, host.as_deref(), port)?;
                let connected = TcpStream::connect(&address).await.map(drop);
                connected.map_err(|error| {
                    Trouble::Failed(format!("cannot connect to {address}: {error}"))
                })
            }
            Action::Grpc { .. } => {
                Err(Trouble::Unable("gRPC probes are not supported on this node".into()))
            }
            Action::Sleep(span) => {
                tokio::time::timeout(*span, std::future::pending::<()>()).await.unwrap_or_default();
                Ok(())
            }
        }
    };
    let late = || Trouble::Failed(format!("it took longer than {} s", timeout.as_secs()));
    // The shim ends a command that is late by itself, so that it can say what the command wrote.
    let patience = timeout + Duration::from_millis(500);
    tokio::time::timeout(patience, work).await.map_err(|_| late())?
}

fn address(record: &PodRecord, host: Option<&str>, port: &PortRef) -> Result<String, Trouble> {
    let port = match port {
        PortRef::Number(number) => *number,
        PortRef::Unknown(name) => {
            return Err(Trouble::Failed(format!("the container has no port named {name:?}")));
        }
    };
    let own = record.ips().first().cloned();
    let host = host.map(str::to_owned).or(own);
    let host = host.ok_or_else(|| Trouble::Unable("the pod has no address".to_owned()))?;
    Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

async fn get(record: &PodRecord, action: &HttpAction) -> Result<(), Trouble> {
    let target = Target {
        address: address(record, action.host.as_deref(), &action.port)?,
        path: action.path.clone(),
        https: action.https,
        headers: action.headers.clone(),
    };
    match http::get(&target).await {
        Ok(200..=399) => Ok(()),
        Ok(code) => Err(Trouble::Failed(format!("HTTP status {code} from {}", target.address))),
        Err(error) => Err(Trouble::Failed(nodes_oci::chain(&error))),
    }
}

async fn exec(
    shared: &Arc<Shared>,
    record: &PodRecord,
    (container, command): (&ContainerRef, &[String]),
    timeout: Duration,
) -> Result<(), Trouble> {
    let spec = ExecSpec {
        container: container_id(&record.key, container),
        args: command.to_vec(),
        timeout_ns: u64::try_from(timeout.as_nanos()).ok(),
        ..ExecSpec::default()
    };
    let socket = shared.pod_paths(&record.key).socket();
    let unable = |error: ShimError| match error {
        // The command itself is what is wrong.
        ShimError::Refused { message, .. } => Trouble::Failed(message),
        other => Trouble::Unable(other.text()),
    };
    let mut connection =
        Connection::open(&socket, Request::Exec(Box::new(spec))).await.map_err(unable)?;
    let mut output = Vec::new();
    loop {
        match connection.reader.next().await.map_err(unable)? {
            Reply::Output { bytes, .. } => {
                let room = OUTPUT_MAX.saturating_sub(output.len());
                output.extend(bytes.iter().take(room));
            }
            Reply::Exited { exit_code: 0, timed_out: false } => return Ok(()),
            Reply::Exited { timed_out: true, .. } => {
                return Err(Trouble::Failed(format!(
                    "the command took longer than {} s",
                    timeout.as_secs()
                )));
            }
            Reply::Exited { exit_code, .. } => {
                let said = String::from_utf8_lossy(&output).trim().to_owned();
                let said = if said.is_empty() { String::new() } else { format!(": {said}") };
                return Err(Trouble::Failed(format!(
                    "the command ended with exit code {exit_code}{said}"
                )));
            }
            _ => {}
        }
    }
}
