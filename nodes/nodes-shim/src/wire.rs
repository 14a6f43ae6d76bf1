//! What agent and shim say to each other: frames on a unix stream socket.
//!
//! Way in: [`encode`], [`Decoder`].  A frame is a length (4 bytes, little-endian, at most [`FRAME_LEN_MAX`]) and so
//! many bytes of postcard: a [`ClientFrame`] one way, a [`ServerFrame`] the other. The client numbers its requests;
//! every frame that answers a request has its number. Requests may overlap; answers come when they are ready.
//!
//! [`Request::Exec`], [`Request::Attach`] and [`Request::Subscribe`] open a stream under their number: the
//! answer is followed by more frames, and [`Request::Input`], [`Request::EndInput`], [`Request::Resize`] and
//! [`Request::Cancel`] with the same number go to it. A stream lives no longer than its connection.
//! Bounds: the shim reads no further input of a client that it cannot pass on, and no further output for a client
//! that does not read; a client that leaves more than [`BACKLOG_MAX`] bytes unread is closed.

use actors_core::{Mono, Wall};
use nodes_oci::{ContainerSpec, ExecSpec};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The largest frame, without its length.
pub const FRAME_LEN_MAX: usize = 1 << 20;
/// The largest amount of output that one frame carries.
pub const OUTPUT_LEN_MAX: usize = 16 << 10;
/// A client with more unread bytes than this is closed.
pub const BACKLOG_MAX: usize = 4 << 20;
/// Raised when frames change in a way that an older peer cannot read.
pub const VERSION: u16 = 1;

/// From agent to shim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFrame {
    /// The request's number, or that of the stream it is for.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// From shim to agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFrame {
    /// The number of the request that this answers.
    pub id: u64,
    /// What is answered.
    pub reply: Reply,
}

/// What an agent asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Answered by [`Reply::Info`].
    Info,
    /// Put a container together; answered by [`Reply::Done`] when it can be started.
    Create(Box<ContainerSpec>),
    /// Let a created container run.
    Start {
        /// Its id.
        container: String,
    },
    /// Send a signal.
    Kill {
        /// The container's id.
        container: String,
        /// The signal's number.
        signal: i32,
        /// To whom.
        scope: KillScope,
    },
    /// Remove a container that does not run, with its writable layer. The log stays.
    Delete {
        /// Its id.
        container: String,
    },
    /// Run one more process in a container: [`Reply::Done`] when it runs, then [`Reply::Output`], at last
    /// [`Reply::Exited`]. Killed if the connection closes.
    Exec(Box<ExecSpec>),
    /// Listen to a running container: [`Reply::Done`], then [`Reply::Output`], at last [`Reply::Exited`].
    Attach {
        /// Its id.
        container: String,
    },
    /// Bytes for the standard input of a stream.
    Input(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The standard input of a stream is complete.
    EndInput,
    /// The window of a stream's terminal changed.
    Resize {
        /// Lines.
        rows: u16,
        /// Characters per line.
        columns: u16,
    },
    /// End a stream: an exec's process is killed, an attachment or subscription forgotten.
    Cancel,
    /// Answered by [`Reply::Status`].
    Status,
    /// [`Reply::Status`], then [`Reply::Event`] for every event after this number that is still remembered (the
    /// last [`EVENTS_MAX`]), then for each new one.
    Subscribe {
        /// The last event that the client knows; 0 for none, `u64::MAX` if the status itself is news enough.
        after: u64,
    },
    /// When this instant passes, the pod is killed and takes no more containers; none takes the deadline back.
    /// It is forgotten with the shim.
    SetDeadline {
        /// On this machine's boot clock.
        at: Option<Mono>,
    },
    /// SIGTERM to all containers, SIGKILL to those that still run after the grace; [`Reply::Done`] when none runs.
    StopPod {
        /// Nanoseconds.
        grace_ns: u64,
    },
    /// Kill everything, remove the pod's cgroup and run files (not the containers' data), answer, and end.
    Shutdown,
}

/// How many events the shim remembers.
pub const EVENTS_MAX: usize = 256;

/// Which processes a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KillScope {
    /// The container's first process.
    First,
    /// All processes of the container.
    All,
}

