//! What the objects of a namespace take of its quotas.
//!
//! Way in: [`Quota::of`], then [`Quota::taken`].  Used where objects are admitted and where they
//! are counted, so that both mean the same.
//! Never: whether something is too much; that is admission's to say.
//! Spec: Kubernetes documentation, "Resource Quotas", "Pod Overhead".

mod measure;
mod scope;

use std::collections::BTreeMap;

use actors_core::Wall;
use actors_object::{GroupResource, Object, Quantity};
pub use measure::over_at;
use scope::Scope;

use crate::amounts::{self, Amounts, Bound};

/// What one quota limits, and whose.
#[derive(Debug, Clone)]
pub struct Quota {
    hard: Amounts,
    scopes: Vec<Scope>,
}

/// What every container must name where a quota limits it: the quota's word, the list, the
/// resource.
/// Spec: "Resource Quotas", "Compute Resource Quota".
const TO_BE_NAMED: [(&str, Bound, &str); 6] = [
    ("cpu", Bound::Requests, "cpu"),
    ("limits.cpu", Bound::Limits, "cpu"),
    ("limits.memory", Bound::Limits, "memory"),
    ("memory", Bound::Requests, "memory"),
    ("requests.cpu", Bound::Requests, "cpu"),
    ("requests.memory", Bound::Requests, "memory"),
];

impl Quota {
    /// What a `ResourceQuota` says.
    #[must_use]
    pub fn of(quota: &Object) -> Self {
        let spec = quota.spec();
        Self { hard: amounts::of_list(spec.at("hard")), scopes: scope::all_of(spec) }
    }

    /// The most there may be of each.
    #[must_use]
    pub fn hard(&self) -> &Amounts {
        &self.hard
    }

    /// Whether objects of this resource can take anything of it at all. Events never do: they must
    /// be told whatever else is true.
    #[must_use]
    pub fn counts(&self, of: &GroupResource) -> bool {
        let is_event = of.resource == "events" && matches!(of.group.as_str(), "" | "events.k8s.io");
        !is_event
            && self.scopes.iter().all(|scope| scope.is_about(of))
            && self.hard.keys().any(|name| measure::is_of(name, of))
    }

    /// Whether this object is one of those that it is about.
    #[must_use]
    pub fn includes(&self, of: &GroupResource, object: &Object) -> bool {
        self.scopes.iter().all(|scope| scope.includes(of, object))
    }

    /// What an object takes of it at a time; nothing if it is not about the object.
    #[must_use]
    pub fn taken(&self, of: &GroupResource, object: &Object, now: Wall) -> Amounts {
        if !self.counts(of) || !self.includes(of, object) {
            return Amounts::new();
        }
        let mut taken = measure::measure(of, object, now);
        taken.retain(|name, _| self.hard.contains_key(name));
        taken
    }

    /// What a pod fails to say of what is limited: `limits.cpu for: a,b; requests.cpu for: a`.
    /// What the pod says as a whole, its containers need not say.
    #[must_use]
    pub fn unsaid(&self, pod: &Object) -> Option<String> {
        let spec = pod.spec();
        let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let limited = TO_BE_NAMED.iter().filter(|(word, ..)| self.hard.contains_key(*word));
        for &(word, bound, resource) in limited {
            let path = ["resources", bound.field(), resource];
            if spec.path(&path).is_some() {
                continue;
            }
            let containers =
                ["initContainers", "containers"].into_iter().flat_map(|list| spec.list_at(&[list]));
            let silent = containers.filter(|container| container.path(&path).is_none());
            let mut names: Vec<&str> = silent.filter_map(|one| one.at("name").as_str()).collect();
            if !names.is_empty() {
                names.sort_unstable();
                missing.insert(word, names);
            }
        }
        let words = missing.iter().map(|(word, names)| format!("{word} for: {}", names.join(",")));
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What all of these objects take together, with a zero for what none takes.
    pub fn total<'a>(
        &self,
        objects: impl IntoIterator<Item = (&'a GroupResource, &'a Object)>,
        now: Wall,
    ) -> Amounts {
        let nothing = self.hard.keys().map(|name| (name.clone(), Quantity::ZERO));
        let mut total: Amounts = nothing.collect();
        for (of, object) in objects {
            amounts::add(&mut total, &self.taken(of, object, now));
        }
        total
    }
}

#[cfg(test)]
mod tests;
