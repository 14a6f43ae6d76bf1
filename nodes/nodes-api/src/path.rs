//! What a path means.
//!
//! Way in: [`parse`].  Spec: Kubernetes API concepts, "Resource URIs".

use nodes_door::Target;

/// A path, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/api`: the core group's versions.
    CoreVersions,
    /// `/apis`: the other groups.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`: what a version serves.
    Resources {
        /// Empty for the core group.
        group: String,
        /// The version.
        version: String,
    },
    /// An object, a list, or a subresource.
    Resource(Target),
    /// Anything else: `/version`, `/healthz`, `/openapi/v3`.
    Other,
}

/// Understands a path that is percent-decoded already. Empty segments make it [`Route::Other`].
pub(crate) fn parse(path: &str) -> Route {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Route::Other;
    }
    match parts.as_slice() {
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["apis", group] => Route::Group((*group).to_owned()),
        ["api", version] => {
            Route::Resources { group: String::new(), version: (*version).to_owned() }
        }
        ["apis", group, version] => {
            Route::Resources { group: (*group).to_owned(), version: (*version).to_owned() }
        }
        ["api", version, rest @ ..] => resource("", version, rest),
        ["apis", group, version, rest @ ..] => resource(group, version, rest),
        _ => Route::Other,
    }
}

fn resource(group: &str, version: &str, rest: &[&str]) -> Route {
    let target =
        Target { group: group.to_owned(), version: version.to_owned(), ..Target::default() };
    let owned = |text: &&str| Some((*text).to_owned());
    let target = match rest {
        // A namespace is an object of its own; `namespaces/NAME/status` and `finalize` are its subresources.
        ["namespaces"] => Target { resource: "namespaces".to_owned(), ..target },
        ["namespaces", name] => {
            Target { resource: "namespaces".to_owned(), name: owned(name), ..target }
        }
        ["namespaces", name, sub @ ("status" | "finalize")] => Target {
            resource: "namespaces".to_owned(),
            name: owned(name),
            subresource: owned(sub),
            ..target
        },
        ["namespaces", namespace, resource, tail @ ..] => named(
            Target { namespace: owned(namespace), resource: (*resource).to_owned(), ..target },
            tail,
        ),
        [resource, tail @ ..] => named(Target { resource: (*resource).to_owned(), ..target }, tail),
        [] => return Route::Other,
    };
    Route::Resource(target)
}

fn named(target: Target, tail: &[&str]) -> Target {
    let name = tail.first().map(|name| (*name).to_owned());
    let subresource =
        (tail.len() > 1).then(|| tail.iter().skip(1).copied().collect::<Vec<_>>().join("/"));
    Target { name, subresource, ..target }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let told = match parse(path) {
            Route::Resource(target) => format!(
                "{}/{} {} ns={} name={} sub={}",
                target.group,
                target.version,
                target.resource,
                target.namespace.as_deref().unwrap_or("-"),
                target.name.as_deref().unwrap_or("-"),
                target.subresource.as_deref().unwrap_or("-")
            ),
            other => format!("{other:?}"),
        };
        assert_eq!(told, expected, "{path}");
    }

    #[test]
    fn every_form_of_path_is_understood() {
        check("/api", "CoreVersions");
        check("/apis/", "Groups");
        check("/apis/apps", r#"Group("apps")"#);
        check("/api/v1", r#"Resources { group: "", version: "v1" }"#);
        check("/api/v1/pods", "/v1 pods ns=- name=- sub=-");
        check("/api/v1/nodes/n1/status", "/v1 nodes ns=- name=n1 sub=status");
        check("/api/v1/namespaces", "/v1 namespaces ns=- name=- sub=-");
        check("/api/v1/namespaces/a", "/v1 namespaces ns=- name=a sub=-");
        check("/api/v1/namespaces/a/finalize", "/v1 namespaces ns=- name=a sub=finalize");
        check("/api/v1/namespaces/a/pods", "/v1 pods ns=a name=- sub=-");
        check("/api/v1/namespaces/a/pods/p/log", "/v1 pods ns=a name=p sub=log");
        check(
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            "apps/v1 deployments ns=a name=d sub=scale",
        );
        check("/version", "Other");
        check("/api/v1//pods", "Other");
        check("/", "Other");
    }
}
