//! The taint of servers: pods that do not ask for it stay away from them, for as long as there are agents.
//!
//! Way in: [`keep`], by the holder of the shards; [`taint`] when the first agent joins. Writes: `spec.taints` of servers'
//! nodes, that one taint alone.
//! Time and order: it is put on once, by the first agent that joins; whoever takes it off a server by hand is not
//! contradicted. It is taken off when the last agent's node has been gone for [`ALONE_FOR`].
//! Spec: Kubernetes documentation, "Well-Known Labels, Annotations and Taints".

use std::{sync::Arc, time::Duration};

use actors_core::Mono;
use actors_object::{ApiError, Object, Value, value};
use actors_runtime::{Clock, Failure, Service};
use nodes_client::Calls;
use store_mvcc::Key;
use store_service::{Store, WatchEnd};
use tokio::time::timeout;

use crate::node_object::{CONTROL_PLANE, MEMBER, target};

/// How long servers must be without agents before pods may run on them: a cluster that begins has none for a moment.
const ALONE_FOR: Duration = Duration::from_secs(30);

/// The pause after a write that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The taint.
pub(crate) fn the_taint() -> Value {
    value!({ "key": CONTROL_PLANE, "effect": "NoSchedule" })
}

/// Whether there are machines that are no servers.
pub(crate) fn has_agents(nodes: &[Arc<Object>]) -> bool {
    nodes.iter().any(|node| !is_server(node))
}

fn is_server(node: &Object) -> bool {
    node.annotation(MEMBER).is_some()
}

fn is_tainted(node: &Object) -> bool {
    let mut taints = node.0.list_at(&["spec", "taints"]).iter();
    taints.any(|taint| taint.str_at(&["key"]) == Some(CONTROL_PLANE))
}

/// Keeps pods that do not ask for it away from servers, from the first agent on.
pub(crate) async fn taint(calls: &Calls, nodes: &[Arc<Object>]) -> Result<(), ApiError> {
    for node in nodes.iter().filter(|node| is_server(node) && !is_tainted(node)) {
        let mut taints = node.0.list_at(&["spec", "taints"]).to_vec();
        taints.push(the_taint());
        write(calls, node, taints).await?;
    }
    Ok(())
}

async fn write(calls: &Calls, node: &Object, taints: Vec<Value>) -> Result<(), ApiError> {
    let mut patch = Value::Null;
    patch.set_path(&["metadata", "resourceVersion"], node.resource_version());
    patch.set_path(&["spec", "taints"], Value::List(taints));
    calls.merge(target(Some(node.name())), &patch).await.map(drop)
}

/// The servers that are tainted although there are no agents, with the taints that they shall have.
fn wrongly_tainted(nodes: &[Arc<Object>]) -> Vec<(Arc<Object>, Vec<Value>)> {
    if has_agents(nodes) {
        return Vec::new();
    }
    let without = |node: &Arc<Object>| {
        let mut taints = node.0.list_at(&["spec", "taints"]).to_vec();
        taints.retain(|taint| *taint != the_taint());
        (Arc::clone(node), taints)
    };
    let changed = |(node, taints): &(Arc<Object>, Vec<Value>)| {
        taints.len() < node.0.list_at(&["spec", "taints"]).len()
    };
    nodes.iter().map(without).filter(changed).collect()
}

/// Takes the taint off servers that have been alone for long enough, for as long as this runs.
pub(crate) async fn keep(service: Service, (calls, store): (Calls, Store)) -> Result<(), Failure> {
    let prefix = Key::prefix("", "nodes", None);
    let mut alone_since: Option<Mono> = None;
    loop {
        let mut changes = store.watch(store.snapshot().revision(), prefix.clone());
        loop {
            let snapshot = store.snapshot();
            let nodes: Vec<Arc<Object>> =
                snapshot.list(&prefix, None, usize::MAX).map(|item| item.object()).collect();
            let wrong = wrongly_tainted(&nodes);
            let now = Clock.mono();
            alone_since = (!wrong.is_empty()).then(|| alone_since.unwrap_or(now));
            let left = alone_since.map(|since| ALONE_FOR.saturating_sub(now.since(since)));
            let wait = match left {
                // Some server was tainted for the sake of agents that are gone.
                Some(Duration::ZERO) => {
                    for (node, taints) in wrong {
                        if let Err(error) = write(&calls, &node, taints).await {
                            tracing::debug!(%error, node = node.name(), "the taint stays");
                        }
                    }
                    AGAIN_AFTER
                }
                Some(left) => left,
                None => Duration::MAX,
            };
            let next = tokio::select! {
                () = service.stopping() => return Ok(()),
                next = timeout(wait, changes.next()) => next,
            };
            match next {
                // Time has passed, or nodes have changed.
                Err(_) | Ok(Ok(_)) => {}
                Ok(Err(WatchEnd::Expired { .. })) => break,
                Ok(Err(closed)) => return Err(closed.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, member: Option<&str>, taints: Vec<Value>) -> Arc<Object> {
        let mut node = value!({ "metadata": { "name": name }, "spec": {} });
        if let Some(member) = member {
            node.set_path(&["metadata", "annotations", MEMBER], member);
        }
        node.set_path(&["spec", "taints"], Value::List(taints));
        Arc::new(Object(node))
    }

    #[test]
    fn the_taint_is_wrong_where_there_are_no_agents_and_others_stay() {
        let other = value!({ "key": "gpu", "effect": "NoSchedule" });
        let own = value!({ "key": CONTROL_PLANE, "effect": "NoExecute" });
        let server = node("s1", Some("1"), vec![other.clone(), the_taint(), own.clone()]);
        let plain = node("s2", Some("2"), vec![other.clone()]);
        let wrong = wrongly_tainted(&[Arc::clone(&server), Arc::clone(&plain)]);
        let names: Vec<&str> = wrong.iter().map(|(node, _)| node.name()).collect();
        assert_eq!(names, ["s1"]);
        assert_eq!(wrong[0].1, [other, own]);
        let agent = node("a1", None, Vec::new());
        assert!(wrongly_tainted(&[server, plain, agent]).is_empty());
        assert!(wrongly_tainted(&[]).is_empty());
    }
}
