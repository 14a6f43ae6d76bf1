//! The committed table, and what is said of a table that cannot be read.

use std::error::Error as _;

use super::*;

fn builtin() -> Schema {
    let text = include_str!("../../tables/facts.txt");
    Table::read(text, Schema::default()).expect("the committed table is well-formed").schema
}

#[test]
fn a_field_knows_its_shape_keys_and_numbers() {
    let schema = builtin();
    let pod = schema.type_named("core.v1.Pod").expect("pods are known");
    let containers = schema.field_at(pod, &["spec", "containers"]).expect("a field of pods");
    assert_eq!(containers.numbers, [2]);
    assert_eq!(containers.list, ListType::Map);
    assert_eq!(containers.merge_key.as_deref(), Some("name"));
    assert!(containers.required && containers.patch_merge && !containers.patch_retain_keys);
    let ports = schema.field_at(pod, &["spec", "containers", "ports"]).expect("through a list");
    assert_eq!(ports.keys, [Box::from("containerPort"), Box::from("protocol")]);
    let secret = schema.field_at(pod, &["spec", "volumes", "secret"]).expect("an inlined field");
    assert_eq!(secret.numbers, [2, 6]);
    assert!(schema.field_at(pod, &["spec", "replcas"]).is_none());
}

#[test]
fn types_have_their_full_names_in_other_formats() {
    let schema = builtin();
    assert_eq!(schema.openapi_name("apps.v1.Deployment"), "io.k8s.api.apps.v1.Deployment");
    assert_eq!(
        schema.proto_name("meta.v1.ObjectMeta"),
        "k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    );
}

#[test]
fn a_line_that_cannot_be_understood_is_named() {
    let check = |text: &str, expected: &str| {
        let error = Table::read(text, Schema::default()).expect_err("the table is broken");
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        assert_eq!(format!("{error}: {source}"), expected);
    };
    check(
        " a string 1",
        "line 1 of the table: there is nothing above that this line could belong to",
    );
    check("type a.A\n b string", "line 2 of the table: the field's number is missing");
    check("type a.A\n b a.B 1", "line 2 of the table: the word \"a.B\" is not understood");
    check("nonsense here", "line 1 of the table: the word \"nonsense\" is not understood");
    check(
        "resource demo v1 as A any somewhere get",
        "line 1 of the table: the word \"somewhere\" is not understood",
    );
}
