//! What rules of roles cover, and whom bindings speak of: for the door, and for controllers that must know.
//!
//! Way in: [`Ask`], [`rule_allows`], [`is_subject`].  Never: a lookup; whose role it is, is the caller's.
//! Spec: Kubernetes documentation, "Using RBAC Authorization".

use actors_object::Value;

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask<'a> {
    /// Something with objects.
    Resource {
        /// The verb: `get`, `impersonate`.
        verb: &'a str,
        /// The API group; empty for the core group.
        group: &'a str,
        /// With the subresource: `pods/exec`.
        resource: &'a str,
        /// Empty for the whole cluster.
        namespace: &'a str,
        /// Empty for no single object.
        name: &'a str,
        /// The field selector of a list or watch, as written; rules of roles do not look at it.
        fields: &'a str,
    },
    /// Something with a path that is no object's.
    Url {
        /// The HTTP method in small letters.
        verb: &'a str,
        /// The path.
        path: &'a str,
    },
}

/// Whether a rule of a role covers what is asked.
#[must_use]
pub fn rule_allows(rule: &Value, what: Ask<'_>) -> bool {
    match what {
        Ask::Resource { verb, group, resource, name, .. } => {
            has(rule, "verbs", verb)
                && has(rule, "apiGroups", group)
                && has_resource(rule, resource)
                && (rule.list_at(&["resourceNames"]).is_empty() || has_exactly(rule, name))
        }
        Ask::Url { verb, path } => {
            has(rule, "verbs", verb)
                && texts(rule, "nonResourceURLs").any(|pattern| covers_path(pattern, path))
        }
    }
}

/// Whether a subject of a binding in `namespace` (empty for a ClusterRoleBinding) is this user, or one of its groups.
#[must_use]
pub fn is_subject(subject: &Value, namespace: &str, (user, groups): (&str, &[String])) -> bool {
    let name = subject.at("name").as_str().unwrap_or_default();
    match subject.at("kind").as_str().unwrap_or_default() {
        "User" => user == name,
        "Group" => groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let namespace = subject.at("namespace").as_str().unwrap_or(namespace);
            let rest = user.strip_prefix("system:serviceaccount:");
            rest.and_then(|rest| rest.split_once(':')) == Some((namespace, name))
        }
        _ => false,
    }
}

/// A path is covered by itself, and by a beginning of it that ends in a star.
#[must_use]
pub fn covers_path(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning),
        None => path == pattern,
    }
}

/// The texts in a list of a rule.
pub fn texts<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    rule.list_at(&[field]).iter().filter_map(Value::as_str)
}

fn has(rule: &Value, field: &str, wanted: &str) -> bool {
    texts(rule, field).any(|text| text == "*" || text == wanted)
}

/// A named rule never covers requests without a name: creates and lists.
fn has_exactly(rule: &Value, name: &str) -> bool {
    !name.is_empty() && texts(rule, "resourceNames").any(|text| text == name)
}

/// `*` covers everything, `*/status` that subresource of everything, `pods` only itself.
fn has_resource(rule: &Value, wanted: &str) -> bool {
    texts(rule, "resources").any(|text| {
        let everywhere = text.strip_prefix("*/").zip(wanted.split_once('/'));
        text == "*" || text == wanted || everywhere.is_some_and(|(sub, (_, wanted))| sub == wanted)
    })
}

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;

    fn ask<'a>(verb: &'a str, resource: &'a str, name: &'a str) -> Ask<'a> {
        Ask::Resource { verb, group: "", resource, namespace: "d", name, fields: "" }
    }

    #[test]
    fn a_rule_covers_what_it_names_and_stars() {
        let rule =
            value!({ "verbs": ["get"], "apiGroups": [""], "resources": ["pods", "*/scale"] });
        assert!(rule_allows(&rule, ask("get", "pods", "p")));
        assert!(rule_allows(&rule, ask("get", "deployments/scale", "p")));
        assert!(!rule_allows(&rule, ask("get", "pods/log", "p")));
        assert!(!rule_allows(&rule, ask("list", "pods", "")));
        let named = value!({
            "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["p"],
        });
        assert!(rule_allows(&named, ask("get", "pods/log", "p")));
        assert!(!rule_allows(&named, ask("list", "pods", "")));
        let paths = value!({ "verbs": ["get"], "nonResourceURLs": ["/api/*", "/version"] });
        let url = |path| Ask::Url { verb: "get", path };
        assert!(rule_allows(&paths, url("/api/v1")) && rule_allows(&paths, url("/version")));
        assert!(!rule_allows(&paths, url("/versions")) && !rule_allows(&paths, url("/api")));
    }

    #[test]
    fn a_service_account_is_meant_in_its_own_namespace_only() {
        let account = value!({ "kind": "ServiceAccount", "name": "a" });
        let user = "system:serviceaccount:d:a";
        assert!(is_subject(&account, "d", (user, &[])));
        assert!(!is_subject(&account, "e", (user, &[])));
        let group = value!({ "kind": "Group", "name": "g" });
        assert!(is_subject(&group, "", ("x", &["g".to_owned()])));
        assert!(!is_subject(
            &value!({ "kind": "User", "name": "g" }),
            "",
            ("x", &["g".to_owned()])
        ));
    }
}
