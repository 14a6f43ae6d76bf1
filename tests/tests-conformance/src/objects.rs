//! Objects of one kind, used as programs with a client library use them: found by discovery, asked for through kube's
//! `Api`, each call at the next server.
//!
//! Way in: [`Objects::of`].

use kube::{
    Api, Client,
    api::{
        DeleteParams, DynamicObject, ListParams, ObjectList, Patch, PatchParams, PostParams,
        WatchParams,
    },
    core::GroupVersion,
    discovery::{self, ApiCapabilities, ApiResource, Scope},
};
use serde_json::Value;

use crate::door::{Door, Watch};

/// The objects of a kind: in one namespace, or all that there are.
pub struct Objects {
    door: Door,
    resource: ApiResource,
    abilities: ApiCapabilities,
    namespace: Option<String>,
}

/// The code with which something was refused.
///
/// # Panics
/// If it was not refused.
#[track_caller]
pub fn refusal<T>(result: kube::Result<T>) -> u16 {
    match result {
        Err(kube::Error::Api(status)) => status.code,
        Err(other) => panic!("no answer: {other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

impl Objects {
    /// What the servers' discovery has by this name.
    ///
    /// # Panics
    /// If it has nothing.
    #[track_caller]
    pub fn of(door: &Door, api_version: &str, plural: &str, namespace: Option<&str>) -> Self {
        let version: GroupVersion = api_version.parse().expect("a version");
        let group = door.call(async |client| discovery::pinned_group(&client, &version).await);
        let mut all = group.expect("the group").versioned_resources(&version.version).into_iter();
        let found = all.find(|(resource, _)| resource.plural == plural);
        let (resource, abilities) = found.unwrap_or_else(|| panic!("{plural} is not listed"));
        let namespace = namespace.map(str::to_owned);
        Self { door: door.clone(), resource, abilities, namespace }
    }

    /// The same of all namespaces.
    pub fn everywhere(&self) -> Self {
        let (resource, abilities) = (self.resource.clone(), self.abilities.clone());
        Self { door: self.door.clone(), resource, abilities, namespace: None }
    }

    /// Whether objects of the kind are in namespaces.
    pub fn are_namespaced(&self) -> bool {
        self.abilities.scope == Scope::Namespaced
    }

    /// Whether discovery tells of this verb.
    pub fn have_verb(&self, verb: &str) -> bool {
        self.abilities.supports_operation(verb)
    }

    /// An object that nobody has made yet.
    pub fn object(&self, name: &str, label: (&str, &str), rest: Value) -> DynamicObject {
        let mut object = DynamicObject::new(name, &self.resource).data(rest);
        let (key, value) = label;
        object.metadata.labels.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        object
    }

    fn call<T>(
        &self,
        what: impl AsyncFn(Api<DynamicObject>) -> kube::Result<T>,
    ) -> kube::Result<T> {
        let api = |client: Client| match &self.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &self.resource),
            None => Api::all_with(client, &self.resource),
        };
        self.door.call(async |client| what(api(client)).await)
    }

    /// Makes an object.
    ///
    /// # Errors
    /// This and the others: what the client says.
    pub fn create(&self, object: &DynamicObject) -> kube::Result<DynamicObject> {
        self.call(async |api| api.create(&PostParams::default(), object).await)
    }

    /// Reads one.
    pub fn get(&self, name: &str) -> kube::Result<DynamicObject> {
        self.call(async |api| api.get(name).await)
    }

    /// Reads one's subresource `status`.
    pub fn get_status(&self, name: &str) -> kube::Result<DynamicObject> {
        self.call(async |api| api.get_status(name).await)
    }

    /// Reads many.
    pub fn list(&self, params: &ListParams) -> kube::Result<ObjectList<DynamicObject>> {
        self.call(async |api| api.list(params).await)
    }

    /// A merge patch.
    pub fn merge(&self, name: &str, patch: &Value) -> kube::Result<DynamicObject> {
        let params = PatchParams::default();
        self.call(async |api| api.patch(name, &params, &Patch::Merge(patch)).await)
    }

    /// A merge patch of the status.
    pub fn merge_status(&self, name: &str, patch: &Value) -> kube::Result<DynamicObject> {
        let params = PatchParams::default();
        self.call(async |api| api.patch_status(name, &params, &Patch::Merge(patch)).await)
    }

    /// An update.
    pub fn replace(&self, name: &str, object: &DynamicObject) -> kube::Result<DynamicObject> {
        self.call(async |api| api.replace(name, &PostParams::default(), object).await)
    }

    /// An update of the status.
    pub fn replace_status(
        &self,
        name: &str,
        object: &DynamicObject,
    ) -> kube::Result<DynamicObject> {
        self.call(async |api| api.replace_status(name, &PostParams::default(), object).await)
    }

    /// Deletes one.
    pub fn delete(&self, name: &str) -> kube::Result<()> {
        self.call(async |api| api.delete(name, &DeleteParams::default()).await.map(drop))
    }

    /// Deletes many.
    pub fn delete_all(&self, of: &ListParams) -> kube::Result<()> {
        let params = DeleteParams::default();
        self.call(async |api| api.delete_collection(&params, of).await.map(drop))
    }

    /// What happens to those with these labels behind this revision.
    pub fn watch(&self, labels: &str, revision: &str) -> kube::Result<Watch> {
        let params = WatchParams::default().labels(labels).disable_bookmarks();
        self.call(async |api| Ok(Watch::of(api.watch(&params, revision).await?)))
    }
}
