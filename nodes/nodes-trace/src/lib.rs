//! What led to what: spans in a bounded ring on every machine, gathered into one tree when somebody asks why.
//!
//! Way in: [`Ring`], [`Gathering`], [`Report`].  Owns: nothing; a process keeps one ring.
//! Never: a clock or randomness: stamps and identities come with the spans. Never a truth: what a ring has forgotten is
//! not shown, and nothing else depends on it.
//! Invariants: 1. a ring, a question's answer and a tree are bounded. 2. recording never waits for another machine.
//!
//! # How a trace is carried
//!
//! Within a request, and with it over the mesh, the way of the W3C: a [`TraceContext`] names the trace and the span
//! that asked. Between a write and those who act on it there is no request, only the store: there **the revision is
//! what carries it**. The span of a write says which revisions it made; whoever acts on a change names its revision
//! as the parent. Every replica, watcher and agent knows that number anyway, so nothing is added to the log, to events
//! or to objects, and it does not matter at which server somebody watches. The ends are joined when they are gathered;
//! a span that does not know its trace (all zeros) is of that of its parent.

mod gather;
mod report;
mod ring;
mod span;
mod state;
mod text;

pub use gather::Gathering;
pub use mesh_wire::TraceContext;
pub use report::{Report, Step};
pub use ring::{Question, Ring};
pub use span::{Parent, Span, SpanId, Thing, parse_traceparent, trace_text};
pub use state::state_of;

#[cfg(test)]
mod tests;
