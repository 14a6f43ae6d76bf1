//! The spans that a process remembers.
//!
//! Way in: [`Ring`].  Invariant: never more spans than its capacity; the oldest go first.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{Parent, Span, SpanId, Thing};

/// The last spans of a process.
#[derive(Debug, Clone)]
pub struct Ring {
    spans: VecDeque<Span>,
    capacity: usize,
}

/// Which spans are wanted: those that fit any part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Question {
    /// About these objects.
    pub things: BTreeSet<Thing>,
    /// Of these names.
    pub spans: BTreeSet<SpanId>,
    /// That made these revisions.
    pub wrote: BTreeSet<u64>,
    /// Done for these spans.
    pub below_spans: BTreeSet<SpanId>,
    /// Done for the writes of these revisions.
    pub below_revisions: BTreeSet<u64>,
}

impl Question {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn fits(&self, span: &Span) -> bool {
        let below = match &span.parent {
            Parent::None => false,
            Parent::Span(parent) => self.below_spans.contains(parent),
            Parent::Revision(revision) => self.below_revisions.contains(revision),
        };
        below
            || self.spans.contains(&span.id)
            || self.things.contains(&span.thing)
            || span.wrote.iter().any(|revision| self.wrote.contains(revision))
    }
}

impl Ring {
    /// Spans of one process, unless said otherwise: about 2 MiB when it is full.
    pub const CAPACITY: usize = 4_096;

    /// Most spans of one answer, the newest ones: they fit a frame of the mesh.
    pub const ANSWER_MAX: usize = 512;

    /// An empty ring.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { spans: VecDeque::new(), capacity }
    }

    /// Remembers a span.
    pub fn push(&mut self, span: Span) {
        if self.spans.len() >= self.capacity {
            self.spans.pop_front();
        }
        if self.capacity > 0 {
            self.spans.push_back(span.bounded());
        }
    }

    /// What fits the question, newest first.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Vec<Span> {
        let fit = self.spans.iter().rev().filter(|span| question.fits(span));
        fit.take(Self::ANSWER_MAX).cloned().collect()
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}
