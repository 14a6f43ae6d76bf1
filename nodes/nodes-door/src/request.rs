//! What is asked at the door: who, which verb, of which object, with what body.
//!
//! Way in: [`Request`].  Never: an HTTP type; the edge translates.

use bytes::Bytes;
use nodes_trace::TraceContext;
use serde::{Deserialize, Serialize};

/// Who asks. Spec: Kubernetes documentation, "User accounts versus service accounts".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The user's name: `system:serviceaccount:default:web`.
    pub user: String,
    /// The user's uid; may be empty.
    pub uid: String,
    /// The user's groups.
    pub groups: Vec<String>,
    /// Whatever else the authenticator knows.
    pub extra: Vec<(String, Vec<String>)>,
}

impl Identity {
    /// An authenticated user with these groups beside `system:authenticated`.
    #[must_use]
    pub fn new(user: impl Into<String>, groups: &[&str]) -> Self {
        let mut groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        groups.push("system:authenticated".to_owned());
        Self { user: user.into(), groups, ..Self::default() }
    }

    /// A caller who proved nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        let groups = vec!["system:unauthenticated".to_owned()];
        Self { user: "system:anonymous".to_owned(), groups, ..Self::default() }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read many.
    List,
    /// Hear of changes.
    Watch,
    /// Make one that must be absent.
    Create,
    /// Replace one.
    Update,
    /// Change one.
    Patch(PatchKind),
    /// Remove one.
    Delete,
    /// Remove many.
    DeleteCollection,
}

/// In which language a patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PatchKind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own, which knows list keys.
    Strategic,
    /// Server-side apply (KEP-555).
    Apply,
}

impl Verb {
    /// The verb as RBAC rules name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch(_) => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// Which object, list or subresource is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Target {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural name.
    pub resource: String,
    /// `status`, `scale`, `binding`…
    pub subresource: Option<String>,
    /// The namespace; `None` for objects without one and for lists over all.
    pub namespace: Option<String>,
    /// The object's name; `None` for lists and creates.
    pub name: Option<String>,
}

/// How a request is meant: its query, and what it is done for. Spec: Kubernetes API reference, "Common parameters".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Options {
    /// Do everything but store it.
    pub dry_run: bool,
    /// Who changes which fields.
    pub field_manager: Option<String>,
    /// What happens to unknown and duplicate fields.
    pub field_validation: FieldValidation,
    /// Take fields from other managers (apply only).
    pub force: bool,
    /// Only objects with these labels, as written.
    pub label_selector: Option<String>,
    /// Only objects with these fields, as written.
    pub field_selector: Option<String>,
    /// As fresh as, or exactly, this revision.
    pub resource_version: Option<String>,
    /// How `resource_version` is meant: `Exact` or `NotOlderThan`.
    pub resource_version_match: Option<String>,
    /// At most this many objects.
    pub limit: Option<u64>,
    /// Where the list before this one ended.
    pub continue_token: Option<String>,
    /// What happens to dependents: `Background`, `Foreground`, `Orphan`.
    pub propagation_policy: Option<String>,
    /// Seconds until a deleted object is gone.
    pub grace_period_seconds: Option<i64>,
    /// A delete is refused if the object has another uid.
    pub precondition_uid: Option<String>,
    /// A delete is refused if the object has another revision.
    pub precondition_resource_version: Option<String>,
    /// How long a watch lasts.
    pub timeout_seconds: Option<u64>,
    /// Whether a watcher wants bookmarks.
    pub allow_bookmarks: bool,
    /// Whether a watch begins with the objects that are there.
    pub send_initial_events: Option<bool>,
    /// The trace that it continues. It decides nothing, and stands in a frame's head on the mesh.
    #[serde(skip)]
    pub trace: TraceContext,
}

/// What happens to fields that the schema does not have, and to fields that stand twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped, and the client is told. Spec: the default since Kubernetes 1.27.
    #[default]
    Warn,
    /// The request is refused.
    Strict,
}

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Media {
    /// JSON.
    #[default]
    Json,
    /// YAML.
    Yaml,
    /// Kubernetes' protobuf form. Spec: Kubernetes API Concepts, "Kubernetes Protobuf encoding".
    Protobuf,
}

/// The body of a request; may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Body {
    /// Its encoding.
    pub media: Media,
    /// Its bytes.
    pub bytes: Bytes,
}

/// One request, authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub identity: Identity,
    /// What is to be done.
    pub verb: Verb,
    /// To what.
    pub target: Target,
    /// How.
    pub options: Options,
    /// With what.
    pub body: Body,
    /// The program that asks, for field managers.
    pub user_agent: String,
}
