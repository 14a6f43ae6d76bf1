//! Whatever an object holds, nothing here panics, and what is checked is told.

use actors_core::{Now, Rng};
use actors_object::{Map, Object, Value};

use crate::{
    Registry, columns, conform, convert, default_object,
    facts::{Schema, Shape},
    initial_status, is_selectable, selectable_fields, validate_create, validate_status_update,
    validate_update,
};

/// A value for a shape: mostly fitting, sometimes of a wrong type, sometimes absent.
fn any_value(schema: &Schema, shape: &Shape, depth: usize, rng: &mut Rng) -> Value {
    if rng.below(12) == 0 || depth > 12 {
        let wrong = [
            Value::Null,
            true.into(),
            (-7).into(),
            "x".into(),
            Value::List(Vec::new()),
            Map::new().into(),
        ];
        return wrong[usize::try_from(rng.below(6)).unwrap_or(0)].clone();
    }
    match shape {
        Shape::Object(id) => {
            let mut map = Map::new();
            let fields = schema.facts(*id).map_or(&[][..], |facts| &facts.fields);
            for field in fields {
                if rng.below(3) > 0 {
                    map.insert(&*field.name, any_value(schema, &field.shape, depth + 1, rng));
                }
            }
            map.into()
        }
        Shape::List(item) => {
            let len = rng.below(3);
            Value::List((0..len).map(|_| any_value(schema, item, depth + 1, rng)).collect())
        }
        Shape::Map(item) => {
            let mut map = Map::new();
            for key in
                ["a", "b/c", "ä"].into_iter().take(usize::try_from(rng.below(4)).unwrap_or(0))
            {
                map.insert(key, any_value(schema, item, depth + 1, rng));
            }
            map.into()
        }
        Shape::Bool => (rng.below(2) == 0).into(),
        Shape::Int32 | Shape::Int64 | Shape::Double => {
            let numbers = [i64::MIN, -1, 0, 1, 80, 70_000, i64::MAX];
            numbers[usize::try_from(rng.below(7)).unwrap_or(0)].into()
        }
        _ => {
            let texts =
                ["", "a", "Always", "10%", "1Gi", "2026-01-01T00:00:00Z", "10.0.0.1", "['", "é"];
            texts[usize::try_from(rng.below(9)).unwrap_or(0)].into()
        }
    }
}

#[test]
fn nothing_panics_whatever_an_object_holds() {
    let registry = Registry::builtin().expect("the tables are good");
    let schema = registry.schema();
    let mut rng = Rng::from_number(8);
    let kinds: Vec<_> = registry.kinds().cloned().collect();
    for kind in &kinds {
        for _ in 0..60 {
            let tree = any_value(schema, &kind.shape, 0, &mut rng);
            let raw = Object(tree.clone());
            let mut object = raw.clone();
            let report = conform::check_fields(schema, &kind.shape, &object);
            assert!(report.mismatches.len() <= conform::REPORT_MAX);
            conform::normalize(schema, &kind.shape, &mut object.0);
            default_object(kind, &mut object);
            let status = initial_status(kind, &object);
            assert!(status.is_none_or(|status| status.as_map().is_some()));
            for (new, old) in [(&object, &raw), (&raw, &object)] {
                for errors in [
                    validate_create(kind, new),
                    validate_update(kind, new, old),
                    validate_status_update(kind, new, old),
                ] {
                    assert!(errors.len() <= 256);
                }
                assert!(
                    selectable_fields(kind, new)
                        .iter()
                        .all(|(field, _)| is_selectable(kind, field))
                );
                assert_eq!(
                    columns(kind, new, Now::default()).len(),
                    crate::column_definitions(kind).len()
                );
            }
            registry.canonical_order(kind, &mut object.0);
            let ordered = object.clone();
            registry.canonical_order(kind, &mut object.0);
            assert_eq!(object.0, ordered.0);
            convert::to_storage(kind, &mut object);
            convert::from_storage(kind, &mut object);
        }
    }
}

#[test]
fn normalizing_leaves_nothing_unknown() {
    let registry = Registry::builtin().expect("the tables are good");
    let schema = registry.schema();
    let mut rng = Rng::from_number(9);
    let kinds: Vec<_> = registry.kinds().cloned().collect();
    for kind in &kinds {
        let mut tree = any_value(schema, &kind.shape, 0, &mut rng);
        tree.set_path(&["metadata", "nmae"], "x");
        conform::normalize(schema, &kind.shape, &mut tree);
        let report = conform::check_fields(schema, &kind.shape, &tree);
        assert!(report.unknown.is_empty(), "{:?}", report.unknown);
    }
}
