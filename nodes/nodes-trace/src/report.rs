//! A gathered trace as it is answered: steps in the order of a tree.
//!
//! Way in: [`Report::of`].  Invariant: steps stand behind the step that they were done for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Gathering, Parent, Span, SpanId, Thing, trace_text};

/// The last trace of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The object.
    pub object: Thing,
    /// How it is now, a sentence a line.
    pub now: Vec<String>,
    /// The trace, hexadecimal; empty if its beginning is not remembered.
    pub trace: String,
    /// Whether the first step is where it all began; if not, that is remembered nowhere any more.
    pub is_whole: bool,
    /// What was done.
    pub steps: Vec<Step>,
    /// Steps of the trace that have nothing to do with the object, and were left out.
    pub hidden: usize,
    /// Machines that did not answer.
    pub missing: Vec<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// How deep in the tree it stands; 0 for the first.
    pub depth: usize,
    /// Its name, hexadecimal.
    pub span: String,
    /// That of the step that it was done for; empty for the first.
    pub parent: String,
    /// What was done.
    pub name: String,
    /// By which part, on which machine.
    pub who: String,
    /// To what.
    pub object: Thing,
    /// Microseconds from the start of the first; clocks of machines may differ.
    pub at_us: i64,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// Why.
    pub cause: String,
    /// What became of it.
    pub outcome: String,
}

/// What the walk through the tree needs.
struct Walk<'a> {
    gathering: &'a Gathering,
    children: BTreeMap<SpanId, Vec<SpanId>>,
    /// Spans that are shown.
    kept: BTreeSet<SpanId>,
    seen: BTreeSet<SpanId>,
    root: &'a Span,
    steps: Vec<Step>,
    hidden: usize,
    /// Whether everything is shown.
    all: bool,
}

impl Report {
    pub(crate) fn of(gathering: &Gathering, all: bool) -> Self {
        let mut report = Self {
            object: gathering.thing.clone(),
            now: Vec::new(),
            trace: String::new(),
            is_whole: false,
            steps: Vec::new(),
            hidden: 0,
            missing: Vec::new(),
        };
        let root = gathering.last_root().and_then(|root| gathering.spans.get(&root));
        let Some(root) = root else { return report };
        let mut walk = Walk {
            gathering,
            children: gathering.children(),
            kept: BTreeSet::new(),
            seen: BTreeSet::new(),
            root,
            steps: Vec::new(),
            hidden: 0,
            all,
        };
        walk.keep(root.id, false);
        walk.seen.clear();
        walk.show(root, 0);
        report.is_whole = root.parent == Parent::None;
        if root.trace != [0; 16] {
            report.trace = trace_text(&root.trace);
        }
        report.steps = walk.steps;
        report.hidden = walk.hidden;
        report
    }
}

impl Walk<'_> {
    /// Marks what is shown: what is about the object, what led to it, and what followed from it but for what was done
    /// to others of its kind; true if the span is.
    fn keep(&mut self, id: SpanId, is_below: bool) -> bool {
        let Some(span) = self.gathering.spans.get(&id) else { return false };
        if !self.seen.insert(id) {
            return false;
        }
        let thing = &self.gathering.thing;
        let is_other = span.thing.kind == thing.kind && span.thing != *thing;
        let is_below = self.all || (!is_other && (is_below || span.thing == *thing));
        let mut is_kept = is_below;
        for child in self.children.get(&id).cloned().unwrap_or_default() {
            is_kept |= self.keep(child, is_below);
        }
        if is_kept {
            self.kept.insert(id);
            // How a write was stored belongs to the write.
            for child in self.children.get(&id).into_iter().flatten() {
                let is_store =
                    self.gathering.spans.get(child).is_some_and(|span| span.name == "store");
                if is_store {
                    self.kept.insert(*child);
                }
            }
        }
        is_kept
    }

    fn show(&mut self, span: &Span, depth: usize) {
        if !self.seen.insert(span.id) {
            return;
        }
        if self.kept.contains(&span.id) {
            self.steps.push(self.step(span, depth));
        } else {
            self.hidden += 1;
        }
        for child in self.children.get(&span.id).cloned().unwrap_or_default() {
            if let Some(child) = self.gathering.spans.get(&child) {
                self.show(child, depth + 1);
            }
        }
    }

    fn step(&self, span: &Span, depth: usize) -> Step {
        let parent = self.gathering.parent_of(span).filter(|_| depth > 0);
        Step {
            depth,
            span: trace_text(&span.id.0),
            parent: parent.map(|parent| trace_text(&parent.0)).unwrap_or_default(),
            name: span.name.clone(),
            who: span.who.clone(),
            object: span.thing.clone(),
            at_us: span.start.0.saturating_sub(self.root.start.0) / 1_000,
            took_us: u64::try_from(span.took.as_micros()).unwrap_or(u64::MAX),
            cause: span.cause.clone(),
            outcome: span.outcome.clone(),
        }
    }
}
