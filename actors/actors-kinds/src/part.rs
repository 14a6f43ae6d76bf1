//! The parts of a pod's containers that change while it runs, each through a subresource of its own.
//!
//! Way in: [`pod_with_part`]; [`part_alone`] for a configuration that is applied.
//! Spec: documentation, "ephemeral containers"; KEP-1287 (resize in place), KEP-5419 (resources of a whole pod).

use actors_object::{Map, Object, Value};

/// What `resize` takes of a container.
const RESIZED: [&str; 2] = ["resizePolicy", "resources"];

/// The old pod with one part of the new one: its `ephemeralcontainers`, or what `resize` may change. Containers are
/// found by their names; whatever else differs is left out.
#[must_use]
pub fn pod_with_part(part: &str, old: &Object, new: &Object) -> Object {
    let mut pod = old.clone();
    match part {
        "ephemeralcontainers" => keep(&mut pod.0, &new.0, &["spec", "ephemeralContainers"]),
        "resize" => {
            for list in ["containers", "initContainers"] {
                let wanted = new.list_at(&["spec", list]);
                for container in pod.0.list_at_mut(&["spec", list]).into_iter().flatten() {
                    let same = wanted.iter().find(|one| one.at("name") == container.at("name"));
                    if let Some(same) = same {
                        RESIZED.iter().for_each(|field| keep(container, same, &[field]));
                    }
                }
            }
        }
        _ => {}
    }
    pod
}

/// A configuration of a pod without whatever is not its name or that part: who applies it owns nothing else.
#[must_use]
pub fn part_alone(part: &str, config: &Object) -> Object {
    let mut alone = Object(Value::Map(Map::new()));
    for path in [&["apiVersion"][..], &["kind"], &["metadata", "name"], &["metadata", "namespace"]]
    {
        keep(&mut alone.0, &config.0, path);
    }
    match part {
        "ephemeralcontainers" => keep(&mut alone.0, &config.0, &["spec", "ephemeralContainers"]),
        "resize" => {
            for list in ["containers", "initContainers"] {
                let given = config.list_at(&["spec", list]).iter();
                let reduced: Vec<Value> = given.map(resized).collect();
                if !reduced.is_empty() {
                    alone.0.set_path(&["spec", list], reduced);
                }
            }
        }
        _ => {}
    }
    alone
}

/// Of a container what names it, and what `resize` may change.
fn resized(container: &Value) -> Value {
    let mut reduced = Value::Map(Map::new());
    keep(&mut reduced, container, &["name"]);
    RESIZED.iter().for_each(|field| keep(&mut reduced, container, &[field]));
    reduced
}

fn keep(to: &mut Value, from: &Value, path: &[&str]) {
    match from.path(path) {
        Some(value) => to.set_path(path, value.clone()),
        None => drop(to.remove_path(path)),
    }
}

#[cfg(test)]
mod tests {
    use actors_object::{json, value};
    use expect_test::expect;

    use super::*;

    #[test]
    fn only_the_part_is_taken() {
        let old = Object(value!({ "metadata": { "name": "p" }, "spec": {
            "containers": [{ "name": "a", "image": "i", "resources": {} }, { "name": "b" }],
        } }));
        let new = Object(value!({ "metadata": { "name": "q" }, "spec": {
            "containers": [
                { "name": "b", "image": "other" },
                { "name": "a", "image": "other", "resources": { "limits": { "cpu": 1 } } },
            ],
            "ephemeralContainers": [{ "name": "debug" }],
        } }));
        let shown = |part: &str| json::to_string(&pod_with_part(part, &old, &new).0);
        expect![[r#"{"metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"i","resources":{}},{"name":"b"}],"ephemeralContainers":[{"name":"debug"}]}}"#]].assert_eq(&shown("ephemeralcontainers"));
        expect![[r#"{"metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"i","resources":{"limits":{"cpu":1}}},{"name":"b"}]}}"#]].assert_eq(&shown("resize"));
        assert_eq!(pod_with_part("log", &old, &new).0, old.0);
    }

    #[test]
    fn a_configuration_is_reduced_to_its_part() {
        let config = Object(
            value!({ "kind": "Pod", "metadata": { "name": "p", "labels": { "a": "b" } }, "spec": {
            "nodeName": "n",
            "containers": [{ "name": "a", "image": "i", "resources": { "limits": { "cpu": 1 } } }],
            "ephemeralContainers": [{ "name": "debug" }],
        } }),
        );
        let shown = |part: &str| json::to_string(&part_alone(part, &config).0);
        expect![[r#"{"kind":"Pod","metadata":{"name":"p"},"spec":{"ephemeralContainers":[{"name":"debug"}]}}"#]].assert_eq(&shown("ephemeralcontainers"));
        expect![[r#"{"kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":1}}}]}}"#]].assert_eq(&shown("resize"));
        expect![[r#"{"kind":"Pod","metadata":{"name":"p"}}"#]].assert_eq(&shown("log"));
    }
}
