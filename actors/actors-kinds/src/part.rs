//! The parts of a pod's containers that change while it runs, each through a subresource of its own.
//!
//! Way in: [`pod_with_part`].
//! Spec: documentation, "ephemeral containers"; KEP-1287 (resize in place), KEP-5419 (resources of a whole pod).

use actors_object::{Object, Value};

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
}
