//! From membership's words to Node objects: the machine of `nodes-control`, on every server; only the holder of the
//! shards writes.
//!
//! Way in: [`tree`].  Never: a decision; `HealthMachine` makes them.
//! Time and order: it hears and counts whoever leads, so that a change of leaders begins no waiting anew.

use std::{cell::Cell, time::Duration};

use actors_controller::Kinds;
use actors_core::{Address, ChildSpec, Intensity, MailboxPolicy, OnLimit};
use actors_runtime::{Child, Driver, Failure, Inbox, Ref, Service, System, Tree};
use nodes_control::health::{self, HealthEffect, HealthEvent, HealthMachine, Words};
use nodes_mesh::View;
use store_mvcc::Epoch;
use store_service::Store;
use tokio::time::timeout;

use crate::{
    control::{Control, Listener, Tells, WorldGuard, apply, feed},
    traces::Run,
};

/// How often what was said is said again.
const SAY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The machine, its feed of changes and its feed of words, as a subtree.
pub(crate) fn tree(control: &Control, system: &System, (me, view): (&str, View)) -> Tree {
    let intensity = Intensity { restarts: 30, period: Duration::from_secs(60) };
    let address = Address::new("health", "nodes");
    let machine: Ref<HealthEvent> = system.actor_at(&address);
    let own = control.clone();
    let child = Child::machine(move |start: actors_runtime::Start<Inbox<HealthEvent>>| {
        let control = own.clone();
        async move {
            start.inbox.send(HealthEvent::Resync);
            let driver = HealthDriver { control, epoch: Cell::new(None) };
            Ok((HealthMachine::default(), driver))
        }
    });
    let (fed, changes) = (control.clone(), machine.clone());
    let feed = Child::service(move |service| {
        let each = |changes: Vec<_>| changes.into_iter().map(HealthEvent::Changed).collect();
        let words = (HealthEvent::Resync, each as Tells<_>);
        let heard = Kinds::These(HealthMachine::HEARD.to_vec());
        let listener = Listener::of(changes.clone(), &heard, &fed.registry).only(health::matters);
        feed(service, fed.clone(), vec![listener], words)
    });
    let (words, store) = ((me.to_owned(), view), control.gate.store().clone());
    let words = Child::service(move |service| {
        speak(service, (machine.clone(), store.clone()), words.clone())
    });
    Tree::new("health", intensity, OnLimit::Escalate)
        .child(
            ChildSpec::permanent("nodes").mailbox(MailboxPolicy::wait(16_384)),
            child.at(address),
        )
        .child(ChildSpec::permanent("feed"), feed)
        .child(ChildSpec::permanent("words"), words)
}

/// Tells the machine each new view, and whether this member holds the shards; the present ones now and then again, for
/// a machine that was started anew.
async fn speak(
    service: Service,
    (machine, store): (Ref<HealthEvent>, Store),
    (me, mut view): (String, View),
) -> Result<(), Failure> {
    let mut leadership = store.leadership();
    loop {
        let words = Words::of(&me, &view.borrow_and_update());
        let leads = leadership.borrow_and_update().epoch.is_some();
        for event in [HealthEvent::Words(words), HealthEvent::Leading(leads)] {
            // A machine that is just being started hears the next words.
            let _starting = machine.tell(event).await;
        }
        let changed = async {
            tokio::select! {
                changed = view.changed() => changed,
                changed = leadership.changed() => changed,
            }
        };
        tokio::select! {
            () = service.stopping() => return Ok(()),
            changed = timeout(SAY_AGAIN_AFTER, changed) => if let Ok(changed) = changed {
                changed?;
            },
        }
    }
}

struct HealthDriver {
    control: Control,
    /// As in the controllers' driver: what is decided on a view is written under the epoch of that view.
    epoch: Cell<Option<Epoch>>,
}

impl Driver<HealthMachine> for HealthDriver {
    type Guard = WorldGuard;

    fn view(&self) -> WorldGuard {
        self.epoch.set(self.control.gate.store().epoch());
        WorldGuard::of(&self.control)
    }

    fn submit(&mut self, effect: HealthEffect, inbox: &Inbox<HealthEvent>) {
        match effect {
            HealthEffect::SetTimer { at } => inbox.send_at(at, HealthEvent::Timer),
            HealthEffect::Apply { plan, id } => {
                let control = self.control.clone();
                let gate = self.epoch.get().map(|epoch| control.gate.under(epoch));
                inbox.spawn(async move {
                    let identity = health::identity();
                    let run = Run::of_objects(&control, ("health", "judge"), &plan);
                    let way = (gate.as_ref(), &*control.registry, &identity);
                    let verdicts = apply(way, &plan, run).await;
                    HealthEvent::PlanDone { id, verdicts }
                });
            }
        }
    }
}
