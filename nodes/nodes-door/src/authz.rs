//! Who may do what: RBAC, read from the roles and bindings of the snapshot.
//!
//! Way in: [`Authorizer::allows`], [`check_grant`].  Never: a decision from anything but the
//! request and the snapshot.
//! Spec: Kubernetes documentation, "Using RBAC Authorization". Members of `system:masters` may do
//! everything.

mod grant;
mod rules;

use actors_object::{ApiError, GroupResource};
pub(crate) use grant::check_grant;
pub(crate) use rules::Authorizer;

use crate::{Identity, Request};

/// The group whose members may do everything.
pub(crate) const MASTERS: &str = "system:masters";

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask<'a> {
    /// Something with objects.
    Resource {
        verb: &'a str,
        group: &'a str,
        /// With the subresource: `pods/exec`.
        resource: &'a str,
        /// Empty for the whole cluster.
        namespace: &'a str,
        /// Empty for no single object.
        name: &'a str,
    },
    /// Something with a path that is no object's.
    Url { verb: &'a str, path: &'a str },
}

/// Refuses a request that its identity may not make.
pub(crate) fn authorize(request: &Request, authorizer: &Authorizer<'_>) -> Result<(), ApiError> {
    let target = &request.target;
    let resource = match &target.subresource {
        Some(sub) => format!("{}/{sub}", target.resource),
        None => target.resource.clone(),
    };
    let name = target.name.as_deref().unwrap_or_default();
    let is_namespace = target.group.is_empty() && target.resource == "namespaces";
    let namespace =
        if is_namespace { name } else { target.namespace.as_deref().unwrap_or_default() };
    let verb = request.verb.as_str();
    let ask = Ask::Resource { verb, group: &target.group, resource: &resource, namespace, name };
    if authorizer.allows(&request.identity, ask) {
        return Ok(());
    }
    let group_resource = GroupResource::new(&target.group, &target.resource);
    Err(ApiError::forbidden(&group_resource, name, denial(&request.identity, ask)))
}

/// Why it is refused, in Kubernetes' words.
pub(crate) fn denial(identity: &Identity, ask: Ask<'_>) -> String {
    let user = &identity.user;
    match ask {
        Ask::Url { verb, path } => format!("User {user:?} cannot {verb} path {path:?}"),
        Ask::Resource { verb, group, resource, namespace, .. } => {
            let place = match namespace {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace {namespace:?}"),
            };
            format!(
                "User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {place}"
            )
        }
    }
}
