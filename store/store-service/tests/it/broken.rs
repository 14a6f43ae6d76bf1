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

/// What is served while a disk is full: everything that is in memory, and no write.
async fn serves_reads_only(server: &Server, folder: &Folder) {
    let place = folder.path().display().to_string();
    assert_eq!(*server.store.health().borrow(), Health::DiskFull { place: place.clone() });
    let refused = server.store.propose(put("refused", "{}")).await;
    assert_eq!(refused, Err(ProposeError::DiskFull { place }));
    server.store.read_barrier().await.unwrap();
    assert!(server.store.epoch().is_some(), "it leads on: nobody else can");
    assert_eq!(server.value("kept").as_deref(), Some("{}"), "reads must go on");
}

async fn good(server: &Server) {
    let mut health = server.store.health();
    let good = tokio::time::timeout(SOON, health.wait_for(|health| *health == Health::Good));
    good.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_log_refuses_writes_and_lets_reads_go_on_until_there_is_room() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    let kept = revision(&server.store.propose(put("kept", "{}")).await.unwrap());
    server.faults.set(Some(Fault::LogFull));
    let waits = put("waits", "{}");
    let outcome = server.store.propose(waits.clone()).await;
    assert_eq!(outcome, Err(ProposeError::Unknown), "it waits in the log for room");
    serves_reads_only(&server, &folder).await;
    server.faults.set(None);
    good(&server).await;
    let outcome = server.store.propose(waits).await.unwrap();
    assert_eq!(revision(&outcome), kept.next(), "it was done, and once");
    server.store.propose(put("after", "{}")).await.unwrap();
    assert_eq!(server.value("refused"), None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_state_refuses_writes_and_shows_what_the_log_has() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    server.store.propose(put("kept", "{}")).await.unwrap();
    server.faults.set(Some(Fault::StateFull));
    server.store.propose(put("logged", "{}")).await.unwrap();
    assert_eq!(server.value("logged").as_deref(), Some("{}"));
    let mut health = server.store.health();
    health.wait_for(Health::is_disk_full).await.unwrap();
    serves_reads_only(&server, &folder).await;
    server.faults.set(None);
    good(&server).await;
    server.store.propose(put("after", "{}")).await.unwrap();
    server.stop().await;
    let server = Server::start(&folder).await;
    for name in ["kept", "logged", "after"] {
        assert_eq!(server.value(name).as_deref(), Some("{}"), "{name}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_room() {
    let folder = Folder::new();
    let server = Server::start(&folder).await;
    server.store.propose(put("kept", "{}")).await.unwrap();
    server.faults.set(Some(Fault::StateFull));
    tokio::time::timeout(SOON, server.stop()).await.expect("it waits for room");
    let server = Server::start(&folder).await;
    assert_eq!(server.value("kept").as_deref(), Some("{}"), "the log has it");
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
