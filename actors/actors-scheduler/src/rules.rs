//! Rules that a pod has for its node: node selectors, tolerations, host ports.
//!
//! Way in: [`NodeRules`], [`Toleration`], [`HostPort`].
//! Spec: Kubernetes documentation, "Assigning Pods to Nodes", "Taints and Tolerations".

use actors_object::{Object, Value};

/// Labels, ordered by key.
pub type Labels = Vec<(String, String)>;

/// The labels of an object, ordered.
#[must_use]
pub(crate) fn labels_of(object: &Object) -> Labels {
    let mut labels: Labels =
        object.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    labels.sort();
    labels
}

/// The value of one of ordered labels.
#[must_use]
pub(crate) fn label<'a>(labels: &'a Labels, key: &str) -> Option<&'a str> {
    let found = labels.binary_search_by(|(own, _)| own.as_str().cmp(key));
    found.ok().map(|index| labels[index].1.as_str())
}

/// `nodeSelector` and node affinity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeRules {
    /// All must be on the node.
    labels: Labels,
    /// One of them must match; `None`: there is no such rule.
    required: Option<Vec<NodeTerm>>,
    /// Each that matches adds its weight, 1 to 100.
    preferred: Vec<(i64, NodeTerm)>,
}

/// One term: all of its requirements must hold. A term without any matches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct NodeTerm {
    labels: Vec<Requirement>,
    /// On `metadata.name`, the only field there is.
    fields: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
    /// Not known: never holds.
    Unknown,
}

impl NodeRules {
    /// The rules of a pod's spec.
    #[must_use]
    pub fn of(spec: &Value) -> Self {
        let selector = spec.map_at(&["nodeSelector"]).iter();
        let labels = selector
            .map(|(key, value)| (key.as_str().to_owned(), value.as_str().unwrap_or("").to_owned()))
            .collect();
        let affinity = spec.path(&["affinity", "nodeAffinity"]).unwrap_or(&Value::Null);
        let required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution");
        let required = required.filter(|required| !required.is_null());
        let terms = |required: &Value| {
            required.list_at(&["nodeSelectorTerms"]).iter().map(NodeTerm::of).collect()
        };
        let preferred = affinity.list_at(&["preferredDuringSchedulingIgnoredDuringExecution"]);
        let weighted = |one: &Value| {
            (one.at("weight").as_i64().unwrap_or(0), NodeTerm::of(one.at("preference")))
        };
        Self {
            labels,
            required: required.map(terms),
            preferred: preferred.iter().map(weighted).collect(),
        }
    }

    /// Whether a node of this name with these labels may be taken.
    #[must_use]
    pub fn allow(&self, name: &str, labels: &Labels) -> bool {
        self.labels.iter().all(|(key, value)| label(labels, key) == Some(value))
            && self
                .required
                .as_ref()
                .is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }

    /// The sum of the weights of all preferences that this node meets.
    #[must_use]
    pub fn preference(&self, name: &str, labels: &Labels) -> i64 {
        let met = self.preferred.iter().filter(|(_, term)| term.matches(name, labels));
        met.map(|(weight, _)| *weight).sum()
    }

    /// Whether some nodes are preferred to others.
    #[must_use]
    pub fn has_preferences(&self) -> bool {
        !self.preferred.is_empty()
    }
}

impl NodeTerm {
    fn of(term: &Value) -> Self {
        let all = |field: &str| term.list_at(&[field]).iter().map(Requirement::of).collect();
        Self { labels: all("matchExpressions"), fields: all("matchFields") }
    }

    fn matches(&self, name: &str, labels: &Labels) -> bool {
        let field = |one: &Requirement| one.holds((one.key == "metadata.name").then_some(name));
        !(self.labels.is_empty() && self.fields.is_empty())
            && self.labels.iter().all(|one| one.holds(label(labels, &one.key)))
            && self.fields.iter().all(field)
    }
}

