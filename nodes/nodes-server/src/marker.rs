//! What a cluster of several machines remembers of itself: the ConfigMap `starling-cluster` in `kube-system`.
//!
//! Way in: [`Marker::read`], [`wait`], [`ensure`].  Owns: that the first objects are there, and of which version; the
//! number of the next member of the store's group, which is never given twice; serial numbers that were revoked.

use std::collections::BTreeSet;

use actors_object::{ApiError, value};
use actors_runtime::Failure;
use nodes_client::Calls;
use nodes_door::Target;
use store_mvcc::Key;
use store_service::Store;

use crate::bootstrap::{self, Bootstrap};

/// The object's name and its namespace.
const NAME: &str = "starling-cluster";
const NAMESPACE: &str = "kube-system";

/// The version whose first objects were made.
const BOOTSTRAPPED: &str = "bootstrapped";
const NEXT_MEMBER: &str = "nextMember";
const REVOKED: &str = "revokedCertificates";

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Marker {
    bootstrapped: Option<String>,
    next_member: Option<u64>,
    /// Serial numbers of certificates, in hexadecimal digits.
    pub(crate) revoked: BTreeSet<String>,
    revision: String,
}

/// Where it lies in the store.
pub(crate) fn key() -> Key {
    Key::object("", "configmaps", Some(NAMESPACE), NAME)
}

fn target(name: Option<&str>) -> Target {
    Target {
        version: "v1".to_owned(),
        resource: "configmaps".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: name.map(str::to_owned),
        ..Target::default()
    }
}

impl Marker {
    /// What this replica knows; `None` if nothing is remembered yet.
    pub(crate) fn read(store: &Store) -> Option<Self> {
        let object = store.snapshot().get(&key())?.object();
        let text = |name: &str| object.0.str_at(&["data", name]).map(str::to_owned);
        Some(Self {
            bootstrapped: text(BOOTSTRAPPED),
            next_member: text(NEXT_MEMBER).and_then(|text| text.parse().ok()),
            revoked: text(REVOKED)
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            revision: object.resource_version().to_owned(),
        })
    }

    /// The number that the next member shall have, beyond all that are there.
    pub(crate) fn next_member(&self, present: impl Iterator<Item = u64>) -> u64 {
        let beyond = present.max().unwrap_or(0) + 1;
        self.next_member.unwrap_or(0).max(beyond)
    }

    /// Remembers that this number was given; refused if somebody else wrote meanwhile.
    pub(crate) async fn give_member(&self, calls: &Calls, member: u64) -> Result<(), ApiError> {
        let next = (member + 1).to_string();
        let patch = value!({
            "metadata": { "resourceVersion": self.revision.as_str() },
            "data": { NEXT_MEMBER: next.as_str() },
        });
        calls.merge(target(Some(NAME)), &patch).await.map(drop)
    }

    /// Remembers that these certificates are worth nothing any more.
    pub(crate) async fn revoke(
        &self,
        calls: &Calls,
        serials: impl IntoIterator<Item = String>,
    ) -> Result<(), ApiError> {
        let mut revoked = self.revoked.clone();
        revoked.extend(serials);
        let text: Vec<&str> = revoked.iter().map(String::as_str).collect();
        let patch = value!({
            "metadata": { "resourceVersion": self.revision.as_str() },
            "data": { REVOKED: text.join(" ").as_str() },
        });
        calls.merge(target(Some(NAME)), &patch).await.map(drop)
    }
}

/// Waits until the first objects are there, whoever made them.
pub(crate) async fn wait(store: &Store) -> Result<(), Failure> {
    let mut progress = store.progress();
    while Marker::read(store).is_none_or(|marker| marker.bootstrapped.is_none()) {
        progress.changed().await?;
    }
    Ok(())
}

/// Makes the first objects, unless this version's are there.
pub(crate) async fn ensure(
    bootstrap: &Bootstrap,
    (calls, store): (&Calls, &Store),
) -> Result<(), Failure> {
    let version = Some(env!("CARGO_PKG_VERSION").to_owned());
    store.read_barrier().await?;
    if Marker::read(store).is_some_and(|marker| marker.bootstrapped == version) {
        return Ok(());
    }
    bootstrap::run(bootstrap).await?;
    bootstrap::register(bootstrap).await?;
    let data = value!({ "data": { BOOTSTRAPPED: env!("CARGO_PKG_VERSION") } });
    if Marker::read(store).is_some() {
        return Ok(calls.merge(target(Some(NAME)), &data).await.map(drop)?);
    }
    let mut first = value!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": NAME, "namespace": NAMESPACE },
        "data": { "cluster": bootstrap.config.cluster.as_str(), "uid": bootstrap.config.uid.as_str() },
    });
    first.set_path(&["data", BOOTSTRAPPED], env!("CARGO_PKG_VERSION"));
    calls.create(target(None), &first).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_members_are_never_given_twice() {
        let marker = |next_member| Marker { next_member, ..Marker::default() };
        assert_eq!(marker(None).next_member([1].into_iter()), 2);
        assert_eq!(marker(Some(5)).next_member([1, 2].into_iter()), 5, "3 and 4 were removed");
        assert_eq!(marker(Some(2)).next_member([1, 7].into_iter()), 8);
        assert_eq!(marker(None).next_member(std::iter::empty::<u64>()), 1);
    }
}
