//! Read back by numbers: what clients of gnostic's messages find.

use actors_object::value;

use super::*;
use crate::{
    Registry,
    openapi::{self, Undescribed},
    protobuf::wire::{Field, Reader},
};

/// The fields with this number within a message, in order.
fn at(message: &[u8], number: u16) -> Vec<Vec<u8>> {
    let mut reader = Reader::new(message, "a message");
    let mut found = Vec::new();
    while let Some((field, wire)) = reader.next().expect("a message") {
        if let (true, Field::Bytes(bytes)) = (field == number, wire) {
            found.push(bytes.to_vec());
        }
    }
    found
}

/// Follows numbers through the first field of each.
fn follow(message: &[u8], path: &[u16]) -> Vec<u8> {
    path.iter().fold(message.to_vec(), |message, number| {
        at(&message, *number).into_iter().next().expect("a field")
    })
}

/// The value under a name in a list of named values.
fn named<'a>(list: &'a [Vec<u8>], name: &str) -> &'a [u8] {
    let mut found = list.iter().filter(|entry| follow(entry, &[1]) == name.as_bytes());
    found.next().expect("the name")
}

#[test]
fn clients_find_merge_keys_in_version_2() {
    let registry = Registry::builtin().expect("the tables are good");
    let document = openapi::swagger(&registry, &Undescribed);
    let bytes = v2(&document);
    assert_eq!(follow(&bytes, &[1]), b"2.0");
    let definitions = at(&follow(&bytes, &[9]), 1);
    assert_eq!(definitions.len(), document.map_at(&["definitions"]).len());
    let spec = follow(named(&definitions, "io.k8s.api.core.v1.PodSpec"), &[2]);
    let properties = at(&follow(&spec, &[25]), 1);
    let containers = follow(named(&properties, "containers"), &[2]);
    assert_eq!(follow(&containers, &[22, 1]), b"array");
    let reference = follow(&containers, &[23, 1, 1]);
    assert_eq!(reference, b"#/definitions/io.k8s.api.core.v1.Container");
    let extensions = at(&containers, 31);
    let key = follow(named(&extensions, "x-kubernetes-patch-merge-key"), &[2, 2]);
    assert_eq!(key, b"\"name\"\n");
}

#[test]
fn clients_find_the_parameters_of_a_patch_in_both_versions() {
    let registry = Registry::builtin().expect("the tables are good");
    let path = "/api/v1/namespaces/{namespace}/configmaps/{name}";
    let document = openapi::swagger(&registry, &Undescribed);
    let paths = at(&follow(&v2(&document), &[8]), 2);
    let patch = follow(named(&paths, path), &[2, 8]);
    let parameters = at(&patch, 8);
    let names: Vec<Vec<u8>> =
        parameters.iter().skip(1).map(|one| follow(one, &[1, 2, 3, 4])).collect();
    assert!(names.contains(&b"fieldValidation".to_vec()));
    assert_eq!(follow(&parameters[0], &[1, 1, 3]), b"body");
    let document = openapi::document(&registry, "", "v1", &Undescribed).expect("served");
    let paths = at(&follow(&v3(&document), &[4]), 1);
    let patch = follow(named(&paths, path), &[2, 10]);
    let names: Vec<Vec<u8>> = at(&patch, 6).iter().map(|one| follow(one, &[1, 1])).collect();
    assert!(names.contains(&b"fieldValidation".to_vec()));
    let media = at(&follow(&patch, &[7, 1, 2]), 1);
    named(&media, "application/strategic-merge-patch+json");
    let gvk = follow(named(&at(&patch, 13), "x-kubernetes-group-version-kind"), &[2, 2]);
    assert_eq!(gvk, b"{\"group\":\"\",\"kind\":\"ConfigMap\",\"version\":\"v1\"}\n");
}

#[test]
fn references_of_version_3_stand_apart_from_schemas() {
    let document = value!({ "components": { "schemas": { "A": {
        "type": "object",
        "properties": { "b": { "allOf": [{ "$ref": "#/components/schemas/B" }] } },
    } } } });
    let schema = follow(&v3(&document), &[5, 1, 1, 2, 1]);
    assert_eq!(follow(&schema, &[25]), b"object");
    let reference = follow(&schema, &[31, 1, 2, 1, 26, 2, 1]);
    assert_eq!(reference, b"#/components/schemas/B");
}
