//! All controllers together: what each writes, and that two of them never fight.

use std::collections::BTreeMap;

use actors_controller::{Controller, WriteVerb, testing::Scene};
use actors_object::value;
use expect_test::expect;

use crate::{
    builtin,
    kinds::{CONFIG_MAP, POD, SERVICE_ACCOUNT},
    scenery::{Agent, deployment, rolling},
};

/// Fields with more than one writer: each pair is a decision.
#[test]
fn every_field_has_one_writer_but_for_these() {
    let mut writers: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for controller in builtin("PEM") {
        for write in controller.access().writes {
            if matches!(write.verb, WriteVerb::Patch | WriteVerb::Status) {
                let kind = write.kind.as_ref().map_or_else(|| "*".to_owned(), ToString::to_string);
                for field in write.fields {
                    writers.entry(format!("{kind} {field}")).or_default().push(controller.name());
                }
            }
        }
    }
    let shared: String = writers
        .iter()
        .filter(|(_, names)| names.len() > 1)
        .map(|(field, names)| format!("{field}: {}\n", names.join(", ")))
        .collect();
    expect![[r#"
        EndpointSlice endpoints: endpointslice, endpointslicemirroring
        EndpointSlice metadata.labels: endpointslice, endpointslicemirroring
        EndpointSlice ports: endpointslice, endpointslicemirroring
        Pod metadata.ownerReferences: replicaset, replication
        Pod status.conditions[DisruptionTarget]: taint-eviction, pod-garbage-collector
    "#]]
    .assert_eq(&shared);
}

/// The door fills in defaults of both; a set whose template came back different would be made again
/// and again.
#[test]
fn a_set_still_has_its_deployments_template_after_defaulting() {
    let registry = actors_kinds::Registry::builtin().expect("the tables");
    let fill_in = |object: &mut actors_object::Object| {
        let kind = registry.kind_of(object).expect("a known kind");
        actors_kinds::default_object(kind, object);
    };
    let mut web = actors_object::Object(deployment("web", 1, rolling(1, 0)));
    let ports = value!([{ "containerPort": 80 }]);
    let container = value!({ "name": "main", "image": "v1", "ports": ports });
    web.set_path(&["spec", "template", "spec", "containers"], value!([container]));
    web.set_path(
        &["spec", "template", "metadata", "creationTimestamp"],
        actors_object::Value::Null,
    );
    fill_in(&mut web);
    let mut scene = Scene::new().with(web);
    for _ in 0..3 {
        scene.round(&crate::DeploymentController);
        let keys: Vec<_> = scene.world.iter().map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| scene.world.change(key, fill_in));
    }
    let sets = scene.world.iter().filter(|(key, _)| key.kind == crate::kinds::REPLICA_SET);
    assert_eq!(sets.count(), 1);
}

#[test]
fn all_of_them_come_to_rest_around_a_deployment_and_a_service() {
    let mut scene = Scene::new()
        .with(value!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "d" },
            "spec": { "finalizers": ["kubernetes"] },
        }))
        .with(value!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        }))
        .with(value!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "d" },
            "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80 }] },
        }))
        .with(deployment("web", 3, rolling(1, 1)));
    let all = builtin("PEM");
    let controllers: Vec<&dyn Controller> = all.iter().map(AsRef::as_ref).collect();
    let mut agent = Agent::new(3);
    scene.settle_with(&controllers, |scene| agent.step(scene)).expect("rest");
    assert_eq!(scene.world.iter().filter(|(key, _)| key.kind == POD).count(), 3);
    assert!(scene.get(&SERVICE_ACCOUNT, "d/default").is_some());
    let config = scene.get(&CONFIG_MAP, "d/kube-root-ca.crt").expect("the certificate");
    assert_eq!(config.str_at(&["data", "ca.crt"]), Some("PEM"));
}
