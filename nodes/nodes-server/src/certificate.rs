//! The API's own certificate, made anew before it expires while the API serves.
//!
//! Way in: [`keep_fresh`].  Writes: `pki/kube-apiserver.*`, and what the edge shows.

use std::time::Duration;

use actors_runtime::{Clock, Failure, Service};
use tokio::time::timeout;

use crate::Server;

/// From one look at the certificate to the next, at most: a machine that was asleep finds out in time.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// And at least, also after one that failed: months are left then.
const LOOK_MIN: Duration = Duration::from_secs(1);

/// From one try to the next.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Shows a new certificate as soon as the one before is due. Whatever goes wrong is tried again: the old one is still
/// good.
pub(crate) async fn keep_fresh(service: Service, server: Server) -> Result<(), Failure> {
    let (folder, names) = (server.config.data_dir.join("pki"), server.config.api_names());
    let mut shown = server.pki.server.certificate_pem.clone();
    loop {
        let wait = match server.pki.fresh_server(&folder, &names, Clock.now().wall) {
            Ok(leaf) if leaf.certificate_pem == shown => leaf.due_in(Clock.now().wall),
            Ok(leaf) => match server.certificate.replace(&leaf) {
                Ok(()) => {
                    tracing::info!("the certificate of the API was renewed");
                    let due = leaf.due_in(Clock.now().wall);
                    shown = leaf.certificate_pem;
                    due
                }
                Err(why) => {
                    tracing::warn!(%why, "the new certificate of the API cannot be shown");
                    AGAIN_AFTER
                }
            },
            Err(why) => {
                tracing::warn!(%why, "the certificate of the API is not renewed yet");
                AGAIN_AFTER
            }
        };
        if timeout(wait.clamp(LOOK_MIN, LOOK_EVERY), service.stopping()).await.is_ok() {
            return Ok(());
        }
    }
}
