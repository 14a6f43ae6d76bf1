//! Lists and watches of revisions that are forgotten. Its servers are its own: whoever watched them from an earlier
//! revision would be told that it is gone.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking, and says why it does not run"
)]

use std::{
    fs,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use actors_runtime::Clock;
use expect_test::expect;
use serde_json::{Value, json};
use store_mvcc::{GroupId, Op, Proposal, Revision, ShardId, Token, Writer};
use tests_conformance::door::{Door, servers};

/// How many objects are listed.
const COUNT: usize = 40;

/// Nobody forgets what another test lists.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    let _turn = one_at_a_time();
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

/// A revision that was forgotten after it was shown, and the token of a list that was begun at it, at the first server.
fn forgotten(door: &Door, all: &str) -> (String, String) {
    for number in 0..3 {
        door.post(all, &template(number)).expect_code(201);
    }
    let first = door.at(0).get(&format!("{all}?limit=1")).expect_code(200).json();
    let text = |field: &str| first["metadata"][field].as_str().unwrap().to_owned();
    for number in 1..3 {
        door.delete(&format!("{all}/template-{number:04}")).expect_code(200);
    }
    forget();
    door.caught_up();
    (text("resourceVersion"), text("continue"))
}

#[test]
fn a_watch_behind_a_forgotten_revision_is_told_so_by_an_event() {
    let _turn = one_at_a_time();
    let door = Door::open();
    let all = format!("/api/v1/namespaces/{}/podtemplates", door.namespace());
    let (revision, _) = forgotten(door, &all);
    for server in 0..3 {
        let mut watch = door
            .at(server)
            .watch(&format!("{all}?watch=1&timeoutSeconds=20&resourceVersion={revision}"));
        let (word, status) = watch.event();
        assert_eq!(
            (&*word, &status["code"], &status["reason"]),
            ("ERROR", &410.into(), &"Expired".into())
        );
        assert_eq!(watch.next(), None);
    }
}

/// Stock kubectl, with the kubeconfig of one server: what it prints, what it complains, and how it ends.
fn kubectl(door: &Door, words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    fs::write(&config, door.kubeconfig()).unwrap();
    let mut command = Command::new("kubectl");
    let ran = command.env("HOME", folder.path()).env("KUBECONFIG", config).args(words).output();
    let ran = ran.expect("kubectl runs");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    format!("{out}{err}exit code {}\n", ran.status.code().unwrap_or(-1))
}

/// What a stock kubectl shows of 410: the refusal of a list in its own words, the event of a watch as it came.
#[test]
fn kubectl_shows_that_what_it_asks_for_is_gone() {
    let version = Command::new("kubectl").args(["version", "--client"]).output();
    if !version.is_ok_and(|ran| ran.status.success()) {
        return println!("NOT RUN: kubectl is not installed");
    }
    let _turn = one_at_a_time();
    let door = Door::open();
    let home = door.namespace();
    let all = format!("/api/v1/namespaces/{home}/podtemplates");
    let (revision, token) = forgotten(door, &all);
    let page = format!("{all}?limit=1&continue={token}");
    let told = kubectl(&door.at(1), &["get", "--raw", &page]);
    expect![[r#"
        Error from server (Expired): the continue token is too old: the revision of the first page is no longer kept. List again, or go on with the token in this status, whose pages show later changes.
        exit code 1
    "#]].assert_eq(&told);
    let exact = format!("{all}?resourceVersion={revision}&resourceVersionMatch=Exact");
    let told = kubectl(&door.at(2), &["get", "--raw", &exact]);
    expect![[r#"
        Error from server (Expired): the list at this resourceVersion is no longer kept
        exit code 1
    "#]]
    .assert_eq(&told);
    let watch = format!("{all}?watch=1&timeoutSeconds=20&resourceVersion={revision}");
    let told = kubectl(&door.at(1), &["get", "--raw", &watch]);
    let behind = told.split('(').nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
    let told = told.replace(&format!("{revision} ({behind})"), "ASKED (KEPT)");
    expect![[r#"
        {"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: ASKED (KEPT)","reason":"Expired","code":410}}
        exit code 0
    "#]].assert_eq(&told);
    // A list of its own is of one revision from its first piece to its last.
    let told = kubectl(door, &["-n", &home, "get", "podtemplates", "--chunk-size=1", "-o", "name"]);
    expect![[r#"
        podtemplate/template-0000
        exit code 0
    "#]]
    .assert_eq(&told);
}
