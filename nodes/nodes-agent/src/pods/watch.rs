//! Hears of this node's pods, and tells their machines.
//!
//! Way in: [`run`].  Order: pods that an earlier agent wrote down are recalled at once, so that what
//! runs is kept up without any server; what a server says comes on top. Pods that only the disk
//! knows are told to vanish after the first list of the API, never before.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use actors_object::Object;
use actors_runtime::{Failure, Service, SlabRef};
use nodes_door::Options;
use nodes_pods::PodEvent;

use crate::{
    mirror::{Follower, News},
    pods::{cleanup::read_names, memory},
    shared::{PodKey, PodRecord, Shared, lock, target},
};

/// The service.
pub(crate) async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let slab = loop {
        if let Some(slab) = shared.slab.get() {
            break slab.clone();
        }
        if crate::mirror::pause(&service, std::time::Duration::from_millis(5)).await {
            return Ok(());
        }
    };
    if slab.ready().await.is_err() {
        return Ok(());
    }
    let options = Options {
        field_selector: Some(format!("spec.nodeName={}", shared.config.node)),
        ..Options::default()
    };
    let mut left: Option<BTreeSet<PodKey>> = Some(on_disk(&shared));
    let mut teller = Teller { shared: Arc::clone(&shared), slab };
    let mut follower = Follower::default();
    teller.recall(&mut follower);
    let mut wishes = shared.lists.wishes();
    let wish = AtomicU64::new(0);
    let mut hear = |news: News| match news {
        News::All(pods) => {
            let mut there = BTreeSet::new();
            for pod in pods {
                there.insert(PodKey::of(&pod));
                teller.changed(pod);
            }
            let known = teller.shared.pods.all().into_iter().map(|record| record.key.clone());
            let gone: BTreeSet<PodKey> = known.chain(left.take().unwrap_or_default()).collect();
            gone.difference(&there).for_each(|key| teller.gone(key));
            teller.shared.lists.done(wish.load(Ordering::Acquire));
        }
        News::Changed(pod) => teller.changed(pod),
        News::Gone(pod) => teller.gone(&PodKey::of(&pod)),
        News::Pause => {}
    };
    let pods = (target("", "v1", "pods", None, None), options);
    loop {
        wish.store(*wishes.borrow_and_update(), Ordering::Release);
        tokio::select! {
            () = follower.follow(&service, &shared.calls, pods.clone(), &mut hear) => return Ok(()),
            () = revive(&shared) => return Ok(()),
            // Somebody wishes for a list that begins now.
            _ = wishes.changed() => {}
        }
    }
}

/// Tells every pod what it should be whenever the slab begins another life; its machines have
/// forgotten.
async fn revive(shared: &Arc<Shared>) {
    while let Some(slab) = shared.slab.get() {
        shared.slab_started.notified().await;
        if slab.ready().await.is_err() {
            return;
        }
        let teller = Teller { shared: Arc::clone(shared), slab: slab.clone() };
        for record in shared.pods.all().iter().filter(|record| !record.is_finalized()) {
            if let Some(object) = record.object() {
                teller.tell(&record.key, said(record, object));
            }
        }
    }
}

/// What is known of a pod, by whom it is known. One that is gone stays gone: this is said again to machines that begin
/// anew, and may come behind the word that the pod has vanished.
pub(crate) fn said(record: &PodRecord, object: Arc<Object>) -> PodEvent {
    match (record.is_gone(), record.is_known()) {
        (true, _) => PodEvent::Vanished,
        (false, true) => PodEvent::Updated(object),
        (false, false) => PodEvent::Recalled(object),
    }
}

struct Teller {
    shared: Arc<Shared>,
    slab: SlabRef<PodEvent>,
}

impl Teller {
    /// Tells the pods that an earlier agent wrote down.
    fn recall(&self, follower: &mut Follower) {
        for pod in memory::recall(&self.shared.paths, &self.shared.config.cluster_uid) {
            let pod = Arc::new(pod);
            follower.beyond(&pod);
            let record = self.shared.pods.record(&PodKey::of(&pod));
            if record.object().is_none() {
                record.set_object(Arc::clone(&pod));
                self.tell(&record.key, PodEvent::Recalled(pod));
            }
        }
    }

    fn changed(&mut self, pod: Arc<Object>) {
        let record = self.shared.pods.record(&PodKey::of(&pod));
        if record.is_finalized() {
            return;
        }
        record.set_object(Arc::clone(&pod));
        record.set_known();
        let kept = memory::keep(&self.shared.paths, &self.shared.config.cluster_uid, &pod);
        if let Err(error) = kept {
            tracing::warn!(%error, pod = %record.key, "a pod cannot be written down");
        }
        let ends = pod.is_terminating();
        self.tell(&record.key, PodEvent::Updated(pod));
        // No proxy sends to a pod that is no endpoint; others wait until all proxies have had their
        // time.
        let named =
            lock(&self.shared.endpoints).as_ref().map(|named| named.contains(&record.key.uid));
        if ends && named == Some(false) {
            self.tell(&record.key, PodEvent::Withdrawn);
        }
    }

    fn gone(&mut self, key: &PodKey) {
        let record = self.shared.pods.record(key);
        if record.is_finalized() {
            self.shared.pods.remove(key);
            return;
        }
        record.set_gone();
        self.tell(key, PodEvent::Vanished);
    }

    fn tell(&self, key: &PodKey, event: PodEvent) {
        // A key that is full or parked hears the same again with the next list.
        if let Err(error) = self.slab.try_tell(&key.to_string(), event) {
            tracing::warn!(pod = %key, refusal = ?error.refusal, "a pod's machine does not listen");
        }
    }
}

/// Pods of which an earlier agent left a sandbox or files.
fn on_disk(shared: &Shared) -> BTreeSet<PodKey> {
    let mut keys = BTreeSet::new();
    let specs = read_names(&shared.paths.pods_run()).into_iter().filter_map(|uid| {
        let text = fs::read(shared.paths.pod_run(&uid).join("pod.json")).ok()?;
        let spec: nodes_shim::PodSpec = serde_json::from_slice(&text).ok()?;
        let (namespace, name) = spec.name.split_once('/')?;
        Some(PodKey { namespace: namespace.to_owned(), name: name.to_owned(), uid })
    });
    keys.extend(specs);
    let logs = shared.paths.data().join("logs");
    keys.extend(read_names(&logs).into_iter().filter_map(|name| {
        let mut parts = name.splitn(3, '_').map(str::to_owned);
        Some(PodKey { namespace: parts.next()?, name: parts.next()?, uid: parts.next()? })
    }));
    keys
}
