//! Forgets events an hour after they were last seen.
//!
//! Way in: [`EventTtlController`].  Writes: deletions of Events.

use std::time::Duration;

use actors_controller::{Access, Controller, Plan, Primary, World, WriteVerb};
use actors_core::{Now, Wall};
use actors_object::{Object, timefmt};

use crate::kinds::EVENT;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventTtlController;

const TTL: Duration = Duration::from_secs(3_600);

impl Controller for EventTtlController {
    fn name(&self) -> &'static str {
        "event-ttl"
    }

    fn primary(&self) -> Primary {
        Primary::Of(EVENT)
    }

    fn access(&self) -> Access {
        Access::reads(&[&EVENT]).writes(&EVENT, WriteVerb::Delete, &[])
    }

    fn reconcile(&self, event: &Object, _world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        let age = now.wall.since(last_seen(event).unwrap_or(now.wall));
        match TTL.checked_sub(age) {
            Some(rest) if !rest.is_zero() => plan.requeue(rest),
            _ => plan.delete(event),
        }
        plan
    }
}

fn last_seen(event: &Object) -> Option<Wall> {
    let stamps = [
        event.str_at(&["series", "lastObservedTime"]),
        event.str_at(&["lastTimestamp"]),
        event.str_at(&["eventTime"]),
        Some(event.creation_timestamp()),
    ];
    stamps.into_iter().flatten().filter_map(timefmt::parse).max()
}

#[cfg(test)]
mod tests;
