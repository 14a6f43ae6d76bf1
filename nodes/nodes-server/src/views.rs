//! Members, links and refusals as operators see them: JSON, names in camel case, times as RFC 3339.
//!
//! Way in: [`members`], [`links`], [`refusals`].

use std::sync::Arc;

use actors_controllers::dead_nodes;
use actors_core::Wall;
use actors_object::{Object, timefmt};
use mesh_member::{LinkStanding, MemberView};
use mesh_quic::{LinkState, LinkView, Refusal};
use mesh_wire::Role;
use serde_json::{Value, json};

use crate::{node_object, refusals::Seen};

fn stamp(at: Wall) -> String {
    timefmt::micros(at)
}

/// Everybody that membership knows, and the machines that it has forgotten although their nodes are there.
pub(crate) fn members(view: &[MemberView], nodes: &[Arc<Object>]) -> Value {
    let is_known = |node: &Object| view.iter().any(|one| one.info.node == node.name());
    let is_ours = |node: &Object| node.annotation(node_object::SERIALS).is_some();
    let lost = nodes.iter().filter(|node| is_ours(node) && !is_known(node));
    view.iter().map(member).chain(lost.map(|node| forgotten(node))).collect()
}

/// A machine of which nobody has heard for longer than membership remembers.
fn forgotten(node: &Object) -> Value {
    let mut taints = node.0.list_at(&["spec", "taints"]).iter();
    let taint = taints.find(|taint| dead_nodes::is_dead_taint(taint));
    let is_server = node.annotation(node_object::MEMBER).is_some();
    json!({
        "node": node.name(),
        "role": if is_server { Role::Server.text() } else { Role::Agent.text() },
        "site": null,
        "member": null,
        "state": "dead",
        "since": taint.and_then(|taint| taint.str_at(&["timeAdded"])),
        "evidence": ["nobody has heard it for longer than members are remembered"],
        "heardAgoMs": null,
        "rejoined": 0,
        "dampedMs": null,
        "meshAddress": "",
        "apiAddress": "",
        "version": "",
        "started": null,
        "link": "none",
    })
}

fn member(one: &MemberView) -> Value {
    let link = match &one.links {
        LinkStanding::None => "none".to_owned(),
        LinkStanding::Up => "up".to_owned(),
        LinkStanding::Down { why, .. } => why.to_string(),
    };
    json!({
        "node": one.info.node,
        "role": one.info.role.text(),
        "site": one.info.site,
        "member": one.info.member,
        "state": one.state.word(),
        "since": one.state.since().map(stamp),
        "evidence": one.state.evidence().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "heardAgoMs": one.heard.map(|_| one.heard_ago.as_millis()),
        "rejoined": one.rejoined,
        "dampedMs": one.damped.map(|left| left.as_millis()),
        "meshAddress": one.info.mesh_address,
        "apiAddress": one.info.api_address,
        "version": one.info.version,
        "started": stamp(one.info.started),
        "link": link,
    })
}

/// The links of this process.
pub(crate) fn links(links: &[LinkView]) -> Value {
    links.iter().map(link).collect()
}

fn link(one: &LinkView) -> Value {
    let (state, since, attempts) = match one.state {
        LinkState::Up { since, .. } => ("up", since, None),
        LinkState::Connecting { since, attempts } => ("connecting", since, Some(attempts)),
    };
    let lanes = one.lanes.iter().map(|lane| {
        json!({
            "lane": lane.lane.text(),
            "frames": lane.frames,
            "bytes": lane.bytes,
            "full": lane.full,
        })
    });
    json!({
        "node": one.node,
        "role": one.role.text(),
        "address": one.address.map(|address| address.to_string()),
        "state": state,
        "since": stamp(since),
        "attempts": attempts,
        "lastError": one.last_error,
        "rttUs": one.rtt.map(|rtt| rtt.as_micros()),
        "sent": { "frames": one.sent.frames, "bytes": one.sent.bytes },
        "received": { "frames": one.received.frames, "bytes": one.received.bytes },
        "lanes": lanes.collect::<Vec<_>>(),
        "refused": one.refused,
        "reconnects": one.reconnects,
    })
}

/// Who was turned away: by the mesh, and at the door for joiners; the last one first.
pub(crate) fn refusals(mesh: &[Refusal], joins: &[Seen]) -> Value {
    let of_mesh = mesh.iter().map(|one| {
        let value = json!({
            "at": "mesh",
            "from": one.from.to_string(),
            "peer": one.peer.as_ref().map(ToString::to_string),
            "reason": one.reason,
            "count": one.count,
            "last": stamp(one.last),
        });
        (one.last, value)
    });
    let of_joins = joins.iter().map(|one| {
        let value = json!({
            "at": "join",
            "from": one.from,
            "peer": null,
            "kind": one.word,
            "reason": one.reason,
            "count": one.count,
            "last": stamp(one.last),
        });
        (one.last, value)
    });
    let mut all: Vec<(Wall, Value)> = of_mesh.chain(of_joins).collect();
    all.sort_by_key(|(last, _)| std::cmp::Reverse(*last));
    all.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use actors_object::value;
    use mesh_member::{LinkStanding, MemberInfo, MemberState};

    use super::*;

    #[test]
    fn a_machine_that_membership_has_forgotten_is_shown_while_its_node_is_there() {
        let node = |name: &str, serials: Option<&str>| {
            let mut node = value!({ "metadata": { "name": name }, "spec": { "taints": [{
                "key": "starling.dev/node-dead", "effect": "NoExecute",
                "timeAdded": "2026-01-01T00:00:00Z",
            }] } });
            if let Some(serials) = serials {
                node.set_path(&["metadata", "annotations", node_object::SERIALS], serials);
            }
            Arc::new(Object(node))
        };
        let known = MemberView {
            info: Arc::new(MemberInfo::new("a1", Role::Agent, Wall(1))),
            state: MemberState::Alive,
            heard: None,
            heard_ago: std::time::Duration::ZERO,
            rejoined: 0,
            damped: None,
            links: LinkStanding::None,
        };
        let nodes = [node("a1", Some("01")), node("a2", Some("02")), node("foreign", None)];
        let told = members(&[known], &nodes);
        let told = told.as_array().cloned().unwrap_or_default();
        let lines: Vec<String> =
            told.iter().map(|one| format!("{} {}", one["node"], one["state"])).collect();
        assert_eq!(lines, [r#""a1" "alive""#, r#""a2" "dead""#]);
        assert_eq!(told[1]["since"], "2026-01-01T00:00:00Z");
    }
}
