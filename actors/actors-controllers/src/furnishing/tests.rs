//! What a namespace is born with.

use actors_controller::{Key, testing::Scene};
use actors_object::value;

use super::{RootCaController, ServiceAccountController};
use crate::kinds::{CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT};

fn scene() -> Scene {
    Scene::new()
        .with(value!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "d" } }))
}

#[test]
fn the_default_account_is_made_and_made_again() {
    let mut scene = scene();
    scene.check(&ServiceAccountController, "d", "create ServiceAccount/default\n");
    scene.settle(&[&ServiceAccountController]).expect("rest");
    scene.check(&ServiceAccountController, "d", "");
    scene.world.remove(&Key::new(&SERVICE_ACCOUNT, "d", "default"));
    scene.check(&ServiceAccountController, "d", "create ServiceAccount/default\n");
}

#[test]
fn the_certificate_is_published_and_repaired() {
    let controller = RootCaController { ca_pem: "PEM".into() };
    let mut scene = scene();
    scene.check(&controller, "d", "create ConfigMap/kube-root-ca.crt\n");
    scene.settle(&[&controller]).expect("rest");
    scene.change(&CONFIG_MAP, "d/kube-root-ca.crt", |config| {
        config.set_path(&["data"], value!({ "ca.crt": "other", "x": "y" }));
    });
    scene.check(
        &controller,
        "d",
        "patch ConfigMap/kube-root-ca.crt data.x=null data.[ca.crt]=PEM\n"
            .replace("data.[", "data[")
            .as_str(),
    );
}

#[test]
fn nothing_is_made_in_a_namespace_that_is_being_deleted() {
    let mut scene = scene();
    scene.change(&NAMESPACE, "d", |namespace| {
        namespace.set_path(&["spec", "finalizers"], value!(["kubernetes"]));
        namespace.set_deletion_timestamp("2026-01-01T00:00:00Z");
    });
    scene.check(&ServiceAccountController, "d", "");
    scene.check(&RootCaController { ca_pem: "PEM".into() }, "d", "");
}
