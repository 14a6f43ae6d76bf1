//! What a node streams: a container's log, and commands run in a container.
//!
//! Way in: [`NodeStreams`].  Every stream is bounded; dropping it ends it.

use actors_object::ApiError;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::Later;

/// Implemented by the agent of a node.
pub trait NodeStreams: Send + Sync {
    /// Reads a container's log.
    fn logs(&self, request: LogRequest) -> Later<'_, Result<LogStream, ApiError>>;

    /// Runs a command in a container, or joins the one that it runs.
    fn exec(&self, request: ExecRequest) -> Later<'_, Result<ExecStream, ApiError>>;
}

/// Which part of which log. Spec: the options of `pods/log`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogRequest {
    /// The node that the pod runs on.
    pub node: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid.
    pub uid: String,
    /// The container.
    pub container: String,
    /// Go on with new lines until the container ends.
    pub follow: bool,
    /// The life of the container before this one.
    pub previous: bool,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Only the newest lines.
    pub tail_lines: Option<u64>,
    /// Only lines younger than this.
    pub since_seconds: Option<u64>,
    /// Only lines from this time on: RFC 3339.
    pub since_time: Option<String>,
    /// At most this many bytes.
    pub limit_bytes: Option<u64>,
}

/// Pieces of a log, until it ends.
#[derive(Debug)]
pub struct LogStream {
    /// The pieces.
    pub pieces: mpsc::Receiver<Bytes>,
}

/// Which command, where; or which container to listen to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExecRequest {
    /// The node that the pod runs on.
    pub node: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid.
    pub uid: String,
    /// The container.
    pub container: String,
    /// The command and its arguments; of no meaning if `attach` is set.
    pub command: Vec<String>,
    /// Whether standard input is connected.
    pub stdin: bool,
    /// Whether a terminal is wanted.
    pub tty: bool,
    /// No new command: the streams of the container's own first process.
    pub attach: bool,
}

/// A running command.
#[derive(Debug)]
pub struct ExecStream {
    /// What is typed.
    pub input: mpsc::Sender<ExecInput>,
    /// What is printed; the last message is [`ExecOutput::Exit`].
    pub output: mpsc::Receiver<ExecOutput>,
}

/// To a running command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecInput {
    /// Bytes of standard input.
    Stdin(Bytes),
    /// The end of standard input.
    StdinEnd,
    /// The terminal has another size.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
}

/// From a running command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecOutput {
    /// Bytes of standard output (of the terminal, where there is one).
    Stdout(Bytes),
    /// Bytes of standard error.
    Stderr(Bytes),
    /// It ended.
    Exit(ExecExit),
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecExit {
    /// With this exit code (128 + the signal, if a signal ended it).
    Code(i32),
    /// It could not be run, and why.
    Failed(String),
}
