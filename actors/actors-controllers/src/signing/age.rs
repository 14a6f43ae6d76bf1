//! How long a certificate signing request is kept.
//!
//! Way in: [`left`].  Spec: Kubernetes documentation, "Certificates and Certificate Signing Requests", "Request signing
//! process": decided requests are removed after an hour, those that nobody decides after a day.

use std::time::Duration;

use actors_core::Wall;
use actors_object::{Object, timefmt};

const DECIDED: Duration = Duration::from_secs(3_600);
const PENDING: Duration = Duration::from_secs(86_400);

/// How long it is still kept; `None` if it is to go.
pub(super) fn left(request: &Object, now: Wall) -> Option<Duration> {
    let decided = request.list_at(&["status", "conditions"]).iter().filter_map(|condition| {
        let at = condition.str_at(&["lastUpdateTime"])?;
        timefmt::parse(at).map(|at| at.after(DECIDED))
    });
    let end = decided
        .min()
        .or_else(|| timefmt::parse(request.creation_timestamp()).map(|born| born.after(PENDING)));
    // A request without a time was made just now.
    let nanos = end.map_or(0, |end| end.0.saturating_sub(now.0));
    match end {
        None => Some(PENDING),
        Some(_) if nanos <= 0 => None,
        Some(_) => Some(Duration::from_nanos(nanos.unsigned_abs())),
    }
}
