//! Linearizability by revision: the log gives the order, so it is checked, not searched for.
//!
//! Way in: [`judge_operations`].
//! 1. Every acknowledged write is in the log where its client was told; each change is somebody's.
//! 2. Replaying the log gives what each read showed, and meets each write's condition.
//! 3. What began after an answer came takes effect behind what that answer showed (real time).
//!
//! An operation that has no answer counts where the log shows it; if the log does not, it never
//! happened.

use std::collections::{BTreeMap, VecDeque};

use actors_core::Mono;

use crate::{Answer, Call, Expected, FinalLog, Freshness, Operation, Verdict, Version, Violation};

/// Judges what all clients saw together.
#[must_use]
pub fn judge_operations(history: &[Operation], log: &FinalLog) -> Verdict {
    let mut judge =
        Judge { history, log, verdict: Verdict::default(), places: vec![None; history.len()] };
    judge.verdict.judged = history.len();
    if log.judge(&mut judge.verdict) {
        judge.match_writes();
        judge.check_real_time();
        judge.replay();
    }
    judge.verdict
}

struct Judge<'a> {
    history: &'a [Operation],
    log: &'a FinalLog,
    verdict: Verdict,
    /// The revision at which each write took effect, if it did.
    places: Vec<Option<u64>>,
}

/// What is known of a key, and since when it was not so any more.
type Span = (Option<Version>, u64);