/// What a shim answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Done,
    /// Who answers.
    Info(ShimInfo),
    /// The pod as it is now.
    Status(PodStatus),
    /// Some output of a stream's process.
    Output {
        /// Which stream; with a terminal it is always `Stdout`.
        stream: OutputStream,
        /// At most [`OUTPUT_LEN_MAX`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A stream's process has ended; the last frame of the stream.
    Exited {
        /// As a shell reports it: 128 and the signal's number if a signal ended it.
        exit_code: i32,
        /// It was killed because [`ExecSpec::timeout_ns`] passed.
        timed_out: bool,
    },
    /// Something happened.
    Event(Event),
    /// It cannot be done.
    Refused {
        /// What sort of reason.
        reason: Refusal,
        /// The reason, for people.
        message: String,
    },
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no such container or stream.
    NotFound,
    /// The container is not in the right phase.
    WrongPhase,
    /// Too much is going on; ask again.
    Busy,
    /// The request itself is wrong.
    Invalid,
    /// It was tried and failed.
    Failed,
}

/// Which output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputStream {
    /// Standard output, or a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Who a shim is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimInfo {
    /// [`VERSION`] of the shim.
    pub version: u16,
    /// Its own pid.
    pub pid: i32,
    /// The pid of the process that holds the pod's namespaces; none with the process runtime.
    pub pause_pid: Option<i32>,
    /// Path of the pod's network namespace; none on the machine's network.
    pub network: Option<String>,
    /// The pod's cgroup.
    pub cgroup: String,
}

/// A pod as its shim sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodStatus {
    /// Who answers.
    pub info: ShimInfo,
    /// All containers that were not deleted, by id.
    pub containers: Vec<ContainerStatus>,
    /// When the pod will be killed.
    pub deadline: Option<Mono>,
    /// The number of the latest event; 0 if there was none.
    pub last_event: u64,
}

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Phase {
    /// Being put together.
    #[default]
    Creating,
    /// Ready to be started.
    Created,
    /// Its program runs.
    Running,
    /// Its first process has ended.
    Exited,
}

/// One container as its shim sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerStatus {
    /// Its id.
    pub id: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// The pid of its first process, while it has one.
    pub pid: Option<i32>,
    /// When it was created.
    pub created_at: Wall,
    /// When its program was started.
    pub started_at: Option<Wall>,
    /// When its first process ended.
    pub finished_at: Option<Wall>,
    /// As a shell reports it: 128 and the signal's number if a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The kernel killed one of its processes for lack of memory.
    pub oom_killed: bool,
}

/// Something that happened to a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// One more than the event before; the first is 1.
    pub number: u64,
    /// When.
    pub at: Wall,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// A container was started.
    Started(ContainerStatus),
    /// A container's first process ended.
    Exited(ContainerStatus),
    /// The process that holds the pod's namespaces ended: the containers were killed, and the pod must be rebuilt.
    PauseExited,
    /// The deadline passed: the containers were killed.
    DeadlinePassed,
}

/// Why bytes are no frame. The connection must be closed: its frames cannot be told apart any more.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length is out of bounds.
    #[error("a frame of {0} bytes is longer than {FRAME_LEN_MAX}")]
    Length(usize),
    /// The content is not what it should be.
    #[error("a frame cannot be read or written")]
    Content(#[source] postcard::Error),
}

const LENGTH_LEN: usize = 4;

/// A frame's bytes, length first.
///
/// # Errors
/// If it is longer than [`FRAME_LEN_MAX`].
pub fn encode<T: Serialize>(frame: &T) -> Result<Vec<u8>, FrameError> {
    let mut bytes = postcard::to_extend(frame, vec![0; LENGTH_LEN]).map_err(FrameError::Content)?;
    let len = bytes.len() - LENGTH_LEN;
    let Some(length) = u32::try_from(len).ok().filter(|_| len <= FRAME_LEN_MAX) else {
        return Err(FrameError::Length(len));
    };
    if let Some(field) = bytes.first_chunk_mut::<LENGTH_LEN>() {
        *field = length.to_le_bytes();
    }
    Ok(bytes)
}

/// Cuts what arrives into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next frame out, if it has arrived in full.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn next_frame<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some((length, rest)) = self.buffer.split_first_chunk::<LENGTH_LEN>() else {
            return Ok(None);
        };
        let len = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if len > FRAME_LEN_MAX {
            return Err(FrameError::Length(len));
        }
        let Some(content) = rest.get(..len) else { return Ok(None) };
        let frame = postcard::from_bytes(content).map_err(FrameError::Content)?;
        self.buffer.drain(..LENGTH_LEN + len);
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests;
