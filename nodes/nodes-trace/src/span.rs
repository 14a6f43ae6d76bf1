//! One step of a trace.
//!
//! Way in: [`Span`].

use std::{fmt, time::Duration};

use actors_core::Wall;
use mesh_wire::TraceContext;
use serde::{Deserialize, Serialize};

/// Names a span. Spec: W3C Trace Context, `parent-id`: eight bytes, not all zero.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct SpanId(pub [u8; 8]);

/// What a span was done for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parent {
    /// Nothing that is known: a trace begins.
    None,
    /// A span that asked for it.
    Span(SpanId),
    /// The write that made this revision.
    Revision(u64),
}

/// The object that a span is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Thing {
    /// Its kind: `Pod`.
    pub kind: String,
    /// Its namespace; empty for objects without one.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// One step: who did what to which object, when, why, and with what result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The trace, if it is known where the span was recorded; else zeros.
    pub trace: [u8; 16],
    /// Its own name.
    pub id: SpanId,
    /// What it was done for.
    pub parent: Parent,
    /// What was done: `create`, `reconcile`, `sandbox`.
    pub name: String,
    /// By which part, on which machine: `scheduler@server-1`.
    pub who: String,
    /// To what.
    pub thing: Thing,
    /// When it began, by that machine's clock.
    pub start: Wall,
    /// How long it took.
    pub took: Duration,
    /// Why it was done, where the parent does not say it; else empty.
    pub cause: String,
    /// What became of it, one sentence.
    pub outcome: String,
    /// The revisions that it made.
    pub wrote: Vec<u64>,
}

impl Thing {
    /// An object by its parts.
    #[must_use]
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

impl Span {
    /// Most bytes of each text of a span.
    pub const TEXT_LEN_MAX: usize = 400;

    /// Most revisions of a span.
    pub const WROTE_MAX: usize = 16;

    /// What is carried with everything that is asked for by this span.
    #[must_use]
    pub fn context(&self) -> TraceContext {
        TraceContext { trace: self.trace, span: self.id.0 }
    }

    /// The same span within its bounds.
    #[must_use]
    pub(crate) fn bounded(mut self) -> Self {
        self.wrote.truncate(Self::WROTE_MAX);
        let Self { name, who, thing, cause, outcome, .. } = &mut self;
        let Thing { kind, namespace, name: object } = thing;
        for text in [name, who, kind, namespace, object, cause, outcome] {
            if text.len() > Self::TEXT_LEN_MAX {
                let cut = (0..=Self::TEXT_LEN_MAX).rev().find(|at| text.is_char_boundary(*at));
                text.truncate(cut.unwrap_or(0));
                text.push('…');
            }
        }
        self
    }
}

impl Parent {
    /// What a request that carries `context` is done for.
    #[must_use]
    pub fn of(context: TraceContext) -> Self {
        match context.span {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::None,
            span => Self::Span(SpanId(span)),
        }
    }
}

/// Reads the header of this name. Spec: W3C Trace Context, section 3.2: `00-TRACE-SPAN-FLAGS`, lower-case hexadecimal;
/// version `ff` and zeros are invalid; later versions may have more behind.
#[must_use]
pub fn parse_traceparent(text: &str) -> Option<TraceContext> {
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let bad_version = version == "ff" || (version == "00" && parts.next().is_some());
    let _flags: [u8; 1] = hex(flags)?;
    let _version: [u8; 1] = hex(version)?;
    let context = TraceContext { trace: hex(trace)?, span: hex(span)? };
    (!bad_version && context.trace != [0; 16] && context.span != [0; 8]).then_some(context)
}

/// A trace's name as the W3C writes it.
#[must_use]
pub fn trace_text(trace: &[u8]) -> String {
    trace.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != N * 2 || !is_hex {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}
