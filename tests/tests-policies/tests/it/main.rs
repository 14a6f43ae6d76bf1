//! A million questions to the door, each asked in three ways: as a request, as a review of oneself, and by the rules that
//! a review tells; all agree with the model.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where something is not as it must be"
)]

use std::sync::Arc;

use actors_core::{Now, Rng, Turn};
use actors_kinds::Registry;
use actors_object::{Object, Value, json, value};
use nodes_door::{
    Body, Door, DoorConfig, Identity, Media, Options, Request, Response, ResponseBody, Step,
    Target, Verb,
};
use store_catalog::{Catalog, RingLimits, Snapshot};
use store_mvcc::{Change, ChangeKind, Columns, Key, Revision, Stored};
use tests_policies::{Ask, NAMESPACES, PEOPLE, Policy, RESOURCES, rules_allow};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 1;
const CASES: u64 = 1_000_000;
const CASES_OF_A_POLICY: u64 = 500;

struct Scene<'a> {
    door: &'a Door,
    snapshot: Snapshot,
    rng: Rng,
}

impl<'a> Scene<'a> {
    fn new(door: &'a Door, policy: &Policy) -> Self {
        let registry = door.registry();
        let mut catalog = Catalog::new(RingLimits::default(), door.opener());
        let changes: Vec<Arc<Change>> = policy
            .objects()
            .iter()
            .chain(&[role_of_reviews(), binding_of_reviews()])
            .enumerate()
            .map(|(at, object)| {
                let revision = Revision(u64::try_from(at).unwrap_or(0) + 1);
                let facts = registry.kind_of(object).expect("a known kind");
                let namespace = Some(object.namespace()).filter(|text| !text.is_empty());
                let of = (&facts.gvk.group, &facts.plural);
                let key = Key::object(of.0, of.1, namespace, object.name());
                stored(key, revision, object)
            })
            .collect();
        let last = Revision(u64::try_from(changes.len()).unwrap_or(0));
        catalog.publish(&changes, last);
        Self { door, snapshot: catalog.snapshot(), rng: Rng::from_number(1) }
    }

    fn decide(&mut self, request: &Request) -> Response {
        let view = &self.snapshot;
        let mut turn = Turn { now: Now::default(), rng: &mut self.rng, view };
        match self.door.decide(request, &mut turn) {
            Step::Reply(response) => response,
            other => panic!("no answer: {other:?}"),
        }
    }

    /// Whether the request itself is let in.
    fn is_let_in(&mut self, ask: &Ask) -> bool {
        let request = request_of(ask);
        let code = match request.verb {
            Verb::Watch => {
                self.door.watch(&request, &self.snapshot).map_or_else(|it| it.code, |_| 200)
            }
            _ => self.decide(&request).code,
        };
        // What is let in finds nothing, but that is another answer.
        assert!(matches!(code, 200 | 403 | 404), "{code} {ask:?}");
        code != 403
    }

    fn is_allowed_by_review(&mut self, ask: &Ask) -> bool {
        let (group, resource, sub) = RESOURCES[ask.resource];
        let review = value!({ "spec": { "resourceAttributes": {
            "verb": (ask.verb()), "group": group, "resource": resource, "subresource": sub,
            "namespace": (ask.namespace()), "name": (ask.name()),
        } } });
        let status = self.review(ask.person, "selfsubjectaccessreviews", &review);
        status.at("allowed").as_bool().expect("an answer")
    }

    fn rules(&mut self, person: usize, namespace: &str) -> Vec<Value> {
        let review = value!({ "spec": { "namespace": namespace } });
        let status = self.review(person, "selfsubjectrulesreviews", &review);
        assert_eq!(status.at("incomplete").as_bool(), Some(false));
        status.list_at(&["resourceRules"]).to_vec()
    }

