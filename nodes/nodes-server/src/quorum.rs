//! Whether this server can do what needs a quorum, told a little later than it is lost.
//!
//! Way in: [`follow`].  A change of leaders takes some tenths of a second, in which requests had better wait; what
//! lasts longer is told, so that clients and machines go to another server.

use std::time::Duration;

use actors_runtime::{Failure, Service};
use tokio::{sync::watch, time::timeout};

/// How long the quorum may be away before anybody is told. With the time in which Raft itself notices, it is less than
/// a second.
const PATIENCE: Duration = Duration::from_millis(300);

/// Tells `able` whether there is a quorum, until the service is asked to stop.
pub(crate) async fn follow(
    service: Service,
    mut quorum: watch::Receiver<bool>,
    able: watch::Sender<bool>,
) -> Result<(), Failure> {
    loop {
        let following = async {
            quorum.wait_for(|there| *there).await?;
            able.send_replace(true);
            quorum.wait_for(|there| !there).await?;
            if timeout(PATIENCE, quorum.wait_for(|there| *there)).await.is_err() {
                able.send_replace(false);
            }
            Ok::<(), Failure>(())
        };
        tokio::select! {
            () = service.stopping() => return Ok(()),
            followed = following => followed?,
        }
    }
}

#[cfg(test)]
mod tests {
    use actors_core::{ChildSpec, Intensity, OnLimit, Rng};
    use actors_runtime::{Child, System, Tree};

    use super::*;

    #[tokio::test]
    async fn a_change_of_leaders_is_not_told_and_a_loss_is() {
        let (there, quorum) = watch::channel(false);
        let (able, mut told) = watch::channel(false);
        let child = Child::service(move |service| follow(service, quorum.clone(), able.clone()));
        let intensity = Intensity { restarts: 1, period: Duration::from_secs(1) };
        let tree = Tree::new("t", intensity, OnLimit::Escalate)
            .child(ChildSpec::permanent("quorum"), child);
        let root = System::new(Rng::from_number(1)).run(tree).await.expect("runs");
        there.send_replace(true);
        told.wait_for(|able| *able).await.expect("told");
        there.send_replace(false);
        assert!(timeout(PATIENCE / 3, told.wait_for(|able| !able)).await.is_err());
        there.send_replace(true);
        let told_anyway = timeout(PATIENCE * 2, told.wait_for(|able| !able)).await.is_ok();
        assert!(!told_anyway, "a short absence was told");
        there.send_replace(false);
        told.wait_for(|able| !able).await.expect("told");
        there.send_replace(true);
        told.wait_for(|able| *able).await.expect("told again");
        root.shutdown().await;
    }
}
