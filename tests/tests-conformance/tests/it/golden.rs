//! Recorded objects of every kind, each in JSON and in protobuf: one is turned into the other, byte for byte.

use std::{fs, path::PathBuf};

use actors_kinds::{
    Registry,
    protobuf::{Envelope, decode, encode},
};
use actors_object::{Gvk, Value, json};
use bytes::Bytes;

/// The recorded objects beside the checkout, or why they cannot be used.
fn golden() -> Option<Vec<PathBuf>> {
    let dir = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)?;
    let dir = dir.join("../../../shared/kubernetes/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(dir).ok()?.flatten().map(|e| e.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "pb"));
    files.sort();
    Some(files)
}

fn read(path: &PathBuf) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

#[test]
fn recorded_objects_are_turned_both_ways_byte_for_byte() {
    let Some(files) = golden() else {
        return println!("NOT RUN: the recorded objects are not beside this checkout");
    };
    let registry = Registry::builtin().expect("the tables are good");
    let schema = registry.schema();
    let (mut turned, mut unknown, mut wrong) = (0, Vec::new(), Vec::new());
    for file in files {
        let bytes = Bytes::from(read(&file));
        let envelope = Envelope::open(&bytes).expect("an envelope");
        let gvk = Gvk::from_api_version(&envelope.api_version, &envelope.kind);
        let Some(shape) = schema.shape_of_kind(&gvk) else {
            unknown.push(gvk);
            continue;
        };
        let mut expected = json::from_slice(&read(&file.with_extension("json"))).expect("JSON");
        let tree = decode(schema, &shape, &envelope.raw).expect("a message");
        let message = encode(schema, &shape, &expected).expect("a tree");
        let sealed = Envelope::seal(&envelope.api_version, &envelope.kind, &message);
        if sealed != bytes {
            wrong.push(format!("{gvk:?}: JSON to protobuf"));
        }
        for field in ["kind", "apiVersion"] {
            expected.remove_path(&[field]);
        }
        if sorted(&tree) != sorted(&expected) {
            wrong.push(format!("{gvk:?}: protobuf to JSON"));
        }
        turned += 1;
    }
    assert_eq!(wrong, Vec::<String>::new(), "of {turned}");
    println!("{turned} objects; not in the table: {}", unknown.len());
    assert!(turned >= 60, "{turned} objects were turned");
}

/// The same tree with its fields in order of names.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let mut fields: Vec<_> =
                map.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            fields.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Map(fields.into_iter().collect())
        }
        Value::List(items) => Value::List(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
