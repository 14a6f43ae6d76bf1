//! What becomes of requests. Those here were made with OpenSSL.

use std::time::Duration;

use actors_controller::{Key, testing::Scene};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

const NODE: &[&str] = &[
    "MIHsMIGSAgEAMDAxFTATBgNVBAoMDHN5c3RlbTpub2RlczEXMBUGA1UEAwwOc3lzdGVtOm5vZGU6bjEwWTATBgcq",
    "hkjOPQIBBggqhkjOPQMBBwNCAATYRC3LrIK/6ms84DTkUw4ZeWVMNRJR5JnXUyQna3alPMEp4v5BWbOV1oXpyG2i",
    "ax+8dBUGtDQ0+LjXJIQq3WmxoAAwCgYIKoZIzj0EAwIDSQAwRgIhAKREB6qq+skK6Ju7EIke8GChQstUtWeJRdIe",
    "BEoNMCUxAiEAqT/hPi63ZV1Tl61SExviDffRMs7wkd0hF0mP5bQoMbg=",
];

const JANE: &[&str] = &[
    "MIHoMIGOAgEAMCwxDTALBgNVBAoMBGRldnMxDDAKBgNVBAoMA29wczENMAsGA1UEAwwEamFuZTBZMBMGByqGSM49",
    "AgEGCCqGSM49AwEHA0IABNhELcusgr/qazzgNORTDhl5ZUw1ElHkmddTJCdrdqU8wSni/kFZs5XWhenIbaJrH7x0",
    "FQa0NDT4uNckhCrdabGgADAKBggqhkjOPQQDAgNJADBGAiEAkjuiBhMbGCNoPOz8jgDYz211W8LdmPBJuE1K3ZlX",
    "JvQCIQCW77xLJCHn+spZ5pvdWGBlflTp75lxVcl58dSfOYDOxg==",
];

fn pem(body: &[&str]) -> String {
    let text = format!(
        "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
        body.join("\n")
    );
    STANDARD.encode(text)
}

fn controller() -> CertificateController {
    let sign = |order: &SigningOrder| match order.seconds {
        Some(1) => Err("the key is away".to_owned()),
        _ => Ok(STANDARD.encode(format!("signed for {}", order.usages.join(",")))),
    };
    CertificateController { sign: Arc::new(sign) }
}

fn request(signer: &str, body: &[&str], user: &str) -> Value {
    value!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": { "name": "r", "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": {
            "request": (pem(body)), "signerName": signer, "usages": ["client auth"],
            "username": user, "groups": ["system:bootstrappers"],
        },
    })
}

fn binding(role: &str, verb_of: &str, group: &str) -> [Value; 2] {
    [
        value!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": role },
            "rules": [{
                "verbs": ["create"], "apiGroups": ["certificates.k8s.io"], "resources": [verb_of],
            }],
        }),
        value!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": { "name": role }, "roleRef": { "kind": "ClusterRole", "name": role },
            "subjects": [{ "kind": "Group", "name": group }],
        }),
    ]
}

fn decide(scene: &mut Scene, condition: &str) {
    scene.change(&SIGNING_REQUEST, "r", |request| {
        let stamp = "2026-01-01T00:00:00Z";
        let condition = value!({ "type": condition, "status": "True", "lastUpdateTime": stamp });
        request.set_path(&["status", "conditions"], value!([condition]));
    });
}

fn settled(mut scene: Scene) -> Arc<Object> {
    scene.settle(&[&controller()]).expect("rest");
    scene.get(&SIGNING_REQUEST, "r").expect("the request")
}

const CLIENT: &str = "kubernetes.io/kube-apiserver-client";

#[test]
fn a_persons_request_waits_for_a_person_and_is_signed_then() {
    let mut scene = Scene::new().with(request(CLIENT, JANE, "jane"));
    assert_eq!(settled(scene.clone()).status(), &Value::Null);
    decide(&mut scene, "Approved");
    let signed = settled(scene.clone());
    let told = STANDARD.encode("signed for client auth");
    assert_eq!(signed.str_at(&["status", "certificate"]), Some(told.as_str()));
    decide(&mut scene, "Denied");
    assert_eq!(settled(scene).str_at(&["status", "certificate"]), None);
}

#[test]
fn a_nodes_request_is_approved_where_rbac_lets_who_asks() {
    let base = || Scene::new().with(request(NODE_CLIENT, NODE, "system:bootstrap:abcdef"));
    assert!(!has(&settled(base()), "Approved"));
    let [role, bound] =
        binding("a", "certificatesigningrequests/nodeclient", "system:bootstrappers");
    let signed = settled(base().with(role).with(bound));
    assert!(has(&signed, "Approved") && signed.str_at(&["status", "certificate"]).is_some());
    // Who renews must be the node itself.
    let [role, bound] =
        binding("a", "certificatesigningrequests/selfnodeclient", "system:bootstrappers");
    assert!(!has(&settled(base().with(role.clone()).with(bound.clone())), "Approved"));
    let own = Scene::new().with(request(NODE_CLIENT, NODE, "system:node:n1"));
    assert!(has(&settled(own.with(role).with(bound)), "Approved"));
}

#[test]
fn what_breaks_the_signers_rules_fails() {
    let mut scene = Scene::new().with(request(NODE_CLIENT, JANE, "jane"));
    decide(&mut scene, "Approved");
    let failed = settled(scene);
    assert!(has(&failed, "Failed") && failed.str_at(&["status", "certificate"]).is_none());
    let mut scene = Scene::new().with(request(CLIENT, JANE, "jane"));
    scene.change(&SIGNING_REQUEST, "r", |request| {
        request.set_path(&["spec", "expirationSeconds"], 1);
    });
    decide(&mut scene, "Approved");
    let failed = settled(scene);
    let conditions = failed.list_at(&["status", "conditions"]);
    assert_eq!(conditions[1].str_at(&["message"]), Some("the key is away"));
}

#[test]
fn other_signers_are_left_alone_and_old_requests_go() {
    let mut scene = Scene::new().with(request("example.com/own", JANE, "jane"));
    decide(&mut scene, "Approved");
    assert_eq!(settled(scene.clone()).str_at(&["status", "certificate"]), None);
    scene.pass(Duration::from_secs(3_601));
    scene.check(&controller(), "r", "delete CertificateSigningRequest/r\n");
    let mut scene = Scene::new().with(request(CLIENT, JANE, "jane"));
    scene.pass(Duration::from_secs(86_399));
    let key = Key::new(&SIGNING_REQUEST, "", "r");
    assert_eq!(scene.plan(&controller(), &key).requeue_after, Some(Duration::from_secs(1)));
    scene.pass(Duration::from_secs(2));
    scene.check(&controller(), "r", "delete CertificateSigningRequest/r\n");
}
