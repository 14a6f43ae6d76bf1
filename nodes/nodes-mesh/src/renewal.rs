//! A new certificate for the same machine, before the old one expires.
//!
//! Way in: [`renewal`] on machines without the authority's key, [`serve_renewals`] on servers.
//! Invariant: what is signed is what the old certificate says: cluster, site, role and node of the asker.

use std::{path::PathBuf, sync::Arc, time::Duration};

use actors_core::ChildSpec;
use actors_object::ApiError;
use actors_runtime::{Child, Clock, Failure, Service as Hosted};
use bytes::Bytes;
use mesh_quic::{Ask, Handler, Later, Mesh};
use mesh_wire::{Lane, Peer, Role, Service, TraceContext};
use nodes_pki::{NodeKey, NodeKeys, NodeRole, NodeSubject, Pki, serial_of};
use tokio::time::timeout;

use crate::RemoteClient;

/// From one look at the certificate to the next: far less than what is left when it is due.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

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
    let (mesh, client) = (mesh.clone(), client.clone());
    let child = Child::service(move |service| {
        keep_fresh(service, mesh.clone(), client.clone(), folder.clone())
    });
    (ChildSpec::permanent("renewal"), child)
}

async fn keep_fresh(
    service: Hosted,
    mesh: Mesh,
    client: RemoteClient,
    folder: PathBuf,
) -> Result<(), Failure> {
    loop {
        let keys = NodeKeys::open(&folder)?;
        if keys.is_due(Clock.now().wall) {
            match renew(&mesh, &client, &keys).await {
                Ok(fresh) => {
                    fresh.store(&folder)?;
                    mesh.replace_identity(&fresh.certificate_pem, &fresh.key_pem)?;
                    tracing::info!("the certificate of this machine was renewed");
                }
                Err(why) => {
                    tracing::warn!(%why, "the certificate of this machine is not renewed yet")
                }
            }
        }
        if timeout(LOOK_EVERY, service.stopping()).await.is_ok() {
            return Ok(());
        }
    }
}

async fn renew(mesh: &Mesh, client: &RemoteClient, old: &NodeKeys) -> Result<NodeKeys, String> {
    let server = client.pick().ok_or("no server can be reached")?;
    // A new key with each certificate: one that leaked is worth nothing from then on.
    let made = NodeKey::create(&mesh.me().node).map_err(|error| error.to_string())?;
    let ask = Ask::new(Lane::Rpc, Service::RENEW, made.csr_pem.into(), SIGN_WITHIN);
    let signed = mesh.ask(&server, ask).await.map_err(|error| error.to_string())?;
    let certificate_pem = String::from_utf8(signed.to_vec()).map_err(|error| error.to_string())?;
    Ok(NodeKeys {
        certificate_pem,
        key_pem: made.key_pem,
        authority_pem: old.authority_pem.clone(),
    })
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
            let signed =
                pki.authority.sign_node(request, &subject_of_peer(&from), Clock.now().wall);
            let signed = signed.map_err(|error| error.to_string())?;
            let serial = serial_of(&signed).unwrap_or_default();
            log.note(from.node, serial).await.map_err(|error| error.to_string())?;
            Ok(signed.into())
        })
    }
}
