//! Controllers on their hosts: fed by the store's changes, their plans sent through the door.
//!
//! Way in: [`host`], [`feed`].  Never: a decision; `ControllerHost` decides what is looked at, a controller what to do.
//! Time and order: a host that starts looks at everything once; what changes from then on it is told.

use std::{cell::Cell, ops::Deref, sync::Arc};

use actors_controller::{
    Change, Controller, ControllerHost, HostEffect, HostEvent, HostLimits, HostNotice, Item, Kind,
    Kinds, Plan, Verdict, World,
};
use actors_kinds::Registry;
use actors_object::ApiError;
use actors_runtime::{Child, Driver, Failure, Inbox, Ref, Service};
use futures_util::future::join_all;
use nodes_client::Client as _;
use nodes_control::{SnapshotWorld, change_of, identity_of, requests};
use nodes_door::Identity;
use nodes_trace::TraceContext;
use store_catalog::Event;
use store_mvcc::{Epoch, Key};
use store_service::WatchEnd;

use crate::{gate::Gate, traces::Run};

/// Items of one plan that are on their way at once.
const ITEMS_AT_ONCE: usize = 16;

/// What every controller's driver shares.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) gate: Gate,
    pub(crate) registry: Arc<Registry>,
}

/// The host of one controller, as a child of the tree.
pub(crate) fn host(control: &Control, controller: &Arc<dyn Controller>) -> Child {
    let (control, controller) = (control.clone(), Arc::clone(controller));
    Child::machine(move |start: actors_runtime::Start<Inbox<HostEvent>>| {
        let (control, controller) = (control.clone(), Arc::clone(&controller));
        async move {
            start.inbox.send(HostEvent::Resync);
            let identity = identity_of(controller.as_ref());
            let machine = ControllerHost::new(controller, HostLimits::default());
            Ok((machine, HostDriver { control, identity, epoch: Cell::new(None) }))
        }
    })
}

/// An actor that is told of changes.
#[derive(Clone)]
pub(crate) struct Listener<E> {
    actor: Ref<E>,
    /// What the keys of those changes begin with; `None` if all are to be told.
    prefixes: Option<Vec<Key>>,
    /// Which of them are wanted: asked before anything is decoded.
    wants: fn(&Event) -> bool,
}

impl<E> Listener<E> {
    /// Hears of everything.
    pub(crate) fn of_all(actor: Ref<E>) -> Self {
        Self { actor, prefixes: None, wants: |_| true }
    }

    /// Hears of these kinds only: whoever else is woken costs each write its turn.
    pub(crate) fn of(actor: Ref<E>, kinds: &Kinds, registry: &Registry) -> Self {
        let Kinds::These(kinds) = kinds else { return Self::of_all(actor) };
        let prefix = |kind: &Kind| {
            let storage = &registry.kind_named(kind.api_version(), kind.kind())?.storage;
            Some(Key::prefix(&storage.group, &storage.resource, None))
        };
        // A kind that is not known here may be stored anywhere.
        let prefixes = kinds.iter().map(prefix).collect();
        Self { prefixes, ..Self::of_all(actor) }
    }

    /// Hears of those alone for which this is true.
    pub(crate) fn only(self, wants: fn(&Event) -> bool) -> Self {
        Self { wants, ..self }
    }

    fn hears(&self, event: &Event) -> bool {
        let begins = |prefixes: &Vec<Key>| prefixes.iter().any(|it| event.key.has_prefix(it));
        self.prefixes.as_ref().is_none_or(begins) && (self.wants)(event)
    }
}

/// What tells an actor of changes, in their order.
pub(crate) type Tells<E> = fn(Vec<Change>) -> Vec<E>;

/// Tells actors of the changes that they hear of, in order, and of many at once if many are there: each message costs
/// its actor a turn. `words` are the event that makes an actor look at everything, and those that tell of changes.
pub(crate) async fn feed<E: Clone + Send + 'static>(
    service: Service,
    control: Control,
    actors: Vec<Listener<E>>,
    words: (E, Tells<E>),
) -> Result<(), Failure> {
    let (resync, changed) = words;
    let store = control.gate.store();
    let (mut leadership, mut progress) = (store.leadership(), store.progress());
    // Before the replica is loaded there is nothing to follow.
    tokio::select! {
        () = service.stopping() => return Ok(()),
        loaded = progress.wait_for(|progress| progress.position.index > 0) => drop(loaded?),
    }
    let mut changes = store.watch(store.snapshot().revision(), all());
    // What happened between an actor's own look and this watch, or while an earlier feed was away.
    tell_all(&actors, &resync).await;
    loop {
        let events = tokio::select! {
            () = service.stopping() => return Ok(()),
            moved = leadership.changed() => {
                moved?;
                // What was refused for want of an epoch is looked at again at once.
                tell_all(&actors, &resync).await;
                continue;
            }
            events = changes.next() => match events {
                Ok(events) => events,
                // Too slow, or the replica was replaced: look at everything, and follow from there.
                Err(WatchEnd::Expired { .. }) => {
                    changes = store.watch(store.snapshot().revision(), all());
                    tell_all(&actors, &resync).await;
                    continue;
                }
                Err(closed) => return Err(closed.into()),
            },
        };
        let mut read: Vec<Option<Change>> = vec![None; events.len()];
        for listener in &actors {
            let heard = events.iter().zip(&mut read).filter(|(event, _)| listener.hears(event));
            let heard = heard.map(|(event, read)| read.get_or_insert_with(|| change_of(event)));
            let heard: Vec<Change> = heard.map(|change| change.clone()).collect();
            if heard.is_empty() {
                continue;
            }
            for told in changed(heard) {
                tell(listener, told).await;
            }
        }
    }
}

