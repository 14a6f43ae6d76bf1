//! Ten thousand questions about random RBAC policies, over HTTP, by people whom the operator acts as: as a request and as
//! a review of oneself.

use actors_core::Rng;
use actors_object::{Object, json};
use serde_json::{Value, json};
use tests_policies::{Ask, NAMESPACES, PEOPLE, Policy, RESOURCES};

use crate::door::Door;

const CASES: usize = 10_000;
const CASES_OF_A_POLICY: usize = 200;

/// How many ask at a time.
const ASKERS: usize = 4;

#[test]
fn random_policies_mean_the_same_over_http() {
    let door = Door::open();
    for namespace in NAMESPACES {
        let body = json!({ "metadata": { "name": namespace } });
        door.post("/api/v1/namespaces", &body).expect_code(201);
    }
    let mut rng = Rng::from_number(1);
    let mut allowed = 0;
    for _ in 0..CASES / CASES_OF_A_POLICY {
        let policy = Policy::random(&mut rng).private();
        let model = policy.model();
        let objects = policy.objects();
        for object in &objects {
            door.post(&place(object), &body(object)).expect_code(201);
        }
        let asks: Vec<Ask> = (0..CASES_OF_A_POLICY).map(|_| Ask::random(&mut rng)).collect();
        allowed += asks.iter().filter(|ask| model.allows(ask)).count();
        let check = |ask: &Ask| {
            let expected = model.allows(ask);
            assert_eq!(is_let_in(door, ask), expected, "request {ask:?} in {policy:#?}");
            assert_eq!(is_allowed(door, ask), expected, "review {ask:?} in {policy:#?}");
        };
        std::thread::scope(|scope| {
            for part in asks.chunks(CASES_OF_A_POLICY / ASKERS) {
                scope.spawn(|| part.iter().for_each(check));
            }
        });
        for object in &objects {
            door.delete(&format!("{}/{}", place(object), object.name())).expect_code(200);
        }
    }
    // Else the cases would say little.
    assert!(allowed * 10 > CASES && allowed * 10 < CASES * 9, "{allowed} are allowed");
}

fn place(object: &Object) -> String {
    let plural = format!("{}s", object.kind().to_lowercase());
    match object.namespace() {
        "" => format!("/apis/rbac.authorization.k8s.io/v1/{plural}"),
        home => format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{home}/{plural}"),
    }
}

fn body(object: &Object) -> Value {
    serde_json::from_slice(&json::to_vec(&object.0)).expect("JSON")
}

/// The headers that say who asks.
fn head(ask: &Ask) -> Vec<(&'static str, &'static str)> {
    let (user, groups) = PEOPLE[ask.person];
    let mut head = vec![("impersonate-user", user)];
    head.extend(groups.iter().map(|group| ("impersonate-group", *group)));
    head
}

fn is_let_in(door: &Door, ask: &Ask) -> bool {
    let mut path = ask.path();
    if ask.verb() != "get" {
        let watches = if ask.verb() == "watch" { "watch=true&timeoutSeconds=5" } else { "" };
        let fields = match ask.name() {
            "" => String::new(),
            name => format!("&fieldSelector=metadata.name%3D{name}"),
        };
        path = format!("{path}?{watches}{fields}");
    }
    let code = door.code("GET", &path, &head(ask));
    // What is let in finds nothing, but that is another answer.
    assert!(matches!(code, 200 | 403 | 404), "{code} {path}");
    code != 403
}

fn is_allowed(door: &Door, ask: &Ask) -> bool {
    let (group, resource, sub) = RESOURCES[ask.resource];
    let review = json!({ "spec": { "resourceAttributes": {
        "verb": ask.verb(), "group": group, "resource": resource, "subresource": sub,
        "namespace": ask.namespace(), "name": ask.name(),
    } } });
    let mut head = head(ask);
    head.extend([("accept", "application/json"), ("content-type", "application/json")]);
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = door.ask("POST", path, &head, review.to_string().as_bytes());
    answer.expect_code(201).json()["status"]["allowed"].as_bool().expect("an answer")
}
