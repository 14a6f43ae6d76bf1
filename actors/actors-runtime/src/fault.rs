//! Ends that an operator or a chaos experiment asks for: what else would end an actor, on demand.
//!
//! Way in: [`Fault`], `System::inject`.  Time and order: an actor takes it at its next turn, ahead of
//! all messages.

use actors_core::ExitReason;
use serde::{Deserialize, Serialize};

/// A way to end an actor from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// It is ended between two events, and not counted as a failure.
    Kill,
    /// It panics inside its handler or future, unwinding as from a bug: a failure that counts.
    Panic,
    /// It ends as if it had returned an error: a failure that counts.
    Error,
}

impl Fault {
    /// What the panic or the error says.
    pub const TEXT_PANIC: &'static str = "panic asked for by an operator";
    /// What the error says.
    pub const TEXT_ERROR: &'static str = "error asked for by an operator";

    /// Carried out inside the actor, under the barrier that catches its own panics.
    #[expect(clippy::panic, reason = "the operator asked for exactly this")]
    pub(crate) fn raise(self) -> ExitReason {
        match self {
            Self::Kill => ExitReason::Killed,
            Self::Panic => panic!("{}", Self::TEXT_PANIC),
            Self::Error => ExitReason::Error(Self::TEXT_ERROR.to_owned()),
        }
    }
}
