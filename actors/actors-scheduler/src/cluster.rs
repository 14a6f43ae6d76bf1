//! All nodes and placed pods, with the counts that rules about other pods need.
//!
//! Way in: [`Cluster`].  Owns: node states, placed and assumed pods, counts of equal pods by node.
//! Invariants: 1. every placed pod is counted once, on its node and in its groups. 2. a group
//! without pods is forgotten. Equal pods (same namespace and labels) are one group, so that a rule
//! about pods costs as much as there are groups that match it, not as there are pods.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    node::{NodeFacts, NodeState},
    pod::{PodFacts, PodKey, Stage},
    relations::{PodTerm, ZONE},
    rules::{Labels, label},
};

/// A node's place in the cluster's table.
pub type NodeIndex = usize;

/// Pods with the same namespace and labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    pub(crate) namespace: String,
    pub(crate) labels: Labels,
    pub(crate) ending: bool,
}

/// Where the pods of a group are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    /// How many are on each node.
    pub(crate) on: BTreeMap<NodeIndex, u32>,
    /// How many are in each zone; kept along, because nearly every pod is spread over zones.
    pub(crate) zones: BTreeMap<String, i64>,
}

/// What placed pods think of a new one.
#[derive(Debug, Clone)]
pub(crate) struct Opinion {
    pub(crate) term: PodTerm,
    /// `None`: the new pod must not be near; else how much it is liked near.
    pub(crate) weight: Option<i64>,
    pub(crate) on: BTreeMap<NodeIndex, u32>,
}

/// A pod that takes room.
#[derive(Debug, Clone)]
struct Placed {
    facts: Arc<PodFacts>,
    node: NodeIndex,
    /// Whether the binding is on its way and not yet seen.
    assumed: bool,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    pub(crate) nodes: Vec<NodeState>,
    /// Places of the table that no name points to.
    free: Vec<NodeIndex>,
    by_name: BTreeMap<String, NodeIndex>,
    placed: BTreeMap<PodKey, Placed>,
    groups: BTreeMap<GroupKey, Group>,
    opinions: BTreeMap<(String, Option<i64>), Opinion>,
    namespaces: BTreeMap<String, Labels>,
    /// On how many nodes each image is.
    images: BTreeMap<String, u32>,
    known: usize,
}

/// A required affinity of a placed pod makes it like others that it is about, this much.
const HARD_AFFINITY_WEIGHT: i64 = 1;

impl Cluster {
    /// How many nodes there are.
    #[must_use]
    pub fn nodes_len(&self) -> usize {
        self.known
    }

    /// How many pods take room.
    #[must_use]
    pub fn placed_len(&self) -> usize {
        self.placed.len()
    }

