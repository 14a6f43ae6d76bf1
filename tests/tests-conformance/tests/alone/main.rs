//! Lists whose revision is forgotten between two pages. Its servers are its own: whoever watched them from an earlier
//! revision would be told that it is gone.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use actors_runtime::Clock;
use serde_json::{Value, json};
use store_mvcc::{GroupId, Op, Proposal, Revision, ShardId, Token, Writer};
use tests_conformance::door::{Door, servers};

/// How many objects are listed.
const COUNT: usize = 40;

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn template(number: usize) -> Value {
    let spec = json!({ "containers": [{ "name": "test", "image": "test:1" }] });
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": spec });
    json!({ "metadata": { "name": format!("template-{number:04}") }, "template": template })
}

/// Has all servers give up what was before their newest revision, as they do with what is older than five minutes.
fn forget() {
    let servers = servers();
    let leader = servers.all.iter().find(|server| server.store().epoch().is_some());
    let store = leader.expect("one leads").store();
    let (below, epoch) = (store.revision(), store.epoch().expect("it leads"));
    let proposal = Proposal {
        group: GroupId::MAIN,
        writer: Writer { shard: ShardId::ALL, epoch, name: "test".to_owned() },
        token: Token::NONE,
        feature_level: 1,
        at: Clock.now().wall,
        atomic: true,
        ops: vec![Op::Compact { below }],
    };
    let outcome = servers.runtime.block_on(store.propose(proposal)).expect("an outcome");
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn a_list_goes_on_behind_its_last_key_when_its_revision_is_forgotten() {
    let door = Door::open();
    let all = format!("/api/v1/namespaces/{}/podtemplates", door.namespace());
    for number in 0..COUNT {
        door.post(&all, &template(number)).expect_code(201);
    }
    let first = door.at(0).get(&format!("{all}?limit=10")).expect_code(200).json();
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    let revision: u64 = first["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    // What comes later is in the pages that follow, and what was before is not.
    door.delete(&format!("{all}/template-0020")).expect_code(200);
    door.post(&all, &template(COUNT)).expect_code(201);
    forget();
    door.caught_up();
    let servers = servers().all.iter();
    assert!(servers.clone().all(|one| one.store().snapshot().compacted() > Revision(revision)));

    // The server that began the list keeps it for a while; another one has never heard of it.
    let expired =
        door.at(1).get(&format!("{all}?limit=10&continue={token}")).expect_code(410).json();
    assert_eq!(expired["reason"], "Expired");
    let mut token = expired["metadata"]["continue"].as_str().expect("a way to go on").to_owned();
    let mut seen = names(&first);
    let mut later = None;
    while !token.is_empty() {
        let list = door.get(&format!("{all}?limit=10&continue={token}")).expect_code(200).json();
        let own: u64 = list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        assert!(own > revision);
        assert_eq!(*later.get_or_insert(own), own, "what follows is of one revision again");
        seen.extend(names(&list));
        token = list["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
    }
    let whole = (0..=COUNT).filter(|number| *number != 20);
    assert_eq!(seen, whole.map(|number| format!("template-{number:04}")).collect::<Vec<_>>());
}
