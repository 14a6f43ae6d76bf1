//! Gathers the last trace of an object, question by question: first up to where it began, then down.
//!
//! Way in: [`Gathering`].  Never: a socket; whoever asks the machines brings their answers.
//! Bounds: [`Gathering::SPANS_MAX`] spans, [`Gathering::QUESTIONS_MAX`] questions.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Parent, Question, Report, Span, SpanId, Thing};

/// A trace that is being gathered.
#[derive(Debug)]
pub struct Gathering {
    pub(crate) thing: Thing,
    pub(crate) spans: BTreeMap<SpanId, Span>,
    /// Which span made a revision.
    writers: BTreeMap<u64, SpanId>,
    asked_up: BTreeSet<SpanId>,
    asked_writers: BTreeSet<u64>,
    asked_below: BTreeSet<SpanId>,
    questions: usize,
}

impl Gathering {
    /// Most spans of one tree.
    pub const SPANS_MAX: usize = 2_048;

    /// Most questions to the machines: a trace is no deeper.
    pub const QUESTIONS_MAX: usize = 64;

    /// Nothing is known of `thing` yet.
    #[must_use]
    pub fn new(thing: Thing) -> Self {
        Self {
            thing,
            spans: BTreeMap::new(),
            writers: BTreeMap::new(),
            asked_up: BTreeSet::new(),
            asked_writers: BTreeSet::new(),
            asked_below: BTreeSet::new(),
            questions: 0,
        }
    }

    /// What all machines are to be asked next; `None` when nothing more can be learned.
    pub fn question(&mut self) -> Option<Question> {
        let mut question = Question::default();
        if self.questions == 0 {
            question.things.insert(self.thing.clone());
        } else {
            self.ask_upwards(&mut question);
            if question.is_empty() && self.spans.len() < Self::SPANS_MAX {
                self.ask_downwards(&mut question);
            }
        }
        self.questions += 1;
        (!question.is_empty() && self.questions <= Self::QUESTIONS_MAX).then_some(question)
    }

    /// Takes what a machine answered.
    pub fn take(&mut self, spans: Vec<Span>) {
        for span in spans {
            for revision in &span.wrote {
                self.writers.insert(*revision, span.id);
            }
            // A machine names its newest knowledge first.
            self.spans.entry(span.id).or_insert(span);
        }
    }

    /// The tree, as far as it was gathered. With `all`, also steps that have nothing to do with the object.
    #[must_use]
    pub fn report(self, all: bool) -> Report {
        Report::of(&self, all)
    }

    fn ask_upwards(&mut self, question: &mut Question) {
        for span in self.spans.values() {
            let unknown = |id: &SpanId| !self.spans.contains_key(id);
            match span.parent {
                Parent::Span(id) if unknown(&id) && self.asked_up.insert(id) => {
                    question.spans.insert(id);
                }
                Parent::Revision(revision)
                    if !self.writers.contains_key(&revision)
                        && self.asked_writers.insert(revision) =>
                {
                    question.wrote.insert(revision);
                }
                _ => {}
            }
        }
    }

    fn ask_downwards(&mut self, question: &mut Question) {
        let Some(root) = self.last_root() else { return };
        for id in self.below(root) {
            if self.asked_below.insert(id) {
                question.below_spans.insert(id);
                let wrote = self.spans.get(&id).into_iter().flat_map(|span| &span.wrote);
                question.below_revisions.extend(wrote);
            }
        }
    }

    /// The span that another one was done for, if it is remembered.
    pub(crate) fn parent_of(&self, span: &Span) -> Option<SpanId> {
        let parent = match span.parent {
            Parent::None => None,
            Parent::Span(parent) => Some(parent),
            Parent::Revision(revision) => self.writers.get(&revision).copied(),
        };
        parent.filter(|parent| self.spans.contains_key(parent) && *parent != span.id)
    }

    /// Where the trace of a span began, as far as it is remembered.
    fn root_of(&self, span: &Span) -> SpanId {
        let mut at = span;
        // What machines say may be anything, also a circle.
        for _ in 0..self.spans.len() {
            let Some(parent) = self.parent_of(at).and_then(|parent| self.spans.get(&parent)) else {
                break;
            };
            at = parent;
        }
        at.id
    }

    /// The beginning of the object's last trace.
    pub(crate) fn last_root(&self) -> Option<SpanId> {
        let own = self.spans.values().filter(|span| span.thing == self.thing);
        let roots: BTreeSet<SpanId> = own.map(|span| self.root_of(span)).collect();
        roots.into_iter().max_by_key(|root| self.spans.get(root).map(|span| span.start))
    }

    /// Who was done for whom, each in the order of time.
    pub(crate) fn children(&self) -> BTreeMap<SpanId, Vec<SpanId>> {
        let mut children: BTreeMap<SpanId, Vec<SpanId>> = BTreeMap::new();
        for span in self.spans.values() {
            if let Some(parent) = self.parent_of(span) {
                children.entry(parent).or_default().push(span.id);
            }
        }
        for below in children.values_mut() {
            below.sort_by_key(|id| (self.spans.get(id).map(|span| span.start), *id));
        }
        children
    }

    /// A span and everything that followed from it.
    fn below(&self, root: SpanId) -> BTreeSet<SpanId> {
        let children = self.children();
        let (mut found, mut open) = (BTreeSet::new(), vec![root]);
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(children.get(&id).into_iter().flatten());
            }
        }
        found
    }
}
