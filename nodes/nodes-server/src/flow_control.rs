//! Keeps the objects of flow control as they should be: those that a cluster cannot do without, and those that nobody
//! has taken over.
//!
//! Way in: [`keep`].  Writes: FlowSchemas and PriorityLevelConfigurations, as `nodes_door::repair` says; those that are
//! marked as the cluster's own and are none of them are deleted.
//! Time and order: whenever one of them changes or goes, and from time to time.
//! Spec: Kubernetes documentation, "API Priority and Fairness", "Maintenance of the Mandatory and Suggested
//! Configuration Objects".

use std::time::Duration;

use actors_object::Object;
use actors_runtime::{Failure, Service};
use nodes_client::Calls;
use nodes_door::{Options, Target, bootstrap_objects};
use store_mvcc::Key;
use store_service::{Store, WatchEnd};
use tokio::{sync::watch, time::timeout};

use crate::bootstrap::{Bootstrap, ensure};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";

/// Whether the cluster keeps an object's spec as it should be.
const AUTOUPDATE: &str = "apf.kubernetes.io/autoupdate-spec";

/// After this time all of them are looked at, whatever has been heard.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The pause after a look that failed.
const RETRY: Duration = Duration::from_secs(1);

/// The service: looks, and waits for a change.
pub(crate) async fn keep(
    service: Service,
    (bootstrap, calls, store): (Bootstrap, Calls, Store),
    mut serving: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let wanted: Vec<Object> = bootstrap_objects()
        .into_iter()
        .filter(|one| one.api_version().starts_with(GROUP))
        .collect();
    // Until then the first objects are being made.
    tokio::select! {
        () = service.stopping() => return Ok(()),
        serves = serving.wait_for(|serves| *serves) => drop(serves?),
    }
    let prefix = Key::from_bytes(format!("/registry/{GROUP}/"));
    let mut changes = store.watch(store.snapshot().revision(), prefix.clone());
    loop {
        let patience = match repair(&bootstrap, &calls, &wanted).await {
            Ok(()) => LOOK_AGAIN,
            Err(error) => {
                tracing::debug!(%error, "the objects of flow control cannot be kept right now");
                RETRY
            }
        };
        tokio::select! {
            () = service.stopping() => return Ok(()),
            heard = timeout(patience, changes.next()) => match heard {
                Ok(Err(WatchEnd::Expired { .. })) => {
                    changes = store.watch(store.snapshot().revision(), prefix.clone());
                }
                Ok(Err(closed)) => return Err(closed.into()),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
    }
}

/// Makes what is missing, repairs what is ours, and deletes what was ours.
async fn repair(bootstrap: &Bootstrap, calls: &Calls, wanted: &[Object]) -> Result<(), Failure> {
    for object in wanted {
        ensure(calls, bootstrap, object).await?;
    }
    for plural in ["flowschemas", "prioritylevelconfigurations"] {
        let target = Target {
            group: GROUP.to_owned(),
            version: "v1".to_owned(),
            resource: plural.to_owned(),
            ..Target::default()
        };
        let list = calls.list(target.clone(), Options::default()).await?;
        for entry in list.entries {
            let found = entry.object();
            let is_wanted = |one: &Object| one.kind() == found.kind() && one.name() == found.name();
            if found.annotation(AUTOUPDATE) == Some("true") && !wanted.iter().any(is_wanted) {
                let stale = Target { name: Some(found.name().to_owned()), ..target.clone() };
                match calls.delete(stale, Options::default()).await {
                    Err(error) if error.is_not_found() => {}
                    deleted => drop(deleted?),
                }
            }
        }
    }
    Ok(())
}
