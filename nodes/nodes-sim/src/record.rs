//! What an all-seeing observer notes of a run: histories for the judges, and what must never be
//! seen at all.
//!
//! Way in: [`Record`].  Owns: nothing that a machine could read: the record never changes a run.
//! Invariants (each broken one is a violation): 1. two replicas that applied the same index have
//! the same hash.
//! 2. every change of an object was proposed by the door. 3. one leader a term. 4. those of
//! [`Census`].

use std::collections::{BTreeMap, BTreeSet};

use actors_core::Mono;
use actors_sim::{Digest, NodeId};
use chaos_judges::{Answer, Call, Expected, LogEntry, Operation, WatchRecord};
use store_catalog::Tree;
use store_mvcc::{
    Applied, Change, Expect, Key, Op, OpResult, Outcome, Position, Proposal, StateHash, Token,
};

use crate::{
    census::Census,
    fences::Fences,
    report::{Invariant, Violation},
    versions::Versions,
    wire::Wire,
};

/// Everything that is noted of a run.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) violations: Vec<Violation>,
    /// The true time.
    pub(crate) time: Mono,
    pub(crate) operations: Vec<Operation>,
    pub(crate) watches: Vec<WatchRecord>,
    pub(crate) wire: Wire,
    pub(crate) census: Census,
    pub(crate) versions: Versions,
    pub(crate) fences: Fences,
    pub(crate) disk: BTreeMap<NodeId, DiskNotes>,
    /// Who led, by term.
    pub(crate) leaders: BTreeMap<u64, NodeId>,
    pub(crate) counts: Counts,
    /// How many operations and events the judges looked at.
    pub(crate) judged: usize,
    /// What is odd, and no violation.
    pub(crate) notes: Vec<String>,
    /// Every change, as the first replica that applied it saw it: for history that is compacted at
    /// the end.
    pub(crate) changes: BTreeMap<u64, LogEntry>,
    /// The hash of the state behind each log index, as the first replica that came there had it.
    hashes: BTreeMap<u64, StateHash>,
    /// Proposals that came through the door.
    passed: BTreeMap<Token, Passed>,
}

/// What happened at one server's disk, and when.
#[derive(Debug, Default)]
pub(crate) struct DiskNotes {
    /// From when to when.
    pub(crate) slow: Vec<(Mono, Mono)>,
    pub(crate) failed: Vec<(Mono, Mono)>,
    pub(crate) full: Vec<(Mono, Mono)>,
}

/// How much of what happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Entries that were applied, counted once however many replicas applied them.
    pub entries: u64,
    /// Proposals that the door made.
    pub passed: u64,
    /// Images of the state that were installed.
    pub images: u64,
    /// Plans of controllers that were carried out.
    pub plans: u64,
    /// Keys that a controller's host let rest for making a hot loop.
    pub parked: u64,
    /// Writes of a controller under an epoch that was over.
    pub fenced: u64,
    /// Pods that were bound to a node.
    pub bound: u64,
    /// Pods that came to run.
    pub ran: u64,
    /// Verdicts about machines.
    pub verdicts: u64,
    /// Nodes that were marked as dead.
    pub deaths: u64,
    /// Pods that an agent's process took over from the one before it.
    pub adopted: u64,
    /// Fenced pods that were ended for their deadline had surely passed.
    pub fallen: u64,
    /// Fenced pods that came to run on another machine than the one before them.
    pub moved: u64,
}

/// A proposal that came through the door.
#[derive(Debug)]
struct Passed {
    /// The revision that the plan behind it was made at, if a controller made one.
    planned_at: Option<u64>,
    /// What the door wrote, until it is applied.
    tree: Option<Tree>,
    /// For each operation its place in the history, if the door's own side of it is judged.
    history: Vec<Option<usize>>,
}

impl Record {
    /// Most violations that are kept; the first ones tell the most.
    const VIOLATIONS_MAX: usize = 32;

    pub(crate) fn violation(&mut self, invariant: Invariant, what: impl Into<String>) {
        if self.violations.len() < Self::VIOLATIONS_MAX {
            let at = self.time.since(Mono::default());
            self.violations.push(Violation { invariant, at, what: what.into() });
        }
    }

