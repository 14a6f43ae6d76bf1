//! Kinds that are served in several forms and stored in one.
//!
//! Way in: [`to_storage`], [`from_storage`].  Two kinds have two forms: events, which the core group stores, and
//! horizontal autoscalers, which are stored as `autoscaling/v2`.
//! Invariant: what was stored and shown in another form is the same when it comes back.

mod autoscaler;
mod event;
mod metric;

use actors_object::Object;

pub(crate) use autoscaler::to_v2 as autoscaler_to_v2;

use crate::registry::KindFacts;

/// Turns an object of a served kind into the form in which it is stored.
pub fn to_storage(kind: &KindFacts, object: &mut Object) {
    if is_new_event(kind) {
        event::to_core(object);
    } else if is_old_autoscaler(kind) {
        autoscaler::to_v2(object);
    }
}

/// Turns a stored object into the form of a served kind.
pub fn from_storage(kind: &KindFacts, object: &mut Object) {
    if is_new_event(kind) {
        event::from_core(object);
    } else if is_old_autoscaler(kind) {
        autoscaler::to_v1(object);
    }
}

/// Whether the kind is not stored in the form in which it is served.
#[must_use]
pub fn is_converted(kind: &KindFacts) -> bool {
    is_new_event(kind) || is_old_autoscaler(kind)
}

fn is_new_event(kind: &KindFacts) -> bool {
    kind.is("events.k8s.io", "Event")
}

fn is_old_autoscaler(kind: &KindFacts) -> bool {
    kind.is("autoscaling", "HorizontalPodAutoscaler") && kind.gvk.version == "v1"
}

#[cfg(test)]
mod tests;
