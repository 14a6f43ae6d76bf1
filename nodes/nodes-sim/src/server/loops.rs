//! One control loop of the leader: a controller's host, the scheduler, or health; what each of them
//! hears, as it is in a server.
//!
//! Way in: [`Hosted`].

use std::sync::Arc;

use actors_controller::{
    Controller, ControllerHost, HostEffect, HostEvent, HostLimits, Kind, Kinds, World,
};
use actors_core::{Effects, Machine, Turn};
use actors_kinds::Registry;
use actors_scheduler::{SchedulerEffect, SchedulerEvent, SchedulerLimits, SchedulerMachine};
use nodes_control::{
    SnapshotWorld,
    health::{self, HealthEffect, HealthEvent, HealthMachine},
    identity_of,
};
use nodes_door::Identity;
use store_catalog::Event;
use store_mvcc::Key;

use super::Ctx;

/// One control loop, and as whom it writes.
pub(super) struct Hosted {
    machine: Loop,
    pub(super) identity: Identity,
    /// What the keys of those changes begin with that it hears of; `None` if it hears of all.
    prefixes: Option<Vec<Key>>,
}

enum Loop {
    Controller(Box<ControllerHost>),
    Scheduler(Box<SchedulerMachine>),
    Health(Box<HealthMachine>),
}

/// What a loop can hear.
pub(super) enum LoopEvent {
    /// What each of them can.
    Common(HostEvent),
    /// What only health can.
    Health(HealthEvent),
}

/// What the keys of objects of these kinds begin with. A kind that is not known may be stored
/// anywhere.
fn prefixes(kinds: &Kinds, registry: &Registry) -> Option<Vec<Key>> {
    let Kinds::These(kinds) = kinds else { return None };
    let prefix = |kind: &Kind| {
        let storage = &registry.kind_named(kind.api_version(), kind.kind())?.storage;
        Some(Key::prefix(&storage.group, &storage.resource, None))
    };
    kinds.iter().map(prefix).collect()
}

impl Hosted {
    /// The loop of a controller.
    pub(super) fn controller(controller: &Arc<dyn Controller>, registry: &Registry) -> Self {
        let heard = controller.relations().heard(&controller.primary());
        let host = ControllerHost::new(Arc::clone(controller), HostLimits::default());
        Self {
            machine: Loop::Controller(Box::new(host)),
            identity: identity_of(controller.as_ref()),
            prefixes: prefixes(&heard, registry),
        }
    }

    pub(super) fn scheduler(registry: &Registry) -> Self {
        let heard = Kinds::These(SchedulerMachine::HEARD.to_vec());
        Self {
            machine: Loop::Scheduler(Box::new(SchedulerMachine::new(SchedulerLimits::default()))),
            identity: Identity::new("system:kube-scheduler", &[]),
            prefixes: prefixes(&heard, registry),
        }
    }

    pub(super) fn health(machine: Box<HealthMachine>, registry: &Registry) -> Self {
        let heard = Kinds::These(HealthMachine::HEARD.to_vec());
        Self {
            machine: Loop::Health(machine),
            identity: health::identity(),
            prefixes: prefixes(&heard, registry),
        }
    }

    /// The machine of health, if it is that.
    pub(super) fn into_health(self) -> Option<Box<HealthMachine>> {
        match self.machine {
            Loop::Health(machine) => Some(machine),
            Loop::Controller(_) | Loop::Scheduler(_) => None,
        }
    }

    /// What its controller last did and why, if it is a controller's.
    pub(super) fn recent(&self) -> Vec<String> {
        /// Looks of each controller.
        const LOOKS: usize = 6;
        let Loop::Controller(host) = &self.machine else { return Vec::new() };
        let traces: Vec<_> = host.traces().iter().collect();
        let last = traces.iter().rev().take(LOOKS).rev();
        last.map(|trace| format!("{}: {trace:?}", host.name())).collect()
    }

