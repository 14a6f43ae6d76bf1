//! Requests for certificates with every verb and subresource, and reviews of what somebody else may do.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use nodes_pki::NodeKey;
use serde_json::{Value, json};
use tests_conformance::door::servers;

use crate::door::Door;

const GROUP: &str = "/apis/certificates.k8s.io";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const MARK: &str = "labelSelector=review%3Dtest";

/// A request that nobody here signs.
fn request() -> Value {
    let csr = NodeKey::create("review").expect("a key").csr_pem;
    json!({
        "metadata": { "generateName": "e2e-example-csr-", "labels": { "review": "test" } },
        "spec": {
            "request": BASE64.encode(csr), "signerName": "example.com/e2e",
            "usages": ["digital signature", "key encipherment", "server auth"],
            "expirationSeconds": 3600,
        },
    })
}

fn annotated(name: &str) -> Value {
    json!({ "metadata": { "annotations": { name: "true" } } })
}

fn condition(kind: &str) -> Value {
    json!({ "type": kind, "status": "True", "reason": "Test", "message": "Set by a test" })
}

/// The types of an object's conditions.
fn types(object: &Value) -> Vec<&str> {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.map(|one| one["type"].as_str().unwrap()).collect()
}

/// Adds a condition by an update of a subresource, and returns the answer.
#[track_caller]
fn put_condition(door: &Door, path: &str, kind: &str) -> Value {
    let mut update = door.get(path).expect_code(200).json();
    let conditions = &mut update["status"]["conditions"];
    if conditions.is_null() {
        *conditions = json!([]);
    }
    conditions.as_array_mut().unwrap().push(condition(kind));
    door.put(path, &update).expect_code(200).json()
}

#[test]
fn requests_for_certificates_are_served_with_every_verb() {
    let door = Door::open();
    let groups = door.get("/apis").expect_code(200).json();
    let mut groups = groups["groups"].as_array().unwrap().iter();
    assert!(groups.any(|group| group["name"] == "certificates.k8s.io"));
    let group = door.get(GROUP).expect_code(200).json();
    assert_eq!(group["versions"][0]["version"], "v1");
    let resources = door.get(&format!("{GROUP}/v1")).expect_code(200).json();
    let names: Vec<&str> = resources["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    for sub in ["", "/approval", "/status"] {
        assert!(names.contains(&&*format!("certificatesigningrequests{sub}")), "{names:?}");
    }

    let made: Vec<Value> =
        (0..3).map(|_| door.post(REQUESTS, &request()).expect_code(201).json()).collect();
    let one = format!("{REQUESTS}/{}", made[0]["metadata"]["name"].as_str().unwrap());
    assert_eq!(
        door.get(&one).expect_code(200).json()["metadata"]["uid"],
        made[0]["metadata"]["uid"]
    );
    let list = door.get(&format!("{REQUESTS}?{MARK}")).expect_code(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    let revision = list["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch = door.watch(&format!("{REQUESTS}?{MARK}&watch=true&resourceVersion={revision}"));
    let mut update = door.merge(&one, &annotated("patched")).expect_code(200).json();
    assert_eq!(update["metadata"]["annotations"]["patched"], "true");
    update["metadata"]["annotations"]["updated"] = json!("true");
    let updated = door.put(&one, &update).expect_code(200).json();
    assert_eq!(updated["metadata"]["annotations"]["updated"], "true");
    let (word, seen) = watch.event();
    assert_eq!((&*word, &seen["metadata"]["annotations"]["patched"]), ("MODIFIED", &json!("true")));
    let (word, seen) = watch.event();
    assert_eq!((&*word, &seen["metadata"]["annotations"]["updated"]), ("MODIFIED", &json!("true")));

    decide_and_sign(door, &one);

    door.delete(&one).expect_code(200);
    assert_eq!(door.get(&one).code, 404);
    door.delete(&format!("{REQUESTS}?{MARK}")).expect_code(200);
    let left = door.get(&format!("{REQUESTS}?{MARK}")).expect_code(200).json();
    assert_eq!(left["items"], json!([]));
}

/// The two subresources: each is read, patched and updated.
fn decide_and_sign(door: &Door, one: &str) {
    let path = format!("{one}/approval");
    door.get(&path).expect_code(200);
    let mut patch = annotated("patchedapproval");
    patch["status"] = json!({ "conditions": [condition("ApprovalPatch")] });
    let patched = door.merge(&path, &patch).expect_code(200).json();
    assert_eq!(patched["metadata"]["annotations"]["patchedapproval"], "true");
    assert_eq!(types(&patched), ["ApprovalPatch"]);
    let updated = put_condition(door, &path, "ApprovalUpdate");
    assert_eq!(types(&updated), ["ApprovalPatch", "ApprovalUpdate"]);

    let path = format!("{one}/status");
    door.get(&path).expect_code(200);
    let certificate = BASE64.encode(servers().pki.authority.certificate_pem());
    let mut patch = annotated("patchedstatus");
    patch["status"] = json!({ "certificate": certificate });
    let patched = door.merge(&path, &patch).expect_code(200).json();
    assert_eq!(patched["metadata"]["annotations"]["patchedstatus"], "true");
    assert_eq!(patched["status"]["certificate"], certificate);
    let updated = put_condition(door, &path, "StatusUpdate");
    assert_eq!(types(&updated), ["ApprovalPatch", "ApprovalUpdate", "StatusUpdate"]);
}

#[test]
fn reviews_of_an_account_say_what_it_is_then_allowed() {
    let door = Door::open();
    let home = door.namespace();
    let account = json!({ "metadata": { "name": "e2e" } });
    door.post(&format!("/api/v1/namespaces/{home}/serviceaccounts"), &account).expect_code(201);
    let user = format!("system:serviceaccount:{home}:e2e");
    let attributes = json!({
        "verb": "list", "group": "", "version": "v1", "resource": "configmaps", "namespace": home,
    });
    let body = json!({ "spec": { "user": user, "resourceAttributes": attributes } });
    let review = |path: &str| {
        let answer = door.post(&format!("/apis/authorization.k8s.io/v1/{path}"), &body);
        answer.expect_code(201).json()["status"]["allowed"].as_bool().unwrap()
    };
    let local = format!("namespaces/{home}/localsubjectaccessreviews");
    let may = || {
        let path = format!("/api/v1/namespaces/{home}/configmaps");
        let code = door.code("GET", &path, &[("impersonate-user", &user)]);
        assert!(matches!(code, 200 | 403), "{code}");
        code == 200
    };
    assert_eq!((may(), review("subjectaccessreviews"), review(&local)), (false, false, false));
    let binding = json!({
        "metadata": { "name": "e2e" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view" },
        "subjects": [{ "kind": "ServiceAccount", "name": "e2e", "namespace": home }],
    });
    let bindings = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{home}/rolebindings");
    door.post(&bindings, &binding).expect_code(201);
    assert_eq!((may(), review("subjectaccessreviews"), review(&local)), (true, true, true));
}
