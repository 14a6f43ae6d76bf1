//! Decides a pod's quality-of-service class from its containers' resources.
//!
//! Way in: [`qos_class`].  Spec: Kubernetes documentation, "Pod Quality of Service Classes".

use actors_object::{Object, Value, quantity::Quantity};

/// How a pod is treated when its node runs out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QosClass {
    /// Every container has limits for cpu and memory, and requests that equal them.
    Guaranteed,
    /// Some container has a request or limit.
    Burstable,
    /// None has.
    BestEffort,
}

impl QosClass {
    /// Kubernetes' word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

/// The class of `pod`.
#[must_use]
pub fn qos_class(pod: &Object) -> QosClass {
    let spec = pod.0.at("spec");
    let containers =
        || spec.list_at(&["initContainers"]).iter().chain(spec.list_at(&["containers"]));
    let asks = |container: &Value| {
        ["cpu", "memory"].iter().any(|name| {
            amount(container, "requests", name).is_some()
                || amount(container, "limits", name).is_some()
        })
    };
    let is_exact = |container: &Value| {
        ["cpu", "memory"].iter().all(|name| {
            let limit = amount(container, "limits", name);
            // A request that is not given equals the limit.
            let request = amount(container, "requests", name).or(limit);
            limit.is_some() && limit == request
        })
    };
    if containers().all(is_exact) {
        QosClass::Guaranteed
    } else if containers().any(asks) {
        QosClass::Burstable
    } else {
        QosClass::BestEffort
    }
}

/// An amount above zero.
fn amount(container: &Value, list: &str, name: &str) -> Option<Quantity> {
    let given = container.path(&["resources", list, name])?;
    let text = given
        .as_str()
        .map(str::to_owned)
        .or_else(|| given.as_i64().map(|number| number.to_string()))?;
    let zero = Quantity::parse("0").ok()?;
    Quantity::parse(&text).ok().filter(|amount| *amount > zero)
}
