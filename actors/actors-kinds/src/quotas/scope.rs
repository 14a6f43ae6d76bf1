//! Which objects a quota is about, if not all.
//!
//! Way in: [`all_of`].  Spec: Kubernetes documentation, "Resource Quotas", "Quota Scopes".

use actors_object::{GroupResource, Object, Value};

use crate::defaults::qos_class;

/// One condition on an object; a quota is about what meets all of its own.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    name: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// The terms by which a pod may ask for, or avoid, the pods of other namespaces.
const AFFINITIES: [&str; 2] = ["podAffinity", "podAntiAffinity"];

/// The scopes of a quota's spec. One that is only named must exist.
pub(super) fn all_of(spec: &Value) -> Vec<Scope> {
    let named = spec.list_at(&["scopes"]).iter().filter_map(Value::as_str);
    let named = named.map(|name| Scope {
        name: name.to_owned(),
        operator: Operator::Exists,
        values: Vec::new(),
    });
    let selected = spec.list_at(&["scopeSelector", "matchExpressions"]).iter().map(Scope::of);
    named.chain(selected).collect()
}

impl Scope {
    fn of(term: &Value) -> Self {
        let values = term.list_at(&["values"]).iter().filter_map(Value::as_str);
        Self {
            name: term.at("scopeName").as_str().unwrap_or_default().to_owned(),
            operator: match term.at("operator").as_str() {
                Some("In") => Operator::In,
                Some("NotIn") => Operator::NotIn,
                Some("DoesNotExist") => Operator::DoesNotExist,
                _ => Operator::Exists,
            },
            values: values.map(str::to_owned).collect(),
        }
    }

    /// Whether objects of this resource can be in it.
    pub(super) fn is_about(&self, of: &GroupResource) -> bool {
        let resource = match self.name.as_str() {
            "VolumeAttributesClass" => "persistentvolumeclaims",
            _ => "pods",
        };
        of.group.is_empty() && of.resource == resource
    }

    /// Whether this object is in it.
    pub(super) fn includes(&self, of: &GroupResource, object: &Object) -> bool {
        if !self.is_about(of) {
            return false;
        }
        let text = |path: &[&str]| object.str_at(path).filter(|text| !text.is_empty());
        let ends = object.i64_at(&["spec", "activeDeadlineSeconds"]).is_some();
        match self.name.as_str() {
            "Terminating" => ends,
            "NotTerminating" => !ends,
            "BestEffort" => qos_class(object) == "BestEffort",
            "NotBestEffort" => qos_class(object) != "BestEffort",
            "CrossNamespacePodAffinity" => looks_beyond(object),
            "PriorityClass" => self.selects(text(&["spec", "priorityClassName"]).as_slice()),
            "VolumeAttributesClass" => {
                let paths: [&[&str]; 3] = [
                    &["spec", "volumeAttributesClassName"],
                    &["status", "currentVolumeAttributesClassName"],
                    &["status", "modifyVolumeStatus", "targetVolumeAttributesClassName"],
                ];
                let classes: Vec<&str> = paths.into_iter().filter_map(text).collect();
                self.selects(&classes)
            }
            _ => false,
        }
    }

    /// Whether what an object has is what is looked for.
    fn selects(&self, found: &[&str]) -> bool {
        let listed = found.iter().any(|name| self.values.iter().any(|value| value == name));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => !found.is_empty(),
            Operator::DoesNotExist => found.is_empty(),
        }
    }
}

/// Whether a pod's place depends on pods of other namespaces.
fn looks_beyond(pod: &Object) -> bool {
    let affinity = |sort: &'static str| {
        let path = |list| ["spec", "affinity", sort, list];
        let required = pod.list_at(&path("requiredDuringSchedulingIgnoredDuringExecution"));
        let preferred = pod.list_at(&path("preferredDuringSchedulingIgnoredDuringExecution"));
        required.iter().chain(preferred.iter().map(|term| term.at("podAffinityTerm")))
    };
    AFFINITIES.into_iter().flat_map(affinity).any(|term| {
        !term.list_at(&["namespaces"]).is_empty() || !term.at("namespaceSelector").is_null()
    })
}
