//! What can happen on a node of the simulated cluster, and what its machines want done: plain data,
//! both.
//!
//! Way in: [`Event`], [`Effect`].  Invariant: both are hashed as a whole, so two runs that differ
//! anywhere have different trace hashes.

use std::{fmt::Debug, sync::Arc, time::Duration};

use actors_core::{
    Mono,
    ports::{DiskError, LogRecord, Pair},
};
use actors_sim::NodeId;
use nodes_door::{Request, Response, WatchEvent};
use nodes_pods::PodEvent;
use serde::Serialize;
use store_mvcc::{Revision, Token};

use crate::mesh::Word;
pub(crate) use crate::seen::Shown;

/// One event of a node.
#[derive(Debug, Clone, Serialize)]
pub(crate) enum Event {
    /// A message arrived.
    Frame {
        /// Who sent it.
        from: NodeId,
        /// Its number on this link.
        number: u32,
        /// What it says: hashed when it was sent, under this number.
        #[serde(skip)]
        message: Message,
    },
    /// A timer, or the end of an effect, of one life of the node's process.
    Local {
        /// Which life; what belongs to an earlier one is dropped.
        life: u64,
        /// What happened.
        local: Local,
    },
    /// The end of something on a machine that runs pods.
    Machine {
        /// The life of the agent's process that asked for it; none if nobody did.
        life: Option<u64>,
        /// The pod's uid.
        uid: String,
        /// What.
        event: Shown<Box<PodEvent>>,
    },
    /// The shim of a pod is to look at its deadline.
    Fence {
        /// The pod's uid.
        uid: String,
    },
    /// What the machine's guardian sees.
    Guard(Guard),
}

/// What becomes of a process though its machine goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Guard {
    /// It was killed.
    Lost,
    /// It is started again, if it is not there.
    Start,
}

/// What nodes say to each other.
#[derive(Debug, Clone, Serialize)]
pub(crate) enum Message {
    /// A frame of the Raft group.
    Raft(Bytes),
    /// A copy of the state, and the frame that announces it.
    Image {
        /// The rows.
        image: Image,
        /// The frame.
        frame: Bytes,
    },
    /// The copy arrived.
    ImageTaken,
    /// A server asks the leader to propose an entry for it.
    Propose {
        /// Names the proposal.
        token: Token,
        /// The encoded entry.
        data: Bytes,
    },
    /// The leader did not propose it, or lost it: ask again.
    NotProposed {
        /// Which.
        token: Token,
    },
    /// A request for the door.
    Ask {
        /// Names it among those of its sender.
        id: u64,
        /// What is asked.
        request: Shown<Box<Request>>,
    },
    /// The door's answer.
    Answer {
        /// To which request.
        id: u64,
        /// What is answered.
        response: Shown<Box<Response>>,
    },
    /// The next events of a watch.
    Watched {
        /// Which watch: the number of the request that opened it.
        id: u64,
        /// Rises by one with each batch, so that a lost one is noticed.
        batch: u64,
        /// The events.
        events: Shown<Arc<Vec<WatchEvent>>>,
    },
    /// Nobody listens to this watch any more.
    Unwatch {
        /// Which.
        id: u64,
    },
    /// A word between members.
    Mesh {
        /// Of the sender's process.
        life: u64,
        /// What it says.
        word: Box<Word>,
    },
}

/// What happens on a node by itself.
#[derive(Debug, Clone, Serialize)]
pub(crate) enum Local {
    /// A process that ended is to be started.
    Boot,
    /// The tick of the Raft group.
    RaftTick,
    /// A sync of the log ended.
    Synced {
        /// The last write that it covers.
        number: u64,
    },
    /// A write to the log, or its sync, failed.
    LogFailed {
        /// The write.
        number: u64,
        /// Why.
        error: DiskError,
    },
    /// The oldest committed entries that wait are to be applied.
    Apply,
    /// An image that came is to become the state.
    Install {
        /// Of `RaftEffect::InstallSnapshot`.
        number: u64,
        /// The least index that it must have.
        index: u64,
    },
    /// It is time to make the state durable.
    Flush,
    /// The state is durable up to this index.
    Flushed {
        /// The index.
        index: u64,
    },
    /// Nobody confirmed an image in time.
    ImageLost {
        /// To whom it was sent.
        to: NodeId,
    },
    /// The end of something whose end means nothing.
    Nothing,
    /// Time to look for requests that are late, and for watchers to be told that their stream
    /// lives.
    Sweep,
    /// The timer of a control loop.
    LoopTimer {
        /// The epoch under which the loop runs.
        epoch: u64,
        /// Which loop.
        host: usize,
    },
    /// Time for an agent or a client to look around.
    Beat,
    /// The alarm of the membership's machine.
    MemberTick,
    /// The alarm of the membership's carrier.
    CarrierTick,
    /// Time to look for links that have fallen silent.
    LinkLook,
    /// The alarm of a node's fences.
    FenceWake,
    /// The wake-up that a pod asked for.
    PodWake {
        /// The pod's uid.
        uid: String,
        /// When it was to come; a later request replaces an earlier one.
        at: Mono,
    },
    /// A client's next operation.
    NextOperation,
}

/// One thing that a node's machines want done.
#[derive(Debug, Clone, Serialize)]
pub(crate) enum Effect {
    /// Send a message.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Deliver an event when the node's clock shows this.
    At {
        /// When.
        at: Mono,
        /// What.
        local: Local,
    },
    /// Deliver an event after a span of true time: the end of work that takes so long.
    After {
        /// How long it takes.
        span: Duration,
        /// What.
        local: Local,
    },
    /// Tell the machine of the end of something that an agent's process began on it.
    Machine {
        /// How long it takes.
        span: Duration,
        /// The pod's uid.
        uid: String,
        /// What.
        event: Shown<Box<PodEvent>>,
        /// Whether it ends in nothing if the process that began it is not there any more.
        needs_agent: bool,
    },
    /// Have the shim of a pod look at its deadline when the node's clock shows this.
    FenceAt {
        /// When.
        at: Mono,
        /// The pod's uid.
        uid: String,
    },
    /// The machine stands still: this happens when it goes on.
    Frozen {
        /// How long it stands still.
        span: Duration,
        /// What.
        event: Box<Event>,
    },
    /// Write to the log and sync it.
    Persist {
        /// The number of the write.
        number: u64,
        /// What is appended.
        records: Vec<LogRecord>,
        /// The new head.
        head: Option<Bytes>,
    },
    /// Sync the log, which was written up to this number.
    SyncLog {
        /// The newest write.
        number: u64,
    },
    /// Forget records of the log.
    Truncate {
        /// The first that stays.
        below: u64,
    },
    /// Make the state durable, which has applied this index.
    SyncState {
        /// The index.
        index: u64,
    },
    /// End the process; it is started again from its disk a moment later.
    Restart,
    /// Start the process from its disk.
    Boot,
}

/// Bytes that serialise as such.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Bytes(#[serde(with = "serde_bytes")] pub(crate) Vec<u8>);

impl Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// The rows of a state, shared by who sends and who takes them.
#[derive(Clone, Serialize)]
pub(crate) struct Image {
    /// The position of the copy.
    pub(crate) revision: Revision,
    /// The rows, page by page.
    #[serde(skip)]
    pub(crate) pages: Arc<Vec<Vec<Pair>>>,
}

impl Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "image of {} pages at {}", self.pages.len(), self.revision)
    }
}
