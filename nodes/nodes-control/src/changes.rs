//! A published event as a controller's change.
//!
//! Way in: [`change_of`].

use actors_controller::Change;
use store_catalog::{Event, EventKind};

/// What a controller hears of an event.
#[must_use]
pub fn change_of(event: &Event) -> Change {
    Change {
        object: event.item().object(),
        previous: event.prev().map(|item| item.object()),
        deleted: event.kind() == EventKind::Deleted,
        revision: event.revision().0,
    }
}
