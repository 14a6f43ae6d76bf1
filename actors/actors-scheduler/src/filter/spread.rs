//! Spreading over places: how many pods each place has, and by how much a node would make its place
//! stand out.
//!
//! Way in: [`Spreading`].  Spec: Kubernetes documentation, "Pod Topology Spread Constraints".
//! Hard constraints need every place of the cluster, empty ones too; soft ones only compare
//! candidates, and are counted from where the pods are.

use std::collections::{BTreeMap, BTreeSet};

use super::unborne;
use crate::{
    cluster::{Cluster, Group, NodeIndex},
    node::NodeFacts,
    pod::PodFacts,
    relations::{Counted, HOSTNAME, Spread, Strictness, ZONE},
    rules::{Labels, label},
    score::Candidate,
};

/// All constraints of one pod, counted.
#[derive(Debug)]
pub(crate) struct Spreading<'a> {
    hard: Vec<Hard<'a>>,
    pub(crate) soft: Vec<Soft<'a>>,
}

/// A constraint that rules nodes out, and how many pods each place has.
#[derive(Debug)]
struct Hard<'a> {
    rule: &'a Spread,
    places: BTreeMap<&'a str, i64>,
    /// How many pods the emptiest place has; none if there are fewer places than asked for.
    least: i64,
    /// 1 if the pod itself will be counted.
    own: i64,
}

/// A constraint that makes nodes less liked.
#[derive(Debug)]
pub(crate) struct Soft<'a> {
    pub(crate) rule: &'a Spread,
    groups: Vec<&'a Group>,
    /// How many pods each place has; not filled for hosts, where the groups say it.
    places: BTreeMap<&'a str, i64>,
}

impl<'a> Spreading<'a> {
    pub(crate) fn new(pod: &'a PodFacts, cluster: &'a Cluster) -> Self {
        let of = |strictness: Strictness| {
            pod.spreads.iter().filter(move |rule| rule.strictness == strictness)
        };
        let together: Vec<&Spread> = of(Strictness::DoNotSchedule).collect();
        let hard = together.iter().map(|rule| Hard::new(rule, &together, pod, cluster));
        Self {
            hard: hard.collect(),
            soft: of(Strictness::ScheduleAnyway)
                .map(|rule| Soft::new(rule, pod, cluster))
                .collect(),
        }
    }

    /// Why a node with these labels cannot be taken.
    pub(crate) fn refusal(&self, labels: &Labels) -> Option<&'static str> {
        for hard in &self.hard {
            let Some(place) = hard.rule.place(labels) else {
                return Some("node(s) lack the label of a topology spread constraint");
            };
            let there = hard.places.get(place).copied().unwrap_or(0);
            if there + hard.own - hard.least > hard.rule.max_skew {
                return Some("node(s) would break a topology spread constraint");
            }
        }
        None
    }
}

impl<'a> Hard<'a> {
    fn new(
        rule: &'a Spread,
        together: &[&'a Spread],
        pod: &'a PodFacts,
        cluster: &'a Cluster,
    ) -> Self {
        let mut counts: BTreeMap<NodeIndex, i64> = BTreeMap::new();
        for group in groups_counted(rule, pod, cluster) {
            for (node, count) in &group.on {
                *counts.entry(*node).or_default() += i64::from(*count);
            }
        }
        let mut places = BTreeMap::new();
        for (index, facts, _) in cluster.iter() {
            let Some(place) = rule.place(&facts.labels) else { continue };
            let complete = together.iter().all(|other| other.place(&facts.labels).is_some());
            if complete && is_eligible(rule, pod, facts) {
                *places.entry(place).or_default() += counts.get(&index).copied().unwrap_or(0);
            }
        }
        let enough = i64::try_from(places.len()).is_ok_and(|count| count >= rule.min_domains);
        let least = if enough { places.values().copied().min().unwrap_or(0) } else { 0 };
        Self { rule, places, least, own: i64::from(rule.counts(&pod.labels, &pod.labels)) }
    }
}

impl<'a> Soft<'a> {
    fn new(rule: &'a Spread, pod: &'a PodFacts, cluster: &'a Cluster) -> Self {
        let groups = groups_counted(rule, pod, cluster);
        let mut places: BTreeMap<&str, i64> = BTreeMap::new();
        for group in &groups {
            match rule.topology_key.as_str() {
                HOSTNAME => {}
                ZONE => {
                    for (zone, count) in &group.zones {
                        *places.entry(zone).or_default() += count;
                    }
                }
                key => {
                    for (node, count) in &group.on {
                        let facts = cluster.nodes.get(*node).and_then(|node| node.facts.as_ref());
                        if let Some(place) = facts.and_then(|facts| label(&facts.labels, key)) {
                            *places.entry(place).or_default() += i64::from(*count);
                        }
                    }
                }
            }
        }
        Self { rule, groups, places }
    }

    /// How many pods a node's place has; `None` if it has no place. A host is taken to be a place
    /// of its own.
    pub(crate) fn count(&self, index: NodeIndex, node: &NodeFacts) -> Option<i64> {
        let place = self.rule.place(&node.labels)?;
        if self.rule.topology_key == HOSTNAME {
            let on = self.groups.iter().filter_map(|group| group.on.get(&index));
            return Some(on.map(|count| i64::from(*count)).sum());
        }
        Some(self.places.get(place).copied().unwrap_or(0))
    }

    /// How many places the candidates make.
    pub(crate) fn places_among(&self, candidates: &[Candidate<'_>]) -> usize {
        if self.rule.topology_key == HOSTNAME {
            return candidates.len();
        }
        let places = candidates.iter().filter_map(|(_, facts, _)| self.rule.place(&facts.labels));
        places.collect::<BTreeSet<_>>().len()
    }
}

fn is_eligible(rule: &Spread, pod: &PodFacts, node: &NodeFacts) -> bool {
    (!rule.honours_affinity || pod.node_rules.allow(&node.name, &node.labels))
        && (!rule.honours_taints || unborne(pod, node).is_none())
}

/// Groups of pods that count; those that are ending do not.
fn groups_counted<'a>(rule: &Spread, pod: &'a PodFacts, cluster: &'a Cluster) -> Vec<&'a Group> {
    if rule.counted == Counted::Alike {
        return cluster.group_like(pod).into_iter().collect();
    }
    let groups = cluster.groups_in(&pod.key.namespace);
    let counted = groups.filter(|(key, _)| !key.ending && rule.counts(&pod.labels, &key.labels));
    counted.map(|(_, group)| group).collect()
}
