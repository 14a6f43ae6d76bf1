//! Patches: the RFCs' examples, Kubernetes' directives, hostile patches.

use super::*;
use crate::{ApiError, Value, value};

struct Pods;

impl PatchSchema for Pods {
    fn patch_facts(&self, path: &[&str]) -> PatchFacts<'_> {
        let keyed = |key| PatchFacts { merge: true, merge_key: Some(key), ..PatchFacts::default() };
        match path {
            ["spec", "containers"] => keyed("name"),
            ["spec", "containers", "ports"] => keyed("containerPort"),
            ["metadata", "finalizers"] => PatchFacts { merge: true, ..PatchFacts::default() },
            ["spec", "strategy"] => PatchFacts { retain_keys: true, ..PatchFacts::default() },
            ["spec", "selector"] => PatchFacts { replace: true, ..PatchFacts::default() },
            _ => PatchFacts::default(),
        }
    }
}

fn strategic(mut target: Value, patch: &Value) -> Result<Value, String> {
    strategic_merge(&mut target, patch, &Pods).map_err(|error| error.message)?;
    Ok(target)
}

fn json(mut target: Value, patch: &Value) -> Result<Value, String> {
    let before = target.clone();
    json_patch(&mut target, patch).map_err(|error| {
        let refusal = ApiError::from(error);
        format!("{} {}", refusal.code, refusal.message)
    })?;
    assert_ne!(target, before, "these tests change something");
    Ok(target)
}

#[test]
fn merge_patches_follow_the_rfc() {
    for (mut target, patch, expected) in [
        (value!({ "a": "b" }), value!({ "a": "c" }), value!({ "a": "c" })),
        (value!({ "a": "b" }), value!({ "b": "c" }), value!({ "a": "b", "b": "c" })),
        (value!({ "a": "b", "b": 1 }), value!({ "a": null }), value!({ "b": 1 })),
        (value!({ "a": ["b"] }), value!({ "a": "c" }), value!({ "a": "c" })),
        (
            value!({ "a": { "b": "c" } }),
            value!({ "a": { "b": "d", "c": null } }),
            value!({ "a": { "b": "d" } }),
        ),
        (value!({ "a": [{ "b": "c" }] }), value!({ "a": [1] }), value!({ "a": [1] })),
        (value!(["a", "b"]), value!(["c"]), value!(["c"])),
        (value!({ "e": null }), value!({ "a": 1 }), value!({ "e": null, "a": 1 })),
        (value!([1, 2]), value!({ "a": "b", "c": null }), value!({ "a": "b" })),
        (value!({}), value!({ "a": { "bb": { "ccc": null } } }), value!({ "a": { "bb": {} } })),
    ] {
        merge_patch(&mut target, patch);
        assert_eq!(target, expected);
    }
}

#[test]
fn json_patches_follow_the_rfc() {
    let target = || value!({ "a": { "b": [1, 2] }, "c/d": 1, "e~f": 2 });
    for (patch, expected) in [
        (value!([{ "op": "add", "path": "/a/b/1", "value": 9 }]), value!([1, 9, 2])),
        (value!([{ "op": "add", "path": "/a/b/-", "value": 9 }]), value!([1, 2, 9])),
        (value!([{ "op": "remove", "path": "/a/b/0" }]), value!([2])),
        (value!([{ "op": "replace", "path": "/a/b/1", "value": null }]), value!([1, null])),
        (value!([{ "op": "move", "from": "/c~1d", "path": "/a/b/0" }]), value!([1, 1, 2])),
        (value!([{ "op": "copy", "from": "/e~0f", "path": "/a/b/0" }]), value!([2, 1, 2])),
    ] {
        let changed = json(target(), &patch);
        assert_eq!(changed.map(|value| value.at("a").at("b").clone()), Ok(expected));
    }
    let tested =
        value!([{ "op": "test", "path": "/c~1d", "value": 1.0 }, { "op": "remove", "path": "/a" }]);
    assert_eq!(json(target(), &tested), Ok(value!({ "c/d": 1, "e~f": 2 })));
}

