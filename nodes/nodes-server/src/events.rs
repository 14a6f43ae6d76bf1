//! What supervisors do, and that the disk was full, as Event objects about the node: `kubectl get events` shows restarts and their causes.
//!
//! Way in: [`run`] on servers, [`agent_events`] elsewhere.  Never: an event about the writing of events.

use actors_core::{ChildSpec, Mono, SupervisorNotice};
use actors_object::{ApiError, Value, timefmt, value};
use actors_runtime::{Child, Clock, Failure, Service};
use nodes_client::{Calls, SharedClient};
use nodes_door::{Identity, Target};
use store_service::Health;
use tokio::sync::watch;

/// What writes down what happens to the actors of a machine without a server: a child for its tree.
#[must_use]
pub fn agent_events(client: SharedClient, node: &str) -> (ChildSpec, Child) {
    let name = format!("system:node:{node}");
    let identity = Identity::new(name, &["system:nodes", "system:authenticated"]);
    let (calls, node) = (Calls::new(client, identity, "starling-supervisor"), node.to_owned());
    // It has no store, whose health never changes then.
    let health = watch::Sender::new(Health::Good);
    let child = Child::service(move |service| {
        run(service, calls.clone(), (node.clone(), health.subscribe()))
    });
    (ChildSpec::permanent("events"), child)
}

/// Writes one Event a notice, until the service is asked to stop.
pub(crate) async fn run(
    service: Service,
    calls: Calls,
    (node, mut health): (String, watch::Receiver<Health>),
) -> Result<(), Failure> {
    let mut full = None;
    let (mut notices, mut rng) = (service.system().notices(), service.rng());
    loop {
        let (reason, message) = tokio::select! {
            () = service.stopping() => return Ok(()),
            notice = notices.next() => {
                let Some(notice) = notice else { return Ok(()) };
                let (reason, message) = words(&notice.notice);
                (reason, format!("actor {} {message}", notice.path))
            }
            changed = health.changed() => {
                changed?;
                let Some(words) = room_words(&health.borrow_and_update(), &mut full) else {
                    continue;
                };
                words
            }
        };
        let event = event(&node, (reason, &message), rng.next_u64());
        // The store itself may be what was restarted; then only the log tells.
        if let Err(error) = record(&calls, &event).await {
            tracing::warn!(%error, "the event was not recorded");
        }
    }
}

/// Writes an event of the cluster itself down.
pub(crate) async fn record(calls: &Calls, event: &Value) -> Result<(), ApiError> {
    let target = Target {
        version: "v1".to_owned(),
        resource: "events".to_owned(),
        namespace: Some("default".to_owned()),
        ..Target::default()
    };
    calls.create(target, event).await.map(drop)
}

/// What is told of a full disk: only when there is room again, for an event needs room too.
fn room_words(
    health: &Health,
    full: &mut Option<(String, Mono)>,
) -> Option<(&'static str, String)> {
    match health {
        Health::DiskFull { place } => {
            full.get_or_insert_with(|| (place.clone(), Clock.mono()));
            None
        }
        Health::Good => full.take().map(|(place, since)| {
            let seconds = Clock.mono().since(since).as_secs();
            let message = format!(
                "no space was left in {place} for {seconds} s: writes were refused; there is room again"
            );
            ("StoreDiskFull", message)
        }),
        _ => None,
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
        SupervisorNotice::Slow { taken, .. } => (
            "ActorSlow",
            format!("took {taken:?} for one message, or is at it still; others go on"),
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
