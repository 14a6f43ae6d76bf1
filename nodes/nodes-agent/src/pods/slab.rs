//! Hosts the machines of this node's pods and begins their effects.
//!
//! Way in: [`PodSlab`].  Never: a wait; every effect runs as a task of the pod's key and tells its
//! end.

use std::{sync::Arc, time::Duration};

use actors_object::value;
use actors_runtime::{KeyInbox, Keyed};
use nodes_pods::{
    Action, ContainerRef, HookKind, ImageAnswer, PodConfig, PodEffect, PodEvent, PodMachine,
    ProbeKind,
};

use crate::{
    blocking::off_loop,
    events::Happening,
    pods::{
        actions,
        container::{self, Beginning},
        fences, resizing, sandbox,
        traces::{self, traced},
        watch,
    },
    shared::{PodKey, PodRecord, Shared},
    volumes,
};

/// All pods of this node.
pub(crate) struct PodSlab {
    shared: Arc<Shared>,
}

/// The way back to one pod's machine.
pub(crate) type PodInbox = KeyInbox<PodEvent>;

impl PodSlab {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn record(&self, inbox: &PodInbox) -> Option<Arc<PodRecord>> {
        self.shared.pods.get(&inbox.key().parse::<PodKey>().ok()?)
    }

    fn record_event(&self, record: &PodRecord, effect: PodEffect) {
        let PodEffect::Event { kind, reason, message, field_path } = effect else { return };
        if kind.as_str() == "Warning" || reason == "BackOff" {
            traces::say(&self.shared, record, "event", format!("{reason}: {message}"));
        }
        let mut object = value!({
            "kind": "Pod",
            "apiVersion": "v1",
            "namespace": record.key.namespace.as_str(),
            "name": record.key.name.as_str(),
            "uid": record.key.uid.as_str(),
        });
        if let Some(path) = field_path {
            object.set_path(&["fieldPath"], path);
        }
        self.shared.events.send(Happening {
            object,
            namespace: record.key.namespace.clone(),
            kind: kind.as_str(),
            reason,
            message,
            at: self.shared.clock.now().wall,
        });
    }
}

impl Keyed for PodSlab {
    type Machine = PodMachine;
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn activate(&self, inbox: &PodInbox) -> Option<PodMachine> {
        let record = self.record(inbox)?;
        if record.is_finalized() {
            return None;
        }
        let machine =
            PodMachine::new(PodConfig { host_ips: vec![self.shared.config.address.to_string()] });
        // After a failure nobody sends again what the pod should be.
        if let Some(object) = record.object() {
            inbox.send(watch::said(&record, object));
        }
        let (shared, back) = (Arc::clone(&self.shared), inbox.clone());
        inbox.spawn(async move { sandbox::adopt(&shared, &record, &back).await });
        Some(machine)
    }

