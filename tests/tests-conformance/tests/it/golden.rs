//! Recorded objects of every kind, each in JSON, in YAML and in protobuf: each is turned into each other.
//!
//! Protobuf and YAML are compared byte for byte. So is JSON but for the order of its fields: ours is that of the
//! protobuf numbers, upstream's that of its sources, which differ in about fifty types; no reader may rely on either.

use std::{fs, path::PathBuf};

use actors_kinds::{
    Registry,
    facts::Shape,
    protobuf::{Envelope, decode, encode},
};
use actors_object::{
    Gvk, Map, Value,
    json::{self, Limits},
    yaml,
};
use bytes::Bytes;

/// How many are turned: it may only rise.
const TURNED_MIN: usize = 90;

/// The recorded objects beside the checkout, if they are there.
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

/// The shape of a recorded body. Options and events belong to all groups, and are no kind of any; an event's envelope
/// says nothing.
fn shape(registry: &Registry, gvk: &Gvk) -> Option<Shape> {
    let name = match gvk.kind.as_str() {
        "DeleteOptions" => "meta.v1.DeleteOptions",
        "" => "meta.v1.WatchEvent",
        _ => return registry.schema().shape_of_kind(gvk),
    };
    Some(registry.shape_named(name))
}

/// What is wrong with one of them; nothing, if all is well.
fn turn(registry: &Registry, file: &PathBuf, shape: &Shape) -> Vec<&'static str> {
    let (schema, body) = (registry.schema(), Bytes::from(read(file)));
    let envelope = Envelope::open(&body).expect("an envelope");
    let json_text = read(&file.with_extension("json"));
    let yaml_text = read(&file.with_extension("yaml"));
    let from_json = json::from_slice(&json_text).expect("JSON");
    let from_yaml = yaml::parse(&yaml_text, Limits::default()).expect("YAML").value;
    let message = decode(schema, shape, &envelope.raw).expect("a message");
    // The envelope says the kind; JSON and YAML say it within.
    let mut from_protobuf = Map::new();
    for name in ["kind", "apiVersion"] {
        if let Some(said) = from_json.as_map().and_then(|map| map.get(name)) {
            from_protobuf.insert(name, said.clone());
        }
    }
    for (name, value) in message.as_map().expect("an object").iter() {
        from_protobuf.insert(name.clone(), value.clone());
    }
    let from_protobuf = Value::Map(from_protobuf);
    let mut wrong = Vec::new();
    for (name, tree) in [("JSON", &from_json), ("YAML", &from_yaml)] {
        let message = encode(schema, shape, tree).expect("a tree");
        if Envelope::seal(&envelope.api_version, &envelope.kind, &message) != body {
            wrong.push(if name == "JSON" { "JSON to protobuf" } else { "YAML to protobuf" });
        }
    }
    let expected = json::to_string(&sorted(&from_json));
    for (name, tree) in [("protobuf to JSON", &from_protobuf), ("YAML to JSON", &from_yaml)] {
        if json::to_string(&sorted(tree)) != expected {
            wrong.push(name);
        }
    }
    for (name, tree) in [("protobuf to YAML", &from_protobuf), ("JSON to YAML", &from_json)] {
        if yaml::to_block(tree).as_bytes() != yaml_text {
            wrong.push(name);
        }
    }
    wrong
}

#[test]
fn recorded_objects_are_turned_into_each_other_byte_for_byte() {
    let Some(files) = golden() else {
        return println!("NOT RUN: the recorded objects are not beside this checkout");
    };
    let registry = Registry::builtin().expect("the tables are good");
    let (mut turned, mut left_out, mut wrong) = (0, Vec::new(), Vec::new());
    let mut unturned: Vec<Gvk> = registry.kinds().map(|kind| kind.gvk.clone()).collect();
    for file in files {
        let envelope = Envelope::open(&Bytes::from(read(&file))).expect("an envelope");
        let gvk = Gvk::from_api_version(&envelope.api_version, &envelope.kind);
        let Some(shape) = shape(&registry, &gvk) else {
            left_out.push(gvk);
            continue;
        };
        let found = turn(&registry, &file, &shape);
        wrong.extend(found.into_iter().map(|what| format!("{gvk:?}: {what}")));
        unturned.retain(|kind| *kind != gvk);
        turned += 1;
    }
    assert_eq!(wrong, Vec::<String>::new(), "of {turned}");
    println!("{turned} kinds; left out, as no server serves them unasked: {}", left_out.len());
    // Custom resources and aggregation have no recorded objects: their groups are not in the recording.
    let foreign = ["apiextensions.k8s.io", "apiregistration.k8s.io"];
    unturned.retain(|kind| !foreign.contains(&&*kind.group));
    assert_eq!(unturned, [], "served, and not recorded");
    assert!(turned >= TURNED_MIN, "{turned} kinds were turned");
    // Every one that is left out is of a version that is off by default since Kubernetes 1.24, or gone.
    left_out.retain(|gvk| !gvk.version.contains("alpha") && !gvk.version.contains("beta"));
    assert_eq!(left_out, []);
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
