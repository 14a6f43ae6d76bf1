//! What a creation takes for granted of its namespace, said again to whoever applies it: the replica
//! on which it was decided may have been behind.
//!
//! Way in: [`of_creation`].  Never: a condition that other changes of the namespace break; who loses
//! is decided again.

use store_mvcc::{Condition, Key, Op};

use crate::{admission::quota, visit::Visit};

/// The operations beside that of a new object: its namespace is there and stays, and has no quota
/// that was not charged. None before all replicas understand them.
pub(super) fn of_creation(visit: &Visit<'_>) -> Vec<Op> {
    let namespace = visit.namespace();
    if !visit.kind.namespaced || namespace.is_empty() {
        return Vec::new();
    }
    let (field, value) = ("status.phase".to_owned(), "Terminating".to_owned());
    let mut checks = vec![Op::Check {
        key: Key::object("", "namespaces", None, namespace),
        condition: Condition::Unless { field, value },
    }];
    if quota::may_count(visit) {
        checks.push(Op::Check {
            key: Key::prefix("", "resourcequotas", Some(namespace)),
            condition: Condition::NoneSince(visit.snapshot.revision()),
        });
    }
    checks.retain(|check| check.level() <= visit.snapshot.level());
    checks
}