#[test]
fn json_patches_that_do_not_fit_are_refused_and_change_nothing() {
    let mut target = value!({ "a": [1] });
    for (patch, expected) in [
        (value!({}), "400 error decoding patch: expected a list"),
        (value!([1]), "400 error decoding patch: path: expected a JSON pointer"),
        (
            value!([{ "op": "add", "path": "a" }]),
            "400 error decoding patch: path: a JSON pointer starts with '/'",
        ),
        (
            value!([{ "op": "add", "path": "/x" }]),
            "400 error decoding patch: an operation has no value",
        ),
        (
            value!([{ "op": "jump", "path": "/x" }]),
            "400 error decoding patch: unexpected kind of operation: \"jump\"",
        ),
        (value!([{ "op": "remove", "path": "/x" }]), "422 the path \"/x\" does not exist"),
        (value!([{ "op": "remove", "path": "/a/1" }]), "422 the path \"/a/1\" does not exist"),
        (value!([{ "op": "remove", "path": "/a/-" }]), "422 the path \"/a/-\" does not exist"),
        (value!([{ "op": "remove", "path": "/a/00" }]), "422 the path \"/a/00\" does not exist"),
        (
            value!([{ "op": "add", "path": "/a/3", "value": 1 }]),
            "422 the path \"/a/3\" does not exist",
        ),
        (
            value!([{ "op": "add", "path": "/b/c", "value": 1 }]),
            "422 the path \"/b/c\" does not exist",
        ),
        (
            value!([{ "op": "test", "path": "/a/0", "value": 2 }]),
            "422 testing value /a/0 failed: test failed",
        ),
        (
            value!([{ "op": "move", "from": "/a", "path": "/a/0" }]),
            "422 a value cannot be moved into itself",
        ),
    ] {
        assert_eq!(json(target.clone(), &patch), Err(expected.to_owned()));
    }
    let half = value!([{ "op": "remove", "path": "/a" }, { "op": "remove", "path": "/a" }]);
    assert!(json_patch(&mut target, &half).is_err());
    assert_eq!(target, value!({ "a": [1] }));
}

#[test]
fn json_patches_cannot_grow_without_bound() {
    let many = Value::List(vec![value!({ "op": "test", "path": "", "value": null }); 10_001]);
    let wrong = "413 Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001";
    assert_eq!(json(value!({}), &many), Err(wrong.to_owned()));
    let doubling = Value::List(vec![value!({ "op": "copy", "from": "/a", "path": "/a/a" }); 200]);
    assert!(
        json(value!({ "a": {} }), &doubling)
            .is_err_and(|error| error.contains("nested too deeply"))
    );
    let growing = Value::List(vec![value!({ "op": "copy", "from": "/a", "path": "/a/-" }); 200]);
    assert!(json(value!({ "a": [1] }), &growing).is_err());
}

#[test]
fn keyed_lists_are_merged_by_their_key() {
    let target = value!({ "spec": { "containers": [
        { "name": "a", "image": "1", "ports": [{ "containerPort": 80, "name": "http" }] },
        { "name": "b", "image": "1" },
    ] } });
    let patch = value!({ "spec": { "containers": [
        { "name": "a", "image": "2", "ports": [{ "containerPort": 81 }] },
        { "name": "b", "$patch": "delete" },
        { "name": "c", "image": "3", "gone": null },
    ] } });
    let expected = value!({ "spec": { "containers": [
        { "name": "a", "image": "2", "ports": [{ "containerPort": 80, "name": "http" }, { "containerPort": 81 }] },
        { "name": "c", "image": "3" },
    ] } });
    assert_eq!(strategic(target, &patch), Ok(expected));
}

#[test]
fn lists_follow_the_wanted_order() {
    let names = |value: &Value| -> String {
        let items = value.list_at(&["spec", "containers"]).iter();
        items.filter_map(|item| item.str_at(&["name"])).collect()
    };
    let target = || value!({ "spec": { "containers": [{ "name": "a" }, { "name": "b" }, { "name": "s" }, { "name": "c" }] } });
    let order = value!([{ "name": "c" }, { "name": "a" }, { "name": "b" }]);
    let only_order = value!({ "spec": { "$setElementOrder/containers": order.clone() } });
    assert_eq!(strategic(target(), &only_order).map(|value| names(&value)), Ok("scab".to_owned()));
    let with_new = value!({ "spec": {
        "$setElementOrder/containers": [{ "name": "n" }, { "name": "a" }, { "name": "b" }],
        "containers": [{ "name": "n" }, { "name": "c", "$patch": "delete" }],
    } });
    assert_eq!(strategic(target(), &with_new).map(|value| names(&value)), Ok("snab".to_owned()));
}

