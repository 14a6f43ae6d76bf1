//! Which node a pod runs on: filters, scores, batches of bindings, explanations.
//!
//! Way in: [`SchedulerMachine`].  Never: preemption (a pod that fits nowhere waits, and says so),
//! volumes (a pod's claims do not restrict its nodes yet), or a word to a node.

mod cluster;
mod explain;
mod filter;
mod machine;
mod node;
mod pod;
mod queue;
mod relations;
mod resources;
mod rules;
#[cfg(test)]
mod scenery;
mod score;

pub use cluster::{Cluster, NodeIndex};
pub use explain::{Explanation, Explanations};
pub use machine::{SchedulerEffect, SchedulerEvent, SchedulerLimits, SchedulerMachine};
pub use node::{NodeFacts, NodeState};
pub use pod::{Duty, PodFacts, PodKey, Stage};
pub use relations::{Counted, Namespaces, PodTerm, Spread, Strictness};
pub use resources::{Requests, Resources};
pub use rules::{HostPort, Labels, NodeRules, Taint, Toleration};
