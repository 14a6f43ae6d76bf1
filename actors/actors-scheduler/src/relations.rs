//! Rules that a pod has about other pods: affinity, anti-affinity, spreading over topologies.
//!
//! Way in: [`PodTerm`], [`Spread`].  Spec: Kubernetes documentation, "Assigning Pods to Nodes"
//! (inter-pod affinity), "Pod Topology Spread Constraints".

use actors_object::{FieldPath, LabelSelector, Object, Value, value};

use crate::rules::{Labels, label};

/// Which pods a term is about, and which part of the cluster counts as one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodTerm {
    /// A text that is equal for equal terms; by it terms of placed pods are counted once.
    pub text: String,
    /// The label of nodes whose values are the places.
    pub topology_key: String,
    /// Pods that it is about.
    pub selector: LabelSelector,
    /// Their namespaces.
    pub namespaces: Namespaces,
}

/// In which namespaces a term looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    /// By name.
    pub names: Vec<String>,
    /// By label; matches nothing if there is no such selector.
    pub selector: LabelSelector,
}

impl PodTerm {
    /// A `podAffinityTerm` of `pod`.
    #[must_use]
    pub fn of(term: &Value, pod: &Object) -> Self {
        let selector = with_label_keys(term, pod);
        let listed = term.list_at(&["namespaces"]).iter().filter_map(Value::as_str);
        let mut names: Vec<String> = listed.map(str::to_owned).collect();
        let by_label = term.get("namespaceSelector").filter(|selector| !selector.is_null());
        if names.is_empty() && by_label.is_none() {
            names.push(pod.namespace().to_owned());
        }
        let topology_key = term.at("topologyKey").as_str().unwrap_or_default().to_owned();
        let own = value!([
            topology_key.as_str(),
            &selector,
            names.clone(),
            by_label.unwrap_or(&Value::Null),
        ]);
        Self {
            text: actors_object::json::to_string(&actors_object::hash::sorted(&own)),
            topology_key,
            selector: parsed(&selector),
            namespaces: Namespaces {
                names,
                selector: by_label.map_or_else(LabelSelector::nothing, parsed),
            },
        }
    }

    /// Whether it is about a pod with these labels in a namespace with those labels.
    #[must_use]
    pub fn is_about(&self, (namespace, home): (&str, &Labels), labels: &Labels) -> bool {
        let there = self.namespaces.names.iter().any(|name| name == namespace)
            || self.namespaces.selector.matches(home);
        there && self.selector.matches(labels)
    }
}

fn parsed(selector: &Value) -> LabelSelector {
    LabelSelector::from_value(selector, &FieldPath::root())
        .unwrap_or_else(|_| LabelSelector::nothing())
}

/// The `labelSelector` of a term or constraint, with the pod's own values of its `matchLabelKeys`
/// and `mismatchLabelKeys` in it.
fn with_label_keys(term: &Value, pod: &Object) -> Value {
    let mut selector = term.at("labelSelector").clone();
    for (field, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in term.list_at(&[field]).iter().filter_map(Value::as_str) {
            let Some(own) = pod.label(key) else { continue };
            let entry = value!({ "key": key, "operator": operator, "values": [own] });
            let expressions = selector.make_map().entry("matchExpressions", || value!([]));
            expressions.make_list().push(entry);
        }
    }
    selector
}

/// All terms of one sort of a pod: `podAffinity` or `podAntiAffinity`, required or preferred.
#[must_use]
pub(crate) fn required_terms(pod: &Object, sort: &str) -> Vec<PodTerm> {
    let path = ["spec", "affinity", sort, "requiredDuringSchedulingIgnoredDuringExecution"];
    pod.list_at(&path).iter().map(|term| PodTerm::of(term, pod)).collect()
}

/// As [`required_terms`], each with its weight, 1 to 100.
#[must_use]
pub(crate) fn preferred_terms(pod: &Object, sort: &str) -> Vec<(i64, PodTerm)> {
    let path = ["spec", "affinity", sort, "preferredDuringSchedulingIgnoredDuringExecution"];
    let weighted = |entry: &Value| {
        let weight = entry.at("weight").as_i64().unwrap_or(0);
        (weight, PodTerm::of(entry.at("podAffinityTerm"), pod))
    };
    pod.list_at(&path).iter().map(weighted).collect()
}

/// The label that tells nodes apart.
pub(crate) const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label of a node's zone.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";

/// How evenly pods are to be spread over the places that a node label makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// The label of nodes whose values are the places.
    pub topology_key: String,
    /// The most by which a place may be ahead of the emptiest one; at least 1.
    pub max_skew: i64,
    /// Whether a node that would break it cannot be taken, or is only liked less.
    pub strictness: Strictness,
    /// Pods of the same namespace that are counted.
    pub counted: Counted,
    /// While there are fewer places than this, the emptiest one counts as empty.
    pub min_domains: i64,
    /// Whether nodes that the pod's node rules forbid are left out of the count.
    pub honours_affinity: bool,
    /// Whether nodes whose taints the pod does not bear are left out of the count.
    pub honours_taints: bool,
}

/// Which pods a constraint counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Those with exactly the labels of the pod itself.
    Alike,
    /// Those that match.
    Matching(LabelSelector),
}

/// What a constraint does to a node that would break it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Rules it out.
    DoNotSchedule,
    /// Lowers its score.
    ScheduleAnyway,
}

impl Spread {
    /// The constraints of a pod; for one with a controller and without constraints the defaults of
    /// the system: over hosts with skew 3 and over zones with skew 5, as a preference, among pods
    /// with the same labels.
    #[must_use]
    pub fn all_of(pod: &Object, labels: &Labels) -> Vec<Self> {
        let given = pod.list_at(&["spec", "topologySpreadConstraints"]);
        if !given.is_empty() {
            return given.iter().map(|entry| Self::of(entry, pod)).collect();
        }
        if pod.controller_of().is_none() || labels.is_empty() {
            return Vec::new();
        }
        let defaults = [(HOSTNAME, 3), (ZONE, 5)];
        defaults
            .into_iter()
            .map(|(key, max_skew)| Self {
                topology_key: key.to_owned(),
                max_skew,
                strictness: Strictness::ScheduleAnyway,
                counted: Counted::Alike,
                min_domains: 1,
                honours_affinity: true,
                honours_taints: false,
            })
            .collect()
    }

    fn of(entry: &Value, pod: &Object) -> Self {
        let text = |field: &str| entry.at(field).as_str().unwrap_or_default();
        let strict = text("whenUnsatisfiable") != "ScheduleAnyway";
        Self {
            topology_key: text("topologyKey").to_owned(),
            max_skew: entry.at("maxSkew").as_i64().unwrap_or(1).max(1),
            strictness: if strict { Strictness::DoNotSchedule } else { Strictness::ScheduleAnyway },
            counted: Counted::Matching(parsed(&with_label_keys(entry, pod))),
            min_domains: entry.at("minDomains").as_i64().unwrap_or(1),
            honours_affinity: text("nodeAffinityPolicy") != "Ignore",
            honours_taints: text("nodeTaintsPolicy") == "Honor",
        }
    }

    /// Whether a pod with the labels `other` is counted for one with the labels `own`.
    #[must_use]
    pub fn counts(&self, own: &Labels, other: &Labels) -> bool {
        match &self.counted {
            Counted::Alike => own == other,
            Counted::Matching(selector) => selector.matches(other),
        }
    }

    /// The place of a node, if it has one.
    #[must_use]
    pub fn place<'a>(&self, labels: &'a Labels) -> Option<&'a str> {
        label(labels, &self.topology_key)
    }
}
