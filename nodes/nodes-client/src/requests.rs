//! Requests as callers within the process write them.
//!
//! Way in: [`Calls`].

use std::sync::Arc;

use actors_object::{ApiError, Object, Value, json};
use nodes_door::{
    Body, Identity, List, Media, Options, PatchKind, Request, Response, Target, Verb,
};

use crate::{SharedClient, Tracer, WatchStream};

/// A client bound to an identity.
#[derive(Clone)]
pub struct Calls {
    client: SharedClient,
    identity: Identity,
    user_agent: String,
}

impl Calls {
    /// Calls of one identity; `user_agent` names the program in field managers.
    #[must_use]
    pub fn new(client: SharedClient, identity: Identity, user_agent: impl Into<String>) -> Self {
        Self { client, identity, user_agent: user_agent.into() }
    }

    /// The same client under another identity.
    #[must_use]
    pub fn with_identity(&self, identity: Identity) -> Self {
        Self { identity, ..self.clone() }
    }

    /// Where this process remembers what led to what.
    #[must_use]
    pub fn tracer(&self) -> Tracer {
        self.client.tracer()
    }

    /// A request of this identity.
    #[must_use]
    pub fn request(&self, verb: Verb, target: Target, body: Option<&Value>) -> Request {
        let bytes = body.map(json::to_vec).unwrap_or_default().into();
        Request {
            identity: self.identity.clone(),
            verb,
            target,
            options: Options::default(),
            body: Body { media: Media::Json, bytes },
            user_agent: self.user_agent.clone(),
        }
    }

    /// Any request.
    pub async fn call(&self, request: Request) -> Response {
        self.client.call(request).await
    }

    /// One object.
    ///
    /// # Errors
    /// The door's refusal.
    pub async fn get(&self, target: Target) -> Result<Arc<Object>, ApiError> {
        self.call(self.request(Verb::Get, target, None)).await.into_object()
    }

    /// All objects that match the options.
    ///
    /// # Errors
    /// The door's refusal.
    pub async fn list(&self, target: Target, options: Options) -> Result<List, ApiError> {
        let mut request = self.request(Verb::List, target, None);
        request.options = options;
        self.call(request).await.into_list()
    }

    /// Changes as they come.
    ///
    /// # Errors
    /// The door's refusal.
    pub async fn watch(&self, target: Target, options: Options) -> Result<WatchStream, ApiError> {
        let mut request = self.request(Verb::Watch, target, None);
        request.options = options;
        self.client.watch(request).await
    }

    /// Makes an object that must be absent; subresources that take a POST too.
    ///
    /// # Errors
    /// The door's refusal.
    pub async fn create(&self, target: Target, object: &Value) -> Result<Arc<Object>, ApiError> {
        self.call(self.request(Verb::Create, target, Some(object))).await.into_object()
    }

    /// Replaces an object.
    ///
    /// # Errors
    /// The door's refusal.
    pub async fn update(&self, target: Target, object: &Value) -> Result<Arc<Object>, ApiError> {
        self.call(self.request(Verb::Update, target, Some(object))).await.into_object()
    }

    /// Changes an object by a merge patch (RFC 7386).
    ///
    /// # Errors
    /// The door's refusal.
    pub async fn merge(&self, target: Target, patch: &Value) -> Result<Arc<Object>, ApiError> {
        self.call(self.request(Verb::Patch(PatchKind::Merge), target, Some(patch)))
            .await
            .into_object()
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// The door's refusal.
    pub async fn delete(&self, target: Target, options: Options) -> Result<Arc<Object>, ApiError> {
        let mut request = self.request(Verb::Delete, target, None);
        request.options = options;
        self.call(request).await.into_object()
    }
}
