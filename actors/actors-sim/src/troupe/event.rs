//! What can happen on a node of a troupe, and what it wants done: plain data, both.
//!
//! Way in: [`Event`], [`Effect`].

use std::{fmt, time::Duration};

use actors_core::SupervisorEvent;
use serde::{Deserialize, Serialize};

use crate::NodeId;

/// One life of one worker: an exact reference.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct LifeId {
    /// Where it lives.
    pub node: NodeId,
    /// Which life of the node.
    pub boot: u64,
    /// Which worker.
    pub worker: u32,
    /// Which of the worker's lives.
    pub incarnation: u64,
}

impl fmt::Display for LifeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, boot, worker, incarnation } = self;
        write!(f, "w{worker} of n{} (boot {boot}, life {incarnation})", node.0)
    }
}

/// One event of a node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// The node's process begins.
    Begin,
    /// A word from another node, or from this one.
    Word {
        /// Who says it.
        from: NodeId,
        /// In which of its lives.
        boot: u64,
        /// Its number among what was said to this node: a word that is repeated or overtaken is
        /// dropped.
        number: u64,
        /// What it says.
        word: Word,
    },
    /// The supervisor is to hear this.
    Supervise(SupervisorEvent),
    /// A life's timer.
    Timer {
        /// Whose.
        life: LifeId,
    },
    /// Work that cannot be interrupted has ended.
    Worked {
        /// Whose.
        life: LifeId,
    },
    /// Time to ask after those that are watched.
    Beat,
    /// A key had no message for a while.
    Idle {
        /// Which.
        key: u32,
        /// In which of its activations.
        life: u64,
        /// What it knew then.
        value: u64,
    },
    /// A key's record is durable.
    Saved {
        /// Which.
        key: u32,
        /// Of which activation.
        life: u64,
        /// The record.
        value: u64,
    },
    /// A key's record is to be written again.
    SaveAgain {
        /// Which.
        key: u32,
        /// Of which activation.
        life: u64,
        /// The record.
        value: u64,
    },
}

/// What nodes say to each other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Word {
    /// Work for a worker, from a life that it may come to watch.
    Tell {
        /// To which worker.
        worker: u32,
        /// From whom.
        from: LifeId,
    },
    /// Work for a keyed actor.
    TellKey {
        /// Which.
        key: u32,
    },
    /// Tell me when this life ends.
    Watch {
        /// Names the wish.
        id: u64,
        /// Whose end.
        target: LifeId,
    },
    /// A watched life has ended.
    Down {
        /// Which wish this fulfils.
        id: u64,
    },
    /// Do these still live? Whoever does not is told with a `Down`.
    Ask {
        /// All that the asker watches there.
        watched: Vec<(u64, LifeId)>,
    },
    /// The answer to a question, behind all of its `Down`s.
    Answered,
}

/// One thing that a node wants done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Effect {
    /// Say something.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        word: Word,
    },
    /// Deliver an event when the node's clock has gone on so far.
    After {
        /// How far.
        span: Duration,
        /// What.
        event: Event,
    },
    /// Write a key's record, and sync it.
    Save {
        /// Which.
        key: u32,
        /// Of which activation.
        life: u64,
        /// The record.
        value: u64,
    },
}
