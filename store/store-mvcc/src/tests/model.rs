//! Random entries, compared with a model that keeps every version in a list and looks things up by
//! searching.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::{residents::Twins, *};
use crate::{Condition, Flaw, ReadError};

/// What the model knows: each change with what the key became, and which leases live.
#[derive(Default)]
struct Model {
    changes: Vec<(String, Option<Version>)>,
    leases: Vec<u64>,
    compacted: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    value: String,
    created: u64,
    count: u64,
    lease: Option<u64>,
}

impl Model {
    fn newest(&self) -> u64 {
        self.changes.len() as u64
    }

    fn at(&self, key: &str, revision: u64) -> Option<(u64, Version)> {
        let numbered = (1_u64..).zip(&self.changes).take_while(|(number, _)| *number <= revision);
        let (number, (_, version)) = numbered.filter(|(_, (name, _))| name == key).last()?;
        version.clone().map(|version| (number, version))
    }

    fn now(&self, key: &str) -> Option<(u64, Version)> {
        self.at(key, self.newest())
    }

    fn keys_at(&self, revision: u64) -> Vec<(String, u64)> {
        let mut names: Vec<_> = self.changes.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        let found = names
            .into_iter()
            .filter_map(|name| self.at(&name, revision).map(|(number, _)| (name, number)));
        found.collect()
    }

    fn apply(&mut self, op: &Op) -> OpResult {
        match op {
            Op::Put { key, value, expect, lease, .. } => {
                let (key, lease) = (key.to_string(), lease.map(|id| id.0));
                let now = self.now(&key);
                if let Some(conflict) = refuses(*expect, now.as_ref()) {
                    return conflict;
                }
                if lease.is_some_and(|id| !self.leases.contains(&id)) {
                    return OpResult::Invalid(Flaw::UnknownLease);
                }
                let created =
                    now.as_ref().map_or(self.newest() + 1, |(_, version)| version.created);
                let count = now.as_ref().map_or(1, |(_, version)| version.count + 1);
                let value = String::from_utf8_lossy(value).into_owned();
                self.changes.push((key, Some(Version { value, created, count, lease })));
                done(self.newest(), now.is_none())
            }
            Op::Delete { key, expect } => {
                let key = key.to_string();
                match (self.now(&key), expect) {
                    (None, Expect::Any | Expect::Absent) => return OpResult::Nothing,
                    (None, _) => return OpResult::Conflict { current: None },
                    (now, _) => {
                        if let Some(conflict) = refuses(*expect, now.as_ref()) {
                            return conflict;
                        }
                    }
                }
                self.changes.push((key, None));
                done(self.newest(), false)
            }
            Op::LeaseGrant { id, .. } if self.leases.contains(&id.0) => {
                OpResult::Invalid(Flaw::LeaseExists)
            }
            Op::LeaseGrant { id, .. } => {
                self.leases.push(id.0);
                done(self.newest(), false)
            }
            Op::LeaseRevoke { id } if !self.leases.contains(&id.0) => OpResult::Nothing,
            Op::LeaseRevoke { id } => {
                self.leases.retain(|lease| *lease != id.0);
                for (name, _) in self.keys_at(self.newest()) {
                    if self.now(&name).is_some_and(|(_, version)| version.lease == Some(id.0)) {
                        self.changes.push((name, None));
                    }
                }
                done(self.newest(), false)
            }
            Op::Compact { below } if below.0 > self.newest() => {
                OpResult::Invalid(Flaw::FutureRevision)
            }
            Op::Compact { below } => {
                self.compacted = self.compacted.max(below.0);
                done(self.newest(), false)
            }
            Op::Check { key, condition } => self.check(&key.to_string(), condition),
            Op::Delta { .. } | Op::GrantShard { .. } | Op::RaiseLevel(_) => {
                unreachable!("not generated")
            }
        }
    }

    fn check(&self, key: &str, condition: &Condition) -> OpResult {
        let now = self.now(key);
        let conflict = match condition {
            Condition::Is(expect) => refuses(*expect, now.as_ref()),
            Condition::Unless { value, .. } => {
                let fits =
                    now.as_ref().is_some_and(|(_, version)| parity(&version.value) != *value);
                let current = now.map(|(number, _)| Revision(number));
                (!fits).then_some(OpResult::Conflict { current })
            }
            Condition::NoneSince(since) => {
                let under = self.keys_at(self.newest());
                let under = under.iter().filter(|(name, _)| name.starts_with(key));
                let created = under.filter_map(|(name, _)| Some(self.now(name)?.1.created));
                let newest = Revision(created.max().unwrap_or_default());
                (newest > *since).then_some(OpResult::Conflict { current: Some(newest) })
            }
        };
        conflict.unwrap_or(OpResult::Nothing)
    }

    fn apply_entry(&mut self, ops: &[Op], atomic: bool) -> Vec<OpResult> {
        let before = (self.changes.clone(), self.leases.clone(), self.compacted);
        let mut results: Vec<_> = ops.iter().map(|op| self.apply(op)).collect();
        if atomic && !results.iter().all(OpResult::is_ok) {
            (self.changes, self.leases, self.compacted) = before;
            results
                .iter_mut()
                .filter(|result| result.is_ok())
                .for_each(|result| *result = OpResult::Aborted);
        }
        results
    }
}