    /// The door made a proposal. With `judged`, each of its operations becomes one of the history.
    pub(crate) fn pass(
        &mut self,
        proposal: &Proposal,
        (by, at): (NodeId, Mono),
        planned_at: Option<u64>,
        judged: impl Fn(&Key, &Call) -> bool,
    ) {
        self.counts.passed += 1;
        let mut history = Vec::new();
        for op in &proposal.ops {
            let call = call_of(op).filter(|(key, call)| judged(key, call));
            history.push(call.map(|(_, call)| {
                let answer = Answer::Unknown;
                self.operations.push(Operation {
                    client: by.0,
                    call,
                    invoked: at,
                    returned: at,
                    answer,
                });
                self.operations.len() - 1
            }));
        }
        self.passed.insert(proposal.token, Passed { planned_at, tree: None, history });
    }

    /// What a proposal that passed was written from.
    pub(crate) fn hold(&mut self, token: Token, tree: Option<Tree>) {
        if let Some(passed) = self.passed.get_mut(&token) {
            passed.tree = tree;
        }
    }

    /// The door's side learned what became of a proposal.
    pub(crate) fn settle(&mut self, token: Token, outcome: &Outcome, at: Mono) {
        let Some(passed) = self.passed.get(&token) else { return };
        for (result, place) in outcome.results.iter().zip(&passed.history) {
            let Some(operation) = place.and_then(|place| self.operations.get_mut(place)) else {
                continue;
            };
            operation.returned = at;
            operation.answer = match result {
                OpResult::Done { revision, .. } => Answer::Written { revision: revision.0 },
                OpResult::Conflict { current } => {
                    Answer::Conflict { current: current.map(|current| current.0) }
                }
                _ => Answer::Refused,
            };
        }
    }

    /// A replica applied an entry.
    pub(crate) fn applied(
        &mut self,
        node: NodeId,
        position: &Position,
        proposal: &Proposal,
        applied: &Applied,
    ) {
        let changes = &applied.changes;
        let index = position.index;
        if !self.check_hash(node, position) {
            return;
        }
        self.counts.entries += 1;
        let mut passed = self.passed.get_mut(&proposal.token);
        let planned_at = passed.as_ref().and_then(|passed| passed.planned_at);
        let tree = passed.as_mut().and_then(|passed| passed.tree.take());
        if passed.is_none() && proposal.ops.iter().any(|op| call_of(op).is_some()) {
            let writer = &proposal.writer.name;
            let what = format!("entry {index} of {writer:?} changes objects and bypassed the door");
            self.violation(Invariant::ThroughTheDoor, what);
        }
        self.fill_deltas(proposal, changes);
        let old = |result: &&OpResult| matches!(result, OpResult::OldEpoch { .. });
        self.counts.fenced += applied.outcome.results.iter().filter(old).count() as u64;
        self.changes.extend(changes.iter().map(|change| (change.revision.0, log_entry(change))));
        for change in changes {
            if let (Some(stored), Some(tree)) = (&change.value, &tree) {
                self.versions.adopt(stored, tree);
            }
            if let Err(what) = self.take_census(change, planned_at) {
                self.violation(Invariant::PodsAsWanted, what);
            }
        }
    }

    fn take_census(&mut self, change: &Change, planned_at: Option<u64>) -> Result<(), String> {
        if !Census::counts(&change.key) {
            return Ok(());
        }
        let object = change.value.as_ref().map(|stored| self.versions.object(stored));
        self.census.take(change, object.as_deref(), planned_at, &mut self.counts)
    }

    /// What a delta made of a value is known when it is applied for the first time.
    fn fill_deltas(&mut self, proposal: &Proposal, changes: &[std::sync::Arc<Change>]) {
        let Some(passed) = self.passed.get(&proposal.token) else { return };
        for (op, place) in proposal.ops.iter().zip(&passed.history) {
            let (Op::Delta { key, .. }, Some(place)) = (op, place) else { continue };
            let made = changes.iter().find(|change| change.key == *key);
            let text =
                made.and_then(|change| change.value.as_ref()).map(|made| text_of(key, &made.value));
            if let Some(Call::Write { value, .. }) =
                self.operations.get_mut(*place).map(|operation| &mut operation.call)
                && text.is_some()
            {
                *value = text;
            }
        }
    }

