//! Certificates that end and are renewed while everything runs on, and certificates that are revoked.

use std::{path::Path, sync::Arc, time::Duration};

use actors_object::ApiError;
use actors_runtime::Clock;
use mesh_quic::{Lane, LinkState, Mesh, Service};
use nodes_client::Later;
use nodes_mesh::{
    RemoteClient, SignedLog, hear_revocations, own_renewal, renewal, serve_renewals,
    tell_revocations,
};
use nodes_pki::{Authority, NodeKeys, Pki, serial_of};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::scene::{Machine, Told, authority, ending_keys, link, make_keys, until};

/// Notes nothing.
struct NoLog;

impl SignedLog for NoLog {
    fn note(&self, _node: String, _serial: String) -> Later<'_, Result<(), ApiError>> {
        Box::pin(async { Ok(()) })
    }
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("starling-certificates-").tempdir().unwrap()
}

fn pki(folder: &Path) -> Arc<Pki> {
    let mut rng = actors_core::Rng::from_number(1);
    Arc::new(Pki::open_or_create(folder, &[], Clock.now().wall, &mut rng).unwrap())
}

/// Notes nothing before the machines are linked: the first link is under the first certificate.
struct AfterLink(watch::Receiver<bool>);

impl SignedLog for AfterLink {
    fn note(&self, _node: String, _serial: String) -> Later<'_, Result<(), ApiError>> {
        let mut linked = self.0.clone();
        Box::pin(async move {
            linked.wait_for(|linked| *linked).await.map_err(ApiError::internal)?;
            Ok(())
        })
    }
}

/// So soon the first certificate of the machine that is looked at ends; until then the machines must be linked.
const SOON: Duration = Duration::from_secs(8);

/// Whether the link is up, and not for the first time.
fn is_up_again(mesh: &Mesh, node: &str) -> bool {
    let links = mesh.links();
    let link = links.iter().find(|link| link.node == node);
    link.is_some_and(|link| link.reconnects > 0 && matches!(link.state, LinkState::Up { .. }))
}

#[tokio::test]
async fn an_agents_certificate_is_renewed_by_a_server_before_it_ends() {
    let folders = [folder(), folder()];
    let [of_server, of_agent] = folders.each_ref().map(TempDir::path);
    let pki = pki(of_server);
    let server = Machine::start(&pki.authority, "server-1", |mesh, _| {
        serve_renewals(mesh, Arc::clone(&pki), Arc::new(NoLog));
        Vec::new()
    })
    .await;
    let first = ending_keys(&pki.authority, "agent-1", SOON);
    first.store(of_agent).unwrap();
    let told = Told::of(&["server-1", "agent-1"]);
    let agent = Machine::with_keys("agent-1", &first, |mesh, _| {
        let client = RemoteClient::new(mesh.clone(), told.view());
        vec![client.child(), renewal(mesh, &client, of_agent.to_owned())]
    })
    .await;
    link(&[&server, &agent]).await;
    until("another certificate on disk", || {
        NodeKeys::open(of_agent).is_ok_and(|keys| keys.certificate_pem != first.certificate_pem)
    })
    .await;
    let fresh = NodeKeys::open(of_agent).unwrap();
    assert!(!fresh.is_due(Clock.now().wall));
    assert_ne!(fresh.key_pem, first.key_pem, "a new key with each certificate");
    // A link ends with the certificate that it was made with; only the new one brings it up again.
    until("the link under the new certificate", || is_up_again(&server.mesh, "agent-1")).await;
    assert!(first.is_due(Clock.now().wall));
}

#[tokio::test]
async fn a_servers_certificate_is_renewed_by_itself_before_it_ends() {
    let folder = folder();
    let own = folder.path();
    let pki = pki(own);
    let first = ending_keys(&pki.authority, "server-1", SOON);
    first.store(own).unwrap();
    let (linked, after_link) = watch::channel(false);
    let server = Machine::with_keys("server-1", &first, |mesh, _| {
        vec![own_renewal(mesh, &pki, Arc::new(AfterLink(after_link)), own.to_owned())]
    })
    .await;
    let other = Machine::start(&pki.authority, "server-2", |_, _| Vec::new()).await;
    link(&[&server, &other]).await;
    linked.send_replace(true);
    until("the link under the new certificate", || is_up_again(&other.mesh, "server-1")).await;
    let fresh = NodeKeys::open(own).unwrap();
    assert!(fresh.certificate_pem != first.certificate_pem && !fresh.is_due(Clock.now().wall));
}

async fn hearing(authority: &Authority, node: &str) -> (Machine, NodeKeys) {
    let keys = make_keys(authority, node, Clock.now().wall);
    (Machine::with_keys(node, &keys, |mesh, _| vec![hear_revocations(mesh)]).await, keys)
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_by_agents_too_on_the_word_of_servers_alone() {
    let authority = authority();
    let server = Machine::start(&authority, "server-1", |_, _| Vec::new()).await;
    let (one, _) = hearing(&authority, "agent-1").await;
    let (two, keys) = hearing(&authority, "agent-2").await;
    link(&[&server, &one, &two]).await;
    let serials = [serial_of(&keys.certificate_pem).unwrap()].into();
    let has = |at: &Machine, sentence: &str| {
        at.mesh.refusals().iter().any(|refusal| refusal.reason.contains(sentence))
    };
    tell_revocations(&two.mesh, "agent-1", &serials);
    until("an agent that says so", || has(&one, "agent agent-2 may not speak to revoked")).await;
    assert!(!has(&one, "is revoked"));
    tell_revocations(&server.mesh, "agent-1", &serials);
    until("its end", || has(&one, "the certificate of agent agent-2 is revoked")).await;
    // A server that lags behind takes nothing back.
    tell_revocations(&server.mesh, "agent-1", &["00".to_owned()].into());
    let told = server.mesh.tell("agent-1", Lane::Rpc, Service::REVOKED, vec![7; 3].into());
    told.unwrap();
    let count = |at: &Machine| {
        let refusals = at.mesh.refusals();
        refusals.iter().filter(|one| one.reason.contains("is revoked")).map(|one| one.count).sum()
    };
    let before: u64 = count(&one);
    until("it is refused again", || count(&one) > before).await;
}
