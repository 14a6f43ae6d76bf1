//! Which sort of object, and which object: the names that controllers and their host exchange.
//!
//! Way in: [`Kind`], [`Key`], [`Target`].

use std::{borrow::Cow, cmp::Ordering, fmt};

use actors_object::Object;
use serde::{Deserialize, Serialize};

/// A kind as objects write it: `apiVersion` and `kind`. Constant for built-in kinds, owned for
/// others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kind {
    api_version: Cow<'static, str>,
    kind: Cow<'static, str>,
}

impl Kind {
    /// A kind that is known when the program is built: `Kind::new("apps/v1", "Deployment")`.
    #[must_use]
    pub const fn new(api_version: &'static str, kind: &'static str) -> Self {
        Self { api_version: Cow::Borrowed(api_version), kind: Cow::Borrowed(kind) }
    }

    /// A kind that is read from somewhere.
    #[must_use]
    pub fn owned(api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { api_version: Cow::Owned(api_version.into()), kind: Cow::Owned(kind.into()) }
    }

    /// The kind of `object`.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        Self { api_version: word(object.api_version()), kind: word(object.kind()) }
    }

    /// `group/version`, or the version alone in the core group.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// The group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The version without its group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(&*self.api_version, |(_, version)| version)
    }

    /// The name of the kind: `Deployment`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether `object` is of this kind, in whichever version.
    #[must_use]
    pub fn is_kind_of(&self, object: &Object) -> bool {
        self.is(&Named::of(object))
    }

    /// The same for who asks of many kinds.
    pub(crate) fn is(&self, named: &Named<'_>) -> bool {
        named.kind == self.kind() && named.group == self.group()
    }

    /// Whether both name one kind, in whichever versions.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.group() == other.group()
    }
}

/// The words of the objects that there are most of: a kind that is read from one of these needs no
/// memory of its own.
const WORDS: [&str; 20] = [
    "v1",
    "Pod",
    "Node",
    "Event",
    "Lease",
    "Secret",
    "apps/v1",
    "Service",
    "batch/v1",
    "ConfigMap",
    "Endpoints",
    "Namespace",
    "Deployment",
    "ReplicaSet",
    "ClusterRole",
    "EndpointSlice",
    "ServiceAccount",
    "discovery.k8s.io/v1",
    "coordination.k8s.io/v1",
    "rbac.authorization.k8s.io/v1",
];

fn word(text: &str) -> Cow<'static, str> {
    let known = WORDS.iter().find(|word| **word == text);
    known.map_or_else(|| Cow::Owned(text.to_owned()), |word| Cow::Borrowed(*word))
}

/// What an object says of its kind, looked up once.
pub(crate) struct Named<'a> {
    kind: &'a str,
    group: &'a str,
}

impl<'a> Named<'a> {
    pub(crate) fn of(object: &'a Object) -> Self {
        let group = object.api_version().split_once('/').map_or("", |(group, _)| group);
        Self { kind: object.kind(), group }
    }
}

impl Ord for Kind {
    /// By `apiVersion`, then by `kind`; the same text in the same place is not read.
    fn cmp(&self, other: &Self) -> Ordering {
        let order = |one: &str, other: &str| match std::ptr::eq(one, other) {
            true => Ordering::Equal,
            false => one.cmp(other),
        };
        let by_version = order(&self.api_version, &other.api_version);
        by_version.then_with(|| order(&self.kind, &other.kind))
    }
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)
    }
}

/// One object by name: what a controller is asked to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for a cluster-scoped kind.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The key of a name.
    #[must_use]
    pub fn new(kind: &Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.clone(), namespace: namespace.into(), name: name.into() }
    }

    /// The key of `object`.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        Self { kind: Kind::of(object), namespace, name }
    }

    /// Whether it is the key of `object`.
    pub(crate) fn is_of(&self, object: &Object) -> bool {
        self.name == object.name()
            && self.namespace == object.namespace()
            && self.kind.kind == object.kind()
            && self.kind.api_version == object.api_version()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// One object as a controller saw it: a write meets it or is refused, never its successor of the
/// same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// By name.
    pub key: Key,
    /// Invariant: never empty. The write carries it as a precondition.
    pub uid: String,
    /// If set, the write is refused when the object has changed since.
    pub resource_version: Option<String>,
}

impl Target {
    /// This life of `object`, in whichever state it is by then.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        Self { key: Key::of(object), uid: object.uid().to_owned(), resource_version: None }
    }

    /// `object` exactly as it was seen; for writes that replace a list as a whole.
    #[must_use]
    pub fn exactly(object: &Object) -> Self {
        let resource_version = Some(object.resource_version().to_owned());
        Self { resource_version, ..Self::of(object) }
    }
}
