//! Writes pods' statuses, and removes pods that are over: in order for each pod, only the newest
//! status of each.
//!
//! Way in: [`Writes::status`], [`Writes::finalize`]; [`run`] is the service.  Writes:
//! `pods/status`; DELETE with grace period 0 and the pod's uid.
//! Bounds: one waiting entry for each pod. An outage keeps entries waiting, with growing pauses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_object::{ApiError, Value};
use actors_runtime::{Failure, Service};
use nodes_client::Open;
use nodes_door::{Options, PatchKind, Verb};
use tokio::sync::Notify;

use crate::{
    blocking::off_loop,
    mirror::pause,
    pods::{cleanup, traces},
    shared::{PodKey, Shared, lock},
};

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    waiting: Mutex<BTreeMap<PodKey, Waiting>>,
    more: Notify,
}

#[derive(Debug, Clone, Default)]
struct Waiting {
    status: Option<Value>,
    finalize: bool,
}

/// The pause after a failure; doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// No pause is longer.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A request that takes longer is given up and made again.
const PATIENCE: Duration = Duration::from_secs(10);

impl Writes {
    /// The pod's status is this now.
    pub(crate) fn status(&self, key: &PodKey, status: Value) {
        lock(&self.waiting).entry(key.clone()).or_default().status = Some(status);
        self.more.notify_one();
    }

    /// Nothing of the pod is left but its files and its object.
    pub(crate) fn finalize(&self, key: &PodKey) {
        lock(&self.waiting).entry(key.clone()).or_default().finalize = true;
        self.more.notify_one();
    }

    fn take(&self) -> BTreeMap<PodKey, Waiting> {
        std::mem::take(&mut *lock(&self.waiting))
    }

    /// Puts back what could not be written, unless something newer waits.
    fn give_back(&self, key: PodKey, left: Waiting) {
        let mut all = lock(&self.waiting);
        let entry = all.entry(key).or_default();
        entry.finalize |= left.finalize;
        if entry.status.is_none() {
            entry.status = left.status;
        }
    }
}

/// The service.
pub(crate) async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let mut wait = PAUSE_MIN;
    loop {
        let batch = shared.writes.take();
        if batch.is_empty() {
            tokio::select! {
                () = service.stopping() => return Ok(()),
                () = shared.writes.more.notified() => continue,
            }
        }
        let mut failed = false;
        let mut batch = batch.into_iter();
        for (key, waiting) in batch.by_ref() {
            let written =
                tokio::time::timeout(PATIENCE, write(&shared, &key, waiting.clone())).await;
            if matches!(written, Ok(Ok(()))) {
                continue;
            }
            failed = true;
            shared.writes.give_back(key, waiting);
            // Where nobody answers, the others need not be tried one by one; they keep their newest.
            if written.is_err() || matches!(written, Ok(Err(error)) if is_outage(&error)) {
                break;
            }
        }
        for (key, waiting) in batch {
            shared.writes.give_back(key, waiting);
        }
        wait = if failed { (wait * 2).min(PAUSE_MAX) } else { PAUSE_MIN };
        if failed && pause(&service, wait).await {
            return Ok(());
        }
    }
}

/// `Err` if it must be tried again.
async fn write(shared: &Arc<Shared>, key: &PodKey, waiting: Waiting) -> Result<(), ApiError> {
    if let Some(status) = waiting.status {
        settled(patch_status(shared, key, status).await)?;
    }
    if waiting.finalize {
        finalize(shared, key).await?;
    }
    Ok(())
}

/// Whether there is no server to answer, or none that can.
fn is_outage(error: &ApiError) -> bool {
    matches!(error.code, 502..=504)
}

/// A refusal that repeating does not mend is the end of it.
fn settled(result: Result<(), ApiError>) -> Result<(), ApiError> {
    match result {
        Err(error) if error.code < 500 && !matches!(error.code, 401 | 429) => {
            // 404 and 409 (another uid) say that the pod is gone; others are worth a look.
            if !matches!(error.code, 404 | 409) {
                tracing::warn!(%error, "a pod's status was refused");
            }
            Ok(())
        }
        other => other,
    }
}

async fn patch_status(shared: &Shared, key: &PodKey, status: Value) -> Result<(), ApiError> {
    let mut target = key.target();
    target.subresource = Some("status".to_owned());
    let told = traces::summary(&status);
    let patch = nodes_pods::status_patch(&key.uid, status);
    let mut request = shared.calls.request(Verb::Patch(PatchKind::Strategic), target, Some(&patch));
    let step = shared.pods.get(key).map(|record| traces::report(shared, &record, "report"));
    request.options.trace = step.as_ref().map(Open::context).unwrap_or_default();
    let answer = shared.calls.call(request).await.into_object().map(drop);
    end_report(shared, step, told, &answer);
    answer
}

fn end_report(shared: &Shared, step: Option<Open>, told: String, answer: &Result<(), ApiError>) {
    let Some(step) = step else { return };
    let outcome = match answer {
        Ok(()) => told,
        Err(error) => format!("{told}: {}", error.message),
    };
    shared.calls.tracer().end(step, outcome);
}

async fn finalize(shared: &Arc<Shared>, key: &PodKey) -> Result<(), ApiError> {
    if let Some(record) = shared.pods.get(key) {
        record.set_finalized();
    }
    let (paths, removed) = (shared.paths.clone(), key.clone());
    if let Ok(Err(error)) = off_loop(move || cleanup::remove_files(&paths, &removed)).await {
        tracing::warn!(%error, pod = %key, "files of a pod that is over");
    }
    let step = shared.pods.get(key).map(|record| traces::report(shared, &record, "remove"));
    let options = Options {
        trace: step.as_ref().map(Open::context).unwrap_or_default(),
        grace_period_seconds: Some(0),
        precondition_uid: Some(key.uid.clone()),
        ..Options::default()
    };
    let answer = shared.calls.delete(key.target(), options).await.map(drop);
    end_report(shared, step, "nothing of it is left on this node".to_owned(), &answer);
    settled(answer)?;
    shared.pods.remove(key);
    Ok(())
}
