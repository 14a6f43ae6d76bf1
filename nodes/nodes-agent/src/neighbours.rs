//! Keeps the ways to other nodes' pods in step with the Node objects.
//!
//! Way in: [`run`], the service.  Writes: routes and the tunnel, through the network's port.
//! Time and order: without a list nothing is changed, so that an agent that starts in an outage
//! leaves the ways of an earlier one as they are. Interfaces change without a word from the API, so
//! every [`LOOK`] the ways are set again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_object::Object;
use actors_runtime::{Failure, Service};
use nodes_door::Options;
use nodes_network::{Machine, machines};
use tokio::sync::Notify;

use crate::{
    blocking::try_off_loop,
    mirror::{News, follow},
    shared::{Shared, lock, target},
};

/// From one look at the interfaces to the next.
const LOOK: Duration = Duration::from_secs(30);
/// The pause after the kernel refused a route.
const RETRY: Duration = Duration::from_secs(2);

/// Nodes by name; `None` until the first list.
type Nodes = Mutex<Option<BTreeMap<String, Arc<Object>>>>;

/// The service.
pub(crate) async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let nodes = Nodes::default();
    let changed = Notify::new();
    let place = (target("", "v1", "nodes", None, None), Options::default());
    let look = |node: &Object| {
        if node.name() == shared.config.node && !is_ready(node) {
            shared.doubted.notify_one();
        }
    };
    let following = follow(&service, &shared.calls, place, |news| match news {
        News::All(all) => {
            all.iter().for_each(|node| look(node));
            let all = all.into_iter().map(|node| (node.name().to_owned(), node));
            *lock(&nodes) = Some(all.collect());
        }
        News::Changed(node) => {
            look(&node);
            if let Some(all) = &mut *lock(&nodes) {
                all.insert(node.name().to_owned(), node);
            }
        }
        News::Gone(node) => {
            if let Some(all) = &mut *lock(&nodes) {
                all.remove(node.name());
            }
        }
        News::Pause => changed.notify_one(),
    });
    let applying = apply(&shared, &service, &nodes, &changed);
    tokio::join!(following, applying);
    Ok(())
}

pub(crate) fn is_ready(node: &Object) -> bool {
    let mut conditions = node.0.list_at(&["status", "conditions"]).iter();
    let ready = conditions.find(|one| one.at("type").as_str() == Some("Ready"));
    ready.is_some_and(|one| one.at("status").as_str() == Some("True"))
}

async fn apply(shared: &Arc<Shared>, service: &Service, nodes: &Nodes, changed: &Notify) {
    let mut applied: Option<Vec<Machine>> = None;
    let mut wait = LOOK;
    loop {
        let is_late = tokio::select! {
            () = service.stopping() => return,
            heard = tokio::time::timeout(wait, changed.notified()) => heard.is_err(),
        };
        let wanted = lock(nodes).as_ref().map(|all| machines(all.values().map(|node| &**node)));
        let Some(wanted) = wanted else { continue };
        if applied.as_ref() == Some(&wanted) && !is_late {
            continue;
        }
        let (network, told) = (Arc::clone(&shared.network), wanted.clone());
        match try_off_loop(move || network.reach(&told)).await {
            Ok(straight) => {
                let before = std::mem::replace(&mut *lock(&shared.neighbours), straight.clone());
                if before != straight {
                    shared.ports_changed.notify_one();
                }
                (applied, wait) = (Some(wanted), LOOK);
            }
            Err(message) => {
                tracing::warn!(message, "some nodes' pods cannot be reached");
                (applied, wait) = (None, RETRY);
            }
        }
    }
}
