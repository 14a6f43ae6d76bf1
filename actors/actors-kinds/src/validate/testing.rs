//! One way to write the tests of rules: an object as YAML, the expected complaints as lines.

use actors_object::{Object, json::Limits, yaml};
use expect_test::Expect;

use crate::{Registry, conform::normalize, defaults::default_object, validate};

/// An object from YAML, as it is written.
pub(crate) fn plain(text: &str) -> Object {
    Object(yaml::parse(text.as_bytes(), Limits::default()).expect("good YAML").value)
}

/// An object from YAML, made uniform and with the defaults of its kind, as the door does it.
pub(crate) fn object(text: &str) -> Object {
    let mut object = plain(text);
    let registry = Registry::builtin().expect("the tables are good");
    let kind = registry.kind_of(&object).expect("a served kind");
    normalize(registry.schema(), &kind.shape, &mut object.0);
    default_object(kind, &mut object);
    object
}

fn lines(errors: &[actors_object::FieldError]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

/// Creating the object gives these complaints.
pub(crate) fn check_create(text: &str, expected: &Expect) {
    let registry = Registry::builtin().expect("the tables are good");
    let object = object(text);
    let kind = registry.kind_of(&object).expect("a served kind");
    expected.assert_eq(&lines(&validate::validate_create(kind, &object)));
}

/// Replacing the one object by the other gives these complaints.
pub(crate) fn check_update(old: &str, new: &str, expected: &Expect) {
    let registry = Registry::builtin().expect("the tables are good");
    let (old, new) = (object(old), object(new));
    let kind = registry.kind_of(&new).expect("a served kind");
    assert_eq!(lines(&validate::validate_create(kind, &old)), "", "the old object is good");
    expected.assert_eq(&lines(&validate::validate_update(kind, &new, &old)));
}

/// Giving the object this status gives these complaints.
pub(crate) fn check_status(object: &str, status: &str, expected: &Expect) {
    check_status_change(object, "{}", status, expected);
}

/// Replacing the one status of the object by the other gives these complaints.
pub(crate) fn check_status_change(text: &str, before: &str, after: &str, expected: &Expect) {
    let registry = Registry::builtin().expect("the tables are good");
    let (mut old, mut new) = (object(text), object(text));
    let kind = registry.kind_of(&new).expect("a served kind");
    assert_eq!(lines(&validate::validate_create(kind, &old)), "", "the object is good");
    old.set_status(plain(before).0);
    new.set_status(plain(after).0);
    expected.assert_eq(&lines(&validate::validate_status_update(kind, &new, &old)));
}

/// Replacing the one object by the other through a subresource gives these complaints.
pub(crate) fn check_sub(sub: &str, old: &str, new: &str, expected: &Expect) {
    let registry = Registry::builtin().expect("the tables are good");
    let (old, new) = (object(old), object(new));
    let kind = registry.kind_of(&new).expect("a served kind");
    expected.assert_eq(&lines(&validate::validate_subresource_update(kind, sub, &new, &old)));
}
