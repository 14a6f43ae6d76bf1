//! Who votes in the store's group: told to membership, whose judges they are, and to people, if their number is even.
//!
//! Way in: [`tell`] on every server, [`warn`] by the holder of the shards, [`warning`] for status.

use std::time::Duration;

use actors_object::{Value, timefmt, value};
use actors_runtime::{Clock, Failure, Service};
use mesh_gossip::Membership;
use nodes_client::Calls;
use store_raft::{Members, NodeId};
use store_service::Store;
use tokio::time::timeout;

use crate::events;

/// How long an even number must last before it is told: a cluster that grows from one to three has two for a moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// The nodes of these members, as far as the store knows their names.
pub(crate) fn nodes_of<'a>(
    members: &Members,
    which: impl IntoIterator<Item = &'a NodeId>,
) -> Vec<String> {
    let name = |member: &NodeId| String::from_utf8(members.contexts.get(member)?.clone()).ok();
    which.into_iter().filter_map(name).collect()
}

/// The member that a node is.
pub(crate) fn member_of(members: &Members, node: &str) -> Option<NodeId> {
    let found = members.contexts.iter().find(|(_, name)| name.as_slice() == node.as_bytes());
    found.map(|(member, _)| *member)
}

/// What people should know of the number of voters, in one sentence.
pub(crate) fn warning(members: &Members) -> Option<String> {
    let count = members.voters.len();
    (count > 0 && count.is_multiple_of(2)).then(|| {
        format!(
            "{count} servers vote, which survives no more losses than {} would: add or remove one",
            count - 1
        )
    })
}

/// Tells membership of the voters, whenever they change.
pub(crate) async fn tell(
    service: Service,
    store: Store,
    membership: Membership,
) -> Result<(), Failure> {
    let mut members = store.members();
    loop {
        let voters = {
            let present = members.borrow_and_update();
            nodes_of(&present, &present.voters)
        };
        if !voters.is_empty() {
            membership.set_voters(voters);
        }
        tokio::select! {
            () = service.stopping() => return Ok(()),
            changed = members.changed() => changed?,
        }
    }
}

/// Writes an Event when the number of voters stays even.
pub(crate) async fn warn(
    service: Service,
    calls: Calls,
    store: Store,
    node: String,
) -> Result<(), Failure> {
    let (mut members, mut rng) = (store.members(), service.rng());
    let mut told = None;
    loop {
        let present = warning(&members.borrow_and_update());
        if present.is_some() && present != told {
            let lasts = tokio::select! {
                () = service.stopping() => return Ok(()),
                changed = timeout(PATIENCE, members.changed()) => changed.is_err(),
            };
            if !lasts {
                continue;
            }
            let event = event(&node, present.as_deref().unwrap_or_default(), rng.next_u64());
            if let Err(error) = events::record(&calls, &event).await {
                tracing::warn!(%error, "the warning of an even number of voters was not recorded");
            }
        }
        told = present;
        tokio::select! {
            () = service.stopping() => return Ok(()),
            changed = members.changed() => changed?,
        }
    }
}

fn event(node: &str, message: &str, number: u64) -> Value {
    let stamp = timefmt::seconds(Clock.now().wall);
    value!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": format!("{node}.{number:016x}"), "namespace": "default" },
        "involvedObject": { "kind": "Node", "name": node, "uid": node },
        "reason": "EvenVoters",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_number_of_voters_is_told() {
        let of = |count: u64| warning(&Members::voters((1..=count).map(NodeId)));
        assert_eq!((of(0), of(1), of(3)), (None, None, None));
        assert!(of(2).is_some_and(|text| text.starts_with("2 servers vote")));
        assert!(of(4).is_some_and(|text| text.contains("than 3 would")));
    }

    #[test]
    fn names_come_from_what_the_store_keeps() {
        let mut members = Members::voters([NodeId(1), NodeId(2)]);
        members.contexts.insert(NodeId(2), b"server-2".to_vec());
        assert_eq!(nodes_of(&members, &members.voters), ["server-2"]);
        assert_eq!(member_of(&members, "server-2"), Some(NodeId(2)));
        assert_eq!(member_of(&members, "server-1"), None);
    }
}
