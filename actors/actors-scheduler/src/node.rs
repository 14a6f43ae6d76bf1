//! One node: what it offers, and what is taken of it.
//!
//! Way in: [`NodeState`].  Invariant: what is taken is the sum over the pods that were added and
//! not removed.

use std::collections::BTreeMap;

use actors_object::{Object, Value};

use crate::{
    pod::{PodFacts, images_of},
    resources::Resources,
    rules::{HostPort, Labels, Taint, labels_of},
};

/// What a node offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// Its labels, ordered.
    pub labels: Labels,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// What its pods may ask for together.
    pub allocatable: Resources,
    /// How many pods it may have.
    pub pods_max: i64,
    /// Its images and their sizes in bytes, ordered by name.
    pub images: Vec<(String, i64)>,
}

impl NodeFacts {
    /// The facts of `node`.
    #[must_use]
    pub fn of(node: &Object) -> Self {
        let list = node.path(&["status", "allocatable"]).filter(|list| !list.is_null());
        let list = list.or(node.path(&["status", "capacity"])).unwrap_or(&Value::Null);
        let pods = actors_object::Quantity::from_value(list.at("pods"));
        Self {
            name: node.name().to_owned(),
            labels: labels_of(node),
            taints: node.list_at(&["spec", "taints"]).iter().map(Taint::of).collect(),
            unschedulable: node.bool_at(&["spec", "unschedulable"]) == Some(true),
            allocatable: Resources::of(list),
            pods_max: pods.map_or(0, |pods| pods.value()),
            images: images_of(node),
        }
    }

    /// The size of an image that it has.
    #[must_use]
    pub fn image_size(&self, name: &str) -> Option<i64> {
        let found = self.images.binary_search_by(|(own, _)| own.as_str().cmp(name));
        found.ok().map(|index| self.images[index].1)
    }
}

/// A node and what is taken of it. Pods may be bound to a node that is not known (yet): it offers
/// nothing then.
#[derive(Debug, Clone, Default)]
pub struct NodeState {
    /// What it offers; `None` while there is no such node.
    pub facts: Option<NodeFacts>,
    /// What its pods ask for together.
    pub taken: Resources,
    /// The same with guesses; see [`crate::resources::Requests::weighed`].
    pub weighed: Resources,
    /// How many pods it has.
    pub pods: i64,
    /// How many of its pods take each host port.
    pub ports: BTreeMap<HostPort, u32>,
}

impl NodeState {
    /// Counts a pod in.
    pub fn add(&mut self, pod: &PodFacts) {
        self.taken.add(&pod.requests.asked);
        self.weighed.add(&pod.requests.weighed);
        self.pods += 1;
        for port in &pod.ports {
            *self.ports.entry(port.clone()).or_default() += 1;
        }
    }

    /// Counts a pod out.
    pub fn remove(&mut self, pod: &PodFacts) {
        self.taken.subtract(&pod.requests.asked);
        self.weighed.subtract(&pod.requests.weighed);
        self.pods -= 1;
        for port in &pod.ports {
            if let Some(count) = self.ports.get_mut(port) {
                *count -= 1;
                if *count == 0 {
                    self.ports.remove(port);
                }
            }
        }
    }
}
