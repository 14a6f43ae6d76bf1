//! Field names: borrowed when Kubernetes uses them everywhere, shared otherwise.
//!
//! Way in: [`Name`].  Invariant: [`INTERNED`] is sorted, so that it can be searched.

use std::{borrow::Borrow, cmp::Ordering, fmt, ops::Deref, sync::Arc};

/// A field name. Cheap to clone: a reference for common names, a counted one for others.
#[derive(Clone)]
pub struct Name(Repr);

#[derive(Clone)]
enum Repr {
    Interned(&'static str),
    Shared(Arc<str>),
}

/// Names that nearly every object carries, so that a tree of them allocates nothing for its keys.
/// Invariant: sorted by bytes.
const INTERNED: &[&str] = &[
    "access",
    "addresses",
    "affinity",
    "annotations",
    "apiGroup",
    "apiGroups",
    "apiVersion",
    "app",
    "args",
    "automountServiceAccountToken",
    "availableReplicas",
    "blockOwnerDeletion",
    "capacity",
    "claimName",
    "clusterIP",
    "clusterIPs",
    "command",
    "conditions",
    "configMap",
    "containerID",
    "containerPort",
    "containerStatuses",
    "containers",
    "controller",
    "count",
    "cpu",
    "creationTimestamp",
    "data",
    "defaultMode",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "dnsPolicy",
    "effect",
    "emptyDir",
    "enableServiceLinks",
    "endpoints",
    "env",
    "event",
    "exec",
    "exitCode",
    "expirationSeconds",
    "failureThreshold",
    "fieldPath",
    "fieldRef",
    "fieldsType",
    "fieldsV1",
    "finalizers",
    "finishedAt",
    "firstTimestamp",
    "generateName",
    "generation",
    "group",
    "host",
    "hostIP",
    "hostIPs",
    "httpGet",
    "image",
    "imageID",
    "imagePullPolicy",
    "initContainers",
    "initialDelaySeconds",
    "internalTrafficPolicy",
    "involvedObject",
    "ip",
    "ipFamilies",
    "ipFamilyPolicy",
    "items",
    "key",
    "kind",
    "labels",
    "lastProbeTime",
    "lastState",
    "lastTimestamp",
    "lastTransitionTime",
    "lastUpdateTime",
    "limits",
    "livenessProbe",
    "managedFields",
    "manager",
    "matchExpressions",
    "matchLabels",
    "maxSurge",
    "maxUnavailable",
    "memory",
    "message",
    "metadata",
    "mountPath",
    "name",
    "namespace",
    "nodeName",
    "nodePort",
    "nodeSelector",
    "observedGeneration",
    "operation",
    "operator",
    "optional",
    "ownerReferences",
    "path",
    "periodSeconds",
    "phase",
    "podIP",
    "podIPs",
    "podTemplateHash",
    "port",
    "ports",
    "preemptionPolicy",
    "priority",
    "progressDeadlineSeconds",
    "projected",
    "protocol",
    "qosClass",
    "readOnly",
    "readinessProbe",
    "ready",
    "readyReplicas",
    "reason",
    "replicas",
    "reportingComponent",
    "reportingInstance",
    "requests",
    "resourceVersion",
    "resources",
    "restartCount",
    "restartPolicy",
    "revisionHistoryLimit",
    "roleRef",
    "rollingUpdate",
    "rules",
    "running",
    "schedulerName",
    "scheme",
    "secret",
    "securityContext",
    "selector",
    "serviceAccount",
    "serviceAccountName",
    "serviceAccountToken",
    "sessionAffinity",
    "source",
    "sources",
    "spec",
    "startTime",
    "started",
    "startedAt",
    "startupProbe",
    "state",
    "status",
    "strategy",
    "stringData",
    "subPath",
    "subjects",
    "subresource",
    "successThreshold",
    "taints",
    "targetPort",
    "targetRef",
    "template",
    "terminated",
    "terminationGracePeriodSeconds",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "time",
    "timeoutSeconds",
    "tolerationSeconds",
    "tolerations",
    "type",
    "uid",
    "unavailableReplicas",
    "updatedReplicas",
    "value",
    "valueFrom",
    "values",
    "verbs",
    "volumeMounts",
    "volumes",
    "waiting",
    "workingDir",
];

impl Name {
    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Interned(text) => text,
            Repr::Shared(text) => text,
        }
    }

    fn interned(text: &str) -> Option<Self> {
        let at = INTERNED.binary_search(&text).ok()?;
        INTERNED.get(at).map(|found| Self(Repr::Interned(found)))
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::interned(text).unwrap_or_else(|| Self(Repr::Shared(text.into())))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self::interned(&text).unwrap_or_else(|| Self(Repr::Shared(text.into())))
    }
}

impl From<&String> for Name {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Self> for Name {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            // A common name is always interned, and stands in the table once.
            (Repr::Interned(one), Repr::Interned(two)) => std::ptr::eq(*one, *two),
            (Repr::Shared(one), Repr::Shared(two)) => one == two,
            _ => false,
        }
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interned_names_are_sorted_and_found() {
        assert!(INTERNED.is_sorted());
        assert!(INTERNED.iter().all(|text| matches!(Name::from(*text).0, Repr::Interned(_))));
        assert!(matches!(Name::from("x-own").0, Repr::Shared(_)));
    }
}
