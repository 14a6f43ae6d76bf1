//! Parts fail: each is started again, and nothing that was acknowledged is lost.

use store_service::{Health, ProposeError};

use crate::server::{Fault, Folder, SOON, Server, insist, put, revision};

async fn heals(fault: Fault) {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let kept = revision(&server.store.propose(put("kept", "{\"n\":1}")).await.unwrap());
    server.faults.set(Some(fault));
    let outcome = insist(&server.store, put("b", "{\"n\":2}")).await;
    assert!(!server.faults.is_set(), "the fault did not happen");
    assert_eq!(revision(&outcome), kept.next(), "it was applied twice, or something was lost");
    server.lead().await;
    insist(&server.store, put("c", "{\"n\":3}")).await;
    for (name, value) in [("kept", "{\"n\":1}"), ("b", "{\"n\":2}"), ("c", "{\"n\":3}")] {
        assert_eq!(server.value(name).as_deref(), Some(value));
    }
    let mut health = server.store.health();
    let good = tokio::time::timeout(SOON, health.wait_for(|health| *health == Health::Good));
    good.await.unwrap().unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_the_apply_actor_heals() {
    heals(Fault::PanicInBatch).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_of_the_state_heals() {
    heals(Fault::FailBatch).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_of_the_log_heals() {
    heals(Fault::FailSync).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    server.store.propose(put("kept", "{}")).await.unwrap();
    server.faults.set(Some(Fault::LogFull));
    let store = server.store.clone();
    let waiting = async { store.propose(put("waits", "{}")).await };
    let mut health = server.store.health();
    let full = health.wait_for(|health| *health == Health::DiskFull);
    let mut leadership = server.store.leadership();
    let room = async {
        full.await.unwrap();
        let down = leadership.wait_for(|leadership| leadership.epoch.is_none());
        down.await.unwrap();
        let refused = server.store.propose(put("refused", "{}")).await;
        assert!(matches!(refused, Err(ProposeError::NotLeader { .. })), "{refused:?}");
        assert_eq!(server.value("kept").as_deref(), Some("{}"), "reads must go on");
        server.faults.set(None);
    };
    let (outcome, ()) = tokio::join!(waiting, room);
    assert!(outcome.is_ok(), "what waited is done when there is room: {outcome:?}");
    server.lead().await;
    insist(&server.store, put("after", "{}")).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_actor_may_be_killed_under_load() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let mut last = server.store.revision();
    for part in ["peer", "log", "apply", "intake", "herald", "control", "peer", "apply"] {
        let writes = async {
            for number in 0..20 {
                let name = format!("{part}-{number}");
                let outcome = insist(&server.store, put(&name, "{}")).await;
                let next = revision(&outcome);
                assert_eq!(next, last.next(), "{part}: something was lost or done twice");
                last = next;
                if number == 5 {
                    server.system.kill(&format!("store/main/{part}")).unwrap();
                }
            }
        };
        writes.await;
        server.lead().await;
    }
    assert_eq!(server.store.snapshot().len(), 120);
    server.stop().await;
}