    /// Every node that exists, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (NodeIndex, &NodeFacts, &NodeState)> {
        self.nodes
            .iter()
            .enumerate()
            .filter_map(|(index, state)| state.facts.as_ref().map(|facts| (index, facts, state)))
    }

    /// The node of a placed pod.
    #[must_use]
    pub fn node_of(&self, pod: &PodKey) -> Option<&str> {
        let placed = self.placed.get(pod)?;
        let found = self.by_name.iter().find(|(_, index)| **index == placed.node);
        found.map(|(name, _)| name.as_str())
    }

    /// The uid of a placed or assumed pod.
    #[must_use]
    pub fn uid_of(&self, pod: &PodKey) -> Option<&str> {
        self.placed.get(pod).map(|placed| placed.facts.uid.as_str())
    }

    /// The place of a node in the table; a new one if its name is not known.
    pub fn index_of(&mut self, name: &str) -> NodeIndex {
        self.index(name)
    }

    /// Whether a binding of this pod is on its way.
    #[must_use]
    pub fn is_assumed(&self, pod: &PodKey) -> bool {
        self.placed.get(pod).is_some_and(|placed| placed.assumed)
    }

    /// The labels of a namespace; none if it is not known.
    #[must_use]
    pub fn namespace_labels(&self, name: &str) -> &Labels {
        static NONE: Labels = Vec::new();
        self.namespaces.get(name).unwrap_or(&NONE)
    }

    /// On how many nodes an image is.
    #[must_use]
    pub fn image_nodes(&self, image: &str) -> u32 {
        self.images.get(image).copied().unwrap_or(0)
    }

    /// Takes a namespace's labels, or forgets it.
    pub fn set_namespace(&mut self, name: &str, labels: Option<Labels>) {
        match labels {
            Some(labels) => self.namespaces.insert(name.to_owned(), labels),
            None => self.namespaces.remove(name),
        };
    }

    fn index(&mut self, name: &str) -> NodeIndex {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.free.pop().unwrap_or(self.nodes.len());
        if index == self.nodes.len() {
            self.nodes.push(NodeState::default());
        }
        self.by_name.insert(name.to_owned(), index);
        index
    }

    /// Takes what a node offers; true if that is anything new.
    pub fn set_node(&mut self, facts: NodeFacts) -> bool {
        let index = self.index(&facts.name.clone());
        if self.nodes[index].facts.as_ref() == Some(&facts) {
            return false;
        }
        self.forget_facts(index);
        for (image, _) in &facts.images {
            *self.images.entry(image.clone()).or_default() += 1;
        }
        self.known += 1;
        self.nodes[index].facts = Some(facts);
        self.recount_zones(index);
        true
    }

    fn zone(&self, node: NodeIndex) -> Option<&str> {
        self.nodes[node].facts.as_ref().and_then(|facts| label(&facts.labels, ZONE))
    }

    /// Counts the zones of every group on a node again: its label may have changed.
    fn recount_zones(&mut self, node: NodeIndex) {
        let nodes = &self.nodes;
        for group in self.groups.values_mut().filter(|group| group.on.contains_key(&node)) {
            group.zones.clear();
            for (node, count) in &group.on {
                let facts = nodes[*node].facts.as_ref();
                if let Some(zone) = facts.and_then(|facts| label(&facts.labels, ZONE)) {
                    *group.zones.entry(zone.to_owned()).or_default() += i64::from(*count);
                }
            }
        }
    }

    /// Forgets a node; pods that are still bound to it stay counted on its name.
    pub fn remove_node(&mut self, name: &str) {
        let Some(index) = self.by_name.get(name).copied() else { return };
        self.forget_facts(index);
        self.recount_zones(index);
        self.release(index);
    }

    fn forget_facts(&mut self, index: NodeIndex) {
        let Some(old) = self.nodes[index].facts.take() else { return };
        self.known -= 1;
        for (image, _) in &old.images {
            if let Some(count) = self.images.get_mut(image) {
                *count -= 1;
                if *count == 0 {
                    self.images.remove(image);
                }
            }
        }
    }

    /// Forgets the name of a node that is gone and has no pods.
    fn release(&mut self, index: NodeIndex) {
        let state = &self.nodes[index];
        if state.facts.is_none() && state.pods == 0 {
            self.nodes[index] = NodeState::default();
            self.by_name.retain(|_, own| *own != index);
            self.free.push(index);
        }
    }

    /// Counts a bound pod on its node; true if it was not yet counted so.
    pub fn place(&mut self, facts: Arc<PodFacts>, node: &str) -> bool {
        let index = self.index(node);
        if let Some(known) = self.placed.get_mut(&facts.key)
            && known.node == index
            && *known.facts == *facts
        {
            known.assumed = false;
            return false;
        }
        self.forget(&facts.key.clone());
        let index = self.index(node);
        self.count_in(Placed { facts, node: index, assumed: false });
        true
    }

    /// Counts a pod whose binding is on its way.
    pub fn assume(&mut self, facts: Arc<PodFacts>, node: NodeIndex) {
        self.forget(&facts.key.clone());
        self.count_in(Placed { facts, node, assumed: true });
    }

    fn count_in(&mut self, placed: Placed) {
        let facts = &placed.facts;
        self.nodes[placed.node].add(facts);
        let zone = self.zone(placed.node).map(str::to_owned);
        let group = self.groups.entry(group_of(facts)).or_default();
        *group.on.entry(placed.node).or_default() += 1;
        if let Some(zone) = zone {
            *group.zones.entry(zone).or_default() += 1;
        }
        for (weight, term) in opinions_of(facts) {
            let opinion = self
                .opinions
                .entry((term.text.clone(), weight))
                .or_insert_with(|| Opinion { term: term.clone(), weight, on: BTreeMap::new() });
            *opinion.on.entry(placed.node).or_default() += 1;
        }
        self.placed.insert(facts.key.clone(), placed);
    }

    /// Counts a pod out; true if it was counted.
    pub fn forget(&mut self, pod: &PodKey) -> bool {
        let Some(placed) = self.placed.remove(pod) else { return false };
        let facts = &placed.facts;
        self.nodes[placed.node].remove(facts);
        let key = group_of(facts);
        let zone = self.zone(placed.node).map(str::to_owned);
        if let Some(group) = self.groups.get_mut(&key) {
            count_down(&mut group.on, placed.node);
            if let Some(count) = zone.and_then(|zone| group.zones.get_mut(&zone)) {
                *count -= 1;
            }
            if group.on.is_empty() {
                self.groups.remove(&key);
            }
        }
        for (weight, term) in opinions_of(facts) {
            let key = (term.text.clone(), weight);
            if let Some(opinion) = self.opinions.get_mut(&key) {
                count_down(&mut opinion.on, placed.node);
                if opinion.on.is_empty() {
                    self.opinions.remove(&key);
                }
            }
        }
        self.release(placed.node);
        true
    }

    /// Groups of equal pods, with how many of them are on which node.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        self.groups.iter()
    }

    /// The group of pods like this one.
    pub(crate) fn group_like(&self, pod: &PodFacts) -> Option<&Group> {
        self.groups.get(&GroupKey { ending: false, ..group_of(pod) })
    }

    /// Groups of one namespace.
    pub(crate) fn groups_in<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a GroupKey, &'a Group)> {
        let start = GroupKey { namespace: namespace.to_owned(), labels: Vec::new(), ending: false };
        self.groups.range(start..).take_while(move |(key, _)| key.namespace == namespace)
    }

    /// What placed pods think of new ones.
    pub(crate) fn opinions(&self) -> impl Iterator<Item = &Opinion> {
        self.opinions.values()
    }

    /// Panics if a count is not the sum over the pods.
    pub fn assert_invariants(&self) {
        let mut counts = vec![0_i64; self.nodes.len()];
        for placed in self.placed.values() {
            counts[placed.node] += 1;
        }
        for (index, state) in self.nodes.iter().enumerate() {
            assert_eq!(counts[index], state.pods, "pods of node {index}");
        }
        let grouped: u32 = self.groups.values().flat_map(|group| group.on.values()).sum();
        assert_eq!(usize::try_from(grouped), Ok(self.placed.len()), "pods in groups");
        let indexes: BTreeSet<_> = self.by_name.values().collect();
        assert_eq!(indexes.len(), self.by_name.len(), "two nodes share a place");
    }
}

fn group_of(pod: &PodFacts) -> GroupKey {
    let ending = pod.stage == Stage::Ending;
    GroupKey { namespace: pod.key.namespace.clone(), labels: pod.labels.clone(), ending }
}

fn opinions_of(pod: &PodFacts) -> impl Iterator<Item = (Option<i64>, &PodTerm)> {
    let never = pod.anti_affinity.iter().map(|term| (None, term));
    let near = pod.affinity.iter().map(|term| (Some(HARD_AFFINITY_WEIGHT), term));
    never.chain(near).chain(pod.liked.iter().map(|(weight, term)| (Some(*weight), term)))
}

fn count_down(counts: &mut BTreeMap<NodeIndex, u32>, node: NodeIndex) {
    if let Some(count) = counts.get_mut(&node) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&node);
        }
    }
}
