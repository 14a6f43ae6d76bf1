//! Acting as somebody else: every part of the other identity must be allowed by the verb `impersonate`.
//!
//! Way in: [`impersonate`].  Spec: Kubernetes documentation, "Authenticating", "User impersonation".

use actors_object::{ApiError, GroupResource};

use super::{Ask, Authorizer, denial};
use crate::Identity;

const AUTHENTICATION: &str = "authentication.k8s.io";
const ACCOUNT: &str = "system:serviceaccount:";
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";

/// As whom a request wants to be made: what its `Impersonate-` headers say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Impersonation {
    /// `Impersonate-User`; must be there if anything is.
    pub user: String,
    /// `Impersonate-Uid`; may be empty.
    pub uid: String,
    /// Each `Impersonate-Group`.
    pub groups: Vec<String>,
    /// Each `Impersonate-Extra-KEY`, the key in small letters and decoded.
    pub extra: Vec<(String, Vec<String>)>,
}

/// The other identity, if all of it is allowed.
pub(crate) fn impersonate(
    authorizer: &Authorizer<'_>,
    by: &Identity,
    wanted: &Impersonation,
) -> Result<Identity, ApiError> {
    if wanted.user.is_empty() {
        let why = "Impersonate-User is required beside the other Impersonate headers";
        return Err(ApiError::bad_request(why));
    }
    let check = |group: &str, resource: &str, (namespace, name): (&str, &str)| {
        let ask =
            Ask::Resource { verb: "impersonate", group, resource, namespace, name, fields: "" };
        let (allowed, reason) = authorizer.judge(by, ask);
        if allowed {
            return Ok(());
        }
        let about = GroupResource::new(group, resource);
        Err(ApiError::forbidden(&about, name, denial(by, ask, &reason)))
    };
    let account = wanted.user.strip_prefix(ACCOUNT).and_then(|rest| rest.split_once(':'));
    match account {
        Some(account) => check("", "serviceaccounts", account)?,
        None => check("", "users", ("", &wanted.user))?,
    }
    for group in &wanted.groups {
        check("", "groups", ("", group))?;
    }
    for (key, texts) in &wanted.extra {
        for text in texts {
            check(AUTHENTICATION, &format!("userextras/{key}"), ("", text))?;
        }
    }
    if !wanted.uid.is_empty() {
        check(AUTHENTICATION, "uids", ("", &wanted.uid))?;
    }
    let mut groups = wanted.groups.clone();
    if let (Some((namespace, _)), true) = (account, groups.is_empty()) {
        groups.push("system:serviceaccounts".to_owned());
        groups.push(format!("system:serviceaccounts:{namespace}"));
    }
    let own = if wanted.user == "system:anonymous" { UNAUTHENTICATED } else { AUTHENTICATED };
    if !groups.iter().any(|group| group == AUTHENTICATED || group == UNAUTHENTICATED) {
        groups.push(own.to_owned());
    }
    Ok(Identity {
        user: wanted.user.clone(),
        uid: wanted.uid.clone(),
        groups,
        extra: wanted.extra.clone(),
    })
}