    /// Compares a replica with those that were here before; true if it is the first.
    pub(crate) fn check_hash(&mut self, node: NodeId, position: &Position) -> bool {
        match self.hashes.insert(position.index, position.hash) {
            None => true,
            Some(known) if known == position.hash => false,
            Some(known) => {
                self.hashes.insert(position.index, known);
                let index = position.index;
                let what = format!("server {} differs from others at index {index}", node.0);
                self.violation(Invariant::ReplicasAgree, what);
                false
            }
        }
    }

    pub(crate) fn leads(&mut self, node: NodeId, term: u64) {
        let leader = *self.leaders.entry(term).or_insert(node);
        if leader != node {
            let what = format!("servers {} and {} both lead term {term}", leader.0, node.0);
            self.violation(Invariant::OneLeader, what);
        }
    }

    /// Makes violations of what the judge of fenced pods found.
    pub(crate) fn judge_fences(&mut self) {
        self.counts.moved = self.fences.moves;
        for wrong in self.fences.take_wrong() {
            self.violation(Invariant::FencedOnce, wrong);
        }
    }

    /// A host lets a key rest because its controller made the same changes again and again.
    pub(crate) fn parked(&mut self, key: &str, plan: &str) {
        self.counts.parked += 1;
        self.notes.push(format!("parked {key}: {plan}"));
    }

    /// The operation that a violation names, as text.
    pub(crate) fn describe(&self, violation: &chaos_judges::Violation) -> String {
        use chaos_judges::Violation;
        let operation = match violation {
            Violation::LostWrite { operation, .. }
            | Violation::UnmetCondition { operation, .. }
            | Violation::FalseConflict { operation, .. }
            | Violation::BackInTime { operation, .. }
            | Violation::WrongRead { operation, .. }
            | Violation::FutureRead { operation, .. }
            | Violation::Nonsense { operation } => *operation,
            Violation::SharedRevision { second, .. } => *second,
            _ => return String::new(),
        };
        self.operations
            .get(operation)
            .map(|operation| format!(": {operation:?}"))
            .unwrap_or_default()
    }

    /// How often another server, or the same one in a later term, began to lead.
    pub(crate) fn leader_changes(&self) -> u64 {
        (self.leaders.len() as u64).saturating_sub(1)
    }

    /// How many different servers led.
    pub(crate) fn leaders(&self) -> usize {
        self.leaders.values().collect::<BTreeSet<_>>().len()
    }
}

/// A change as the judges know changes.
pub(crate) fn log_entry(change: &Change) -> LogEntry {
    LogEntry {
        revision: change.revision.0,
        key: change.key.to_string(),
        value: change.value.as_ref().map(|stored| text_of(&change.key, &stored.value)),
    }
}

/// The key that an operation changes, and the operation as a call of the history.
fn call_of(op: &Op) -> Option<(&Key, Call)> {
    let (key, value, expected) = match op {
        Op::Put { key, value, expect, .. } => {
            (key, Some(text_of(key, value)), expected_of(*expect))
        }
        // What it makes of the value is filled in when it is applied.
        Op::Delta { key, expect, .. } => (key, Some(String::new()), Expected::Revision(expect.0)),
        Op::Delete { key, expect } => (key, None, expected_of(*expect)),
        Op::GrantShard { .. }
        | Op::LeaseGrant { .. }
        | Op::LeaseRevoke { .. }
        | Op::Compact { .. }
        | Op::RaiseLevel(_)
        | Op::Check { .. } => return None,
    };
    Some((key, Call::Write { key: key.to_string(), value, expected }))
}

fn expected_of(expect: Expect) -> Expected {
    match expect {
        Expect::Any => Expected::Any,
        Expect::Absent => Expected::Absent,
        Expect::Present => Expected::Present,
        Expect::Revision(revision) => Expected::Revision(revision.0),
    }
}

/// What the judges see of a value: the register of a client's ConfigMap, a digest of anything else.
pub(crate) fn text_of(key: &Key, value: &[u8]) -> String {
    if is_register(key)
        && let Ok(object) = actors_object::json::from_slice(value)
        && let Some(text) = object.str_at(&["data", "v"])
    {
        return text.to_owned();
    }
    let mut digest = Digest::default();
    digest.add(value);
    format!("{:016x}", digest.finish())
}

/// Whether a key is one that clients read and write as a register.
pub(crate) fn is_register(key: &Key) -> bool {
    key.as_bytes().starts_with(REGISTERS.as_bytes())
}

/// What the keys of the clients' registers begin with.
pub(crate) const REGISTERS: &str = "/registry/configmaps/default/r";
