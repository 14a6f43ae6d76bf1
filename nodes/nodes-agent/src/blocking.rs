//! Work that blocks, away from the event loops.
//!
//! Way in: [`off_loop`].

/// The work panicked or the process is ending; whoever waited tells it as a failure of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work ended early")]
pub(crate) struct Lost;

/// Runs `work` on a thread that may block.
pub(crate) async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Lost> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Lost)
}

/// Runs `work` that may fail on a thread that may block; its error as text, with all causes.
pub(crate) async fn try_off_loop<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, String>
where
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    match off_loop(work).await {
        Ok(done) => done.map_err(|error| nodes_oci::chain(&error)),
        Err(lost) => Err(lost.to_string()),
    }
}
