//! Requests as agents and clients write them.
//!
//! Way in: [`Asker`].

use actors_object::{Value, json};
use nodes_door::{Body, Identity, Media, Options, PatchKind, Request, Target, Verb};

/// Somebody who asks.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    identity: Identity,
}

/// A kind as paths name it: group, version, plural.
pub(crate) type Resource = (&'static str, &'static str, &'static str);

pub(crate) const PODS: Resource = ("", "v1", "pods");
pub(crate) const NODES: Resource = ("", "v1", "nodes");
pub(crate) const CONFIG_MAPS: Resource = ("", "v1", "configmaps");
pub(crate) const SECRETS: Resource = ("", "v1", "secrets");
pub(crate) const SERVICES: Resource = ("", "v1", "services");
pub(crate) const NAMESPACES: Resource = ("", "v1", "namespaces");
pub(crate) const DEPLOYMENTS: Resource = ("apps", "v1", "deployments");

impl Asker {
    pub(crate) fn new(identity: Identity) -> Self {
        Self { identity }
    }

    fn request(&self, verb: Verb, target: Target, body: Option<&Value>) -> Request {
        let bytes = body.map(json::to_vec).unwrap_or_default().into();
        Request {
            identity: self.identity.clone(),
            verb,
            target,
            options: Options::default(),
            body: Body { media: Media::Json, bytes },
            user_agent: "simulation".to_owned(),
        }
    }

    pub(crate) fn list(&self, resource: Resource, namespace: Option<&str>) -> Request {
        self.request(Verb::List, target(resource, namespace, None), None)
    }

    pub(crate) fn get(&self, resource: Resource, namespace: Option<&str>, name: &str) -> Request {
        self.request(Verb::Get, target(resource, namespace, Some(name)), None)
    }

    pub(crate) fn create(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        body: &Value,
    ) -> Request {
        self.request(Verb::Create, target(resource, namespace, None), Some(body))
    }

    pub(crate) fn update(
        &self,
        resource: Resource,
        (namespace, name): (Option<&str>, &str),
        body: &Value,
    ) -> Request {
        self.request(Verb::Update, target(resource, namespace, Some(name)), Some(body))
    }

    pub(crate) fn patch(
        &self,
        resource: Resource,
        (namespace, name): (Option<&str>, &str),
        kind: PatchKind,
        body: &Value,
    ) -> Request {
        self.request(Verb::Patch(kind), target(resource, namespace, Some(name)), Some(body))
    }

    pub(crate) fn delete(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Request {
        self.request(Verb::Delete, target(resource, namespace, Some(name)), None)
    }
}

/// The same request to a subresource.
pub(crate) fn of_status(mut request: Request) -> Request {
    request.target.subresource = Some("status".to_owned());
    request
}

fn target(
    (group, version, plural): Resource,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Target {
    Target {
        group: group.to_owned(),
        version: version.to_owned(),
        resource: plural.to_owned(),
        subresource: None,
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
    }
}