    fn submit(&self, effect: PodEffect, inbox: &PodInbox) {
        let Some(record) = self.record(inbox) else { return };
        let shared = Arc::clone(&self.shared);
        let back = inbox.clone();
        match effect {
            PodEffect::SetUpVolumes => {
                inbox.spawn(async move {
                    let work = Box::pin(volumes::set_up(&shared, &record));
                    traced(&shared, &record, "volumes", work).await
                });
            }
            PodEffect::TearDownVolumes => {
                inbox.spawn(async move {
                    let work = Box::pin(volumes::tear_down(&shared, &record));
                    traced(&shared, &record, "volumes", work).await
                });
            }
            PodEffect::CreateSandbox { attempt } => {
                inbox.spawn(async move { sandbox::create(&shared, &record, attempt, &back).await });
            }
            PodEffect::TearDownSandbox { attempt } => {
                inbox.spawn(async move {
                    let work = Box::pin(sandbox::tear_down(&shared, &record, attempt));
                    traced(&shared, &record, "sandbox", work).await
                });
            }
            PodEffect::CheckImage { container, image, .. } => {
                inbox.spawn(async move {
                    let work = Box::pin(check_image(Arc::clone(&shared), container, image));
                    traced(&shared, &record, "image", work).await
                });
            }
            PodEffect::CheckRoom { wanted } => {
                inbox.send(resizing::check_room(&shared, &record, &wanted));
            }
            PodEffect::Signal { container, signal } => {
                inbox.spawn(async move {
                    container::signal(&shared, &record, &container, signal).await;
                    // Its effect is the container's end, which the shim tells; a wake-up changes
                    // nothing.
                    PodEvent::Woken
                });
            }
            PodEffect::StartContainer { .. }
            | PodEffect::Resize { .. }
            | PodEffect::RunProbe { .. }
            | PodEffect::RunHook { .. } => {
                inbox.spawn(async move { work(&shared, &record, effect).await });
            }
            PodEffect::WakeAt(at) => inbox.send_at(at, PodEvent::Woken),
            PodEffect::ReportStatus(status) => self.shared.writes.status(&record.key, status),
            PodEffect::Confirm => {
                inbox.spawn(async move { fences::belongs(&shared, &record).await });
            }
            PodEffect::Event { .. } => self.record_event(&record, effect),
            PodEffect::FinalizeDelete => self.shared.writes.finalize(&record.key),
        }
    }

    fn is_at_rest(&self, machine: &PodMachine) -> bool {
        machine.is_finalized()
    }
}

/// What takes a while, and is remembered for those who ask why.
async fn work(shared: &Arc<Shared>, record: &PodRecord, effect: PodEffect) -> PodEvent {
    match effect {
        PodEffect::StartContainer { container, image_id, resources, target } => {
            let beginning = Beginning { life: container, image_id, resources, target };
            let work = Box::pin(container::start(shared, record, beginning));
            traced(shared, record, "container", work).await
        }
        PodEffect::Resize { granted, containers } => {
            let work = Box::pin(resizing::resize(shared, record, granted, containers));
            traced(shared, record, "resize", work).await
        }
        PodEffect::RunProbe { container, probe, action, timeout } => {
            let what = (container, &action);
            let work = Box::pin(run_probe((shared, record), probe, what, timeout));
            traced(shared, record, "probe", work).await
        }
        PodEffect::RunHook { container, hook, action, timeout } => {
            let what = (container, &action);
            let work = Box::pin(run_hook((shared, record), hook, what, timeout));
            traced(shared, record, "hook", work).await
        }
        // The others are begun where they come in.
        _ => PodEvent::Woken,
    }
}

async fn run_probe(
    (shared, record): (&Arc<Shared>, &PodRecord),
    probe: ProbeKind,
    (container, action): (ContainerRef, &Action),
    timeout: Duration,
) -> PodEvent {
    let outcome = actions::probe(shared, record, (&container, action), timeout).await;
    PodEvent::Probed { container, probe, outcome }
}

async fn run_hook(
    (shared, record): (&Arc<Shared>, &PodRecord),
    hook: HookKind,
    (container, action): (ContainerRef, &Action),
    timeout: Duration,
) -> PodEvent {
    let failure = actions::hook(shared, record, (&container, action), timeout).await.err();
    PodEvent::HookDone { container, hook, failure }
}

async fn check_image(shared: Arc<Shared>, container: String, image: String) -> PodEvent {
    let resolved = off_loop(move || container::find_image(&shared, &image)).await;
    let answer = match resolved {
        // Without isolation `find_image` answers with a nameless image where there is none.
        Ok(Ok(image)) if image.references.is_empty() => {
            ImageAnswer::Unneeded { id: image.id.to_string() }
        }
        Ok(Ok(image)) => ImageAnswer::Present { id: image.id.to_string() },
        Ok(Err(nodes_oci::ResolveError::NotPresent { present, .. })) => {
            ImageAnswer::Missing { present }
        }
        Ok(Err(error)) => ImageAnswer::Unreadable { message: nodes_oci::chain(&error) },
        Err(lost) => ImageAnswer::Unreadable { message: lost.to_string() },
    };
    PodEvent::Image { container, answer }
}
