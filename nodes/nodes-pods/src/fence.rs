//! Decides until when pods with a fence may run: each until a quorum must have confirmed again that
//! this node is theirs.
//!
//! Way in: [`FenceMachine`].  Never: the end of a pod; that is its shim's, which has the deadline.
//! The formula, with both sides' margins, is written in `actors_controllers::fencing`: a deadline
//! is *the time at which the question was sent* plus `fence-after`, on `CLOCK_BOOTTIME` (it goes on
//! while a machine sleeps). The question is read after a quorum's barrier that begins when it has
//! arrived, and is denied for a node with the verdict; so no deadline lies further than
//! `fence-after` behind the verdict. A controller waits for that, for a clock that is slow by one
//! in a hundred, and for 2 s in which a shim wakes and kills.
//! It fires in an outage of the whole control plane too, for nobody can tell that from a partition.
//! Invariants: 1. one question is under way at a time.  2. a pod's deadline never moves back.
//! 3. an answer counts from when its question was sent, however late it comes.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{Effects, Machine, Mono, Turn};
use serde::{Deserialize, Serialize};

/// Questions are asked so often within the shortest fence: four may fail in a row.
const ROUNDS: u32 = 5;
/// The shortest pause between two questions that were answered.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest one.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The pause after a question that was not answered, or denied.
const RETRY: Duration = Duration::from_millis(500);

/// What can happen to the fences of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FenceEvent {
    /// These pods have or want a sandbox: uid, and how long each may run without word.
    Pods(BTreeMap<String, Duration>),
    /// A quorum has confirmed that the node is not given up, and that these pods are its own.
    Confirmed {
        /// The question that this answers.
        round: u64,
        /// Uids.
        pods: Vec<String>,
    },
    /// No answer, or the answer that the node is given up.
    Denied {
        /// The question that this answers.
        round: u64,
    },
    /// The time that [`FenceEffect::WakeAt`] named has come.
    Woken,
}

/// What the fences of a node want done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FenceEffect {
    /// Ask a quorum. Ends with `Confirmed` or `Denied`.
    Ask {
        /// The question's number.
        round: u64,
    },
    /// The pod dies at this time, unless a later one is named before.
    SetDeadline {
        /// Its uid.
        pod: String,
        /// On the boot clock.
        at: Mono,
    },
    /// Deliver `Woken` at this time. A later `WakeAt` replaces it.
    WakeAt(Mono),
}

/// The fences of one node.
#[derive(Debug, Clone, Default)]
pub struct FenceMachine {
    pods: BTreeMap<String, Fence>,
    round: u64,
    /// When the question under way was sent.
    asked: Option<Mono>,
    /// When the next one is due.
    next: Option<Mono>,
}

#[derive(Debug, Clone, Copy)]
struct Fence {
    after: Duration,
    deadline: Option<Mono>,
}

impl FenceMachine {
    /// A machine that knows no pod yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn take_pods(&mut self, now: Mono, pods: BTreeMap<String, Duration>) {
        self.pods.retain(|uid, _| pods.contains_key(uid));
        for (uid, after) in pods {
            let known = self.pods.contains_key(&uid);
            let fence = self.pods.entry(uid).or_insert(Fence { after, deadline: None });
            fence.after = after;
            if !known {
                // Whoever is new waits for an answer.
                self.next = Some(now);
            }
        }
    }

    fn confirm(&mut self, now: Mono, pods: &[String], out: &mut Effects<FenceEffect>) {
        let Some(asked) = self.asked.take() else { return };
        for uid in pods {
            let Some(fence) = self.pods.get_mut(uid) else { continue };
            let at = asked.after(fence.after);
            if fence.deadline.is_none_or(|before| before < at) {
                fence.deadline = Some(at);
                out.push(FenceEffect::SetDeadline { pod: uid.clone(), at });
            }
        }
        let shortest = self.pods.values().map(|fence| fence.after).min().unwrap_or(PAUSE_MAX);
        let pause = (shortest / ROUNDS).clamp(PAUSE_MIN, PAUSE_MAX);
        // Who came while the question was under way may have come too late for it.
        let waits = self.pods.values().any(|fence| fence.deadline.is_none());
        self.next = Some(now.after(if waits { RETRY } else { pause }));
    }

    fn plan(&mut self, now: Mono, out: &mut Effects<FenceEffect>) {
        if self.pods.is_empty() {
            self.next = None;
            return;
        }
        if self.asked.is_some() {
            return;
        }
        match self.next {
            Some(at) if at > now => out.push(FenceEffect::WakeAt(at)),
            _ => {
                self.round += 1;
                self.asked = Some(now);
                out.push(FenceEffect::Ask { round: self.round });
            }
        }
    }
}

impl Machine for FenceMachine {
    type Event = FenceEvent;
    type Effect = FenceEffect;
    type View = ();

    fn handle(&mut self, turn: Turn<'_>, event: FenceEvent, out: &mut Effects<FenceEffect>) {
        let now = turn.now.mono;
        match event {
            FenceEvent::Pods(pods) => self.take_pods(now, pods),
            FenceEvent::Confirmed { round, pods } if round == self.round => {
                self.confirm(now, &pods, out);
            }
            FenceEvent::Denied { round } if round == self.round && self.asked.is_some() => {
                self.asked = None;
                self.next = Some(now.after(RETRY));
            }
            FenceEvent::Confirmed { .. } | FenceEvent::Denied { .. } | FenceEvent::Woken => {}
        }
        self.plan(now, out);
    }
}

#[cfg(test)]
mod tests;