    fn review(&mut self, person: usize, plural: &str, body: &Value) -> Value {
        let target = Target {
            group: "authorization.k8s.io".to_owned(),
            version: "v1".to_owned(),
            resource: plural.to_owned(),
            ..Target::default()
        };
        let request = request(person, Verb::Create, target, json::to_vec(body));
        match self.decide(&request).body {
            ResponseBody::Entry(entry) => entry.object().status().clone(),
            other => panic!("no review: {other:?}"),
        }
    }
}

/// Everybody may ask what they may; it allows nothing of what is asked.
fn role_of_reviews() -> Object {
    Object(value!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": "reviews" },
        "rules": [{
            "verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        }],
    }))
}

fn binding_of_reviews() -> Object {
    Object(value!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": "reviews" },
        "roleRef": { "kind": "ClusterRole", "name": "reviews" },
        "subjects": [{ "kind": "Group", "name": "system:authenticated" }],
    }))
}

fn stored(key: Key, revision: Revision, object: &Object) -> Arc<Change> {
    let value = json::to_vec(&object.0);
    // Behind the opening brace of the metadata's name, where a revision can be put.
    let rv_at = u32::try_from(value.len() - 1).expect("a short object");
    let columns = Columns { uid: object.name().to_owned(), rv_at, ..Columns::default() };
    let stored = Stored {
        key: key.clone(),
        create_revision: revision,
        mod_revision: revision,
        version: 1,
        value: value.into(),
        columns,
        lease: None,
    };
    let value = Some(Arc::new(stored));
    Arc::new(Change { revision, key, kind: ChangeKind::Put, value, prev: None })
}

fn request_of(ask: &Ask) -> Request {
    let (group, resource, sub) = RESOURCES[ask.resource];
    let verb = [Verb::Get, Verb::List, Verb::Watch][ask.verb];
    let target = Target {
        group: group.to_owned(),
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        subresource: Some(sub.to_owned()).filter(|sub| !sub.is_empty()),
        namespace: ask.namespace.map(|at| NAMESPACES[at].to_owned()),
        name: (verb == Verb::Get).then(|| ask.name().to_owned()),
    };
    let mut request = request(ask.person, verb, target, Vec::new());
    if verb != Verb::Get && ask.name != 0 {
        request.options.field_selector = Some(format!("metadata.name={}", ask.name()));
    }
    request
}

fn request(person: usize, verb: Verb, target: Target, body: Vec<u8>) -> Request {
    let (user, groups) = PEOPLE[person];
    Request {
        identity: Identity::new(user, groups),
        verb,
        target,
        options: Options::default(),
        body: Body { media: Media::Json, bytes: body.into() },
        user_agent: String::new(),
    }
}

#[test]
fn requests_reviews_and_rules_agree_with_the_model() {
    let registry = Registry::builtin().expect("the tables are good");
    let door = Door::new(registry, DoorConfig::default(), None);
    let mut rng = Rng::from_number(SEED);
    let (mut done, mut allowed) = (0, 0);
    while done < CASES {
        let policy = Policy::random(&mut rng);
        let model = policy.model();
        let mut scene = Scene::new(&door, &policy);
        let rules: Vec<Vec<Vec<Value>>> = (0..PEOPLE.len())
            .map(|person| NAMESPACES.iter().map(|place| scene.rules(person, place)).collect())
            .collect();
        for _ in 0..CASES_OF_A_POLICY.min(CASES - done) {
            let ask = Ask::random(&mut rng);
            let expected = model.allows(&ask);
            let told = || format!("{ask:?} in {policy:#?}");
            assert_eq!(scene.is_let_in(&ask), expected, "request {}", told());
            assert_eq!(scene.is_allowed_by_review(&ask), expected, "review {}", told());
            // Rules are told for a namespace; those of everywhere are among them.
            if let Some(place) = ask.namespace {
                let by_rules = rules_allow(&rules[ask.person][place], &ask);
                assert_eq!(by_rules, expected, "rules {}", told());
            }
            allowed += u64::from(expected);
            done += 1;
        }
    }
    // Else the cases would say little.
    assert!(allowed * 10 > done && allowed * 10 < done * 9, "{allowed} of {done} are allowed");
}
