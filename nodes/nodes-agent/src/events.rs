//! Writes Event objects: what happened to a pod or to the node, for people.
//!
//! Way in: [`EventSender::send`]; [`run`] is the service.  Writes: Events of this node.
//! Bounds: at most [`WAITING_MAX`] wait, newer ones are dropped and counted; the same thing again
//! raises a count.
//! Spec: Kubernetes API reference, Event v1 core.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_core::Wall;
use actors_object::{Value, timefmt, value};
use actors_runtime::{Failure, Service};
use tokio::sync::mpsc;

use crate::{
    mirror::pause,
    shared::{Shared, lock, target},
};

/// Most events that may wait to be written.
const WAITING_MAX: usize = 1_024;
/// So many different events are remembered, to be counted.
const REMEMBERED_MAX: usize = 512;

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    /// The object that it happened to, as `involvedObject` has it.
    pub(crate) object: Value,
    pub(crate) namespace: String,
    pub(crate) kind: &'static str,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) at: Wall,
}

/// Hands events to the service that writes them. Never waits.
#[derive(Debug)]
pub(crate) struct EventSender {
    queue: mpsc::Sender<Happening>,
    /// Taken by each life of the service, and given back when it ends.
    waiting: Mutex<Option<mpsc::Receiver<Happening>>>,
    dropped: AtomicU64,
}

impl EventSender {
    pub(crate) fn new() -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        Self { queue, waiting: Mutex::new(Some(waiting)), dropped: AtomicU64::new(0) }
    }

    pub(crate) fn send(&self, happening: Happening) {
        if self.queue.try_send(happening).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(dropped, "an event was not recorded: too many wait");
        }
    }
}

/// An event that was written, to be counted if it happens again.
struct Written {
    happening: Happening,
    name: String,
    count: i64,
}

impl Written {
    fn is_same(&self, other: &Happening) -> bool {
        let one = &self.happening;
        one.reason == other.reason && one.message == other.message && one.object == other.object
    }
}

/// Gives the queue back when the service ends, however it ends.
struct Borrowed {
    shared: Arc<Shared>,
    queue: Option<mpsc::Receiver<Happening>>,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        *lock(&self.shared.events.waiting) = self.queue.take();
    }
}

/// The service: writes what waits, one after the other.
pub(crate) async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let queue = lock(&shared.events.waiting).take();
    let mut borrowed = Borrowed { shared: Arc::clone(&shared), queue };
    let mut rng = service.rng();
    let mut memory: VecDeque<Written> = VecDeque::new();
    while let Some(queue) = &mut borrowed.queue {
        let happening = tokio::select! {
            () = service.stopping() => return Ok(()),
            next = queue.recv() => next,
        };
        let Some(happening) = happening else { return Ok(()) };
        if let Some(known) = memory.iter_mut().find(|known| known.is_same(&happening)) {
            known.count += 1;
            count_again(&shared, known, happening.at).await;
            continue;
        }
        let name = format!("{}.{:016x}", subject(&happening), rng.next_u64());
        if write(&shared, &service, &happening, &name).await {
            memory.push_back(Written { happening, name, count: 1 });
            if memory.len() > REMEMBERED_MAX {
                memory.pop_front();
            }
        }
    }
    Err("the queue of events is gone".into())
}

fn subject(happening: &Happening) -> &str {
    happening.object.at("name").as_str().unwrap_or("node")
}

/// Writes a new event; tried again once after a moment, for an outage must not hold up those that
/// come after.
async fn write(shared: &Shared, service: &Service, happening: &Happening, name: &str) -> bool {
    let stamp = timefmt::seconds(happening.at);
    let event = value!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": name, "namespace": happening.namespace.as_str() },
        "involvedObject": happening.object.clone(),
        "type": happening.kind,
        "reason": happening.reason.as_str(),
        "message": happening.message.as_str(),
        "source": { "component": "kubelet", "host": shared.config.node.as_str() },
        "reportingComponent": "kubelet",
        "reportingInstance": shared.config.node.as_str(),
        "firstTimestamp": stamp.as_str(),
        "lastTimestamp": stamp.as_str(),
        "count": 1,
    });
    for attempt in 0..2 {
        let place = target("", "v1", "events", Some(&happening.namespace), None);
        match shared.calls.create(place, &event).await {
            Ok(_) => return true,
            Err(error) if attempt == 0 && error.code >= 500 => {
                if pause(service, Duration::from_secs(1)).await {
                    return false;
                }
            }
            Err(error) => {
                tracing::debug!(%error, reason = happening.reason, "an event was not recorded");
                return false;
            }
        }
    }
    false
}

async fn count_again(shared: &Shared, known: &Written, at: Wall) {
    let patch = value!({ "count": known.count, "lastTimestamp": timefmt::seconds(at) });
    let place = target("", "v1", "events", Some(&known.happening.namespace), Some(&known.name));
    if let Err(error) = shared.calls.merge(place, &patch).await {
        tracing::debug!(%error, "an event was not counted");
    }
}
