//! A new certificate for the same machine, before the old one expires.
//!
//! Way in: [`renewal`] on machines without the authority's key, [`own_renewal`] and [`serve_renewals`] on servers.
//! Invariant: what is signed is what the old certificate says: cluster, site, role and node of the asker.

use std::{path::PathBuf, sync::Arc, time::Duration};

use actors_core::ChildSpec;
use actors_object::ApiError;
use actors_runtime::{Child, Clock, Failure, Service as Hosted};
use bytes::Bytes;
use mesh_quic::{Ask, Handler, Later, Mesh};
use mesh_wire::{Lane, Peer, Role, Service, TraceContext};
use nodes_pki::{NodeKey, NodeKeys, NodeRole, NodeSubject, Pki, seconds_left, serial_of};
use tokio::time::timeout;

use crate::RemoteClient;

/// From one look at the certificate to the next, at most: a machine that was asleep finds out in time.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// And at least.
const LOOK_MIN: Duration = Duration::from_secs(1);

/// From one try to the next, at most; a tenth of what is left, if that is less.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// How long a server may take to sign.
const SIGN_WITHIN: Duration = Duration::from_secs(10);

/// The subject of a peer's certificate.
#[must_use]
pub fn subject_of_peer(peer: &Peer) -> NodeSubject {
    NodeSubject {
        cluster: peer.cluster.clone(),
        site: peer.site.clone(),
        role: match peer.role {
            Role::Server => NodeRole::Server,
            Role::Agent => NodeRole::Agent,
        },
        node: peer.node.clone(),
    }
}

/// Renews the certificate in `folder` when it is due, by the server that `client` speaks to. For a supervisor.
#[must_use]
pub fn renewal(mesh: &Mesh, client: &RemoteClient, folder: PathBuf) -> (ChildSpec, Child) {
    child(mesh, Issuer::Server(client.clone()), folder)
}

/// Renews the certificate in `folder` when it is due, by the authority that this machine holds. For a supervisor.
#[must_use]
pub fn own_renewal(
    mesh: &Mesh,
    pki: &Arc<Pki>,
    log: Arc<dyn SignedLog>,
    folder: PathBuf,
) -> (ChildSpec, Child) {
    child(mesh, Issuer::Own(Arc::clone(pki), log), folder)
}

fn child(mesh: &Mesh, issuer: Issuer, folder: PathBuf) -> (ChildSpec, Child) {
    let mesh = mesh.clone();
    let child = Child::service(move |service| {
        keep_fresh(service, mesh.clone(), issuer.clone(), folder.clone())
    });
    (ChildSpec::permanent("renewal"), child)
}

/// Who signs.
#[derive(Clone)]
enum Issuer {
    /// The server that this machine speaks to.
    Server(RemoteClient),
    /// This machine, which holds the authority.
    Own(Arc<Pki>, Arc<dyn SignedLog>),
}

async fn keep_fresh(
    service: Hosted,
    mesh: Mesh,
    issuer: Issuer,
    folder: PathBuf,
) -> Result<(), Failure> {
    loop {
        let keys = NodeKeys::open(&folder)?;
        let mut wait = keys.due_in(Clock.now().wall);
        if wait.is_zero() {
            match renew(&mesh, &issuer, &keys).await {
                Ok(fresh) => {
                    fresh.store(&folder)?;
                    mesh.replace_identity(&fresh.certificate_pem, &fresh.key_pem)?;
                    tracing::info!("the certificate of this machine was renewed");
                    wait = fresh.due_in(Clock.now().wall);
                }
                Err(why) => {
                    tracing::warn!(%why, "the certificate of this machine is not renewed yet");
                    let left = seconds_left(&keys.certificate_pem, Clock.now().wall);
                    let left = u64::try_from(left.unwrap_or(0)).unwrap_or(0);
                    wait = Duration::from_secs(left / 10).min(AGAIN_AFTER);
                }
            }
        }
        if timeout(wait.clamp(LOOK_MIN, LOOK_EVERY), service.stopping()).await.is_ok() {
            return Ok(());
        }
    }
}

async fn renew(mesh: &Mesh, issuer: &Issuer, old: &NodeKeys) -> Result<NodeKeys, String> {
    // A new key with each certificate: one that leaked is worth nothing from then on.
    let made = NodeKey::create(&mesh.me().node).map_err(|error| error.to_string())?;
    let certificate_pem = match issuer {
        Issuer::Server(client) => {
            let server = client.pick().ok_or("no server can be reached")?;
            let ask = Ask::new(Lane::Rpc, Service::RENEW, made.csr_pem.into(), SIGN_WITHIN);
            let signed = mesh.ask(&server, ask).await.map_err(|error| error.to_string())?;
            String::from_utf8(signed.to_vec()).map_err(|error| error.to_string())?
        }
        Issuer::Own(pki, log) => sign(pki, log.as_ref(), mesh.me(), &made.csr_pem).await?,
    };
    Ok(NodeKeys {
        certificate_pem,
        key_pem: made.key_pem,
        authority_pem: old.authority_pem.clone(),
    })
}

/// Signs a request of this machine, and notes the certificate before anybody has it.
async fn sign(pki: &Pki, log: &dyn SignedLog, of: &Peer, request: &str) -> Result<String, String> {
    let signed = pki.authority.sign_node(request, &subject_of_peer(of), Clock.now().wall);
    let signed = signed.map_err(|error| error.to_string())?;
    let serial = serial_of(&signed).unwrap_or_default();
    log.note(of.node.clone(), serial).await.map_err(|error| error.to_string())?;
    Ok(signed)
}

/// Where the serial numbers of certificates are noted before they are handed out, so that each can be revoked.
pub trait SignedLog: Send + Sync + 'static {
    /// Notes one more certificate of a node.
    fn note(&self, node: String, serial: String) -> nodes_client::Later<'_, Result<(), ApiError>>;
}

/// From now on this server signs renewals.
pub fn serve_renewals(mesh: &Mesh, pki: Arc<Pki>, log: Arc<dyn SignedLog>) {
    mesh.serve(Service::RENEW, Arc::new(Signer { pki, log }));
}

struct Signer {
    pki: Arc<Pki>,
    log: Arc<dyn SignedLog>,
}

impl Handler for Signer {
    fn ask(&self, from: &Peer, body: Bytes, _: TraceContext) -> Later<Result<Bytes, String>> {
        let (pki, log, from) = (Arc::clone(&self.pki), Arc::clone(&self.log), from.clone());
        Box::pin(async move {
            let request = std::str::from_utf8(&body).map_err(|error| error.to_string())?;
            let signed = sign(&pki, log.as_ref(), &from, request).await?;
            Ok(signed.into())
        })
    }
}
