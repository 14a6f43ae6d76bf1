//! Why a pod is where it is, or is nowhere.
//!
//! Way in: [`Explanation`].  Spec: the summary is the one that `kubectl describe pod` shows for a
//! pending pod.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use actors_core::Wall;
use serde::{Deserialize, Serialize};

use crate::pod::PodKey;

/// What one attempt to place one pod came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Which pod.
    pub pod: PodKey,
    /// When.
    pub at: Wall,
    /// How many nodes there were.
    pub nodes: usize,
    /// How many nodes had each reason against them; of those that were looked at.
    pub refusals: BTreeMap<String, u32>,
    /// How many nodes would have done, of those that were looked at.
    pub candidates: usize,
    /// The node that was chosen, and its score.
    pub chosen: Option<(String, i64)>,
}

impl fmt::Display for Explanation {
    /// The message of a `FailedScheduling` event, or the choice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes;
        if let Some((node, score)) = &self.chosen {
            return write!(f, "{node} of {} candidates, score {score}", self.candidates);
        }
        if nodes == 0 {
            return f.write_str("there are no nodes");
        }
        let mut reasons: Vec<String> =
            self.refusals.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        reasons.sort();
        let reasons = reasons.join(", ");
        write!(f, "0/{nodes} nodes are available: {reasons}. preemption: not attempted.")
    }
}

/// The last explanation of each of the last pods.
#[derive(Debug, Clone)]
pub struct Explanations {
    by_pod: BTreeMap<PodKey, Explanation>,
    order: VecDeque<PodKey>,
    capacity: usize,
}

impl Explanations {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { by_pod: BTreeMap::new(), order: VecDeque::new(), capacity }
    }

    pub(crate) fn push(&mut self, explanation: Explanation) {
        let key = explanation.pod.clone();
        if self.by_pod.insert(key.clone(), explanation).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > self.capacity {
            if let Some(oldest) = self.order.pop_front() {
                self.by_pod.remove(&oldest);
            }
        }
    }

    /// The last explanation of `pod`.
    #[must_use]
    pub fn get(&self, pod: &PodKey) -> Option<&Explanation> {
        self.by_pod.get(pod)
    }
}