impl Judge<'_> {
    /// Finds the change of each write, and the write of each change.
    fn match_writes(&mut self) {
        let mut owners: BTreeMap<u64, usize> = BTreeMap::new();
        // Writes without an answer, by what they would have left in the log, in the order in which
        // they began.
        let mut unanswered: BTreeMap<(&str, Option<&str>), VecDeque<usize>> = BTreeMap::new();
        for (operation, entry) in self.history.iter().enumerate() {
            match (&entry.call, &entry.answer) {
                (Call::Write { key, value, .. }, Answer::Written { revision }) => {
                    let change = self
                        .log
                        .at(*revision)
                        .filter(|change| change.key == *key && change.value == *value);
                    if let Some(&first) = owners.get(revision) {
                        let (second, revision) = (operation, *revision);
                        self.verdict.add(Violation::SharedRevision { first, second, revision });
                    } else if change.is_some() {
                        owners.insert(*revision, operation);
                        self.places[operation] = Some(*revision);
                    } else if *revision > self.log.after {
                        self.verdict.add(Violation::LostWrite { operation, revision: *revision });
                    } else {
                        self.verdict.unjudged += 1;
                    }
                }
                (Call::Write { key, value, .. }, Answer::Unknown) => {
                    unanswered.entry((key, value.as_deref())).or_default().push_back(operation);
                }
                (Call::Write { .. }, Answer::Conflict { .. } | Answer::Refused) => {}
                (
                    Call::Get { .. } | Call::List { .. },
                    Answer::Read { .. } | Answer::Refused | Answer::Unknown,
                ) => {}
                _ => self.verdict.add(Violation::Nonsense { operation }),
            }
        }
        for change in
            self.log.entries.iter().filter(|change| !owners.contains_key(&change.revision))
        {
            let same = unanswered.get_mut(&(change.key.as_str(), change.value.as_deref()));
            match same.and_then(VecDeque::pop_front) {
                Some(operation) => self.places[operation] = Some(change.revision),
                None => {
                    let (revision, key) = (change.revision, change.key.clone());
                    self.verdict.add(Violation::Phantom { revision, key });
                }
            }
        }
    }

    /// The highest revision that an answer showed, and whether the operation itself must be behind
    /// what was known.
    fn shown(&self, operation: usize) -> Option<(u64, Order)> {
        let entry = self.history.get(operation)?;
        match (&entry.call, &entry.answer) {
            (Call::Write { .. }, Answer::Conflict { current }) => {
                current.map(|current| (current, Order::Anywhere))
            }
            (Call::Write { .. }, _) => self.places[operation].map(|place| (place, Order::Behind)),
            (
                Call::Get { freshness, .. } | Call::List { freshness, .. },
                Answer::Read { revision, .. },
            ) => {
                let order =
                    if *freshness == Freshness::Stale { Order::Anywhere } else { Order::NotBefore };
                Some((*revision, order))
            }
            _ => None,
        }
    }

    /// Sweeps over the beginnings and ends of operations in the order of time.
    fn check_real_time(&mut self) {
        // At equal times beginnings go first: the two were concurrent.
        let mut moments: Vec<(Mono, bool, usize)> = Vec::with_capacity(self.history.len() * 2);
        for (operation, entry) in self.history.iter().enumerate() {
            moments.push((entry.invoked, false, operation));
            if entry.answer != Answer::Unknown {
                moments.push((entry.returned, true, operation));
            }
        }
        moments.sort_unstable();
        let mut floor = 0;
        let mut floors = vec![0; self.history.len()];
        for (_, has_ended, operation) in moments {
            let shown = self.shown(operation);
            match (shown, has_ended) {
                (Some((revision, _)), true) => floor = floor.max(revision),
                (Some((revision, order)), false) if order.is_broken(revision, floor) => {
                    self.verdict.add(Violation::BackInTime { operation, revision, floor });
                }
                _ => {}
            }
            if !has_ended {
                floors[operation] = floor;
            }
        }
        self.check_conflicts(&floors);
    }

    /// A refused condition must have been unmet by a version that the key had when the write began,
    /// or later.
    fn check_conflicts(&mut self, floors: &[u64]) {
        let spans = spans(self.log);
        for (operation, entry) in self.history.iter().enumerate() {
            let (Call::Write { key, expected, .. }, Answer::Conflict { current }) =
                (&entry.call, &entry.answer)
            else {
                continue;
            };
            let floor = floors.get(operation).copied().unwrap_or_default();
            let known = spans.get(key.as_str());
            let met = |span: &&Span| {
                span.1 > floor && span.0.as_ref().map(|version| version.revision) == *current
            };
            let absent_always = known.is_none() && current.is_none();
            let span = known.and_then(|spans| spans.iter().find(met));
            let unmet = match (span, absent_always) {
                (Some((version, _)), _) => !expected.is_met_by(version.as_ref()),
                (None, true) => !expected.is_met_by(None),
                (None, false) => false,
            };
            if !unmet {
                self.verdict.add(Violation::FalseConflict { operation, key: key.clone() });
            }
        }
    }

    /// Builds the state revision by revision, and looks at what was read and written at each.
    fn replay(&mut self) {
        let mut reads: Vec<(u64, usize)> = Vec::new();
        let mut writes: BTreeMap<u64, (usize, Expected)> = BTreeMap::new();
        for (operation, entry) in self.history.iter().enumerate() {
            match (&entry.call, &entry.answer, self.places[operation]) {
                (Call::Write { expected, .. }, _, Some(place)) => {
                    writes.insert(place, (operation, *expected));
                }
                (Call::Get { .. } | Call::List { .. }, Answer::Read { revision, .. }, _) => {
                    reads.push((*revision, operation));
                }
                _ => {}
            }
        }
        reads.sort_unstable();
        let mut reads = reads.into_iter().peekable();
        while reads.next_if(|(revision, _)| *revision < self.log.after).is_some() {
            self.verdict.unjudged += 1;
        }
        let mut state = self.log.base.clone();
        for revision in self.log.after..=self.log.last() {
            if let Some(change) = self.log.at(revision) {
                let current = state.get(&change.key);
                if let Some((operation, _)) =
                    writes.get(&revision).filter(|(_, expected)| !expected.is_met_by(current))
                {
                    self.verdict.add(Violation::UnmetCondition { operation: *operation, revision });
                }
                match change.value.clone() {
                    Some(value) => state.insert(change.key.clone(), Version { revision, value }),
                    None => state.remove(&change.key),
                };
            }
            while let Some((_, operation)) = reads.next_if(|(read_at, _)| *read_at == revision) {
                self.check_read(operation, revision, &state);
            }
        }
        let last = self.log.last();
        reads.for_each(|(revision, operation)| {
            self.verdict.add(Violation::FutureRead { operation, revision, last })
        });
    }

    fn check_read(&mut self, operation: usize, revision: u64, state: &BTreeMap<String, Version>) {
        let Some(Operation { call, answer: Answer::Read { found, .. }, .. }) =
            self.history.get(operation)
        else {
            return;
        };
        let expected: Vec<(&String, &Version)> = match call {
            Call::Get { key, .. } => state.get_key_value(key).into_iter().collect(),
            Call::List { prefix, .. } => state
                .range(prefix.clone()..)
                .take_while(|(key, _)| key.starts_with(prefix.as_str()))
                .collect(),
            Call::Write { .. } => return,
        };
        let shown: Vec<_> = found.iter().map(|(key, version)| (key, version)).collect();
        if shown != expected {
            let differs = (0..)
                .map(|at| (shown.get(at), expected.get(at)))
                .find(|(shown, expected)| shown != expected);
            let key = differs
                .and_then(|(shown, expected)| expected.or(shown))
                .map(|(key, _)| (*key).clone());
            self.verdict.add(Violation::WrongRead {
                operation,
                revision,
                key: key.unwrap_or_default(),
            });
        }
    }
}

/// All that each key ever held, with the revision at which that ended.
fn spans(log: &FinalLog) -> BTreeMap<&str, Vec<Span>> {
    let mut spans: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    let base = log
        .base
        .iter()
        .map(|(key, version)| (key.as_str(), version.revision, Some(version.clone())));
    let changes = log.entries.iter().map(|change| {
        let version =
            change.value.clone().map(|value| Version { revision: change.revision, value });
        (change.key.as_str(), change.revision, version)
    });
    for (key, revision, version) in base.chain(changes) {
        let of_key = spans.entry(key).or_insert_with(|| vec![(None, u64::MAX)]);
        if let Some(before) = of_key.last_mut() {
            before.1 = revision;
        }
        of_key.push((version, u64::MAX));
    }
    spans
}

/// Where an operation must take effect, given what was known when it began.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// A write: behind everything that was known.
    Behind,
    /// A consistent read: not before it.
    NotBefore,
    /// A stale read or a refused write: wherever.
    Anywhere,
}

impl Order {
    fn is_broken(self, revision: u64, floor: u64) -> bool {
        match self {
            Self::Behind => revision <= floor,
            Self::NotBefore => revision < floor,
            Self::Anywhere => false,
        }
    }
}
