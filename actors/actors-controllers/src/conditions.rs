//! Conditions in an object's status: finding, setting and removing them.
//!
//! Way in: [`find`], [`Conditions`].  Invariant: a condition's `lastTransitionTime` changes only
//! with its `status`.
//! Spec: Kubernetes API conventions, "Typical status properties".

use actors_core::Wall;
use actors_object::{Object, Value, timefmt, value};

/// The condition of type `kind` in the status of `object`.
#[must_use]
pub(crate) fn find<'a>(object: &'a Object, kind: &str) -> Option<&'a Value> {
    let all = object.list_at(&["status", "conditions"]);
    all.iter().find(|condition| condition.at("type").as_str() == Some(kind))
}

/// Whether the condition of type `kind` has this `status`: `True`, `False` or `Unknown`.
#[must_use]
pub(crate) fn is(object: &Object, kind: &str, status: &str) -> bool {
    find(object, kind).is_some_and(|condition| condition.at("status").as_str() == Some(status))
}

/// The conditions of a status that is being made, begun with those of the current one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conditions {
    list: Vec<Value>,
    stamp: String,
}

/// What a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Says<'a> {
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
}

impl Conditions {
    /// The current conditions of `object`.
    pub(crate) fn of(object: &Object, now: Wall) -> Self {
        let list = object.list_at(&["status", "conditions"]).to_vec();
        Self { list, stamp: timefmt::seconds(now) }
    }

    pub(crate) fn get(&self, kind: &str) -> Option<&Value> {
        self.list.iter().find(|condition| condition.at("type").as_str() == Some(kind))
    }

    /// Its `reason`; empty if there is no such condition.
    pub(crate) fn reason(&self, kind: &str) -> &str {
        self.get(kind).and_then(|condition| condition.at("reason").as_str()).unwrap_or_default()
    }

    /// Sets a condition; nothing changes, stamps included, if it says the same already.
    pub(crate) fn set(&mut self, kind: &str, says: Says<'_>) {
        let made = self.make(kind, says);
        let same = |old: &Value| {
            ["status", "reason", "message"].iter().all(|field| old.at(field) == made.at(field))
        };
        if !self.get(kind).is_some_and(same) {
            self.put(kind, made);
        }
    }

    /// As [`Conditions::set`] with a `lastUpdateTime`, which is now each time that anything
    /// changes.
    pub(crate) fn set_updated(&mut self, kind: &str, says: Says<'_>) {
        let before = self.list.clone();
        self.set(kind, says);
        if self.list != before {
            self.touch(kind);
        }
    }

    /// Says that the condition was looked at and found to have progressed.
    pub(crate) fn touch(&mut self, kind: &str) {
        let stamp = self.stamp.clone();
        let found = self.list.iter_mut().find(|one| one.at("type").as_str() == Some(kind));
        if let Some(condition) = found {
            condition.set_path(&["lastUpdateTime"], stamp);
        }
    }

    /// Copies a condition of another object.
    pub(crate) fn copy(&mut self, condition: &Value) {
        let text = |field: &str| condition.at(field).as_str().unwrap_or_default();
        let says =
            Says { status: text("status"), reason: text("reason"), message: text("message") };
        self.set_updated(text("type"), says);
    }

    pub(crate) fn remove(&mut self, kind: &str) {
        self.list.retain(|condition| condition.at("type").as_str() != Some(kind));
    }

    /// As the `conditions` of a status; `null` if there is none.
    pub(crate) fn into_value(self) -> Value {
        if self.list.is_empty() { Value::Null } else { Value::List(self.list) }
    }

    fn make(&self, kind: &str, says: Says<'_>) -> Value {
        let old = self.get(kind);
        let kept = old.filter(|old| old.at("status").as_str() == Some(says.status));
        let since = kept.and_then(|old| old.at("lastTransitionTime").as_str());
        let mut made = value!({
            "type": kind,
            "status": says.status,
            "lastTransitionTime": since.unwrap_or(&self.stamp),
            "reason": says.reason,
            "message": says.message,
        });
        if let Some(updated) = old.and_then(|old| old.at("lastUpdateTime").as_str()) {
            made.set_path(&["lastUpdateTime"], updated);
        }
        made
    }

    fn put(&mut self, kind: &str, made: Value) {
        let place = self.list.iter_mut().find(|one| one.at("type").as_str() == Some(kind));
        match place {
            Some(place) => *place = made,
            None => self.list.push(made),
        }
    }
}