impl Requirement {
    fn of(entry: &Value) -> Self {
        let operator = match entry.at("operator").as_str().unwrap_or_default() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::Gt,
            "Lt" => Operator::Lt,
            _ => Operator::Unknown,
        };
        let values = entry.list_at(&["values"]).iter().filter_map(Value::as_str);
        Self {
            key: entry.at("key").as_str().unwrap_or_default().to_owned(),
            operator,
            values: values.map(str::to_owned).collect(),
        }
    }

    fn holds(&self, found: Option<&str>) -> bool {
        let listed = || found.is_some_and(|found| self.values.iter().any(|one| one == found));
        let compared = |holds: fn(i64, i64) -> bool| {
            let bound = self.values.first().and_then(|bound| bound.parse().ok());
            let found = found.and_then(|found| found.parse().ok());
            matches!((found, bound), (Some(found), Some(bound)) if holds(found, bound))
        };
        match self.operator {
            Operator::In => listed(),
            Operator::NotIn => !listed(),
            Operator::Exists => found.is_some(),
            Operator::DoesNotExist => found.is_none(),
            Operator::Gt => compared(|found, bound| found > bound),
            Operator::Lt => compared(|found, bound| found < bound),
            Operator::Unknown => false,
        }
    }
}

/// What keeps pods away from a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, often empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`.
    pub effect: String,
}

impl Taint {
    /// One of a node's `spec.taints`.
    #[must_use]
    pub fn of(entry: &Value) -> Self {
        let text = |field: &str| entry.at(field).as_str().unwrap_or_default().to_owned();
        Self { key: text("key"), value: text("value"), effect: text("effect") }
    }

    /// Whether pods that do not tolerate it cannot be placed.
    #[must_use]
    pub fn forbids(&self) -> bool {
        matches!(self.effect.as_str(), "NoSchedule" | "NoExecute")
    }
}

/// A taint that a pod bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toleration {
    key: String,
    value: String,
    effect: String,
    exists: bool,
}

impl Toleration {
    /// One of a pod's `spec.tolerations`.
    #[must_use]
    pub fn of(entry: &Value) -> Self {
        let text = |field: &str| entry.at(field).as_str().unwrap_or_default().to_owned();
        let exists = entry.at("operator").as_str() == Some("Exists");
        Self { key: text("key"), value: text("value"), effect: text("effect"), exists }
    }

    /// Whether it bears `taint`. An empty key with `Exists` bears every key, an empty effect every
    /// effect.
    #[must_use]
    pub fn bears(&self, taint: &Taint) -> bool {
        let effect = self.effect.is_empty() || self.effect == taint.effect;
        let key = if self.key.is_empty() { self.exists } else { self.key == taint.key };
        effect && key && (self.exists || self.value == taint.value)
    }
}

/// A port of the node that a container takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// The number.
    pub port: i64,
    /// `TCP`, `UDP`, `SCTP`.
    pub protocol: String,
    /// The address; `0.0.0.0` for all.
    pub address: String,
}

impl HostPort {
    /// Every host port of a pod's spec.
    #[must_use]
    pub fn of(spec: &Value) -> Vec<Self> {
        let mut ports = Vec::new();
        let sidecars = spec.list_at(&["initContainers"]).iter();
        let sidecars = sidecars.filter(|one| one.at("restartPolicy").as_str() == Some("Always"));
        for container in spec.list_at(&["containers"]).iter().chain(sidecars) {
            for entry in container.list_at(&["ports"]) {
                let port = entry.at("hostPort").as_i64().filter(|port| *port > 0);
                let Some(port) = port else { continue };
                let text = |field: &str, default: &str| {
                    let given = entry.at(field).as_str().filter(|text| !text.is_empty());
                    given.unwrap_or(default).to_owned()
                };
                let (protocol, address) = (text("protocol", "TCP"), text("hostIP", "0.0.0.0"));
                ports.push(Self { port, protocol, address });
            }
        }
        ports
    }

    /// Whether both cannot be on one node.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        let anywhere = |port: &Self| port.address == "0.0.0.0" || port.address == "::";
        self.port == other.port
            && self.protocol == other.protocol
            && (anywhere(self) || anywhere(other) || self.address == other.address)
    }
}

#[cfg(test)]
mod tests;
