//! Which of the nodes that a pod can be placed on is best.
//!
//! Way in: [`best`].  Each score is 0 to 100, times its weight in the default profile; whole
//! numbers only, so that every machine comes to the same result.
//! Spec: Kubernetes documentation, "Scheduler Configuration", scheduling plugins; weights of the
//! default profile.

use actors_core::Rng;

use crate::{
    cluster::{Cluster, NodeIndex},
    filter::Prepared,
    node::{NodeFacts, NodeState},
    pod::PodFacts,
};

const LEAST_ALLOCATED: i64 = 1;
const BALANCED_ALLOCATION: i64 = 1;
const TAINT_TOLERATION: i64 = 3;
const NODE_AFFINITY: i64 = 2;
const SPREADING: i64 = 2;
const INTER_POD_AFFINITY: i64 = 2;
const IMAGE_LOCALITY: i64 = 1;

const SCORE_MAX: i64 = 100;

/// A node that a pod can be placed on.
pub(crate) type Candidate<'a> = (NodeIndex, &'a NodeFacts, &'a NodeState);

/// A node, and its score over all plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scored {
    /// Which.
    pub(crate) node: NodeIndex,
    /// Higher is better; at most 1,200.
    pub(crate) score: i64,
}

/// The best of the candidates; among equals `rng` chooses. `None` only if there are none.
pub(crate) fn best(
    prepared: &Prepared<'_>,
    candidates: &[Candidate<'_>],
    cluster: &Cluster,
    rng: &mut Rng,
) -> Option<Scored> {
    let scores = scores(prepared, candidates, cluster);
    let top = scores.iter().copied().max()?;
    let best: Vec<NodeIndex> = candidates
        .iter()
        .zip(&scores)
        .filter(|(_, score)| **score == top)
        .map(|((index, ..), _)| *index)
        .collect();
    rng.pick(&best).map(|node| Scored { node: *node, score: top })
}

/// The score of each candidate.
pub(crate) fn scores(
    prepared: &Prepared<'_>,
    candidates: &[Candidate<'_>],
    cluster: &Cluster,
) -> Vec<i64> {
    let pod = prepared.pod;
    let mut totals: Vec<i64> = candidates
        .iter()
        .map(|(_, facts, state)| {
            let (used, limit) = utilisation(pod, facts, state);
            LEAST_ALLOCATED * least_allocated(used, limit)
                + BALANCED_ALLOCATION * balanced(used, limit)
                + IMAGE_LOCALITY * image_locality(pod, facts, cluster)
        })
        .collect();
    let mut add = |weight: i64, scores: Vec<i64>| {
        for (total, score) in totals.iter_mut().zip(scores) {
            *total += weight * score;
        }
    };
    let each = |score: &dyn Fn(&NodeFacts) -> i64| -> Vec<i64> {
        candidates.iter().map(|(_, facts, _)| score(facts)).collect()
    };
    add(TAINT_TOLERATION, least_is_best(each(&|node| disliked_taints(pod, node))));
    if pod.node_rules.has_preferences() {
        let raw = each(&|node| pod.node_rules.preference(&node.name, &node.labels));
        add(NODE_AFFINITY, most_is_best(raw));
    }
    if !prepared.spreading.soft.is_empty() {
        add(SPREADING, spreading(prepared, candidates));
    }
    if !prepared.neighbours.liked.is_empty() {
        add(INTER_POD_AFFINITY, between(each(&|node| prepared.neighbours.liking(&node.labels))));
    }
    totals
}

/// CPU and memory that would be taken, and the limits.
fn utilisation(pod: &PodFacts, facts: &NodeFacts, state: &NodeState) -> ([i64; 2], [i64; 2]) {
    let (own, taken, limit) = (&pod.requests.weighed, &state.weighed, &facts.allocatable);
    let used = [own.cpu_milli + taken.cpu_milli, own.memory + taken.memory];
    (used, [limit.cpu_milli, limit.memory])
}

/// The mean share of CPU and memory that would be left.
fn least_allocated(used: [i64; 2], limit: [i64; 2]) -> i64 {
    let left = |used: i64, limit: i64| {
        if limit <= 0 || used > limit { 0 } else { share(limit - used, limit, SCORE_MAX) }
    };
    (left(used[0], limit[0]) + left(used[1], limit[1])) / 2
}

/// How alike the taken shares of CPU and memory would be.
fn balanced(used: [i64; 2], limit: [i64; 2]) -> i64 {
    const FINE: i64 = 10_000;
    let taken = |used: i64, limit: i64| {
        if limit <= 0 { FINE } else { share(used, limit, FINE).min(FINE) }
    };
    let apart = (taken(used[0], limit[0]) - taken(used[1], limit[1])).abs() / 2;
    (FINE - apart) * SCORE_MAX / FINE
}

fn share(part: i64, whole: i64, of: i64) -> i64 {
    let scaled = i128::from(part) * i128::from(of) / i128::from(whole.max(1));
    i64::try_from(scaled).unwrap_or(i64::MAX)
}

/// Taints that only advise against the node, and that the pod does not bear.
fn disliked_taints(pod: &PodFacts, node: &NodeFacts) -> i64 {
    let advises = node.taints.iter().filter(|taint| taint.effect == "PreferNoSchedule");
    i64::try_from(advises.filter(|taint| !pod.bears(taint)).count()).unwrap_or(i64::MAX)
}

/// Images that need not be pulled, by size, less the fewer nodes have them, so that not all pods go
/// to one node.
fn image_locality(pod: &PodFacts, node: &NodeFacts, cluster: &Cluster) -> i64 {
    const MEBIBYTE: i64 = 1024 * 1024;
    const LEAST: i64 = 23 * MEBIBYTE;
    if pod.images.is_empty() || node.images.is_empty() {
        return 0;
    }
    let nodes = i64::try_from(cluster.nodes_len()).unwrap_or(1).max(1);
    let size = |image: &String| {
        let spread = i64::from(cluster.image_nodes(image));
        node.image_size(image).map_or(0, |size| share(size, nodes, spread))
    };
    let found: i64 = pod.images.iter().map(size).sum();
    let most = 1_000 * MEBIBYTE * i64::try_from(pod.images.len()).unwrap_or(1);
    share(found.clamp(LEAST, most) - LEAST, most - LEAST, SCORE_MAX)
}

/// Places with fewer pods that count, and constraints with more places, weigh more.
fn spreading(prepared: &Prepared<'_>, candidates: &[Candidate<'_>]) -> Vec<i64> {
    let soft = &prepared.spreading.soft;
    let weights: Vec<i64> =
        soft.iter().map(|rule| i64::from((rule.places_among(candidates) + 2).ilog2())).collect();
    let raw = |(index, facts, _): &Candidate<'_>| -> Option<i64> {
        let mut sum = 0;
        for (rule, weight) in soft.iter().zip(&weights) {
            sum += rule.count(*index, facts)? * weight + rule.rule.max_skew - 1;
        }
        Some(sum)
    };
    let raw: Vec<Option<i64>> = candidates.iter().map(raw).collect();
    let known = raw.iter().flatten().copied();
    let (least, most) = (known.clone().min().unwrap_or(0), known.max().unwrap_or(0));
    raw.iter()
        .map(|score| match score {
            None => 0,
            Some(_) if most == 0 => SCORE_MAX,
            Some(score) => share(most + least - score, most, SCORE_MAX),
        })
        .collect()
}

/// The most gets 100, none gets 0.
fn most_is_best(raw: Vec<i64>) -> Vec<i64> {
    let most = raw.iter().copied().max().unwrap_or(0);
    raw.into_iter().map(|score| if most > 0 { share(score, most, SCORE_MAX) } else { 0 }).collect()
}

/// None gets 100, the most gets 0.
fn least_is_best(raw: Vec<i64>) -> Vec<i64> {
    let most = raw.iter().copied().max().unwrap_or(0);
    let score = |score: i64| if most > 0 { share(score, most, SCORE_MAX) } else { 0 };
    raw.into_iter().map(|one| SCORE_MAX - score(one)).collect()
}

/// The least gets 0, the most gets 100.
fn between(raw: Vec<i64>) -> Vec<i64> {
    let (least, most) = (raw.iter().min().copied(), raw.iter().max().copied());
    let (Some(least), Some(most)) = (least, most) else { return raw };
    let score =
        |one: i64| if most > least { share(one - least, most - least, SCORE_MAX) } else { 0 };
    raw.into_iter().map(score).collect()
}

#[cfg(test)]
mod tests;
