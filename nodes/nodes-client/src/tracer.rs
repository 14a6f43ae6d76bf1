//! Records what led to what, in the ring of this process.
//!
//! Way in: [`Tracer`].  Owns: the ring.  Never: a wait for anybody else, or a subscriber that must be there.
//! Bounds: [`Ring::CAPACITY`] spans; what does nothing costs nothing.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actors_core::{Mono, Now, Rng};
use actors_runtime::{Clock, entropy};
use nodes_trace::{Parent, Question, Ring, Span, SpanId, Thing, TraceContext, trace_text};

/// The memory of one process. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Tracer(Arc<Inner>);

struct Inner {
    node: String,
    state: Mutex<State>,
}

struct State {
    ring: Ring,
    rng: Rng,
}

/// A step that has begun. Dropped, it is forgotten.
#[derive(Debug, Clone)]
pub struct Open {
    span: Span,
    began: Mono,
}

impl Tracer {
    /// The memory of the process on `node`.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self::with(node, Ring::CAPACITY)
    }

    /// A memory that keeps nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::with("", 0)
    }

    fn with(node: &str, capacity: usize) -> Self {
        // Names that can be guessed are better than none: nothing is allowed by them.
        let rng = entropy().unwrap_or_else(|_| Rng::from_number(Clock.mono().0));
        let state = Mutex::new(State { ring: Ring::new(capacity), rng });
        Self(Arc::new(Inner { node: node.to_owned(), state }))
    }

    /// The node of this process.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// Begins a step of `part` for `parent`; one for nobody begins a trace.
    #[must_use]
    pub fn begin(&self, (part, name): (&str, &str), thing: Thing, parent: Parent) -> Open {
        let Now { mono, wall } = Clock.now();
        let mut id = [0; 8];
        let mut trace = [0; 16];
        {
            let mut state = self.state();
            state.rng.fill(&mut id);
            if parent == Parent::None {
                state.rng.fill(&mut trace);
            }
        }
        let span = Span {
            trace,
            id: SpanId(id),
            parent,
            name: name.to_owned(),
            who: format!("{part}@{}", self.0.node),
            thing,
            start: wall,
            took: std::time::Duration::ZERO,
            cause: String::new(),
            outcome: String::new(),
            wrote: Vec::new(),
        };
        Open { span, began: mono }
    }

    /// Begins a step that a request asks for.
    #[must_use]
    pub fn continued(
        &self,
        (part, name): (&str, &str),
        thing: Thing,
        context: TraceContext,
    ) -> Open {
        let mut open = self.begin((part, name), thing, Parent::of(context));
        if context.trace != [0; 16] {
            open.span.trace = context.trace;
        }
        open
    }

    /// The step is done.
    pub fn end(&self, open: Open, outcome: impl Into<String>) {
        let Open { mut span, began } = open;
        span.took = Clock.mono().since(began);
        span.outcome = outcome.into();
        tracing::debug!(
            target: "starling::trace",
            trace = trace_text(&span.trace),
            span = trace_text(&span.id.0),
            parent = ?span.parent,
            who = span.who,
            object = %span.thing,
            took = ?span.took,
            outcome = span.outcome,
            "{}",
            span.name,
        );
        self.state().ring.push(span);
    }

    /// What this process remembers of it.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Vec<Span> {
        self.state().ring.answer(question)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// What is carried with all that is asked for by this step.
    #[must_use]
    pub fn context(&self) -> TraceContext {
        self.span.context()
    }

    /// The step's name for those that follow it.
    #[must_use]
    pub fn id(&self) -> SpanId {
        self.span.id
    }

    /// Which object it is about, where that is known only now.
    pub fn set_thing(&mut self, thing: Thing) {
        self.span.thing = thing;
    }

    /// Which object it is about.
    #[must_use]
    pub fn thing(&self) -> &Thing {
        &self.span.thing
    }

    /// Why it is done.
    pub fn set_cause(&mut self, cause: impl Into<String>) {
        self.span.cause = cause.into();
    }

    /// Which revisions it made: what acts on them continues the trace here.
    pub fn set_wrote(&mut self, revisions: Vec<u64>) {
        self.span.wrote = revisions;
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("node", &self.0.node).finish_non_exhaustive()
    }
}
