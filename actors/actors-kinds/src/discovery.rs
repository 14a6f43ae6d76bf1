//! What a server tells about its groups, versions and resources.
//!
//! Way in: [`aggregated`] for clients that ask for it, [`api_versions`], [`group_list`], [`group`] and
//! [`resource_list`] for the others.
//! Spec: documentation, "API concepts", "discovery API"; KEP-3352 (aggregated discovery).

use actors_object::{Gvk, Map, Value, value};

use crate::registry::{KindFacts, Registry, Subresource};

/// Which half of the groups: `/api` or `/apis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// `/api`: the core group.
    Core,
    /// `/apis`: all groups with a name.
    Named,
}

/// `APIGroupDiscoveryList` of `apidiscovery.k8s.io`, of version `v2` or `v2beta1`.
#[must_use]
pub fn aggregated(registry: &Registry, half: Half, version: &str) -> Value {
    let groups = registry.groups().into_iter().filter(|(group, _)| half.has(group));
    let items: Vec<Value> = groups
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| version_discovery(registry, group, version))
                .collect();
            value!({ "metadata": { "name": group }, "versions": versions })
        })
        .collect();
    value!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": (format!("apidiscovery.k8s.io/{version}")),
        "metadata": {},
        "items": items,
    })
}

impl Half {
    fn has(self, group: &str) -> bool {
        group.is_empty() == (self == Self::Core)
    }
}

fn version_discovery(registry: &Registry, group: &str, version: &str) -> Value {
    let resources: Vec<Value> = kinds_of(registry, group, version)
        .map(|kind| {
            let mut resource = Map::new();
            resource.insert("resource", &kind.plural);
            resource.insert("responseKind", gvk_value(&kind.gvk));
            resource.insert("scope", if kind.namespaced { "Namespaced" } else { "Cluster" });
            resource.insert("singularResource", &kind.singular);
            resource.insert("verbs", texts(&kind.verbs));
            insert_names(&mut resource, kind);
            if !kind.subresources.is_empty() {
                let all = kind.subresources.iter().map(subresource_discovery);
                resource.insert("subresources", all.collect::<Vec<_>>());
            }
            Value::Map(resource)
        })
        .collect();
    value!({ "version": version, "resources": resources, "freshness": "Current" })
}

fn subresource_discovery(sub: &Subresource) -> Value {
    value!({
        "subresource": (&sub.name),
        "responseKind": (gvk_value(&sub.gvk)),
        "verbs": (texts(&sub.verbs)),
    })
}

fn gvk_value(gvk: &Gvk) -> Value {
    value!({ "group": (&gvk.group), "version": (&gvk.version), "kind": (&gvk.kind) })
}

fn insert_names(resource: &mut Map, kind: &KindFacts) {
    if !kind.short_names.is_empty() {
        resource.insert("shortNames", texts(&kind.short_names));
    }
    if !kind.categories.is_empty() {
        resource.insert("categories", texts(&kind.categories));
    }
}

fn texts(all: &[String]) -> Vec<Value> {
    all.iter().map(Value::from).collect()
}

/// The kinds of one version, by their plural names.
fn kinds_of<'a>(
    registry: &'a Registry,
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = &'a KindFacts> {
    let mut kinds: Vec<&KindFacts> = registry
        .kinds()
        .filter(|kind| kind.gvk.group == group && kind.gvk.version == version)
        .collect();
    kinds.sort_by(|one, other| one.plural.cmp(&other.plural));
    kinds.into_iter()
}

/// `APIVersions`: the plain document at `/api`. `address` is where this server can be reached: `10.0.0.1:6443`.
#[must_use]
pub fn api_versions(address: &str) -> Value {
    value!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": address }],
    })
}

/// `APIGroupList`: the plain document at `/apis`.
#[must_use]
pub fn group_list(registry: &Registry) -> Value {
    let named = registry.groups().into_iter().filter(|(group, _)| !group.is_empty());
    let groups: Vec<Value> = named.map(|(group, versions)| group_entry(group, &versions)).collect();
    value!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `APIGroup`: the plain document at `/apis/GROUP`.
#[must_use]
pub fn group(registry: &Registry, name: &str) -> Option<Value> {
    let (_, versions) =
        registry.groups().into_iter().find(|(group, _)| *group == name && !name.is_empty())?;
    let mut document = value!({ "kind": "APIGroup", "apiVersion": "v1" });
    if let Value::Map(entry) = group_entry(name, &versions) {
        let map = document.make_map();
        for (field, value) in entry {
            map.insert(field, value);
        }
    }
    Some(document)
}

fn group_entry(group: &str, versions: &[&str]) -> Value {
    let entry = |version: &&str| value!({ "groupVersion": (format!("{group}/{version}")), "version": (*version) });
    let all: Vec<Value> = versions.iter().map(entry).collect();
    let preferred = all.first().cloned().unwrap_or_default();
    value!({ "name": group, "versions": all, "preferredVersion": preferred })
}

/// `APIResourceList`: the plain document at `/api/v1` and `/apis/GROUP/VERSION`; nothing if that is not served.
#[must_use]
pub fn resource_list(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for kind in kinds_of(registry, group, version) {
        let mut entry = Map::new();
        entry.insert("name", &kind.plural);
        entry.insert("singularName", &kind.singular);
        entry.insert("namespaced", kind.namespaced);
        entry.insert("kind", &kind.gvk.kind);
        entry.insert("verbs", texts(&kind.verbs));
        insert_names(&mut entry, kind);
        resources.push(Value::Map(entry));
        resources.extend(kind.subresources.iter().map(|sub| subresource_entry(kind, sub)));
    }
    if resources.is_empty() {
        return None;
    }
    let group_version = actors_object::join_api_version(group, version);
    Some(value!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }))
}

