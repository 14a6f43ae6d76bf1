//! Whom the server believes: certificates that it signed, tokens that it granted, and who may act as another.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use nodes_pki::NodeKey;
use serde_json::{Value, json};

use crate::door::{Answer, Door};

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const WHOAMI: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// Who the server takes somebody for; the code of its refusal otherwise.
fn who(door: &Door, head: &[(&str, &str)]) -> Result<Value, u16> {
    let mut head = head.to_vec();
    head.extend([("accept", "application/json"), ("content-type", "application/json")]);
    let answer: Answer = door.ask("POST", WHOAMI, &head, b"{}");
    match answer.code {
        201 => Ok(answer.json()["status"]["userInfo"].clone()),
        code => Err(code),
    }
}

fn request(name: &str, signer: &str, csr_pem: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "request": BASE64.encode(csr_pem), "signerName": signer,
            "usages": ["client auth", "digital signature"], "expirationSeconds": 3600,
        },
    })
}

/// Waits until the request shows what is asked for, by a watch of it.
fn shown(door: &Door, name: &str, found: impl Fn(&Value) -> bool) -> Value {
    let path = format!("{REQUESTS}?watch=true&fieldSelector=metadata.name%3D{name}");
    let mut watch = door.watch(&path);
    loop {
        let (_, object) = watch.event();
        if found(&object) {
            return object;
        }
    }
}

fn certificate(object: &Value) -> String {
    let pem = object["status"]["certificate"].as_str().expect("a certificate");
    String::from_utf8(BASE64.decode(pem).expect("base64")).expect("PEM")
}

fn is_issued(object: &Value) -> bool {
    object["status"]["certificate"].is_string()
}

#[test]
fn a_node_gets_a_certificate_by_itself_and_is_believed() {
    let door = Door::open();
    let made = NodeKey::create("credential-1").expect("a key");
    let signer = "kubernetes.io/kube-apiserver-client-kubelet";
    let asked = door.post(REQUESTS, &request("credential-1", signer, &made.csr_pem));
    let spec = asked.expect_code(201).json()["spec"].clone();
    assert_eq!(spec["username"], "kubernetes-admin");
    let issued = shown(door, "credential-1", is_issued);
    assert_eq!(issued["status"]["conditions"][0]["type"], "Approved");
    let holder = door.as_holder(&certificate(&issued), &made.key_pem);
    let told = who(&holder, &[]).expect("believed");
    assert_eq!(told["username"], "system:node:credential-1");
    assert_eq!(told["groups"], json!(["system:nodes", "system:authenticated"]));
    let credential = &told["extra"]["authentication.kubernetes.io/credential-id"][0];
    assert!(credential.as_str().is_some_and(|text| text.starts_with("X509SHA256=")));
    // It is a node, and no more.
    holder.get("/api/v1/namespaces/kube-system/secrets").expect_code(403);
    holder.get("/api/v1/nodes/another").expect_code(404);
}

#[test]
fn a_persons_certificate_waits_for_an_approver() {
    let door = Door::open();
    let made = NodeKey::create("credential-2").expect("a key");
    let signer = "kubernetes.io/kube-apiserver-client";
    door.post(REQUESTS, &request("credential-2", signer, &made.csr_pem)).expect_code(201);
    let path = format!("{REQUESTS}/credential-2/approval");
    let mut asked = door.get(&format!("{REQUESTS}/credential-2")).expect_code(200).json();
    assert_eq!(asked["status"], json!({}));
    asked["status"] = json!({ "conditions": [
        { "type": "Approved", "status": "True", "reason": "ByHand", "message": "by hand" },
    ] });
    // Who may change requests may not yet decide them.
    let head = [("impersonate-user", "credential-jane"), ("content-type", "application/json")];
    let refused = door.ask("PUT", &path, &head, asked.to_string().as_bytes());
    refused.expect_code(403);
    door.put(&path, &asked).expect_code(200);
    let issued = shown(door, "credential-2", is_issued);
    let holder = door.as_holder(&certificate(&issued), &made.key_pem);
    assert!(who(&holder, &[]).is_ok());
}

