//! The forms of an item.

use super::*;
use crate::{Item, ItemError, Opener};

fn stored(value: &'static str, columns: Columns) -> Arc<Stored> {
    Arc::new(Stored {
        key: "/registry/secrets/a/s".into(),
        create_revision: Revision(3),
        mod_revision: Revision(41),
        version: 2,
        value: Bytes::from_static(value.as_bytes()),
        columns,
        lease: None,
    })
}

/// Opens values that were sealed by writing them backwards.
struct Mirror;

impl Opener for Mirror {
    fn open(&self, stored: &Stored) -> Result<Bytes, String> {
        match stored.value.as_ref() {
            b"?" => Err("unknown key 7".to_owned()),
            value => Ok(value.iter().rev().copied().collect()),
        }
    }
}

const POD: &str = r#"{"kind":"Pod","metadata":{"name":"web","uid":"u"},"spec":{}}"#;

#[test]
fn the_revision_is_filled_in_where_its_place_is() {
    let item = Item::new(stored(POD, Columns { rv_at: 48, ..Columns::default() }), None);
    let expected =
        r#"{"kind":"Pod","metadata":{"name":"web","uid":"u","resourceVersion":"41"},"spec":{}}"#;
    assert_eq!(item.bytes_with_rv(), expected);
    assert_eq!(item.object().resource_version(), "41");
    assert_eq!(item.object().name(), "web");
    assert!(Arc::ptr_eq(&item.object(), &item.object()));
    let pieces = item.pieces().expect("three");
    assert_eq!(pieces.concat(), expected.as_bytes());
}

#[test]
fn labels_and_fields_come_from_the_columns() {
    let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let (labels, fields) = (vec![pair("app", "web")], vec![pair("spec.nodeName", "n1")]);
    let item =
        Item::new(stored("not json", Columns { labels, fields, ..Columns::default() }), None);
    assert_eq!((item.label("app"), item.label("tier")), (Some("web"), None));
    assert_eq!(item.field("spec.nodeName"), Some("n1"));
}

#[test]
fn sealed_values_are_opened_by_who_has_the_key() {
    let opener: Arc<dyn Opener> = Arc::new(Mirror);
    let sealed = |rv_at| Columns { sealed: true, rv_at, ..Columns::default() };
    let mirrored = r#"}}"s":"eman"{:"atadatem"{"#;
    let item = Item::new(stored(mirrored, sealed(23)), Some(&opener));
    assert_eq!(item.bytes_with_rv(), r#"{"metadata":{"name":"s","resourceVersion":"41"}}"#);
    assert_eq!((item.object().name(), item.object().resource_version()), ("s", "41"));
    let item = Item::new(stored(mirrored, sealed(0)), None);
    let cause = "there is no key here".to_owned();
    assert_eq!(item.try_object(), Err(ItemError::Sealed { key: item.key().clone(), cause }));
    let item = Item::new(stored("?", sealed(0)), Some(&opener));
    let cause = "unknown key 7".to_owned();
    assert_eq!(item.try_bytes(), Err(ItemError::Sealed { key: item.key().clone(), cause }));
    assert_eq!((item.bytes_with_rv(), item.object().kind()), (Bytes::from_static(b"{}"), ""));
}

#[test]
fn what_is_no_object_says_so() {
    for value in ["not json", "[]", ""] {
        let item = Item::new(stored(value, Columns::default()), None);
        assert!(matches!(item.try_object(), Err(ItemError::Malformed { .. })), "{value:?}");
    }
    let item = Item::new(stored("{}", Columns { rv_at: 3, ..Columns::default() }), None);
    assert!(matches!(item.try_bytes(), Err(ItemError::Malformed { .. })));
}

#[test]
fn copies_of_one_version_share_a_tree_and_others_do_not() {
    let item =
        |value, rv_at| Item::new(stored(value, Columns { rv_at, ..Columns::default() }), None);
    let (first, second) = (item(POD, 48), item(POD, 48));
    assert!(!second.share_object(&first), "nobody has read it yet");
    let object = first.object();
    assert!(second.share_object(&first));
    assert!(Arc::ptr_eq(&second.object(), &object));
    assert!(!second.share_object(&first), "it has one");
    let damaged = item(r#"{"kind":"Pod","metadata":{"name":"wib","uid":"u"},"spec":{}}"#, 48);
    assert!(!damaged.share_object(&first), "other bytes under the same revision");
    assert_eq!(damaged.object().name(), "wib");
    assert!(!first.at(Revision(50)).share_object(&first), "another revision is shown");
}
