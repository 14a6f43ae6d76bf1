//! Hands pods' shims the deadlines of their fences.
//!
//! Way in: [`grant`] before a sandbox is made, [`guard`] for one that is found, [`run`], the service;
//! [`belongs`] answers whether a pod that was fenced is still this node's.
//! Owns: which pods have a fence. Decided is in `nodes_pods::FenceMachine`; killed is by the shim,
//! also while this agent is dead or stands still.
//! Order: a shim has its deadline before the pod has a container.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_controllers::{dead_nodes, fencing};
use actors_core::{Effects, Machine as _, Mono, Rng, Turn};
use actors_object::Object;
use actors_runtime::{Failure, Service};
use nodes_door::Options;
use nodes_pods::{FenceEffect, FenceEvent, FenceMachine, PodEvent};
use nodes_shim::wire::Request;
use tokio::sync::{Notify, watch};

use crate::{
    pods::{memory, shim::call},
    shared::{PodRecord, Shared, lock, target},
};

/// A question that takes longer is asked again, perhaps of another server.
const PATIENCE: Duration = Duration::from_secs(3);
/// A pod that is to start waits so long for a first deadline, then is tried again later.
const GRANT_PATIENCE: Duration = Duration::from_secs(10);
/// A pod is not started for less than this.
const LEFT_MIN: Duration = Duration::from_secs(5);
/// A shim answers at once; one that stands still must not keep others from their deadlines.
const SHIM_PATIENCE: Duration = Duration::from_millis(500);
/// The pause between questions whether a pod is still this node's.
const AGAIN: Duration = Duration::from_secs(1);

/// The fences of this node's pods.
#[derive(Debug)]
pub(crate) struct Fences {
    wanted: Mutex<BTreeMap<String, Duration>>,
    changed: Notify,
    deadlines: watch::Sender<BTreeMap<String, Mono>>,
}

impl Default for Fences {
    fn default() -> Self {
        let deadlines = watch::Sender::new(BTreeMap::new());
        Self { wanted: Mutex::default(), changed: Notify::new(), deadlines }
    }
}

/// From now on the pod's shim gets deadlines, if the pod asks for a fence; whether it does.
pub(crate) fn guard(shared: &Shared, pod: &Object) -> bool {
    let Some(after) = fencing::fence_after(pod) else { return false };
    lock(&shared.fences.wanted).insert(pod.uid().to_owned(), after);
    shared.fences.changed.notify_one();
    true
}

/// The pod has no sandbox any more.
pub(crate) fn release(shared: &Shared, uid: &str) {
    if lock(&shared.fences.wanted).remove(uid).is_some() {
        shared.fences.deadlines.send_modify(|all| all.retain(|known, _| known != uid));
        shared.fences.changed.notify_one();
    }
}

/// Until when the pod may run if it starts now; `None` for ever.
///
/// # Errors
/// That no quorum has confirmed it in time, for people.
pub(crate) async fn grant(shared: &Shared, pod: &Object) -> Result<Option<Mono>, String> {
    if !guard(shared, pod) {
        return Ok(None);
    }
    let mut deadlines = shared.fences.deadlines.subscribe();
    let is_long = |at: &Mono| *at > shared.clock.mono().after(LEFT_MIN);
    let granted = async {
        let found = deadlines.wait_for(|all| all.get(pod.uid()).is_some_and(is_long)).await.ok()?;
        found.get(pod.uid()).copied()
    };
    let granted = tokio::time::timeout(GRANT_PATIENCE, granted).await.ok().flatten();
    let missing = || "no server confirms that a pod with a fence may run on this node".to_owned();
    granted.map(Some).ok_or_else(missing)
}

/// The service.
pub(crate) async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let mut machine = FenceMachine::new();
    let mut rng = service.rng();
    let mut next = first(&shared);
    let mut wake: Option<Mono> = None;
    let mut question: Option<u64> = None;
    loop {
        let mut out = Effects::default();
        let now = shared.clock.now();
        handle(&mut machine, (now, &mut rng), next, &mut out);
        for effect in out.drain() {
            match effect {
                FenceEffect::Ask { round } => question = Some(round),
                FenceEffect::WakeAt(at) => wake = Some(at),
                FenceEffect::SetDeadline { pod, at } => set_deadline(&shared, &pod, at).await,
            }
        }
        // Whoever comes while a question is under way is told to the machine behind its answer.
        next = match question.take() {
            Some(round) => tokio::select! {
                () = service.stopping() => return Ok(()),
                answer = ask(&shared, round) => answer,
            },
            None => tokio::select! {
                () = service.stopping() => return Ok(()),
                () = shared.fences.changed.notified() => first(&shared),
                () = until(&shared, wake) => {
                    wake = None;
                    FenceEvent::Woken
                }
            },
        };
    }
}

