//! Any API object: a tree that has `apiVersion`, `kind` and `metadata`.
//!
//! Way in: [`Object`].  Spec: Kubernetes API conventions, "metadata"; names as in
//! `metav1.ObjectMeta`.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use crate::{Gvk, LabelSet, Map, Value, value};

/// An API object. Everything in it is reached through its tree; the accessors know where the
/// metadata stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(pub Value);

/// One entry of `metadata.ownerReferences`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnerRef {
    /// The owner's group and version.
    pub api_version: String,
    /// The owner's kind.
    pub kind: String,
    /// The owner's name; it lives in the same namespace, or in none.
    pub name: String,
    /// The owner's uid.
    pub uid: String,
    /// Whether the owner is the object's managing controller; at most one of its owners is.
    pub controller: bool,
    /// Whether a foreground deletion of the owner waits for this object.
    pub block_owner_deletion: bool,
}

impl OwnerRef {
    /// A reference to `owner` as the managing controller, which blocks the owner's foreground
    /// deletion.
    #[must_use]
    pub fn controller(owner: &Object) -> Self {
        Self {
            api_version: owner.api_version().to_owned(),
            kind: owner.kind().to_owned(),
            name: owner.name().to_owned(),
            uid: owner.uid().to_owned(),
            controller: true,
            block_owner_deletion: true,
        }
    }

    /// Reads one entry of `metadata.ownerReferences`; what is absent is empty.
    #[must_use]
    pub fn from_value(entry: &Value) -> Self {
        let text = |name: &str| entry.at(name).as_str().unwrap_or_default().to_owned();
        Self {
            api_version: text("apiVersion"),
            kind: text("kind"),
            name: text("name"),
            uid: text("uid"),
            controller: entry.at("controller").as_bool().unwrap_or(false),
            block_owner_deletion: entry.at("blockOwnerDeletion").as_bool().unwrap_or(false),
        }
    }

    /// The entry of `metadata.ownerReferences` that says this.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut entry = value!({
            "apiVersion": &self.api_version,
            "kind": &self.kind,
            "name": &self.name,
            "uid": &self.uid,
        });
        if self.controller {
            entry.make_map().insert("controller", true);
        }
        if self.block_owner_deletion {
            entry.make_map().insert("blockOwnerDeletion", true);
        }
        entry
    }

    /// The owner's kind.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(&self.api_version, &self.kind)
    }
}

impl Object {
    /// An object of a kind, with nothing but a name and, unless it is empty, a namespace.
    #[must_use]
    pub fn new(gvk: &Gvk, namespace: &str, name: &str) -> Self {
        let mut object = Self(value!({
            "apiVersion": gvk.api_version(),
            "kind": &gvk.kind,
            "metadata": { "name": name },
        }));
        if !namespace.is_empty() {
            object.set_namespace(namespace);
        }
        object
    }

