//! Reads probes and life-cycle hooks from a container's specification, with their documented
//! defaults.
//!
//! Way in: [`ProbeSpec::read`], [`Action::read`].
//! Spec: Kubernetes documentation, "Configure Liveness, Readiness and Startup Probes", "Container
//! Lifecycle Hooks".

use std::time::Duration;

use actors_object::Value;
use serde::{Deserialize, Serialize};

/// How a probe is run and judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSpec {
    /// What one run does.
    pub action: Action,
    /// From the container's start to the first run.
    pub initial_delay: Duration,
    /// A longer run is a failure.
    pub timeout: Duration,
    /// From one run to the next.
    pub period: Duration,
    /// Successes in a row that turn a failed probe good.
    pub success_threshold: u32,
    /// Failures in a row that turn a good probe bad.
    pub failure_threshold: u32,
    /// The grace period of the restart that its failure causes, if it is not the pod's.
    pub grace: Option<Duration>,
}

/// What a probe or hook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Runs a command in the container; exit code 0 is success.
    Exec(Vec<String>),
    /// Sends a GET; 200 to 399 is success.
    Http(HttpAction),
    /// Opens a connection.
    Tcp {
        /// The host, or nothing for the pod's address.
        host: Option<String>,
        /// Where.
        port: PortRef,
    },
    /// Asks the gRPC health service.
    Grpc {
        /// Where.
        port: u16,
        /// The name that is asked for.
        service: String,
    },
    /// Waits; for hooks only.
    Sleep(Duration),
}

/// A GET of a probe or hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAction {
    /// The host, or nothing for the pod's address.
    pub host: Option<String>,
    /// Where.
    pub port: PortRef,
    /// The path with its query.
    pub path: String,
    /// Whether it is sent over TLS (the certificate is not checked).
    pub https: bool,
    /// Headers in the order of the specification.
    pub headers: Vec<(String, String)>,
}

/// A port by number or by the name of a container port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortRef {
    /// By number.
    Number(u16),
    /// A name that no port of the container has: the action fails and says so.
    Unknown(String),
}

impl ProbeSpec {
    /// The probe in `field` of a container, or nothing.
    #[must_use]
    pub fn read(container: &Value, field: &str) -> Option<Self> {
        let probe = container.get(field).filter(|probe| probe.as_map().is_some())?;
        let seconds = |name: &str, default: u64| {
            let given = probe.at(name).as_i64().and_then(|given| u64::try_from(given).ok());
            Duration::from_secs(given.filter(|given| *given > 0).unwrap_or(default))
        };
        let count = |name: &str, default: u32| {
            let given = probe.at(name).as_i64().and_then(|given| u32::try_from(given).ok());
            given.filter(|given| *given > 0).unwrap_or(default)
        };
        Some(Self {
            action: Action::read(probe, container)?,
            initial_delay: seconds("initialDelaySeconds", 0),
            timeout: seconds("timeoutSeconds", 1),
            period: seconds("periodSeconds", 10),
            success_threshold: count("successThreshold", 1),
            failure_threshold: count("failureThreshold", 3),
            grace: probe.at("terminationGracePeriodSeconds").as_i64().map(whole_seconds),
        })
    }
}

impl Action {
    /// What a probe or hook handler asks for; port names are looked up in `container`.
    #[must_use]
    pub fn read(handler: &Value, container: &Value) -> Option<Self> {
        if let Some(exec) = handler.get("exec") {
            let words = exec.list_at(&["command"]).iter().filter_map(Value::as_str);
            return Some(Self::Exec(words.map(str::to_owned).collect()));
        }
        if let Some(http) = handler.get("httpGet") {
            return Some(Self::Http(HttpAction {
                host: text(http, "host"),
                port: PortRef::read(http.at("port"), container),
                path: text(http, "path").unwrap_or_else(|| "/".to_owned()),
                https: http.at("scheme").as_str() == Some("HTTPS"),
                headers: http.list_at(&["httpHeaders"]).iter().filter_map(header).collect(),
            }));
        }
        if let Some(tcp) = handler.get("tcpSocket") {
            return Some(Self::Tcp {
                host: text(tcp, "host"),
                port: PortRef::read(tcp.at("port"), container),
            });
        }
        if let Some(grpc) = handler.get("grpc") {
            let port = grpc.at("port").as_i64().and_then(|port| u16::try_from(port).ok())?;
            return Some(Self::Grpc { port, service: text(grpc, "service").unwrap_or_default() });
        }
        let sleep = handler.get("sleep")?;
        Some(Self::Sleep(whole_seconds(sleep.at("seconds").as_i64().unwrap_or(0))))
    }
}

impl PortRef {
    fn read(port: &Value, container: &Value) -> Self {
        if let Some(number) = port.as_i64().and_then(|number| u16::try_from(number).ok()) {
            return Self::Number(number);
        }
        let name = port.as_str().unwrap_or_default();
        let named = container
            .list_at(&["ports"])
            .iter()
            .find(|port| port.at("name").as_str() == Some(name));
        let number = named.and_then(|port| port.at("containerPort").as_i64());
        match number.and_then(|number| u16::try_from(number).ok()).or_else(|| name.parse().ok()) {
            Some(number) => Self::Number(number),
            None => Self::Unknown(name.to_owned()),
        }
    }
}

fn header(header: &Value) -> Option<(String, String)> {
    Some((text(header, "name")?, text(header, "value").unwrap_or_default()))
}

fn text(value: &Value, field: &str) -> Option<String> {
    value.at(field).as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A number of seconds from a specification; negative ones count as none.
pub(crate) fn whole_seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
