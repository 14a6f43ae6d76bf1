//! Pods that must never run twice: the annotation `starling.dev/fence-after`, and when such a pod
//! has surely ended.
//!
//! Way in: [`is_fenced`], [`fence_after`], [`surely_ended_after`].
//! The promise: a fenced pod keeps its place until it has surely ended. Its replacement is made
//! only when its object is gone or says that it has finished, on a healthy node as on a dead one.
//! (Kubernetes' ReplicaSet replaces a pod as soon as it is *terminating*; it has no word for this,
//! but for `podReplacementPolicy: TerminationComplete`.) On a dead node its object is taken away
//! when the pod's deadline has surely passed. The deadline is held by the pod's shim: an agent
//! that renews its fence lease hands the shim *the time at which it sent the renewal* plus
//! `fence-after`; a renewal is confirmed after a read barrier begun when it arrived, and never for
//! a node that has the taint [`NODE_DEAD`](crate::dead_nodes::NODE_DEAD). So every deadline that
//! can exist lies at most `fence-after` behind the moment at which the taint was committed.

use std::time::Duration;

use actors_object::{Object, span};

/// The annotation of a pod that names how long it may run without word from a quorum: `30s`,
/// `1m30s`.
pub const FENCE_AFTER: &str = "starling.dev/fence-after";
/// A shorter fence would fire in an ordinary change of leaders; what asks for less gets this.
pub const FENCE_AFTER_MIN: Duration = Duration::from_secs(15);
/// A longer one is of no use to anybody: such a text counts as not understood.
const FENCE_AFTER_MAX: Duration = Duration::from_hours(24);

/// Whether the pod asks for a fence, also in words that are not understood: those keep its place
/// for ever.
#[must_use]
pub fn is_fenced(pod: &Object) -> bool {
    pod.annotation(FENCE_AFTER).is_some()
}

/// How long the pod may run without word from a quorum. `None`: it asks for no fence, or in words
/// that are not understood.
#[must_use]
pub fn fence_after(pod: &Object) -> Option<Duration> {
    let span = span::parse(pod.annotation(FENCE_AFTER)?)?;
    let is_sound = !span.is_zero() && span <= FENCE_AFTER_MAX;
    is_sound.then(|| span.max(FENCE_AFTER_MIN))
}

/// How long after the verdict was committed a pod with this fence has surely ended: the fence, the
/// time that a shim may need to wake and to kill (2 s), and a clock that runs slow by one in a
/// hundred.
#[must_use]
pub fn surely_ended_after(fence_after: Duration) -> Duration {
    fence_after + fence_after / 100 + Duration::from_secs(2)
}

#[cfg(test)]
mod tests {
    use actors_object::{Object, value};

    use super::*;

    fn fence(text: &str) -> Option<u128> {
        let pod =
            Object(value!({ "metadata": { "annotations": { "starling.dev/fence-after": text } } }));
        assert!(is_fenced(&pod));
        fence_after(&pod).map(|span| span.as_millis())
    }

    #[test]
    fn spans_are_read_as_go_writes_them_and_never_shorter_than_the_least() {
        assert_eq!(fence("30s"), Some(30_000));
        assert_eq!(fence("1m30s"), Some(90_000));
        assert_eq!(fence("20s500ms"), Some(20_500));
        assert_eq!(fence("1s"), Some(15_000));
        for text in ["", "30", "s", "-30s", "0s", "30 s", "25h", "4294967296s", "30sm"] {
            assert_eq!(fence(text), None, "{text}");
        }
    }

    #[test]
    fn the_wait_is_longer_than_any_deadline() {
        assert_eq!(surely_ended_after(Duration::from_secs(30)), Duration::from_millis(32_300));
    }
}
