//! When an event is forgotten.

use std::time::Duration;

use actors_controller::testing::Scene;
use actors_object::value;

use super::EventTtlController;

#[test]
fn an_hour_after_it_was_last_seen() {
    let mut scene = Scene::new();
    let (first, last) =
        (scene.ago(Duration::from_secs(9_000)), scene.ago(Duration::from_secs(600)));
    scene = scene.with(value!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": { "name": "e", "namespace": "d", "creationTimestamp": first.as_str() },
        "firstTimestamp": first.as_str(), "lastTimestamp": last,
    }));
    scene.check(&EventTtlController, "d/e", "requeue 3000s\n");
    scene.pass(Duration::from_secs(3_000));
    scene.check(&EventTtlController, "d/e", "delete Event/e\n");
}