/// A subresource says its group and version only where they are not its resource's.
fn subresource_entry(kind: &KindFacts, sub: &Subresource) -> Value {
    let mut entry = Map::new();
    entry.insert("name", format!("{}/{}", kind.plural, sub.name));
    entry.insert("singularName", "");
    entry.insert("namespaced", kind.namespaced);
    if (&sub.gvk.group, &sub.gvk.version) != (&kind.gvk.group, &kind.gvk.version) {
        entry.insert("group", &sub.gvk.group);
        entry.insert("version", &sub.gvk.version);
    }
    entry.insert("kind", &sub.gvk.kind);
    entry.insert("verbs", texts(&sub.verbs));
    Value::Map(entry)
}

#[cfg(test)]
mod tests {
    use actors_object::json;
    use expect_test::expect;

    use super::*;

    fn builtin() -> Registry {
        Registry::builtin().expect("the tables are good")
    }

    fn named<'a>(list: &'a [Value], field: &str, name: &str) -> &'a Value {
        let mut all = list.iter();
        all.find(|one| one.str_at(&[field]) == Some(name)).expect("listed")
    }

    #[test]
    fn aggregated_discovery_has_everything_at_once() {
        let registry = builtin();
        let document = aggregated(&registry, Half::Named, "v2");
        assert_eq!(document.str_at(&["apiVersion"]), Some("apidiscovery.k8s.io/v2"));
        let groups: Vec<&str> = document
            .list_at(&["items"])
            .iter()
            .filter_map(|group| group.str_at(&["metadata", "name"]))
            .collect();
        assert!(groups.contains(&"apps") && !groups.contains(&""));
        let core = aggregated(&registry, Half::Core, "v2");
        let [group] = core.list_at(&["items"]) else { panic!("one group") };
        let [version] = group.list_at(&["versions"]) else { panic!("one version") };
        let pods = named(version.list_at(&["resources"]), "resource", "pods");
        expect![[r#"{"resource":"pods","responseKind":{"group":"","version":"v1","kind":"Pod"},"scope":"Namespaced","singularResource":"pod","verbs":["create","delete","deletecollection","get","list","patch","update","watch"],"shortNames":["po"],"categories":["all"],"subresources":[{"subresource":"attach","responseKind":{"group":"","version":"v1","kind":"PodAttachOptions"},"verbs":["create","get"]},{"subresource":"binding","responseKind":{"group":"","version":"v1","kind":"Binding"},"verbs":["create"]},{"subresource":"ephemeralcontainers","responseKind":{"group":"","version":"v1","kind":"Pod"},"verbs":["get","patch","update"]},{"subresource":"eviction","responseKind":{"group":"policy","version":"v1","kind":"Eviction"},"verbs":["create"]},{"subresource":"exec","responseKind":{"group":"","version":"v1","kind":"PodExecOptions"},"verbs":["create","get"]},{"subresource":"log","responseKind":{"group":"","version":"v1","kind":"Pod"},"verbs":["get"]},{"subresource":"resize","responseKind":{"group":"","version":"v1","kind":"Pod"},"verbs":["get","patch","update"]},{"subresource":"status","responseKind":{"group":"","version":"v1","kind":"Pod"},"verbs":["get","patch","update"]}]}"#]].assert_eq(&json::to_string(pods));
    }

    #[test]
    fn plain_discovery_names_subresources_with_their_resource() {
        let registry = builtin();
        let apps = resource_list(&registry, "apps", "v1").expect("served");
        let scale = named(apps.list_at(&["resources"]), "name", "deployments/scale");
        expect![[r#"{"name":"deployments/scale","singularName":"","namespaced":true,"group":"autoscaling","version":"v1","kind":"Scale","verbs":["get","patch","update"]}"#]].assert_eq(&json::to_string(scale));
        let core = resource_list(&registry, "", "v1").expect("served");
        let eviction = named(core.list_at(&["resources"]), "name", "pods/eviction");
        assert_eq!(eviction.str_at(&["group"]), Some("policy"));
        assert!(resource_list(&registry, "batch", "v1beta1").is_none());
    }

    #[test]
    fn groups_say_which_version_they_prefer() {
        let registry = builtin();
        let apps = group(&registry, "apps").expect("served");
        assert_eq!(apps.str_at(&["preferredVersion", "groupVersion"]), Some("apps/v1"));
        let autoscaling = group(&registry, "autoscaling").expect("served");
        assert_eq!(autoscaling.str_at(&["preferredVersion", "version"]), Some("v2"));
        assert_eq!(autoscaling.list_at(&["versions"]).len(), 2);
        assert!(group(&registry, "").is_none() && group(&registry, "batches").is_none());
        let names: Vec<&str> = group_list(&registry)
            .list_at(&["groups"])
            .iter()
            .filter_map(|group| group.str_at(&["name"]))
            .map(|name| {
                registry.groups().iter().find(|(known, _)| *known == name).expect("known").0
            })
            .collect();
        assert!(names.contains(&"rbac.authorization.k8s.io") && !names.contains(&""));
        assert_eq!(api_versions("10.0.0.1:6443").list_at(&["versions"]), [Value::from("v1")]);
    }
}
