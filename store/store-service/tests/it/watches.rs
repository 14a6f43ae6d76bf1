//! Watches: live, from the ring, from the history on disk, and when that is gone.

use std::{sync::Arc, time::Duration};

use store_catalog::RingLimits;
use store_mvcc::{Key, Op, Revision};
use store_service::{Alone, StoreConfig, Watch, WatchEnd};

use crate::server::{Folder, SOON, Server, config, insist, key, proposal, put, revision};

/// The names of the next `count` changes.
async fn take(watch: &mut Watch, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    while names.len() < count {
        let events = tokio::time::timeout(SOON, watch.next()).await.expect("nothing came").unwrap();
        names.extend(
            events
                .iter()
                .map(|event| String::from_utf8(event.key.last_segment().to_vec()).unwrap()),
        );
    }
    names
}

fn all() -> Key {
    Key::prefix("", "configmaps", None)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_gives_what_happens_and_nothing_else() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let mut everything = server.store.watch(server.store.revision(), all());
    let mut one = server.store.watch(server.store.revision(), key("b"));
    for name in ["a", "b", "c"] {
        server.store.propose(put(name, "{}")).await.unwrap();
    }
    assert_eq!(take(&mut everything, 3).await, ["a", "b", "c"]);
    assert_eq!(take(&mut one, 1).await, ["b"]);
    let last = revision(&server.store.propose(put("d", "{}")).await.unwrap());
    assert_eq!(take(&mut everything, 1).await, ["d"]);
    assert_eq!(everything.revision(), last);
    let quiet = async {
        while one.revision() < last {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, quiet).await.expect("an idle watch stays behind");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_resumes_from_the_history_also_after_a_restart() {
    let folder = Folder::new();
    let small = || StoreConfig { ring: RingLimits { events: 4, bytes: 1 << 20 }, ..config(1, 1) };
    let server = Server::start_with(folder.path(), small(), Arc::new(Alone)).await;
    server.lead().await;
    let from = server.store.revision();
    let names: Vec<String> = (0..600).map(|number| format!("c-{number}")).collect();
    for name in &names {
        server.store.propose(put(name, "{}")).await.unwrap();
    }
    let mut slow = server.store.watch(from, all());
    assert_eq!(take(&mut slow, 600).await, names);
    server.stop().await;
    let server = Server::start_with(folder.path(), small(), Arc::new(Alone)).await;
    server.lead().await;
    let mut resumed = server.store.watch(Revision(from.0 + 300), all());
    assert_eq!(take(&mut resumed, 300).await, names[300..]);
    server.store.propose(put("new", "{}")).await.unwrap();
    assert_eq!(take(&mut resumed, 1).await, ["new"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_survives_the_apply_actor() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let mut watch = server.store.watch(server.store.revision(), all());
    insist(&server.store, put("a", "{}")).await;
    server.system.kill("store/main/apply").unwrap();
    insist(&server.store, put("b", "{}")).await;
    server.system.kill("store/main/herald").unwrap();
    insist(&server.store, put("c", "{}")).await;
    assert_eq!(take(&mut watch, 3).await, ["a", "b", "c"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_compacted_has_expired_and_an_idle_watch_has_not() {
    let folder = Folder::new();
    let few = StoreConfig { ring: RingLimits { events: 2, bytes: 1 << 20 }, ..config(1, 1) };
    let server = Server::start_with(folder.path(), few, Arc::new(Alone)).await;
    server.lead().await;
    let mut idle = server.store.watch(server.store.revision(), key("idle"));
    for number in 0..10 {
        server.store.propose(put(&format!("c-{number}"), "{}")).await.unwrap();
    }
    let below = server.store.revision();
    server.store.propose(proposal(vec![Op::Compact { below }])).await.unwrap();
    let mut old = server.store.watch(Revision(1), all());
    let ended = tokio::time::timeout(SOON, old.next()).await.unwrap().map(|events| events.len());
    assert_eq!(ended, Err(WatchEnd::Expired { after: Revision(1), compacted: below }));
    let quiet = async {
        while idle.revision() < below {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, quiet).await.expect("an idle watch stays behind");
    server.store.propose(put("idle", "{}")).await.unwrap();
    assert_eq!(take(&mut idle, 1).await, ["idle"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_given_up_by_itself() {
    let folder = Folder::new();
    let short = StoreConfig { history: Duration::from_millis(200), ..config(1, 1) };
    let server = Server::start_with(folder.path(), short, Arc::new(Alone)).await;
    server.lead().await;
    let first = revision(&server.store.propose(put("a", "{}")).await.unwrap());
    let compacted = async {
        while server.store.snapshot().compacted() < first {
            insist(&server.store, put("a", "{}")).await;
        }
    };
    tokio::time::timeout(SOON, compacted).await.expect("nothing was compacted");
    server.stop().await;
}
