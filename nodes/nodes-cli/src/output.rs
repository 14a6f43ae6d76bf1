//! How verbs answer: text for people, JSON for programs, one sentence with a next command for failures.
//!
//! Way in: [`Output`], [`Failure`].  Spec: the guidelines of clig.dev: answers on stdout, progress on stderr.

use std::{fmt, io::Write as _};

use serde_json::Value;

use crate::arguments::Format;

/// Prints a verb's answer.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
}

/// Why a verb failed: shown as two lines, and the process's exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One sentence of cause.
    pub cause: String,
    /// The next command, where there is one.
    pub next: Option<String>,
    /// 1: failed, 2: wrong usage, 3: the cluster does not run, 4: not found, 5: somebody else's change came first.
    pub code: u8,
}

impl Failure {
    /// Something failed.
    #[must_use]
    pub fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), next: None, code: 1 }
    }

    /// What was typed cannot be meant.
    #[must_use]
    pub fn usage(cause: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(cause) }
    }

    /// The same failure with the command that helps.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next = Some(command.into());
        self
    }

    /// The same failure with another exit code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// A failure of some operation, with the whole chain of causes.
    #[must_use]
    pub fn of(error: &dyn std::error::Error) -> Self {
        let mut cause = error.to_string();
        let mut inner = error.source();
        while let Some(error) = inner {
            cause = format!("{cause}: {error}");
            inner = error.source();
        }
        Self::new(cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.cause)?;
        match &self.next {
            Some(command) => write!(f, "\n  try: {command}"),
            None => Ok(()),
        }
    }
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether a program reads the answer.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints the answer: `text` for people, `json` for programs.
    ///
    /// # Errors
    /// If standard output is closed.
    pub fn answer(&self, text: &str, json: &Value) -> Result<(), Failure> {
        let body = match self.format {
            Format::Text => text.trim_end().to_owned(),
            Format::Json => format!("{json:#}"),
        };
        if body.is_empty() {
            return Ok(());
        }
        match writeln!(std::io::stdout(), "{body}") {
            // Whoever reads has read enough, as `head` has.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| Failure::of(&error)),
        }
    }

    /// Tells people what is being done; programs do not hear it.
    pub fn progress(&self, line: &str) {
        if self.format == Format::Text {
            // Nobody listens: the work goes on all the same.
            let _closed = writeln!(std::io::stderr(), "{line}");
        }
    }
}
