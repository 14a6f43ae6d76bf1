//! The endpoints of the `kubernetes` Service: the APIs of all servers that live.
//!
//! Way in: [`publish`], by the holder of the shards.  Writes: Endpoints and EndpointSlice `kubernetes` in `default`,
//! only when they differ.

use std::time::Duration;

use actors_object::{ApiError, Object};
use actors_runtime::{Failure, Service};
use mesh_member::{MemberState, MemberView};
use mesh_wire::Role;
use nodes_client::Calls;
use nodes_door::Target;
use nodes_mesh::View;
use store_mvcc::Key;
use store_service::Store;
use tokio::time::timeout;

use crate::bootstrap::endpoint_objects;

/// How often it is looked whether somebody else changed them.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The pause after a write that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// Writes the addresses of living servers for as long as this runs.
pub(crate) async fn publish(
    service: Service,
    (calls, store): (Calls, Store),
    mut view: View,
) -> Result<(), Failure> {
    loop {
        let servers = living(&view.borrow_and_update());
        let written = match servers.is_empty() {
            // Nobody can be asked by somebody who hears nobody, not even himself.
            true => Ok(()),
            false => write(&calls, &store, &servers).await,
        };
        if let Err(error) = &written {
            tracing::debug!(%error, "the endpoints of the API");
        }
        let patience = if written.is_ok() { LOOK_EVERY } else { AGAIN_AFTER };
        tokio::select! {
            () = service.stopping() => return Ok(()),
            changed = timeout(patience, view.changed()) => if let Ok(changed) = changed {
                changed?;
            },
        }
    }
}

/// Addresses and ports of the APIs of living servers, in order.
fn living(view: &[MemberView]) -> Vec<(String, u16)> {
    let servers = view.iter().filter(|one| one.info.role == Role::Server);
    let alive = servers.filter(|one| one.state == MemberState::Alive);
    let mut all: Vec<(String, u16)> = alive
        .filter_map(|one| {
            let (address, port) = one.info.api_address.rsplit_once(':')?;
            Some((address.to_owned(), port.parse().ok()?))
        })
        .collect();
    all.sort();
    all
}

async fn write(calls: &Calls, store: &Store, servers: &[(String, u16)]) -> Result<(), ApiError> {
    let [endpoints, slice] = endpoint_objects(servers);
    put(calls, store, ("", "endpoints"), (&endpoints, &["subsets"])).await?;
    put(calls, store, ("discovery.k8s.io", "endpointslices"), (&slice, &["endpoints", "ports"]))
        .await
}

async fn put(
    calls: &Calls,
    store: &Store,
    (group, resource): (&str, &str),
    (wanted, fields): (&Object, &[&str]),
) -> Result<(), ApiError> {
    let of = |name: Option<&str>| Target {
        group: group.to_owned(),
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        namespace: Some("default".to_owned()),
        name: name.map(str::to_owned),
        ..Target::default()
    };
    let key = Key::object(group, resource, Some("default"), "kubernetes");
    let Some(known) = store.snapshot().get(&key).map(|item| item.object()) else {
        return match calls.create(of(None), &wanted.0).await {
            Err(error) if !error.is_already_exists() => Err(error),
            _ => Ok(()),
        };
    };
    if fields.iter().all(|field| known.0.at(field) == wanted.0.at(field)) {
        return Ok(());
    }
    let mut patch = actors_object::Value::Null;
    for field in fields {
        patch.set_path(&[field], wanted.0.at(field).clone());
    }
    calls.merge(of(Some("kubernetes")), &patch).await.map(drop)
}

#[cfg(test)]
mod tests {
    use actors_core::Wall;
    use mesh_member::{LinkStanding, MemberInfo};

    use super::*;

    #[test]
    fn only_living_servers_are_told() {
        let one = |node: &str, role, state| MemberView {
            info: std::sync::Arc::new(MemberInfo {
                api_address: format!("10.32.0.{}:6443", node.len()),
                ..MemberInfo::new(node, role, Wall(1))
            }),
            state,
            heard: None,
            heard_ago: Duration::ZERO,
            rejoined: 0,
            damped: None,
            links: LinkStanding::None,
        };
        let suspect = || MemberState::Suspect { since: Wall(1), evidence: Vec::new() };
        let view = [
            one("aaa", Role::Server, MemberState::Alive),
            one("bb", Role::Server, MemberState::Alive),
            one("c", Role::Server, suspect()),
            one("dddd", Role::Agent, MemberState::Alive),
        ];
        let wanted = [("10.32.0.2".to_owned(), 6443), ("10.32.0.3".to_owned(), 6443)];
        assert_eq!(living(&view), wanted);
        let [endpoints, slice] = endpoint_objects(&wanted);
        assert_eq!(endpoints.0.list_at(&["subsets"]).len(), 1);
        assert_eq!(slice.0.list_at(&["endpoints"]).len(), 2);
    }
}