#[test]
fn a_token_lives_as_long_as_what_it_is_bound_to() {
    let door = Door::open();
    let (home, stranger) = (door.namespace(), door.as_stranger());
    let accounts = format!("/api/v1/namespaces/{home}/serviceaccounts");
    let body = json!({ "metadata": { "name": "robot" } });
    door.post(&accounts, &body).expect_code(201);
    let secrets = format!("/api/v1/namespaces/{home}/secrets");
    door.post(&secrets, &json!({ "metadata": { "name": "bound" } })).expect_code(201);
    let path = format!("{accounts}/robot/token");
    let token = |spec: Value| {
        let answer = door.post(&path, &json!({ "spec": spec })).expect_code(201);
        answer.json()["status"]["token"].as_str().expect("a token").to_owned()
    };
    let bound = token(json!({ "boundObjectRef": { "kind": "Secret", "name": "bound" } }));
    let free = token(json!({ "expirationSeconds": 600 }));
    let other = token(json!({ "audiences": ["vault"] }));
    let bearer = |token: &str| format!("Bearer {token}");
    let as_whom = |token: &str| who(&stranger, &[("authorization", &bearer(token))]);
    let user = format!("system:serviceaccount:{home}:robot");
    assert_eq!(as_whom(&bound).expect("believed")["username"], user.as_str());
    assert_eq!(as_whom(&other).err(), Some(401));
    let review = |token: &str, audience: &str| {
        let body = json!({ "spec": { "token": token, "audiences": [audience] } });
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        door.post(path, &body).expect_code(201).json()["status"].clone()
    };
    assert_eq!(review(&other, "vault")["authenticated"], true);
    assert_eq!(review(&other, "vault")["audiences"], json!(["vault"]));
    assert!(review(&other, "bank")["error"].is_string());
    door.delete(&format!("{secrets}/bound")).expect_code(200);
    door.caught_up();
    assert_eq!(as_whom(&bound).err(), Some(401));
    assert!(as_whom(&free).is_ok());
    door.delete(&format!("{accounts}/robot")).expect_code(200);
    door.caught_up();
    assert_eq!(as_whom(&free).err(), Some(401));
}

#[test]
fn the_issuer_tells_how_its_tokens_are_verified() {
    let door = Door::open();
    let told = door.get("/.well-known/openid-configuration").expect_code(200).json();
    let issuer = told["issuer"].as_str().expect("an issuer").to_owned();
    assert_eq!(told["jwks_uri"], format!("{issuer}/openid/v1/jwks"));
    let keys = door.get("/openid/v1/jwks").expect_code(200);
    assert_eq!(keys.header("content-type"), "application/jwk-set+json");
    assert_eq!(keys.json()["keys"][0]["kty"], "EC");
    // Every account may read it, and nobody else who was not given it.
    let account = [
        ("impersonate-user", "system:serviceaccount:default:x"),
        ("impersonate-group", "system:serviceaccounts"),
    ];
    assert_eq!(door.code("GET", "/openid/v1/jwks", &account), 200);
    assert_eq!(
        door.code("GET", "/openid/v1/jwks", &[("impersonate-user", "credential-jane")]),
        403
    );
}

#[test]
fn who_acts_as_another_must_be_allowed_to() {
    let door = Door::open();
    let head = [
        ("impersonate-user", "credential-jane"),
        ("impersonate-group", "devs"),
        ("impersonate-uid", "u1"),
        ("impersonate-extra-acme.com%2fproject", "x"),
    ];
    let told = who(door, &head).expect("allowed");
    assert_eq!(told["username"], "credential-jane");
    assert_eq!(told["groups"], json!(["devs", "system:authenticated"]));
    assert_eq!((&told["uid"], &told["extra"]["acme.com/project"][0]), (&json!("u1"), &json!("x")));
    assert_eq!(who(door, &[("impersonate-group", "devs")]).err(), Some(400));
    let stranger = door.as_stranger();
    assert_eq!(who(&stranger, &[("impersonate-user", "system:admin")]).err(), Some(403));
    assert_eq!(who(&stranger, &[("authorization", "Bearer nobody")]).err(), Some(401));
}

#[test]
fn a_secret_for_a_token_is_filled_in() {
    let door = Door::open();
    let home = door.namespace();
    let accounts = format!("/api/v1/namespaces/{home}/serviceaccounts");
    door.post(&accounts, &json!({ "metadata": { "name": "robot" } })).expect_code(201);
    let secrets = format!("/api/v1/namespaces/{home}/secrets");
    let annotations = json!({ "kubernetes.io/service-account.name": "robot" });
    let metadata = json!({ "name": "old", "annotations": annotations });
    let kind = "kubernetes.io/service-account-token";
    door.post(&secrets, &json!({ "metadata": metadata, "type": kind })).expect_code(201);
    let mut watch = door.watch(&format!("{secrets}?watch=true&fieldSelector=metadata.name%3Dold"));
    let token = loop {
        let (_, secret) = watch.event();
        if let Some(token) = secret["data"]["token"].as_str() {
            break String::from_utf8(BASE64.decode(token).expect("base64")).expect("text");
        }
    };
    let bearer = format!("Bearer {token}");
    let told = who(&door.as_stranger(), &[("authorization", &bearer)]).expect("believed");
    assert_eq!(told["username"], format!("system:serviceaccount:{home}:robot"));
}
