//! Affinity between pods: which places hold pods that a new one must, must not, or would like to be
//! near.
//!
//! Way in: [`Neighbours`].  Spec: Kubernetes documentation, "Assigning Pods to Nodes", inter-pod
//! affinity.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cluster::{Cluster, GroupKey, NodeIndex},
    pod::PodFacts,
    relations::PodTerm,
    rules::{Labels, label},
};

/// Places by the label of nodes that makes them.
type Places<'a> = Vec<(&'a str, BTreeSet<&'a str>)>;

/// What the placed pods mean for one new pod.
#[derive(Debug)]
pub(crate) struct Neighbours<'a> {
    /// For each required term, the places with pods that fit all of them.
    near: Places<'a>,
    /// Whether the pod may be the first of those that want to be near each other.
    is_first: bool,
    /// Places with pods that it must not be near.
    far: Places<'a>,
    /// Places with pods that do not want it near.
    unwelcome: Places<'a>,
    /// How much each place is liked.
    pub(crate) liked: BTreeMap<&'a str, BTreeMap<&'a str, i64>>,
}

impl<'a> Neighbours<'a> {
    pub(crate) fn new(pod: &'a PodFacts, cluster: &'a Cluster) -> Self {
        let all_terms = |key: &GroupKey| {
            let home = (key.namespace.as_str(), cluster.namespace_labels(&key.namespace));
            pod.affinity.iter().all(|term| term.is_about(home, &key.labels))
        };
        let near: Places<'_> = pod
            .affinity
            .iter()
            .map(|term| (&*term.topology_key, places_of(term, cluster, all_terms)))
            .collect();
        let far = pod
            .anti_affinity
            .iter()
            .map(|term| {
                let about = |key: &GroupKey| is_about(term, key, cluster);
                (&*term.topology_key, places_of(term, cluster, about))
            })
            .collect();
        let home = (&*pod.key.namespace, cluster.namespace_labels(&pod.key.namespace));
        let fits_itself = pod.affinity.iter().all(|term| term.is_about(home, &pod.labels));
        let alone = near.iter().all(|(_, places)| places.is_empty());
        let mut this = Self {
            is_first: alone && fits_itself,
            near,
            far,
            unwelcome: Vec::new(),
            liked: BTreeMap::new(),
        };
        this.ask_placed(pod, cluster);
        this.add_likes(pod, cluster);
        this
    }

    /// Asks the placed pods what they think of the new one.
    fn ask_placed(&mut self, pod: &PodFacts, cluster: &'a Cluster) {
        let home = (&*pod.key.namespace, cluster.namespace_labels(&pod.key.namespace));
        for opinion in cluster.opinions() {
            if !opinion.term.is_about(home, &pod.labels) {
                continue;
            }
            let key = &*opinion.term.topology_key;
            match opinion.weight {
                None => {
                    let places = opinion.on.keys().filter_map(|node| place(cluster, *node, key));
                    self.unwelcome.push((key, places.collect()));
                }
                Some(weight) => self.like(key, weight, &opinion.on, cluster),
            }
        }
    }

    fn add_likes(&mut self, pod: &'a PodFacts, cluster: &'a Cluster) {
        for (weight, term) in &pod.liked {
            for (key, group) in cluster.groups() {
                if is_about(term, key, cluster) {
                    self.like(&term.topology_key, *weight, &group.on, cluster);
                }
            }
        }
    }

    fn like(
        &mut self,
        key: &'a str,
        weight: i64,
        on: &BTreeMap<NodeIndex, u32>,
        cluster: &'a Cluster,
    ) {
        let places = self.liked.entry(key).or_default();
        for (node, count) in on {
            if let Some(place) = place(cluster, *node, key) {
                *places.entry(place).or_default() += weight * i64::from(*count);
            }
        }
    }

    /// Why a node with these labels cannot be taken.
    pub(crate) fn refusal(&self, labels: &Labels) -> Option<&'static str> {
        let among = |(key, places): &(&str, BTreeSet<&str>)| {
            label(labels, key).is_some_and(|place| places.contains(place))
        };
        let has_key = |(key, _): &(&str, BTreeSet<&str>)| label(labels, key).is_some();
        let near =
            if self.is_first { self.near.iter().all(has_key) } else { self.near.iter().all(among) };
        if !near {
            Some("node(s) are not near pods that this one must be near")
        } else if self.far.iter().any(among) {
            Some("node(s) are near pods that this one avoids")
        } else if self.unwelcome.iter().any(among) {
            Some("node(s) are near pods that avoid this one")
        } else {
            None
        }
    }

    /// How much a node with these labels is liked.
    pub(crate) fn liking(&self, labels: &Labels) -> i64 {
        let at = |(key, places): (&&str, &BTreeMap<&str, i64>)| {
            label(labels, key).and_then(|place| places.get(place)).copied().unwrap_or(0)
        };
        self.liked.iter().map(at).sum()
    }
}

fn is_about(term: &PodTerm, key: &GroupKey, cluster: &Cluster) -> bool {
    let home = (key.namespace.as_str(), cluster.namespace_labels(&key.namespace));
    term.is_about(home, &key.labels)
}

/// The places of a term in which there are pods that fit.
fn places_of<'a>(
    term: &PodTerm,
    cluster: &'a Cluster,
    fits: impl Fn(&GroupKey) -> bool,
) -> BTreeSet<&'a str> {
    let mut places = BTreeSet::new();
    for (_, group) in cluster.groups().filter(|(key, _)| fits(key)) {
        places.extend(group.on.keys().filter_map(|node| place(cluster, *node, &term.topology_key)));
    }
    places
}

fn place<'a>(cluster: &'a Cluster, node: NodeIndex, key: &str) -> Option<&'a str> {
    let facts = cluster.nodes.get(node)?.facts.as_ref()?;
    label(&facts.labels, key)
}
