//! Who is not welcome: refused at one end with a sentence that is counted, and told to the other.

use std::{collections::BTreeMap, sync::Arc};

use mesh_quic::{AskError, DownReason, Lane, LinkState, Mesh, MeshConfig, Service, TraceContext};

use crate::scene::{
    Authority, CLUSTER, Echo, Process, config, config_with, is_up, link, pair, peer, until,
};

const FOREIGN: &str = "ffffffffffffffffffffffffffffffff";

/// A stranger is called by, or calls, a server of ours. One end refuses, with this sentence, and
/// the other hears it.
async fn check(stranger: MeshConfig, ours: MeshConfig, sentence: &str) {
    // With the stranger's name on either side of ours, either end calls first.
    let mut ours = Process::start(ours).await;
    let stranger = Process::start(stranger).await;
    let name = stranger.mesh.me().node.clone();
    let our_name = ours.mesh.me().node.clone();

    // The stranger calls.
    stranger.knows(&[&ours]);
    until("our refusal", || ours.refused().contains_key(sentence)).await;
    let heard = format!("{our_name} refuses this process: {sentence}");
    until("the stranger to hear it", || {
        stranger.link(&our_name).is_some_and(|link| link.last_error.as_ref() == Some(&heard))
    })
    .await;
    assert!(!ours.mesh.links().iter().any(is_up));
    until("it to be counted", || ours.refused()[sentence] > 2).await;
    stranger.knows(&[]);

    // We call.
    let counted = ours.refused()[sentence];
    ours.knows(&[&stranger]);
    assert_eq!(ours.down().await, (name.clone(), DownReason::Refused(sentence.to_owned())));
    until("our refusal", || ours.refused()[sentence] > counted).await;
    let view = ours.link(&name).unwrap();
    assert!(matches!(view.state, LinkState::Connecting { .. }), "{view:?}");
    assert_eq!(view.last_error.as_deref(), Some(sentence));
}

#[tokio::test]
async fn a_stranger_to_the_authority_is_refused() {
    for name in ["agent-1", "zebra"] {
        let ours = config(&Authority::new(), "server-1");
        let mut stranger = config(&Authority::new(), name);
        // It trusts us; we do not trust it.
        stranger.authorities_pem.push_str(&ours.authorities_pem);
        let role = peer(name).role;
        let sentence = format!(
            "the certificate of {role} {name} was not signed by an authority of this cluster"
        );
        check(stranger, ours, &sentence).await;
    }
}

#[tokio::test]
async fn a_certificate_of_another_cluster_is_refused() {
    let authority = Authority::new();
    let mut me = peer("server-2");
    me.cluster = FOREIGN.to_owned();
    let stranger = config_with(&authority, &me, time::Duration::days(1));
    let ours = Process::start(config(&authority, "server-1")).await;
    let stranger = Process::start(stranger).await;
    // Each refuses the other, whoever looks first.
    stranger.knows(&[&ours]);
    ours.knows(&[&stranger]);
    let sentence = format!(
        "the certificate of server server-2 is of cluster {FOREIGN}, and this is cluster {CLUSTER}"
    );
    until("our refusal", || ours.refused().contains_key(&sentence)).await;
    let theirs = format!(
        "the certificate of server server-1 is of cluster {CLUSTER}, and this is cluster {FOREIGN}"
    );
    until("its refusal", || stranger.refused().contains_key(&theirs)).await;
    let told = format!("server-2 refuses this process: {theirs}");
    until("both sentences", || {
        let error = ours.link("server-2").and_then(|link| link.last_error);
        error.is_some_and(|error| error == sentence || error == told)
    })
    .await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let ours = config(&authority, "server-1");
    let stranger = config_with(&authority, &peer("agent-1"), -time::Duration::hours(1));
    check(stranger, ours, "the certificate of agent agent-1 has expired").await;
}