fn refuses(expect: Expect, now: Option<&(u64, Version)>) -> Option<OpResult> {
    let current = now.map(|(number, _)| Revision(*number));
    let fits = match (expect, current) {
        (Expect::Any, _) | (Expect::Absent, None) | (Expect::Present, Some(_)) => true,
        (Expect::Revision(expected), Some(current)) => expected == current,
        _ => false,
    };
    (!fits).then_some(OpResult::Conflict { current })
}

fn compare(bench: &Bench, model: &Model) {
    let reader = bench.state.reader();
    let all = (&Key::default(), None);
    for revision in 0..=model.newest() {
        let found = reader.range_at(all, Revision(revision), usize::MAX);
        let changes = reader.changes_after(Revision(revision), usize::MAX);
        if revision < model.compacted {
            let expired = ReadError::Expired {
                asked: Revision(revision),
                compacted: Revision(model.compacted),
            };
            assert_eq!((found.err(), changes.err()), (Some(expired.clone()), Some(expired)));
            continue;
        }
        let found: Vec<_> =
            found.unwrap().iter().map(|it| (it.key.to_string(), it.mod_revision.0)).collect();
        assert_eq!(found, model.keys_at(revision), "keys at {revision}");
        let mut next = revision;
        let mut state: BTreeMap<String, u64> = model.keys_at(revision).into_iter().collect();
        for change in changes.unwrap() {
            next += 1;
            assert_eq!(change.revision.0, next, "a gap behind {revision}");
            let key = change.key.to_string();
            assert_eq!(change.prev.as_ref().map(|prev| prev.mod_revision.0), state.remove(&key));
            let version = change.value.as_ref().map(|it| Version {
                value: String::from_utf8_lossy(&it.value).into_owned(),
                created: it.create_revision.0,
                count: it.version,
                lease: it.lease.map(|id| id.0),
            });
            assert_eq!(
                (&key, &version),
                (&model.changes[next as usize - 1].0, &model.changes[next as usize - 1].1)
            );
            state.extend(version.map(|_| (key, next)));
        }
        assert_eq!(next, model.newest(), "changes are missing at the end");
    }
}

fn any_expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        4 => Just(Expect::Any),
        1 => Just(Expect::Absent),
        1 => Just(Expect::Present),
        2 => (0..30_u64).prop_map(|number| Expect::Revision(Revision(number))),
    ]
}

fn any_put((key, value, expect, lease): (&str, u8, Expect, Option<u64>)) -> Op {
    let value = Bytes::from(value.to_string());
    let text = parity(&String::from_utf8_lossy(&value));
    let columns = Columns { fields: vec![("parity".to_owned(), text)], ..Columns::default() };
    Op::Put { key: key.into(), value, columns, expect, lease: lease.map(LeaseId) }
}

/// What a version's columns say of it.
fn parity(value: &str) -> String {
    if value.parse::<u8>().is_ok_and(|number| number % 2 == 0) { "even" } else { "odd" }.to_owned()
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let field = "parity".to_owned();
    prop_oneof![
        any_expect().prop_map(Condition::Is),
        Just(Condition::Unless { field, value: "odd".to_owned() }),
        (0..30_u64).prop_map(|since| Condition::NoneSince(Revision(since))),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    let key = prop::sample::select(vec!["a", "a/b", "b"]);
    let lease = prop::option::weighted(0.3, 0..3_u64);
    let looked_at = prop::sample::select(vec!["a", "a/", "a/b", "b"]);
    prop_oneof![
        6 => (key.clone(), any::<u8>(), any_expect(), lease).prop_map(any_put),
        3 => (key, any_expect()).prop_map(|(key, expect)| delete(key, expect)),
        4 => (looked_at, any_condition())
            .prop_map(|(key, condition)| Op::Check { key: key.into(), condition }),
        1 => (0..3_u64).prop_map(|id| Op::LeaseGrant { id: LeaseId(id), ttl_ms: 1 }),
        1 => (0..3_u64).prop_map(|id| Op::LeaseRevoke { id: LeaseId(id) }),
        1 => (0..30_u64).prop_map(|below| Op::Compact { below: Revision(below) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_state_is_what_the_model_says(
        entries in vec((vec(any_op(), 1..5), any::<bool>(), 0..4_usize), 1..12),
    ) {
        let (mut twins, mut model) = (Twins::new(), Model::default());
        twins.apply(&proposal(vec![Op::RaiseLevel(2)]), true);
        for (ops, atomic, sweep) in entries {
            let entry = Proposal { atomic, ..proposal(ops.clone()) };
            let applied = twins.apply(&entry, sweep != 1);
            prop_assert_eq!(applied.outcome.results, model.apply_entry(&ops, atomic));
            let state = &mut twins.reading.state;
            prop_assert_eq!(state.position().revision.0, model.newest());
            if sweep > 0 {
                state.sweep(sweep).unwrap();
            }
        }
        compare(&twins.reading, &model);
    }

    #[test]
    fn bytes_from_anywhere_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let with_version = [&[crate::ENTRY_VERSION][..], &bytes].concat();
        let (bare, versioned) = (Proposal::decode(&bytes), Proposal::decode(&with_version));
        prop_assert!(bare.is_err() || bytes.first() == Some(&crate::ENTRY_VERSION));
        if let Ok(proposal) = versioned {
            prop_assert_eq!(Proposal::decode(&proposal.encode().unwrap()), Ok(proposal));
        }
    }
}
