//! What the scheduler needs to know of one pod, read once from its object.
//!
//! Way in: [`PodFacts::of`].  Never: anything that changes where the pod may run and is not
//! compared here.

use std::fmt;

use actors_object::{Object, Value};
use serde::{Deserialize, Serialize};

use crate::{
    relations::{PodTerm, Spread, preferred_terms, required_terms},
    resources::{Requests, requests_of},
    rules::{HostPort, Labels, NodeRules, Taint, Toleration, labels_of},
};

/// A pod by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl PodKey {
    /// The key of `pod`.
    #[must_use]
    pub fn of(pod: &Object) -> Self {
        Self { namespace: pod.namespace().to_owned(), name: pod.name().to_owned() }
    }
}

impl fmt::Display for PodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Everything about a pod that scheduling depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodFacts {
    /// Its name.
    pub key: PodKey,
    /// This life of it.
    pub uid: String,
    /// Its labels, ordered.
    pub labels: Labels,
    /// Higher ones are placed first.
    pub priority: i64,
    /// What it asks for.
    pub requests: Requests,
    /// Ports of the node that it takes.
    pub ports: Vec<HostPort>,
    /// The node that its spec names; it is bound, or wants no other.
    pub node: Option<String>,
    /// Rules about nodes.
    pub node_rules: NodeRules,
    /// Taints that it bears.
    pub tolerations: Vec<Toleration>,
    /// Rules about spreading.
    pub spreads: Vec<Spread>,
    /// Pods that must be near.
    pub affinity: Vec<PodTerm>,
    /// Pods that must not be near.
    pub anti_affinity: Vec<PodTerm>,
    /// Pods that are liked (positive) or disliked (negative) near.
    pub liked: Vec<(i64, PodTerm)>,
    /// Its containers' images.
    pub images: Vec<String>,
    /// How far its life is.
    pub stage: Stage,
}

/// How far a pod's life is, for scheduling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It lives or will live.
    Alive,
    /// It is being deleted; it still takes room.
    Ending,
    /// All its containers have ended for good; it takes no room.
    Finished,
}

/// Whose business a pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It wants a node.
    Schedule,
    /// It takes room on a node.
    Count,
    /// Neither: it waits for its gates, or belongs to another scheduler, or is over.
    Ignore,
}

impl PodFacts {
    /// The facts of `pod`.
    #[must_use]
    pub fn of(pod: &Object) -> Self {
        let spec = pod.spec();
        let labels = labels_of(pod);
        let text = |path: &[&str]| pod.str_at(path).filter(|text| !text.is_empty());
        let mut liked = preferred_terms(pod, "podAffinity");
        let disliked = preferred_terms(pod, "podAntiAffinity").into_iter();
        liked.extend(disliked.map(|(weight, term)| (-weight, term)));
        let finished = matches!(text(&["status", "phase"]), Some("Succeeded" | "Failed"));
        let images = spec.list_at(&["containers"]).iter();
        Self {
            key: PodKey::of(pod),
            uid: pod.uid().to_owned(),
            priority: spec.at("priority").as_i64().unwrap_or(0),
            requests: requests_of(pod),
            ports: HostPort::of(spec),
            node: text(&["spec", "nodeName"]).map(str::to_owned),
            node_rules: NodeRules::of(spec),
            tolerations: spec.list_at(&["tolerations"]).iter().map(Toleration::of).collect(),
            spreads: Spread::all_of(pod, &labels),
            affinity: required_terms(pod, "podAffinity"),
            anti_affinity: required_terms(pod, "podAntiAffinity"),
            liked,
            images: images.filter_map(|one| one.at("image").as_str()).map(str::to_owned).collect(),
            stage: match (finished, pod.is_terminating()) {
                (true, _) => Stage::Finished,
                (false, true) => Stage::Ending,
                (false, false) => Stage::Alive,
            },
            labels,
        }
    }

    /// Whether it bears `taint`.
    #[must_use]
    pub fn bears(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|toleration| toleration.bears(taint))
    }

    /// Whether other pods' places matter for it beyond the room that they take.
    #[must_use]
    pub fn minds_others(&self) -> bool {
        !(self.affinity.is_empty() && self.anti_affinity.is_empty() && self.spreads.is_empty())
    }
}

/// Whose business `pod` is, for the scheduler called `scheduler`.
#[must_use]
pub(crate) fn duty(pod: &Object, scheduler: &str) -> Duty {
    let text = |path: &[&str]| pod.str_at(path).filter(|text| !text.is_empty());
    if matches!(text(&["status", "phase"]), Some("Succeeded" | "Failed")) {
        return Duty::Ignore;
    }
    if text(&["spec", "nodeName"]).is_some() {
        return Duty::Count;
    }
    let own = text(&["spec", "schedulerName"]).unwrap_or("default-scheduler") == scheduler;
    let gated = !pod.list_at(&["spec", "schedulingGates"]).is_empty();
    if own && !gated && !pod.is_terminating() { Duty::Schedule } else { Duty::Ignore }
}

/// The sizes of a node's images by name, from its status.
#[must_use]
pub(crate) fn images_of(node: &Object) -> Vec<(String, i64)> {
    let mut images = Vec::new();
    for image in node.list_at(&["status", "images"]) {
        let size = image.at("sizeBytes").as_i64().unwrap_or(0);
        let names = image.list_at(&["names"]).iter().filter_map(Value::as_str);
        images.extend(names.map(|name| (name.to_owned(), size)));
    }
    images.sort();
    images
}
