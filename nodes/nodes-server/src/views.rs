//! Members, links and refusals as operators see them: JSON, names in camel case, times as RFC 3339.
//!
//! Way in: [`members`], [`links`], [`refusals`].

use actors_core::Wall;
use actors_object::timefmt;
use mesh_member::{LinkStanding, MemberView};
use mesh_quic::{LinkState, LinkView, Refusal};
use serde_json::{Value, json};

use crate::refusals::Seen;

fn stamp(at: Wall) -> String {
    timefmt::micros(at)
}

/// Everybody that membership knows.
pub(crate) fn members(view: &[MemberView]) -> Value {
    view.iter().map(member).collect()
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
