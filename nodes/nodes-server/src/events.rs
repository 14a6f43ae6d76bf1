//! What supervisors do, as Event objects about the node: `kubectl get events` shows restarts and their causes.
//!
//! Way in: [`run`].  Never: an event about the writing of events.

use actors_core::SupervisorNotice;
use actors_object::{Value, timefmt, value};
use actors_runtime::{Clock, Failure, Service};
use nodes_client::Calls;
use nodes_door::Target;

/// Writes one Event a notice, until the service is asked to stop.
pub(crate) async fn run(service: Service, calls: Calls, node: String) -> Result<(), Failure> {
    let (mut notices, mut rng) = (service.system().notices(), service.rng());
    loop {
        let notice = tokio::select! {
            () = service.stopping() => return Ok(()),
            notice = notices.next() => notice,
        };
        let Some(notice) = notice else { return Ok(()) };
        let (reason, message) = words(&notice.notice);
        let path = &notice.path;

        let event = event(&node, (reason, &format!("actor {path} {message}")), rng.next_u64());
        let target = Target {
            version: "v1".to_owned(),
            resource: "events".to_owned(),
            namespace: Some("default".to_owned()),
            ..Target::default()
        };
        // The store itself may be what was restarted; then only the log tells.
        if let Err(error) = calls.create(target, &event).await {
            tracing::warn!(%error, "the event was not recorded");
        }
    }
}

fn words(notice: &SupervisorNotice) -> (&'static str, String) {
    match notice {
        SupervisorNotice::Restarting { reason, after, .. } => {
            ("ActorRestarted", format!("{reason}; it is started again in {after:?}"))
        }
        SupervisorNotice::Parked { reason, .. } => {
            ("ActorParked", format!("failed too often and is left stopped; at last it {reason}"))
        }
        SupervisorNotice::Ended { reason, .. } => {
            ("ActorEnded", format!("{reason}; it is not started again"))
        }
        SupervisorNotice::Escalated { reason, .. } => (
            "SupervisorEscalated",
            format!("failed too often; its supervisor gives up; at last it {reason}"),
        ),
        SupervisorNotice::Suspended { .. } => {
            ("ActorSuspended", "handles no messages until an operator resumes it".to_owned())
        }
        SupervisorNotice::Resumed { .. } => ("ActorResumed", "handles messages again".to_owned()),
    }
}

fn event(node: &str, (reason, message): (&str, &str), number: u64) -> Value {
    let stamp = timefmt::seconds(Clock.now().wall);
    value!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": format!("{node}.{number:016x}"), "namespace": "default" },
        "involvedObject": { "kind": "Node", "name": node, "uid": node },
        "reason": reason,
        "message": message,
        "source": { "component": "starling", "host": node },
        "firstTimestamp": stamp.as_str(),
        "lastTimestamp": stamp.as_str(),
        "count": 1,
        "type": "Warning",
        "reportingComponent": "starling",
        "reportingInstance": node,
    })
}