    /// Whether it is told of this.
    pub(super) fn hears(&self, event: &Event) -> bool {
        let begins = |prefixes: &Vec<Key>| prefixes.iter().any(|it| event.key.has_prefix(it));
        let matters = match &self.machine {
            Loop::Health(_) => health::matters,
            Loop::Controller(_) | Loop::Scheduler(_) => |_: &Event| true,
        };
        self.prefixes.as_ref().is_none_or(begins) && matters(event)
    }

    pub(super) fn is_quiet(&self) -> bool {
        match &self.machine {
            Loop::Controller(host) => host.is_quiet(),
            Loop::Scheduler(scheduler) => scheduler.waiting_len() == 0,
            // What it still waits for shows in the nodes' taints.
            Loop::Health(_) => true,
        }
    }

    /// Hands an event to the loop. The scheduler hears the same events as a controller's host, and
    /// wants the same.
    pub(super) fn handle(
        &mut self,
        ctx: &mut Ctx<'_>,
        world: &SnapshotWorld,
        event: LoopEvent,
    ) -> Vec<HostEffect> {
        let view: &(dyn World + 'static) = world;
        let turn = Turn { now: ctx.now, rng: &mut *ctx.rng, view };
        let event = match (event, &mut self.machine) {
            (event, Loop::Health(health)) => {
                let Some(event) = as_health_event(event) else { return Vec::new() };
                let mut effects = Effects::default();
                health.handle(turn, event, &mut effects);
                return effects.drain().map(of_health).collect();
            }
            (LoopEvent::Common(event), _) => event,
            (LoopEvent::Health(_), _) => return Vec::new(),
        };
        match &mut self.machine {
            Loop::Health(_) => Vec::new(),
            Loop::Controller(host) => {
                let mut effects = Effects::default();
                host.handle(turn, event, &mut effects);
                host.assert_invariants();
                effects.drain().collect()
            }
            Loop::Scheduler(scheduler) => {
                let event = match event {
                    HostEvent::Changed(change) => SchedulerEvent::Changed(change),
                    HostEvent::Changes(changes) => SchedulerEvent::Changes(changes),
                    HostEvent::PlanDone { id, verdicts } => {
                        SchedulerEvent::PlanDone { id, verdicts }
                    }
                    HostEvent::Timer => SchedulerEvent::Timer,
                    HostEvent::Resync => SchedulerEvent::Resync,
                    HostEvent::Advanced | HostEvent::Poke(_) => return Vec::new(),
                };
                let mut effects = Effects::default();
                scheduler.handle(turn, event, &mut effects);
                scheduler.assert_invariants();
                effects.drain().map(as_host_effect).collect()
            }
        }
    }
}

fn as_health_event(event: LoopEvent) -> Option<HealthEvent> {
    Some(match event {
        LoopEvent::Health(event) => event,
        LoopEvent::Common(HostEvent::Changed(change)) => HealthEvent::Changed(change),
        LoopEvent::Common(HostEvent::PlanDone { id, verdicts }) => {
            HealthEvent::PlanDone { id, verdicts }
        }
        LoopEvent::Common(HostEvent::Timer) => HealthEvent::Timer,
        LoopEvent::Common(HostEvent::Resync) => HealthEvent::Resync,
        // Changes are told one by one here, and nobody pokes the judge of machines.
        LoopEvent::Common(HostEvent::Changes(_) | HostEvent::Advanced | HostEvent::Poke(_)) => {
            return None;
        }
    })
}

fn of_health(effect: HealthEffect) -> HostEffect {
    match effect {
        HealthEffect::SetTimer { at } => HostEffect::SetTimer { at },
        HealthEffect::Apply { plan, id } => {
            let key = actors_controller::Key::new(&actors_controllers::kinds::NODE, "", "");
            HostEffect::Apply { controller: "health".to_owned(), key, plan, id }
        }
    }
}

fn as_host_effect(effect: SchedulerEffect) -> HostEffect {
    match effect {
        SchedulerEffect::SetTimer { at } => HostEffect::SetTimer { at },
        SchedulerEffect::Apply { plan, id } => {
            let key = actors_controller::Key::new(&actors_controllers::kinds::POD, "", "");
            HostEffect::Apply { controller: "scheduler".to_owned(), key, plan, id }
        }
    }
}
