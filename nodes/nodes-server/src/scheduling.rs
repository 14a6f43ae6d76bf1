//! The scheduler: fed by the store's changes, its bindings sent through the door.
//!
//! Way in: [`tree`].  Never: a decision; `SchedulerMachine` makes them.

use std::{cell::Cell, time::Duration};

use actors_controller::Kinds;
use actors_core::{Address, ChildSpec, Intensity, MailboxPolicy, OnLimit};
use actors_runtime::{Child, Driver, Inbox, System, Tree};
use actors_scheduler::{SchedulerEffect, SchedulerEvent, SchedulerLimits, SchedulerMachine};
use nodes_door::Identity;
use store_mvcc::Epoch;

use crate::{
    control::{Control, Listener, Tells, WorldGuard, apply, feed},
    traces::Run,
};

/// The scheduler and its feed, as a subtree.
pub(crate) fn tree(control: &Control, system: &System) -> Tree {
    let intensity = Intensity { restarts: 30, period: Duration::from_secs(60) };
    let address = Address::new("scheduler", "default");
    let machine = system.actor_at(&address);
    let (own, fed) = (control.clone(), control.clone());
    let child = Child::machine(move |start: actors_runtime::Start<Inbox<SchedulerEvent>>| {
        let control = own.clone();
        async move {
            start.inbox.send(SchedulerEvent::Resync);
            let driver = SchedulerDriver { control, epoch: Cell::new(None) };
            Ok((SchedulerMachine::new(SchedulerLimits::default()), driver))
        }
    });
    let feed = Child::service(move |service| {
        let heard = Kinds::These(SchedulerMachine::HEARD.to_vec());
        let listener = Listener::of(machine.clone(), &heard, &fed.registry);
        feed(
            service,
            fed.clone(),
            vec![listener],
            (
                SchedulerEvent::Resync,
                (|changes| vec![SchedulerEvent::Changes(changes)]) as Tells<_>,
            ),
        )
    });
    Tree::new("scheduler", intensity, OnLimit::Escalate)
        .child(
            ChildSpec::permanent("default").mailbox(MailboxPolicy::wait(16_384)),
            child.at(address),
        )
        .child(ChildSpec::permanent("feed"), feed)
}

struct SchedulerDriver {
    control: Control,
    /// As in the controllers' driver: what is decided on a view is written under the epoch of that view.
    epoch: Cell<Option<Epoch>>,
}

impl Driver<SchedulerMachine> for SchedulerDriver {
    type Guard = WorldGuard;

    fn view(&self) -> WorldGuard {
        self.epoch.set(self.control.gate.store().epoch());
        WorldGuard::of(&self.control)
    }

    fn submit(&mut self, effect: SchedulerEffect, inbox: &Inbox<SchedulerEvent>) {
        match effect {
            SchedulerEffect::SetTimer { at } => inbox.send_at(at, SchedulerEvent::Timer),
            SchedulerEffect::Apply { plan, id } => {
                let control = self.control.clone();
                let gate = self.epoch.get().map(|epoch| control.gate.under(epoch));
                inbox.spawn(async move {
                    let identity = Identity::new("system:kube-scheduler", &[]);
                    let run = Run::of_objects(&control, ("scheduler", "schedule"), &plan);
                    let way = (gate.as_ref(), &*control.registry, &identity);
                    let verdicts = apply(way, &plan, run).await;
                    SchedulerEvent::PlanDone { id, verdicts }
                });
            }
        }
    }
}