#[tokio::test]
async fn a_link_ends_with_its_certificate() {
    let authority = Authority::new();
    let mut ours = Process::start(config(&authority, "server-1")).await;
    // They are linked long before.
    let ends_in = time::Duration::seconds(8);
    let other = Process::start(config_with(&authority, &peer("agent-1"), ends_in)).await;
    link(&ours, &other).await;
    let sentence = "the certificate of agent agent-1 has expired".to_owned();
    let end = ours.down().await;
    assert_eq!(end, ("agent-1".to_owned(), DownReason::Refused(sentence.clone())));
    assert!(ours.refused().contains_key(&sentence));
    // With a new certificate it is welcome again.
    let paper = authority.issue(&peer("agent-1"), time::Duration::days(1));
    other.mesh.replace_identity(&paper.certificate, &paper.key).unwrap();
    link(&ours, &other).await;
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_from_the_start_and_while_it_is_linked() {
    let authority = Authority::new();
    let mut stranger = config(&authority, "agent-1");
    let paper = authority.issue(&peer("agent-1"), time::Duration::days(1));
    (stranger.certificate_pem, stranger.key_pem) = (paper.certificate, paper.key);
    let mut ours = config(&authority, "server-1");
    ours.revoked = vec![paper.serial.clone()];
    let sentence = "the certificate of agent agent-1 is revoked";
    check(stranger.clone(), ours.clone(), sentence).await;

    ours.revoked = Vec::new();
    stranger.listen.set_port(0);
    let mut ours = Process::start(ours).await;
    let mut other = Process::start(stranger).await;
    link(&ours, &other).await;
    ours.mesh.set_revoked(vec![paper.serial.to_ascii_uppercase()]);
    let refused = DownReason::Refused(sentence.to_owned());
    assert_eq!(ours.down().await, ("agent-1".to_owned(), refused));
    let told = DownReason::Refused(format!("server-1 refuses this process: {sentence}"));
    assert_eq!(other.down().await, ("server-1".to_owned(), told));
    assert!(ours.refused().contains_key(sentence));
}

#[tokio::test]
async fn another_process_at_an_address_is_not_taken_for_the_one_that_was_called() {
    let authority = Authority::new();
    let first = Process::start(config(&authority, "server-1")).await;
    let second = Process::start(config(&authority, "server-2")).await;
    let place =
        mesh_quic::PeerAddress { role: second.mesh.me().role, address: second.mesh.local_addr() };
    first.mesh.set_peers(BTreeMap::from([("server-3".to_owned(), place)]));
    let sentence = "server-3 was called, and server server-2 has answered";
    until("the refusal", || first.refused().contains_key(sentence)).await;
    assert!(!first.mesh.links().iter().any(is_up));
}

#[tokio::test]
async fn a_process_that_calls_itself_is_refused() {
    let authority = Authority::new();
    let first = Process::start(config(&authority, "server-1")).await;
    // Two machines were given the same name.
    let second = Process::start(config(&authority, "server-1")).await;
    let place =
        mesh_quic::PeerAddress { role: second.mesh.me().role, address: second.mesh.local_addr() };
    first.mesh.set_peers(BTreeMap::from([("server-1".to_owned(), place)]));
    assert!(first.mesh.links().is_empty());
}

#[tokio::test]
async fn an_agent_that_speaks_raft_is_refused_and_counted() {
    let (agent, server) = pair("agent-1", "server-1").await;
    let (echo, mut heard) = Echo::new();
    for service in [Service::RAFT, Service::PROPOSE, Service::NODE_EXEC, Service::DOOR] {
        server.mesh.serve(service, Arc::<Echo>::clone(&echo));
    }
    let raft = "agent agent-1 may not speak to raft";
    for lane in [Lane::Raft, Lane::Rpc, Lane::Control] {
        agent.mesh.tell("server-1", lane, Service::RAFT, "vote".into()).unwrap();
    }
    until("the refusals", || server.refused().get(raft) == Some(&3)).await;
    let propose = "agent agent-1 may not speak to propose";
    let asked = agent.ask("server-1", Service::PROPOSE, "x").await;
    assert_eq!(asked, Err(AskError::Refused(propose.to_owned())));
    let exec = "agent agent-1 may not speak to node-exec";
    let stream =
        agent.mesh.open_stream("server-1", Service::NODE_EXEC, "sh".into(), TraceContext::NONE);
    assert_eq!(stream.await.unwrap_err(), AskError::Refused(exec.to_owned()));
    let counted = [(raft.to_owned(), 3), (propose.to_owned(), 1), (exec.to_owned(), 1)];
    assert_eq!(server.refused(), BTreeMap::from(counted));
    assert!(server.mesh.refusals().iter().all(|refusal| refusal.peer == Some(peer("agent-1"))));
    assert_eq!(server.link("agent-1").unwrap().refused, 5);
    assert!(heard.try_recv().is_err());
    // What it may do, it still may.
    assert_eq!(agent.ask("server-1", Service::DOOR, "x").await.unwrap(), "x");
}

#[test]
fn an_endpoint_is_not_opened_with_a_wrong_identity() {
    let authority = Authority::new();
    let check = |config: MeshConfig, expected: &str| {
        let error = Mesh::open(config).expect_err("a wrong identity");
        let mut text = error.to_string();
        if let Some(source) = std::error::Error::source(&error) {
            text = format!("{text}: {source}");
        }
        assert!(text.starts_with(expected), "{text}");
    };
    let mut other = config(&authority, "server-1");
    other.me.node = "server-2".to_owned();
    let expected = format!(
        "the certificate is of starling://{CLUSTER}/default/server/server-1, and this process is \
         starling://{CLUSTER}/default/server/server-2"
    );
    check(other, &expected);
    let mut empty = config(&authority, "server-1");
    empty.certificate_pem = String::new();
    check(empty, "the certificate cannot be read: it is empty");
    let mut plain = config(&authority, "server-1");
    plain.certificate_pem = authority.pem.clone();
    check(plain, "the certificate cannot be read: the certificate names 0 peers of a mesh");
    let mut key = config(&authority, "server-1");
    key.key_pem = config(&authority, "server-1").key_pem;
    check(key, "the certificate and its key cannot be used");
    let mut nobody = config(&authority, "server-1");
    nobody.authorities_pem = String::new();
    check(nobody, "the authorities of the cluster cannot be read");
}