    /// The object's kind.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(self.api_version(), self.kind())
    }

    /// `apiVersion`, or `""`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.at("apiVersion").as_str().unwrap_or_default()
    }

    /// `kind`, or `""`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.at("kind").as_str().unwrap_or_default()
    }

    /// `metadata.name`, or `""`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.meta_str("name")
    }

    /// `metadata.generateName`, or `""`.
    #[must_use]
    pub fn generate_name(&self) -> &str {
        self.meta_str("generateName")
    }

    /// `metadata.namespace`, or `""` for what has none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.meta_str("namespace")
    }

    /// `metadata.uid`, or `""`.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.meta_str("uid")
    }

    /// `metadata.resourceVersion`, or `""`.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.meta_str("resourceVersion")
    }

    /// `metadata.generation`, or 0.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.i64_at(&["metadata", "generation"]).unwrap_or(0)
    }

    /// `metadata.creationTimestamp`, or `""`.
    #[must_use]
    pub fn creation_timestamp(&self) -> &str {
        self.meta_str("creationTimestamp")
    }

    /// `metadata.deletionTimestamp`, while the object is being deleted.
    #[must_use]
    pub fn deletion_timestamp(&self) -> Option<&str> {
        self.str_at(&["metadata", "deletionTimestamp"]).filter(|text| !text.is_empty())
    }

    /// Whether the object is being deleted.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.deletion_timestamp().is_some()
    }

    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.list_at(&["metadata", "finalizers"]).iter().filter_map(Value::as_str)
    }

    /// `metadata.labels`.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(self.map_at(&["metadata", "labels"]))
    }

    /// One label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.map_at(&["metadata", "labels"]).get(key).and_then(Value::as_str)
    }

    /// `metadata.annotations`.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(self.map_at(&["metadata", "annotations"]))
    }

    /// One annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.map_at(&["metadata", "annotations"]).get(key).and_then(Value::as_str)
    }

    /// `metadata.ownerReferences`.
    #[must_use]
    pub fn owners(&self) -> Vec<OwnerRef> {
        self.list_at(&["metadata", "ownerReferences"]).iter().map(OwnerRef::from_value).collect()
    }

    /// The owner that is the object's managing controller.
    #[must_use]
    pub fn controller_of(&self) -> Option<OwnerRef> {
        self.controller_entry().map(OwnerRef::from_value)
    }

    /// The uid of [`Self::controller_of`], read in place.
    #[must_use]
    pub fn controller_uid(&self) -> Option<&str> {
        Some(self.controller_entry()?.at("uid").as_str().unwrap_or_default())
    }

    fn controller_entry(&self) -> Option<&Value> {
        let entries = self.list_at(&["metadata", "ownerReferences"]);
        entries.iter().find(|entry| entry.at("controller").as_bool() == Some(true))
    }

    /// `spec`, or `null`.
    #[must_use]
    pub fn spec(&self) -> &Value {
        self.at("spec")
    }

    /// `status`, or `null`.
    #[must_use]
    pub fn status(&self) -> &Value {
        self.at("status")
    }

    /// `metadata`, or `null`.
    #[must_use]
    pub fn metadata(&self) -> &Value {
        self.at("metadata")
    }

    /// `metadata`, to be changed; made if it is not there.
    pub fn metadata_mut(&mut self) -> &mut Map {
        self.0.make_map().entry_or_map("metadata")
    }

    /// Sets `apiVersion` and `kind`.
    pub fn set_gvk(&mut self, gvk: &Gvk) {
        let map = self.0.make_map();
        map.insert("apiVersion", gvk.api_version());
        map.insert("kind", &gvk.kind);
    }

    /// Sets `metadata.name`.
    pub fn set_name(&mut self, name: &str) {
        self.metadata_mut().insert("name", name);
    }

    /// Sets `metadata.namespace`.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.metadata_mut().insert("namespace", namespace);
    }

    /// Sets `metadata.uid`.
    pub fn set_uid(&mut self, uid: &str) {
        self.metadata_mut().insert("uid", uid);
    }

    /// Sets `metadata.resourceVersion`; removes it if the text is empty.
    pub fn set_resource_version(&mut self, version: &str) {
        self.set_meta_str("resourceVersion", version);
    }

    /// Sets `metadata.generation`.
    pub fn set_generation(&mut self, generation: i64) {
        self.metadata_mut().insert("generation", generation);
    }

    /// Sets `metadata.creationTimestamp`; removes it if the text is empty.
    pub fn set_creation_timestamp(&mut self, stamp: &str) {
        self.set_meta_str("creationTimestamp", stamp);
    }

    /// Sets `metadata.deletionTimestamp`; removes it if the text is empty.
    pub fn set_deletion_timestamp(&mut self, stamp: &str) {
        self.set_meta_str("deletionTimestamp", stamp);
    }

    /// Sets one label.
    pub fn set_label(&mut self, key: &str, text: &str) {
        self.metadata_mut().entry_or_map("labels").insert(key, text);
    }

    /// Sets one annotation.
    pub fn set_annotation(&mut self, key: &str, text: &str) {
        self.metadata_mut().entry_or_map("annotations").insert(key, text);
    }

    /// Sets `metadata.finalizers`; removes the field if there are none.
    pub fn set_finalizers<'a>(&mut self, finalizers: impl IntoIterator<Item = &'a str>) {
        let list: Vec<&str> = finalizers.into_iter().collect();
        match list.is_empty() {
            true => self.metadata_mut().remove("finalizers"),
            false => self.metadata_mut().insert("finalizers", list),
        };
    }

    /// Sets `metadata.ownerReferences`; removes the field if there are none.
    pub fn set_owners(&mut self, owners: &[OwnerRef]) {
        match owners.is_empty() {
            true => self.metadata_mut().remove("ownerReferences"),
            false => {
                let entries: Vec<Value> = owners.iter().map(OwnerRef::to_value).collect();
                self.metadata_mut().insert("ownerReferences", entries)
            }
        };
    }

    /// Sets `spec`.
    pub fn set_spec(&mut self, spec: impl Into<Value>) {
        self.0.make_map().insert("spec", spec);
    }

    /// Sets `status`.
    pub fn set_status(&mut self, status: impl Into<Value>) {
        self.0.make_map().insert("status", status);
    }

    fn meta_str(&self, name: &str) -> &str {
        self.str_at(&["metadata", name]).unwrap_or_default()
    }

    fn set_meta_str(&mut self, name: &str, text: &str) {
        match text.is_empty() {
            true => self.metadata_mut().remove(name),
            false => self.metadata_mut().insert(name, text),
        };
    }
}

fn pairs(map: &Map) -> impl Iterator<Item = (&str, &str)> {
    map.iter().filter_map(|(key, value)| value.as_str().map(|text| (key.as_str(), text)))
}

impl LabelSet for Object {
    fn label_value(&self, key: &str) -> Option<&str> {
        self.label(key)
    }
}

impl From<Value> for Object {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Deref for Object {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl DerefMut for Object {
    fn deref_mut(&mut self) -> &mut Value {
        &mut self.0
    }
}

#[cfg(test)]
mod tests;
