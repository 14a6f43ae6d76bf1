//! Leases: granting, tying keys, and what their end deletes.

use super::*;
use crate::{Flaw, Lease};

fn lease(id: u64) -> Op {
    Op::LeaseGrant { id: LeaseId(id), ttl_ms: 3_000 }
}

fn revoke(id: u64) -> Op {
    Op::LeaseRevoke { id: LeaseId(id) }
}

#[test]
fn the_end_of_a_lease_deletes_its_keys_each_under_its_own_revision() {
    let mut bench = Bench::new();
    bench.results(vec![lease(1), lease(2)]);
    bench.results(vec![
        put_leased("b", 1),
        put_leased("a", 1),
        put_leased("c", 2),
        put("d", "1", Expect::Any),
    ]);
    let applied = bench.apply(&proposal(vec![revoke(1)]));
    assert_eq!(applied.outcome.results, [done(6, false)]);
    assert_eq!(bench.changes_after(4), ["5-a", "6-b"]);
    assert_eq!(bench.results(vec![revoke(1)]), [OpResult::Nothing]);
    let left = bench.state.reader().leases().unwrap();
    assert_eq!(left, [Lease { id: LeaseId(2), ttl_ms: 3_000, granted_at: Wall(1_000) }]);
}

#[test]
fn a_key_is_tied_to_the_lease_of_its_last_version_only() {
    let mut bench = Bench::new();
    bench.results(vec![lease(1), lease(2)]);
    bench.results(vec![
        put_leased("a", 1),
        put_leased("a", 2),
        put_leased("b", 1),
        put("b", "1", Expect::Any),
    ]);
    bench.results(vec![put_leased("c", 1), delete("c", Expect::Any), put("c", "1", Expect::Any)]);
    assert_eq!(bench.results(vec![revoke(1)]), [done(7, false)]);
    assert_eq!(bench.results(vec![revoke(2)]), [done(8, false)]);
    assert_eq!(bench.changes_after(7), ["8-a"]);
}

#[test]
fn a_lease_and_its_keys_in_one_entry_see_each_other() {
    let mut bench = Bench::new();
    let results = bench.results(vec![lease(1), put_leased("a", 1), revoke(1), put_leased("a", 1)]);
    let unknown = OpResult::Invalid(Flaw::UnknownLease);
    assert_eq!(results, [done(0, false), done(1, true), done(2, false), unknown]);
    assert_eq!(bench.results(vec![lease(1), lease(1)])[1], OpResult::Invalid(Flaw::LeaseExists));
}
