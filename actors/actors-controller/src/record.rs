//! Turns what should be told into Event objects: one per subject, reason and message, with a count.
//!
//! Way in: [`event_item`].  Writes: `Event` objects.  Spec: Kubernetes documentation, reference
//! "Event v1 core".

use actors_core::Wall;
use actors_object::{Object, timefmt, value};

use crate::{Happening, Item, Kind, Target, World, digest::Digest};

/// The kind of the objects that record events.
pub const EVENT: Kind = Kind::new("v1", "Event");

/// The write that records `happening`: a new Event, or one more count on the one that says the
/// same.
///
/// `reporter` is the name of the component: `deployment-controller`.
#[must_use]
pub fn event_item(happening: &Happening, reporter: &str, world: &dyn World, now: Wall) -> Item {
    let regarding = &happening.regarding;
    let namespace = match regarding.key.namespace.as_str() {
        "" => "default",
        own => own,
    };
    let name = event_name(happening, reporter);
    let stamp = timefmt::seconds(now);
    if let Some(known) = world.get(&EVENT, namespace, &name) {
        let count = known.i64_at(&["count"]).unwrap_or(1).saturating_add(1);
        let patch = value!({ "count": count, "lastTimestamp": stamp });
        return Item::Patch { target: Target::of(&known), patch };
    }
    Item::Create(Object(value!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": name, "namespace": namespace },
        "involvedObject": {
            "kind": regarding.key.kind.kind(),
            "namespace": regarding.key.namespace.as_str(),
            "name": regarding.key.name.as_str(),
            "uid": regarding.uid.as_str(),
            "apiVersion": regarding.key.kind.api_version(),
        },
        "reason": happening.reason.as_str(),
        "message": happening.message.as_str(),
        "source": { "component": reporter },
        "firstTimestamp": stamp.as_str(),
        "lastTimestamp": stamp.as_str(),
        "count": 1,
        "type": happening.kind.as_str(),
        "reportingComponent": reporter,
        "reportingInstance": "",
    })))
}

/// The subject's name, a dot, and a hash of everything that makes two events the same.
fn event_name(happening: &Happening, reporter: &str) -> String {
    const NAME_MAX: usize = 253 - 17;
    let regarding = &happening.regarding;
    let parts = [
        regarding.uid.as_str(),
        regarding.key.kind.kind(),
        &regarding.key.name,
        happening.kind.as_str(),
        &happening.reason,
        &happening.message,
        reporter,
    ];
    let digest = parts.iter().fold(Digest::EMPTY, |digest, part| digest.and(part)).number();
    let subject: String = regarding.key.name.chars().take(NAME_MAX).collect();
    format!("{subject}.{digest:016x}")
}
