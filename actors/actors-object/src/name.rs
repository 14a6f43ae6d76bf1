//! Field names: borrowed when Kubernetes uses them everywhere, shared otherwise.
//!
//! Way in: [`Name`].  Invariant: each of [`INTERNED`] stands there once and is found by [`find`].

use std::{borrow::Borrow, cmp::Ordering, fmt, ops::Deref, sync::Arc};

/// A field name. Cheap to clone: a reference for common names, a counted one for others.
#[derive(Clone)]
pub struct Name(Repr);

impl Default for Name {
    /// The empty name.
    fn default() -> Self {
        Self(Repr::Interned(""))
    }
}

#[derive(Clone)]
enum Repr {
    Interned(&'static str),
    Shared(Arc<str>),
}

/// Each name twice: as a field, and as the step to it in `metadata.managedFields`. Behind them
/// what stands only in there.
macro_rules! interned {
    ($($name:literal,)+ ; $($step:literal,)+) => {
        [$($name, concat!("f:", $name),)+ $($step,)+]
    };
}

/// Names that nearly every object carries, so that a tree of them allocates nothing for its keys.
/// A static, so that each has one address.
#[rustfmt::skip]
static INTERNED: [&str; COUNT] = interned![
    "access", "accessModes", "acquireTime", "active", "addressType", "addresses", "affinity",
    "allocatable", "annotations", "apiGroup", "apiGroups", "apiVersion", "apiVersions", "app",
    "app.kubernetes.io/component", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by",
    "app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/version",
    "apps.kubernetes.io/pod-index", "architecture", "args", "automountServiceAccountToken",
    "available", "availableReplicas", "backoffLimit", "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index", "batch.kubernetes.io/job-name",
    "beta.kubernetes.io/arch", "beta.kubernetes.io/os", "blockOwnerDeletion", "bootID", "capacity",
    "claimName", "claimRef", "clusterIP", "clusterIPs", "collisionCount", "command",
    "completionMode", "completionTime", "completions", "conditions", "configMap", "configMapRef",
    "containerID", "containerPort", "containerRuntimeVersion", "containerStatuses", "containers",
    "controller", "controller-revision-hash", "controllerRevision", "count", "cpu",
    "creationTimestamp", "currentMetrics", "currentReplicas", "daemonEndpoints", "data",
    "deadlineSeconds", "defaultMode", "deletionGracePeriodSeconds", "deletionTimestamp",
    "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas",
    "deployment.kubernetes.io/revision", "desiredHealthy", "dnsPolicy", "effect", "emptyDir",
    "enableServiceLinks", "endpoint", "endpoints",
    "endpoints.kubernetes.io/last-change-trigger-time", "endpointslice.kubernetes.io/managed-by",
    "env", "envFrom", "ephemeral-storage", "ephemeralContainers", "event", "exec", "exists",
    "exitCode", "expirationSeconds", "failed", "failureThreshold", "fieldPath", "fieldRef",
    "fieldsType", "fieldsV1", "finalizers", "finishedAt", "firstTimestamp", "fullyLabeledReplicas",
    "generateName", "generation", "group", "grpc", "hard", "holderIdentity", "host", "hostIP",
    "hostIPs", "hostNetwork", "hostname", "httpGet", "httpHeaders", "hugepages-1Gi",
    "hugepages-2Mi", "image", "imageID", "imagePullPolicy", "images", "immutable",
    "initContainers", "initialDelaySeconds", "internalTrafficPolicy", "involvedObject", "ip",
    "ipFamilies", "ipFamilyPolicy", "ips", "items", "k8s-app", "kernelVersion", "key", "kind",
    "kubeProxyVersion", "kubectl.kubernetes.io/last-applied-configuration",
    "kubectl.kubernetes.io/restartedAt", "kubeletEndpoint", "kubeletVersion", "kubernetes.io/arch",
    "kubernetes.io/bootstrapping", "kubernetes.io/hostname", "kubernetes.io/metadata.name",
    "kubernetes.io/os", "kubernetes.io/service-name", "labels", "lastHeartbeatTime",
    "lastProbeTime", "lastState", "lastTimestamp", "lastTransitionTime", "lastUpdateTime",
    "leaseDurationSeconds", "leaseTransitions", "lifecycle", "limits", "livenessProbe",
    "loadBalancer", "machineID", "managedFields", "manager", "matchExpressions", "matchLabels",
    "maxSurge", "maxUnavailable", "memory", "message", "metadata", "minReadySeconds", "mountPath",
    "name", "names", "namespace", "node-role.kubernetes.io/control-plane", "nodeInfo", "nodeName",
    "nodePort", "nodeSelector", "nominatedNodeName", "observedConfig", "observedGeneration",
    "operatingSystem", "operation", "operator", "optional", "osImage", "ownerReferences",
    "parallelism", "path", "periodSeconds", "phase", "pod-template-hash", "podCIDR", "podCIDRs",
    "podIP", "podIPs", "podManagementPolicy", "podTemplateHash", "pods", "port", "ports",
    "postStart", "preStop", "preemptionPolicy", "preferredDuringSchedulingIgnoredDuringExecution",
    "priority", "procMount", "progressDeadlineSeconds", "projected", "protocol", "providerID",
    "publishNotReadyAddresses", "qosClass", "rbac.authorization.kubernetes.io/autoupdate",
    "readOnly", "readinessProbe", "ready", "readyReplicas", "reason", "renewTime", "replicas",
    "reportingComponent", "reportingInstance", "requests", "resourceVersion", "resources",
    "restartCount", "restartPolicy", "revisionHistoryLimit", "role", "roleRef", "rollingUpdate",
    "rules", "running", "schedulerName", "scheme", "secret", "secretName", "secretRef",
    "securityContext", "selector", "series", "serviceAccount", "serviceAccountName",
    "serviceAccountToken", "serving", "sessionAffinity", "shareProcessNamespace", "size",
    "sizeBytes", "source", "sources", "spec", "startTime", "started", "startedAt", "startupProbe",
    "state", "statefulset.kubernetes.io/pod-name", "status", "storage", "storageClassName",
    "strategy", "stringData", "subPath", "subjects", "subresource", "subsets", "succeeded",
    "successThreshold", "systemUUID", "taints", "targetPort", "targetRef", "tcpSocket", "template",
    "terminated", "terminating", "terminatingReplicas", "terminationGracePeriodSeconds",
    "terminationMessagePath", "terminationMessagePolicy", "tier", "time", "timeoutSeconds",
    "tolerationSeconds", "tolerations", "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone", "topologyKey", "type", "uid", "unavailableReplicas",
    "unschedulable", "updateRevision", "updateStrategy", "updatedReplicas", "used", "value",
    "valueFrom", "values", "verbs", "version", "volumeClaimTemplates", "volumeMounts",
    "volumeName", "volumes", "waiting", "workingDir",
    ;
    ".", r#"k:{"type":"Available"}"#, r#"k:{"type":"Complete"}"#,
    r#"k:{"type":"ContainersReady"}"#, r#"k:{"type":"DiskPressure"}"#, r#"k:{"type":"Failed"}"#,
    r#"k:{"type":"Hostname"}"#, r#"k:{"type":"Initialized"}"#, r#"k:{"type":"InternalIP"}"#,
    r#"k:{"type":"MemoryPressure"}"#, r#"k:{"type":"PIDPressure"}"#,
    r#"k:{"type":"PodReadyToStartContainers"}"#, r#"k:{"type":"PodScheduled"}"#,
    r#"k:{"type":"Progressing"}"#, r#"k:{"type":"Ready"}"#,
];

const COUNT: usize = 625;

/// Where names stand by their hash: one more than their place, 0 for nobody.
static SLOTS: [u16; SLOTS_LEN] = slots();

const SLOTS_LEN: usize = 2_048;

const fn slots() -> [u16; SLOTS_LEN] {
    let mut slots = [0; SLOTS_LEN];
    let mut place = 0;
    while place < COUNT {
        let mut slot = slot_of(INTERNED[place].as_bytes());
        while slots[slot] != 0 {
            slot = (slot + 1) % SLOTS_LEN;
        }
        place += 1;
        slots[slot] = place as u16;
    }
    slots
}

/// The first slot of a name: its length, its first and its last bytes, mixed.
const fn slot_of(text: &[u8]) -> usize {
    let (first, last) = match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => {
            let (mut word, mut at) = (0, 0);
            while at < text.len() {
                word = (word << 8) | text[at] as u64;
                at += 1;
            }
            (word, 0)
        }
    };
    // Odd, without a pattern; the upper bits of the product depend on all of both words.
    let mixed = (first ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ last;
    (mixed.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 53) as usize % SLOTS_LEN
}

/// The interned name with this text.
fn find(text: &[u8]) -> Option<Name> {
    let mut slot = slot_of(text);
    loop {
        let place = usize::from(SLOTS[slot]).checked_sub(1)?;
        let found = INTERNED[place];
        if found.as_bytes() == text {
            return Some(Name(Repr::Interned(found)));
        }
        slot = (slot + 1) % SLOTS_LEN;
    }
}

impl Name {
    /// The name's text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Interned(text) => text,
            Repr::Shared(text) => text,
        }
    }

    /// Two texts as one name.
    pub(crate) fn joined(head: &str, tail: &str) -> Self {
        const FEW: usize = 64;
        let mut text = [0; FEW];
        if let Some(text) = text.get_mut(..head.len() + tail.len()) {
            let (first, rest) = text.split_at_mut(head.len());
            first.copy_from_slice(head.as_bytes());
            rest.copy_from_slice(tail.as_bytes());
            if let Some(name) = find(text) {
                return name;
            }
        }
        Self(Repr::Shared([head, tail].concat().into()))
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        find(text.as_bytes()).unwrap_or_else(|| Self(Repr::Shared(text.into())))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        find(text.as_bytes()).unwrap_or_else(|| Self(Repr::Shared(text.into())))
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
        if self == other {
            return Ordering::Equal;
        }
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
    fn interned_names_are_found_and_stand_once() {
        for text in INTERNED {
            let found = find(text.as_bytes()).expect("an interned name");
            assert!(std::ptr::eq(found.as_str(), text), "{text} stands twice");
            assert_eq!(found, Name::from(text.to_owned()));
        }
        assert!(INTERNED.contains(&"f:spec") && INTERNED.contains(&"spec"));
    }

    #[test]
    fn other_names_are_shared() {
        let long = "x".repeat(100);
        for text in ["", "x", "x-own", "specs", "f:", "metadatametadata", &long] {
            assert!(matches!(Name::from(text).0, Repr::Shared(_)), "{text}");
            assert_eq!(Name::from(text), *text);
        }
    }

    #[test]
    fn joined_names_are_as_written_at_once() {
        let long = "x".repeat(100);
        for tail in ["spec", "x-own", "", &long] {
            assert_eq!(Name::joined("f:", tail), Name::from(format!("f:{tail}")));
        }
    }
}
