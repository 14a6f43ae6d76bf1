//! One request on its way: what it is about, on which snapshot, when.
//!
//! Way in: [`Visit::decide`].

use std::sync::Arc;

use actors_core::{Now, Rng, Turn};
use actors_kinds::{KindFacts, Subresource};
use actors_object::{ApiError, GroupKind, GroupResource, Object, apply::Managers};
use store_catalog::{Item, Snapshot};
use store_mvcc::Key;

use crate::{
    Door, Entry, PatchKind, Request, Response, ResponseBody, Step, Verb,
    authz::{Authorizer, authorize_as},
    read, review, sub, write,
};

/// One request on its way.
pub(crate) struct Visit<'a> {
    pub(crate) door: &'a Door,
    pub(crate) request: &'a Request,
    pub(crate) kind: &'a Arc<KindFacts>,
    pub(crate) sub: Option<&'a Subresource>,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) now: Now,
    pub(crate) rng: &'a mut Rng,
    /// How often it was decided before.
    pub(crate) attempt: u8,
    pub(crate) warnings: Vec<String>,
    /// Who owns what of the object that an apply has made.
    pub(crate) managers: Option<Managers>,
}

/// A step, or a refusal.
pub(crate) type Decision = Result<Step, ApiError>;

impl<'a> Visit<'a> {
    /// Finds the kind and checks that it can be used this way.
    pub(crate) fn new<'t: 'a>(
        door: &'a Door,
        request: &'a Request,
        turn: &'a mut Turn<'t, Snapshot>,
    ) -> Result<Self, ApiError> {
        let target = &request.target;
        let kind = door.registry.served(&target.group, &target.version, &target.resource);
        let kind = kind.ok_or_else(ApiError::no_such_resource)?;
        let sub = match &target.subresource {
            None => None,
            Some(name) => Some(kind.subresource(name).ok_or_else(ApiError::no_such_resource)?),
        };
        let verb = request.verb.as_str();
        let verbs = sub.map_or(&kind.verbs, |sub| &sub.verbs);
        let placed = match request.verb {
            Verb::List | Verb::Watch => true,
            _ => !kind.namespaced || target.namespace.is_some(),
        };
        // Streams are opened by GET or POST alike; both are authorized as they came.
        let streams = sub.is_some_and(|sub| sub::is_stream(&sub.name));
        if !placed || !(streams || verbs.iter().any(|known| known == verb)) {
            return Err(ApiError::method_not_allowed(&kind.group_resource(), verb));
        }
        let stray = target.namespace.is_some() && !kind.namespaced;
        if stray {
            return Err(ApiError::no_such_resource());
        }
        let (now, snapshot) = (turn.now, turn.view);
        let rng = &mut *turn.rng;
        let warnings = Vec::new();
        Ok(Self {
            door,
            request,
            kind,
            sub,
            snapshot,
            now,
            rng,
            attempt: 0,
            warnings,
            managers: None,
        })
    }

    /// Decides the request.
    pub(crate) fn decide(&mut self) -> Decision {
        if let Some(sub) = self.sub {
            return sub::decide(self, &sub.name);
        }
        if !self.kind.is_stored() {
            return match self.kind.plural.as_str() {
                "bindings" => sub::bind(self),
                _ => review::decide(self),
            };
        }
        match self.request.verb {
            Verb::Get => read::get(self),
            Verb::List => read::list(self),
            Verb::Watch => Err(ApiError::bad_request("a watch is not decided like a request")),
            Verb::Create => write::create(self),
            Verb::Update => write::update(self),
            Verb::Patch(kind) => write::patch(self, kind),
            Verb::Delete => write::delete(self),
            Verb::DeleteCollection => write::delete_collection(self),
        }
    }

    /// The namespace of the request; empty for what has none.
    pub(crate) fn namespace(&self) -> &'a str {
        self.request.target.namespace.as_deref().unwrap_or_default()
    }

    /// The name in the request's path.
    ///
    /// # Errors
    /// 400 if there is none.
    pub(crate) fn name(&self) -> Result<&'a str, ApiError> {
        let name = self.request.target.name.as_deref().filter(|name| !name.is_empty());
        name.ok_or_else(|| ApiError::bad_request("name is required"))
    }

    /// The key of an object of the request's kind and namespace.
    pub(crate) fn key(&self, name: &str) -> Key {
        let namespace = Some(self.namespace()).filter(|_| self.kind.namespaced);
        Key::object(&self.kind.storage.group, &self.kind.storage.resource, namespace, name)
    }

    /// What the keys of the request's kind begin with, in its namespace or in all.
    pub(crate) fn prefix(&self) -> Key {
        let namespace = self.request.target.namespace.as_deref();
        Key::prefix(&self.kind.storage.group, &self.kind.storage.resource, namespace)
    }

    /// The current object of the request.
    ///
    /// # Errors
    /// 404 if there is none.
    pub(crate) fn current(&self) -> Result<Arc<Item>, ApiError> {
        let name = self.name()?;
        let found = self.snapshot.get(&self.key(name));
        found.ok_or_else(|| ApiError::not_found(&self.resource(), name))
    }

    /// The tree of an item in the form of the request's kind.
    ///
    /// # Errors
    /// 500 if the stored version cannot be read.
    pub(crate) fn object(&self, item: &Item) -> Result<Arc<Object>, ApiError> {
        let object = item.try_object().map_err(ApiError::internal)?;
        if !actors_kinds::convert::is_converted(self.kind) {
            return Ok(object);
        }
        let mut converted = (*object).clone();
        actors_kinds::convert::from_storage(self.kind, &mut converted);
        Ok(Arc::new(converted))
    }

    /// An item as an entry of an answer.
    pub(crate) fn entry(&self, item: &Arc<Item>) -> Entry {
        entry(self.kind, item)
    }

    /// The resource as errors name it.
    pub(crate) fn resource(&self) -> GroupResource {
        self.kind.group_resource()
    }

    /// The kind as errors name it.
    pub(crate) fn group_kind(&self) -> GroupKind {
        self.kind.gvk.group_kind()
    }

    /// A 200 with an object.
    pub(crate) fn reply(&self, code: u16, entry: Entry) -> Step {
        Step::Reply(Response::new(code, ResponseBody::Entry(entry)))
    }

    /// An apply or a PUT of what is not there makes it, which must be allowed as a creation, too.
    /// Spec: Kubernetes documentation, "Server-Side Apply", "Using Server-Side Apply".
    ///
    /// # Errors
    /// 403.
    pub(crate) fn authorize_create(&self) -> Result<(), ApiError> {
        authorize_as(self.request, "create", &Authorizer::new(self.snapshot))
    }

    /// Which patches of this request's kind are understood.
    pub(crate) fn accepts(&self, patch: PatchKind) -> bool {
        let typed = !matches!(self.kind.shape, actors_kinds::facts::Shape::Any);
        match patch {
            PatchKind::Json | PatchKind::Merge | PatchKind::Apply => true,
            PatchKind::Strategic => typed,
        }
    }
}

/// An item in the form of a kind.
pub(crate) fn entry(kind: &KindFacts, item: &Arc<Item>) -> Entry {
    if !actors_kinds::convert::is_converted(kind) {
        return Entry::Stored(Arc::clone(item));
    }
    let mut object = (*item.object()).clone();
    actors_kinds::convert::from_storage(kind, &mut object);
    Entry::Made(Arc::new(object))
}