#[test]
fn lists_of_scalars_are_united() {
    let target = || value!({ "metadata": { "finalizers": ["a", "b"] } });
    let finalizers = |patch: Value| {
        let changed = strategic(target(), &value!({ "metadata": patch }));
        changed.map(|value| value.at("metadata").at("finalizers").clone())
    };
    assert_eq!(finalizers(value!({ "finalizers": ["c", "a"] })), Ok(value!(["a", "b", "c"])));
    assert_eq!(
        finalizers(value!({ "$deleteFromPrimitiveList/finalizers": ["a"] })),
        Ok(value!(["b"]))
    );
    let both = value!({
        "$setElementOrder/finalizers": ["c", "b"],
        "$deleteFromPrimitiveList/finalizers": ["a"],
        "finalizers": ["c"],
    });
    assert_eq!(finalizers(both), Ok(value!(["c", "b"])));
}

#[test]
fn maps_are_merged_replaced_or_emptied() {
    let target = || {
        value!({ "spec": { "strategy": { "type": "RollingUpdate", "rollingUpdate": { "x": 1 } },
        "selector": { "a": "1" }, "plain": { "a": 1, "b": 2 }, "list": [1, 2] } })
    };
    let patched =
        |patch: Value| strategic(target(), &value!({ "spec": patch })).map(|mut v| v.at_spec());
    let strategy = value!({ "strategy": { "$retainKeys": ["type"], "type": "Recreate" } });
    assert_eq!(
        patched(strategy).map(|v| v.at("strategy").clone()),
        Ok(value!({ "type": "Recreate" }))
    );
    let selector = value!({ "selector": { "b": "2" } });
    assert_eq!(patched(selector).map(|v| v.at("selector").clone()), Ok(value!({ "b": "2" })));
    let replaced = value!({ "plain": { "$patch": "replace", "c": 3 } });
    assert_eq!(patched(replaced).map(|v| v.at("plain").clone()), Ok(value!({ "c": 3 })));
    let merged = value!({ "plain": { "b": null, "c": 3 }, "list": [3] });
    let merged = patched(merged).map(|v| (v.at("plain").clone(), v.at("list").clone()));
    assert_eq!(merged, Ok((value!({ "a": 1, "c": 3 }), value!([3]))));
    let emptied = value!({ "plain": { "$patch": "delete" } });
    assert_eq!(patched(emptied).map(|v| v.at("plain").clone()), Ok(value!({})));
    let whole = value!({ "containers": [{ "$patch": "replace" }, { "name": "z" }] });
    assert_eq!(patched(whole).map(|v| v.at("containers").clone()), Ok(value!([{ "name": "z" }])));
}

trait AtSpec {
    fn at_spec(&mut self) -> Value;
}

impl AtSpec for Value {
    fn at_spec(&mut self) -> Value {
        self.remove_path(&["spec"]).unwrap_or_default()
    }
}

#[test]
fn malformed_strategic_patches_are_refused_and_change_nothing() {
    let before =
        value!({ "spec": { "containers": [{ "name": "a" }], "strategy": { "type": "x" } } });
    for (patch, expected) in [
        (value!([]), "a strategic merge patch must be an object"),
        (value!({ "$patch": "twist" }), "unknown patch type found: twist"),
        (value!({ "$patch": 1 }), "unknown patch type found: a value that is no string"),
        (
            value!({ "x": 1, "spec": { "containers": [{ "image": "i" }] } }),
            "invalid strategic merge patch at spec.containers: map does not contain declared merge key: name",
        ),
        (
            value!({ "spec": { "containers": ["a"] } }),
            "invalid strategic merge patch at spec.containers: expected a list of objects",
        ),
        (value!({ "$setElementOrder/a": 1, "a": [] }), "$setElementOrder/a must be a list"),
        (value!({ "spec": { "strategy": { "$retainKeys": 1 } } }), "$retainKeys must be a list"),
        (
            value!({ "spec": { "strategy": { "$retainKeys": [], "type": "y" } } }),
            "the key \"type\" is set but missing from $retainKeys",
        ),
    ] {
        let mut target = before.clone();
        let error = strategic_merge(&mut target, &patch, &Pods).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (400, expected));
        assert_eq!(target, before);
    }
}
