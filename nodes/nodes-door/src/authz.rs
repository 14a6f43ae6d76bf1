//! Who may do what: RBAC, read from the roles and bindings of the snapshot; and what a node may read, from the pods
//! that run on it.
//!
//! Way in: [`Authorizer::allows`], [`Authorizer::judge`], [`check_grant`], [`impersonate`].  Never: a decision from
//! anything but the request and the snapshot.
//! Spec: Kubernetes documentation, "Using RBAC Authorization", "Using Node Authorization". Members of `system:masters`
//! may do everything.

mod grant;
mod holders;
mod impersonation;
mod node;
mod rules;

pub(crate) use actors_kinds::rbac::Ask;
use actors_object::{ApiError, FieldSelector, GroupResource};
pub(crate) use grant::{check_grant, lacking};
#[cfg(test)]
pub(crate) use holders::bindings_of;
pub(crate) use holders::{has_marks, marks};
pub use impersonation::Impersonation;
pub(crate) use impersonation::impersonate;
pub(crate) use node::{names_objects, node_of};
pub(crate) use rules::Authorizer;

use crate::{Identity, Request, Verb};

/// The group whose members may do everything.
pub(crate) const MASTERS: &str = "system:masters";

/// Refuses a request that its identity may not make.
pub(crate) fn authorize(request: &Request, authorizer: &Authorizer<'_>) -> Result<(), ApiError> {
    authorize_as(request, request.verb.as_str(), authorizer)
}

/// As [`authorize`], for what a request turns out to be: an apply or a PUT of what is not there is a creation, too.
pub(crate) fn authorize_as(
    request: &Request,
    verb: &str,
    authorizer: &Authorizer<'_>,
) -> Result<(), ApiError> {
    let target = &request.target;
    let with_sub = target.subresource.as_ref().map(|sub| format!("{}/{sub}", target.resource));
    let resource = with_sub.as_deref().unwrap_or(&target.resource);
    let fields = request.options.field_selector.as_deref().unwrap_or_default();
    let selected = match (&target.name, request.verb) {
        (None, Verb::List | Verb::Watch | Verb::DeleteCollection) => selected_name(fields),
        _ => None,
    };
    let name = target.name.as_deref().or(selected.as_deref()).unwrap_or_default();
    let is_namespace = target.group.is_empty() && target.resource == "namespaces";
    let namespace =
        if is_namespace { name } else { target.namespace.as_deref().unwrap_or_default() };
    let group = &target.group;
    let ask = Ask::Resource { verb, group, resource, namespace, name, fields };
    if authorizer.allows(&request.identity, ask) {
        return Ok(());
    }
    let told = target.name.as_deref().unwrap_or_default();
    let group_resource = GroupResource::new(&target.group, &target.resource);
    let (_, reason) = authorizer.judge(&request.identity, ask);
    Err(ApiError::forbidden(&group_resource, told, denial(&request.identity, ask, &reason)))
}

/// The one name that a field selector leaves. Spec: "Using RBAC Authorization", "Referring to resources": lists and
/// watches of one object by `metadata.name` can be allowed by its name.
fn selected_name(fields: &str) -> Option<String> {
    if !fields.contains("metadata.name") {
        return None;
    }
    exact(fields, "metadata.name")
}

/// The text that a field selector demands of a field.
fn exact(fields: &str, field: &str) -> Option<String> {
    let selector = FieldSelector::parse(fields).ok()?;
    let mut wanted =
        selector.requirements().iter().filter(|one| one.field == field && !one.negated);
    wanted.next().map(|one| one.value.clone())
}

/// Why it is refused, in Kubernetes' words.
pub(crate) fn denial(identity: &Identity, ask: Ask<'_>, reason: &str) -> String {
    let user = &identity.user;
    let mut text = match ask {
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
    };
    if !reason.is_empty() {
        text.push_str(": ");
        text.push_str(reason);
    }
    text
}
