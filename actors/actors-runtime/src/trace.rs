//! On whose behalf something is done: carried with every message, so that a dead letter tells what it was part of.
//!
//! Way in: [`Trace::cover`] around what is done for a request.  Never: a decision, a clock, or randomness.
//! Time and order: a message carries the trace of whoever sends it; its handler, and all effects of it,
//! send under that trace again.
//! Spec: W3C Trace Context, section 3.2.

use std::{cell::Cell, fmt, future::Future, pin::pin, task::Context};

/// A trace and the span within it; all zeros: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace {
    /// Which trace.
    pub trace: [u8; 16],
    /// Which span of it.
    pub span: [u8; 8],
}

thread_local! {
    /// Of what this thread polls or handles just now.
    static CURRENT: Cell<Trace> = const { Cell::new(Trace::NONE) };
}

/// Puts the trace before back.
pub(crate) struct Entered(Trace);

impl Trace {
    /// On nobody's behalf.
    pub const NONE: Self = Self { trace: [0; 16], span: [0; 8] };

    /// The one under which this is called.
    #[must_use]
    #[inline]
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// Everything that `future` does is done on its behalf.
    pub async fn cover<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        let poll = |context: &mut Context<'_>| {
            let _entered = self.enter();
            future.as_mut().poll(context)
        };
        std::future::poll_fn(poll).await
    }

    /// What follows is done on its behalf, until somebody else's is.
    #[inline]
    pub(crate) fn set(self) {
        CURRENT.set(self);
    }

    /// Everything until the result is dropped is done on its behalf.
    #[inline]
    pub(crate) fn enter(self) -> Entered {
        Entered(CURRENT.replace(self))
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl fmt::Display for Trace {
    /// `TRACE-SPAN` in lower-case hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Letter<E> {
    pub(crate) event: E,
    pub(crate) trace: Trace,
}

impl<E> Letter<E> {
    /// On behalf of whom it is sent just now.
    pub(crate) fn of(event: E) -> Self {
        Self { event, trace: Trace::current() }
    }
}