fn handle(
    machine: &mut FenceMachine,
    (now, rng): (actors_core::Now, &mut Rng),
    event: FenceEvent,
    out: &mut Effects<FenceEffect>,
) {
    machine.handle(Turn { now, rng, view: &() }, event, out);
}

fn first(shared: &Shared) -> FenceEvent {
    FenceEvent::Pods(lock(&shared.fences.wanted).clone())
}

async fn until(shared: &Shared, at: Option<Mono>) {
    match at {
        Some(at) => {
            let span = at.since(shared.clock.mono());
            tokio::time::timeout(span, std::future::pending::<()>()).await.unwrap_or_default();
        }
        None => std::future::pending().await,
    }
}

/// Two reads, each behind a quorum's barrier: is this node given up, and which pods are its own?
async fn ask(shared: &Shared, round: u64) -> FenceEvent {
    let question = async {
        let node = target("", "v1", "nodes", None, Some(&shared.config.node));
        let node = shared.calls.get(node).await?;
        if dead_nodes::is_dead(&node) {
            return Ok(None);
        }
        let options = Options {
            field_selector: Some(format!("spec.nodeName={}", shared.config.node)),
            ..Options::default()
        };
        let pods = shared.calls.list(target("", "v1", "pods", None, None), options).await?;
        let pods = pods.entries.iter().map(|entry| entry.object().uid().to_owned()).collect();
        Ok::<_, actors_object::ApiError>(Some(pods))
    };
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(Ok(Some(pods))) => FenceEvent::Confirmed { round, pods },
        Ok(Ok(None)) => {
            tracing::warn!("this node is given up: no fence is renewed");
            FenceEvent::Denied { round }
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "fences are not renewed");
            FenceEvent::Denied { round }
        }
        Err(_) => FenceEvent::Denied { round },
    }
}

async fn set_deadline(shared: &Shared, uid: &str, at: Mono) {
    if lock(&shared.fences.wanted).contains_key(uid) {
        shared.fences.deadlines.send_modify(|all| all.extend([(uid.to_owned(), at)]));
    }
    let Some(record) = shared.pods.all().into_iter().find(|one| one.key.uid == uid) else { return };
    let socket = shared.pod_paths(&record.key).socket();
    let told =
        tokio::time::timeout(SHIM_PATIENCE, call(&socket, Request::SetDeadline { at: Some(at) }));
    if !matches!(told.await, Ok(Ok(_))) {
        // There is none yet, or none any more; one that is made gets its deadline first of all.
        tracing::debug!(pod = %record.key, "a shim did not take its deadline");
    }
}

/// Asks until a server answers whether the pod is still this node's.
pub(crate) async fn belongs(shared: &Shared, record: &PodRecord) -> PodEvent {
    loop {
        let answer = tokio::time::timeout(PATIENCE, shared.calls.get(record.key.target())).await;
        match answer {
            Ok(Ok(pod)) => {
                let node = pod.0.str_at(&["spec", "nodeName"]);
                if pod.uid() != record.key.uid || node != Some(&shared.config.node) {
                    return vanished(record);
                }
                record.set_object(Arc::clone(&pod));
                if let Err(error) = memory::keep(&shared.paths, &shared.config.cluster_uid, &pod) {
                    tracing::warn!(%error, pod = %record.key, "a pod cannot be written down");
                }
                return PodEvent::Confirmed(pod);
            }
            Ok(Err(error)) if error.code == 404 => return vanished(record),
            Ok(Err(error)) => tracing::debug!(%error, pod = %record.key, "a fenced pod waits"),
            Err(_) => {}
        }
        let pause = std::future::pending::<()>();
        tokio::time::timeout(AGAIN, pause).await.unwrap_or_default();
    }
}

fn vanished(record: &PodRecord) -> PodEvent {
    record.set_gone();
    PodEvent::Vanished
}