async fn tell_all<E: Clone + Send + 'static>(actors: &[Listener<E>], event: &E) {
    for listener in actors {
        tell(listener, event.clone()).await;
    }
}

/// An actor that is just being started looks at everything anyway.
async fn tell<E: Send + 'static>(listener: &Listener<E>, event: E) {
    let _starting = listener.actor.tell(event).await;
}

fn all() -> Key {
    Key::from_bytes("/registry/")
}

/// A snapshot, lent to a machine as the world.
pub(crate) struct WorldGuard(SnapshotWorld);

impl WorldGuard {
    /// Everything that is applied here now.
    pub(crate) fn of(control: &Control) -> Self {
        let snapshot = control.gate.store().snapshot();
        Self(SnapshotWorld::new(snapshot, Arc::clone(&control.registry)))
    }
}

impl Deref for WorldGuard {
    type Target = dyn World;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

struct HostDriver {
    control: Control,
    identity: Identity,
    /// The epoch that this member held when the view was lent: plans made on that view are written under it, or
    /// refused by the store if another member holds the shards by then.
    epoch: Cell<Option<Epoch>>,
}

impl Driver<ControllerHost> for HostDriver {
    type Guard = WorldGuard;

    fn view(&self) -> WorldGuard {
        // The epoch first: one that is older than the view can only be refused, never wrongly accepted.
        self.epoch.set(self.control.gate.store().epoch());
        WorldGuard::of(&self.control)
    }

    fn submit(&mut self, effect: HostEffect, inbox: &Inbox<HostEvent>) {
        match effect {
            HostEffect::SetTimer { at } => inbox.send_at(at, HostEvent::Timer),
            HostEffect::Notice(HostNotice::Undeclared { key, item }) => {
                tracing::error!(%key, item, "a controller planned a write that it does not declare");
            }
            HostEffect::Notice(notice) => {
                tracing::warn!(?notice, host = inbox.path(), "a controller's host")
            }
            HostEffect::Apply { plan, id, key, controller } => {
                let (control, identity) = (self.control.clone(), self.identity.clone());
                let gate = self.epoch.get().map(|epoch| control.gate.under(epoch));
                inbox.spawn(async move {
                    let run = Run::of_key(&control, (&controller, &key), &plan);
                    let way = (gate.as_ref(), &*control.registry, &identity);
                    let verdicts = apply(way, &plan, run).await;
                    HostEvent::PlanDone { id, verdicts }
                });
            }
        }
    }
}

/// Sends all items of a plan through the door; each has its own verdict. Without a gate (this member holds no
/// shards) all are refused, and the host tries again later.
pub(crate) async fn apply(way: Way<'_>, plan: &Plan, run: Run) -> Vec<Verdict> {
    let mut verdicts = Vec::with_capacity(plan.items.len());
    for items in plan.items.chunks(ITEMS_AT_ONCE) {
        let first = verdicts.len();
        let asked = items.iter().enumerate();
        let asked = asked.map(|(at, item)| apply_one(way, item, run.context(first + at)));
        verdicts.extend(join_all(asked).await);
    }
    run.end(plan, &verdicts);
    verdicts
}

/// The gate to go through, what is served, and who asks.
pub(crate) type Way<'a> = (Option<&'a Gate>, &'a Registry, &'a Identity);

async fn apply_one(
    (gate, registry, identity): Way<'_>,
    item: &Item,
    trace: TraceContext,
) -> Verdict {
    let mut request = match requests::of_item(item, identity, registry) {
        Ok(request) => request,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    let Some(gate) = gate else {
        let error = ApiError::service_unavailable("this server holds no shards");
        return requests::verdict(item, &error.into(), 0);
    };
    request.options.trace = trace;
    let response = gate.call(request).await;
    requests::verdict(item, &response, gate.store().revision().0)
}
