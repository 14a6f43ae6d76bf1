//! The served kinds, and one more by a row of text.

use super::*;
use crate::facts::TableProblem;

fn builtin() -> Registry {
    Registry::builtin().expect("the committed tables fit each other")
}

#[test]
fn the_kinds_of_a_small_cluster_are_served() {
    let registry = builtin();
    let check = |group: &str, plural: &str, kind: &str| {
        let facts = registry.resource(group, "v1", plural).expect("served");
        assert_eq!(facts.gvk.kind, kind);
        assert_eq!(registry.kind(&facts.gvk).map(|found| &found.plural), Some(&facts.plural));
    };
    check("", "namespaces", "Namespace");
    check("", "nodes", "Node");
    check("", "pods", "Pod");
    check("apps", "replicasets", "ReplicaSet");
    check("apps", "deployments", "Deployment");
    check("", "services", "Service");
    check("", "endpoints", "Endpoints");
    check("discovery.k8s.io", "endpointslices", "EndpointSlice");
    check("", "configmaps", "ConfigMap");
    check("", "secrets", "Secret");
    check("", "serviceaccounts", "ServiceAccount");
    check("", "events", "Event");
    check("coordination.k8s.io", "leases", "Lease");
    check("rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding");
    assert!(registry.resource("batch", "v1beta1", "cronjobs").is_none());
}

#[test]
fn a_deployment_is_known_by_its_facts() {
    let registry = builtin();
    let facts = registry.by_short_name("deploy").expect("a short name");
    assert_eq!(facts.singular, "deployment");
    assert_eq!(facts.list_kind, "DeploymentList");
    assert_eq!(facts.categories, ["all"]);
    assert!(facts.namespaced && facts.is_stored());
    assert!(facts.strategy.status && facts.strategy.generation);
    let scale = facts.subresource("scale").expect("deployments scale");
    assert_eq!(scale.gvk, Gvk::new("autoscaling", "v1", "Scale"));
    assert_eq!(scale.verbs, ["get", "patch", "update"]);
    assert_eq!(
        registry.by_short_name("deployments.apps").map(|kind| &*kind.plural),
        Some("deployments")
    );
}

#[test]
fn events_of_both_groups_share_one_store() {
    let registry = builtin();
    let core = registry.resource("", "v1", "events").expect("core events");
    let events = registry.resource("events.k8s.io", "v1", "events").expect("events of their group");
    assert_eq!(core.storage, events.storage);
}

#[test]
fn an_autoscaler_of_both_versions_is_one_object_and_the_newer_is_preferred() {
    let registry = builtin();
    let one = |version: &str| registry.resource("autoscaling", version, "horizontalpodautoscalers");
    let (old, new) = (one("v1").expect("v1"), one("v2").expect("v2"));
    assert_eq!(old.storage, new.storage);
    assert!(registry.groups().contains(&("autoscaling", vec!["v2", "v1"])));
    assert_eq!(registry.by_short_name("hpa").map(|kind| &*kind.gvk.version), Some("v2"));
}

#[test]
fn every_resource_of_the_facts_is_served() {
    let registry = builtin();
    let table = Table::read(FACTS, Schema::default()).expect("the facts are good");
    let missing: Vec<String> = table
        .resources
        .iter()
        .filter(|row| registry.resource(&row.gvk.group, &row.gvk.version, &row.plural).is_none())
        .map(|row| format!("{} {}", row.gvk.group, row.plural))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
    let streams = ["attach", "portforward", "proxy"];
    for row in &table.resources {
        let kind = registry.resource(&row.gvk.group, &row.gvk.version, &row.plural);
        for sub in row.subresources.iter().filter(|sub| !streams.contains(&&*sub.name)) {
            let is_served = kind.is_some_and(|kind| kind.subresource(&sub.name).is_some());
            assert!(is_served, "{}/{}", row.plural, sub.name);
        }
    }
}

#[test]
fn reviews_are_answered_and_never_stored() {
    let registry = builtin();
    let review = registry
        .resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
        .expect("served");
    assert_eq!(review.verbs, ["create"]);
    assert!(!review.is_stored());
}

#[test]
fn one_row_of_text_adds_a_kind() {
    let registry = builtin()
        .with_rows(
            "type demo.v1.Widget demo.dev/v1/Widget\n \
             kind string -\n apiVersion string -\n metadata meta.v1.ObjectMeta 1\n size int32 2\n\
             resource demo.dev v1 widgets Widget demo.v1.Widget namespaced create,get,list short=wd generation\n \
             status demo.dev/v1/Widget demo.v1.Widget get,patch,update\n",
        )
        .expect("a good row");
    let facts = registry.by_short_name("wd").expect("added");
    assert_eq!(facts.gvk, Gvk::new("demo.dev", "v1", "Widget"));
    assert!(facts.strategy.generation && facts.strategy.status);
    assert!(registry.groups().contains(&("demo.dev", vec!["v1"])));
}

#[test]
fn a_bad_row_is_refused_by_name() {
    let error = builtin()
        .with_rows("resource demo.dev v1 widgets Widget any namespaced get shiny")
        .expect_err("an unknown word");
    assert_eq!(error.line, 1);
    assert_eq!(error.problem, TableProblem::Unknown("shiny".to_owned()));
}
