//! Secrets are ciphertext in the store and plain to who may read them.

use super::harness::Scene;
use store_mvcc::Key;

#[test]
fn a_secret_is_sealed_and_a_write_that_changes_nothing_is_seen() {
    let mut scene = Scene::new();
    let line = "POST /api/v1/namespaces/default/secrets";
    let body = b"metadata: {name: s, labels: {a: b}}\nstringData: {password: hunter22}\n";
    assert_eq!(scene.request(line, body).code, 201);
    let key = Key::object("", "secrets", Some("default"), "s");
    let item = scene.catalog.snapshot().get(&key).expect("it is stored");
    let stored = item.stored();
    assert!(stored.columns.sealed);
    assert_eq!(stored.columns.labels, [("a".to_owned(), "b".to_owned())]);
    let text = String::from_utf8_lossy(&stored.value);
    assert!(!text.contains("password") && !text.contains("aHVudGVyMjI"));
    let revision = item.revision();
    let line = "MERGE /api/v1/namespaces/default/secrets/s";
    assert_eq!(scene.request(line, b"stringData: {password: hunter22}").code, 200);
    assert_eq!(scene.catalog.snapshot().get(&key).map(|item| item.revision()), Some(revision));
    let response = scene.request("GET /api/v1/namespaces/default/secrets/s", b"");
    let object = response.into_object().expect("it is read");
    assert_eq!(object.str_at(&["data", "password"]), Some("aHVudGVyMjI="));
    assert_eq!(object.get("stringData"), None);
    let bytes = item.bytes_with_rv();
    assert!(actors_object::json::from_slice(&bytes).is_ok_and(|tree| tree == object.0));
}
