//! What clients look for in the documents.

use actors_object::json;
use expect_test::expect;

use super::*;

fn builtin() -> Registry {
    Registry::builtin().expect("the tables are good")
}

fn schema_of<'a>(document: &'a Value, name: &str) -> &'a Value {
    document.path(&["components", "schemas", name]).expect("a schema")
}

#[test]
fn the_patch_of_a_kind_takes_field_validation_and_strategic_merges() {
    let document = document(&builtin(), "apps", "v1", &Undescribed).expect("served");
    let path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
    let patch = document.path(&["paths", path, "patch"]).expect("deployments are patched");
    assert_eq!(patch.str_at(&["x-kubernetes-group-version-kind", "kind"]), Some("Deployment"));
    let names: Vec<&str> =
        patch.list_at(&["parameters"]).iter().filter_map(|it| it.str_at(&["name"])).collect();
    assert!(names.contains(&"fieldValidation"));
    let content = patch.map_at(&["requestBody", "content"]);
    let media: Vec<&str> = content.keys().map(|name| &**name).collect();
    assert_eq!(
        media,
        [
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/apply-patch+yaml",
            "application/strategic-merge-patch+json"
        ]
    );
}

#[test]
fn schemas_carry_merge_keys_and_kinds() {
    let document = document(&builtin(), "apps", "v1", &Undescribed).expect("served");
    let deployment = schema_of(&document, "io.k8s.api.apps.v1.Deployment");
    expect![[r##"{"type":"object","properties":{"apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"allOf":[{"$ref":"#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}]},"spec":{"allOf":[{"$ref":"#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}]},"status":{"allOf":[{"$ref":"#/components/schemas/io.k8s.api.apps.v1.DeploymentStatus"}]}},"x-kubernetes-group-version-kind":[{"group":"apps","kind":"Deployment","version":"v1"}]}"##]].assert_eq(&json::to_string(deployment));
    let pod = schema_of(&document, "io.k8s.api.core.v1.PodSpec");
    expect![[r##"{"type":"array","items":{"allOf":[{"$ref":"#/components/schemas/io.k8s.api.core.v1.Volume"}]},"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],"x-kubernetes-patch-merge-key":"name","x-kubernetes-patch-strategy":"merge,retainKeys"}"##]].assert_eq(&json::to_string(pod.path(&["properties", "volumes"]).expect("a field")));
}

#[test]
fn every_reference_leads_somewhere() {
    let registry = builtin();
    for (group, versions) in registry.groups() {
        for version in versions {
            let document = document(&registry, group, version, &Undescribed).expect("served");
            let text = json::to_string(&document);
            for reference in text.split("#/components/schemas/").skip(1) {
                let name = reference.split('"').next().expect("a closing quote");
                schema_of(&document, name);
            }
        }
    }
}

#[test]
fn the_index_names_each_document_with_its_hash() {
    let index = index([("api/v1", "AB"), ("apis/apps/v1", "CD")]);
    let url = index.str_at(&["paths", "apis/apps/v1", "serverRelativeURL"]);
    assert_eq!(url, Some("/openapi/v3/apis/apps/v1?hash=CD"));
    assert!(places(&builtin()).iter().any(|place| place.path == "api/v1"));
    assert!(document(&builtin(), "none", "v1", &Undescribed).is_none());
}

#[test]
fn version_2_has_all_groups_and_its_own_forms() {
    let registry = builtin();
    let swagger = swagger(&registry, &Undescribed);
    let text = json::to_string(&swagger);
    for reference in text.split("#/definitions/").skip(1) {
        let name = reference.split('"').next().expect("a closing quote");
        assert!(swagger.path(&["definitions", name]).is_some(), "{name}");
    }
    assert!(
        !text.contains("#/components")
            && !text.contains("\"oneOf\":[")
            && !text.contains("\"allOf\":[")
    );
    let path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale";
    let scale = swagger.path(&["paths", path, "put"]).expect("served");
    let [body, ..] = scale.list_at(&["parameters"]) else { panic!("no parameters") };
    let reference = body.str_at(&["schema", "$ref"]);
    assert_eq!(reference, Some("#/definitions/io.k8s.api.autoscaling.v1.Scale"));
    assert_eq!(scale.str_at(&["operationId"]), Some("replaceAppsV1NamespacedDeploymentScale"));
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let swagger = swagger(&builtin(), &Undescribed);
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in swagger.map_at(&["paths"]).iter() {
        for (_, operation) in item.as_map().expect("a path").iter() {
            if let Some(name) = operation.at("operationId").as_str() {
                assert!(names.insert(name.to_owned()), "{name} at {path}");
            }
        }
    }
    assert!(names.len() > 100);
    for name in ["listCoreV1NamespacedPod", "listCoreV1PodForAllNamespaces", "readCoreV1Node"] {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn a_kind_of_unknown_fields_is_documented_without_strategic_merges() {
    let registry = builtin()
        .with_rows("resource demo.dev v1 widgets Widget any namespaced get,patch")
        .expect("a good row");
    let document = document(&registry, "demo.dev", "v1", &Undescribed).expect("served");
    schema_of(&document, "dev.demo.v1.Widget");
    let path = "/apis/demo.dev/v1/namespaces/{namespace}/widgets/{name}";
    let content = document.path(&["paths", path, "patch", "requestBody", "content"]);
    assert_eq!(content.and_then(Value::as_map).map(Map::len), Some(3));
}
