//! The control loops of the leader: every controller on its host, fed by the catalog, its plans
//! sent through the door.
//!
//! Way in: [`Server::feed_control`], [`Server::handle_host`].  Owns: hosts, plans on their way, the
//! bootstrap list.
//! Invariant: loops of an epoch that is over hear nothing and their answers are dropped.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actors_controller::{
    ControllerHost, HostEffect, HostEvent, HostLimits, HostNotice, Item, Plan, Verdict, World,
};
use actors_core::{Correlation, Effects, Machine, Mono, Now, Turn};
use actors_scheduler::{SchedulerEffect, SchedulerEvent, SchedulerLimits, SchedulerMachine};
use nodes_control::{
    SnapshotWorld, change_of,
    health::{self, HealthEffect, HealthEvent, HealthMachine, Words},
    identity_of, requests, roles_of,
};
use nodes_door::{
    Body, Identity, Media, Options, Request, Response, ResponseBody, Target, Verb,
    bootstrap_objects,
};
use store_catalog::{Cursor, Polled, Snapshot};
use store_mvcc::{Epoch, Key};

use super::{Ctx, Inner, Origin, Server};
use crate::{
    config::{Planted, Shared},
    event::Local,
    report::Invariant,
};

/// The control loops of one epoch.
pub(super) struct Control {
    pub(super) term: u64,
    pub(super) epoch: Epoch,
    hosts: Vec<Hosted>,
    cursor: Cursor,
    plans: BTreeMap<(usize, Correlation), InFlight>,
    /// Objects that every cluster has, which this epoch has not made sure of yet.
    bootstrap: VecDeque<Request>,
    bootstrapping: bool,
    /// What the loops see if a bug is planted: the state as it was.
    past: VecDeque<(Mono, Snapshot)>,
}

/// One control loop, and as whom it writes.
struct Hosted {
    machine: Loop,
    identity: Identity,
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

/// A plan whose items have not all come back.
struct InFlight {
    items: Vec<Item>,
    verdicts: Vec<Option<Verdict>>,
}

impl Control {
    /// With a planted bug, loops see a state this old.
    const STALE: Duration = Duration::from_millis(150);

    pub(super) fn new(
        shared: &Shared,
        (term, epoch): (u64, Epoch),
        snapshot: Snapshot,
        health: Box<HealthMachine>,
    ) -> Self {
        let hosted = |controller: &Arc<dyn actors_controller::Controller>| {
            let host = ControllerHost::new(Arc::clone(controller), HostLimits::default());
            let identity = identity_of(controller.as_ref());
            Hosted { machine: Loop::Controller(Box::new(host)), identity }
        };
        let scheduler = Hosted {
            machine: Loop::Scheduler(Box::new(SchedulerMachine::new(SchedulerLimits::default()))),
            identity: Identity::new("system:kube-scheduler", &[]),
        };
        let health = Hosted { machine: Loop::Health(health), identity: health::identity() };
        let cursor = Cursor::new(snapshot.revision(), Key::from("/registry/"));
        Self {
            term,
            epoch,
            hosts: shared.controllers.iter().map(hosted).chain([scheduler, health]).collect(),
            cursor,
            plans: BTreeMap::new(),
            bootstrap: bootstrap_requests(shared),
            bootstrapping: false,
            past: VecDeque::new(),
        }
    }

    /// Health outlives a reign.
    pub(super) fn into_health(self) -> Box<HealthMachine> {
        let health = |hosted: Hosted| match hosted.machine {
            Loop::Health(machine) => Some(machine),
            _ => None,
        };
        self.hosts.into_iter().find_map(health).unwrap_or_default()
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.bootstrap.is_empty()
            && self.plans.is_empty()
            && self.hosts.iter().all(Hosted::is_quiet)
    }

    /// What the controllers last did and why, for who looks at a run that failed.
    pub(super) fn recent(&self) -> Vec<String> {
        /// Looks of each controller.
        const LOOKS: usize = 6;
        let host = |hosted: &Hosted| match &hosted.machine {
            Loop::Controller(host) => {
                let traces: Vec<_> = host.traces().iter().collect();
                let last = traces.iter().rev().take(LOOKS).rev();
                last.map(|trace| format!("{}: {trace:?}", host.name())).collect()
            }
            Loop::Scheduler(_) | Loop::Health(_) => Vec::new(),
        };
        self.hosts.iter().flat_map(host).collect()
    }

    /// What the loops see.
    fn view(&mut self, ctx: &Ctx<'_>, snapshot: Snapshot) -> SnapshotWorld {
        let registry = Arc::clone(&ctx.shared.registry);
        if !ctx.shared.config.has(Planted::StaleReadDuplicate) {
            return SnapshotWorld::new(snapshot, registry);
        }
        self.past.push_back((ctx.now.mono, snapshot));
        let old = |at: Mono| ctx.now.mono.since(at) >= Self::STALE;
        while self.past.get(1).is_some_and(|(at, _)| old(*at)) {
            self.past.pop_front();
        }
        let (_, seen) = &self.past[0];
        SnapshotWorld::new(seen.clone(), registry)
    }
}

impl Hosted {
    fn is_quiet(&self) -> bool {
        match &self.machine {
            Loop::Controller(host) => host.is_quiet(),
            Loop::Scheduler(scheduler) => scheduler.waiting_len() == 0,
            // What it still waits for shows in the nodes' taints.
            Loop::Health(_) => true,
        }
    }

    /// Hands an event to the loop. The scheduler hears the same events as a controller's host, and
    /// wants the same.
    fn handle(
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
        LoopEvent::Common(HostEvent::Advanced | HostEvent::Poke(_)) => return None,
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

impl Server {
    /// Lets the loops of a new epoch look at everything.
    pub(super) fn start_control(&mut self, now: Now) {
        let Some(control) = &self.control else { return };
        let epoch = control.epoch.0;
        for host in 0..control.hosts.len() {
            let event = Box::new(LoopEvent::Common(HostEvent::Resync));
            self.inbox.push_back(Inner::Host { epoch, host, event });
        }
        let host = control.hosts.len() - 1;
        let words = Words::of(self.mesh.me(), &self.mesh.view(now));
        for event in [HealthEvent::Words(words), HealthEvent::Leading(true)] {
            let event = Box::new(LoopEvent::Health(event));
            self.inbox.push_back(Inner::Host { epoch, host, event });
        }
        self.bootstrap_next();
    }

    /// Health hears what membership believes now.
    pub(super) fn hear_mesh(&mut self, ctx: &mut Ctx<'_>) {
        let Some(views) = self.mesh.take_news() else { return };
        let words = HealthEvent::Words(Words::of(self.mesh.me(), &views));
        let Some(control) = &self.control else { return self.watch(ctx, words) };
        let (epoch, host) = (control.epoch.0, control.hosts.len() - 1);
        let event = Box::new(LoopEvent::Health(words));
        self.inbox.push_back(Inner::Host { epoch, host, event });
    }

    pub(super) fn sweep_control(&mut self, ctx: &mut Ctx<'_>) {
        self.seek_grant(ctx);
        self.raise_level(ctx);
        self.bootstrap_next();
        self.compact(ctx);
    }

    /// Tells the loops what was published.
    pub(super) fn feed_control(&mut self) {
        let Some(control) = &mut self.control else { return };
        let epoch = control.epoch.0;
        let mut news: Vec<HostEvent> = Vec::new();
        match control.cursor.poll(self.replica.catalog.ring(), usize::MAX) {
            Polled::Batch { events, .. } => {
                news.extend(events.iter().map(|event| HostEvent::Changed(change_of(event))));
            }
            Polled::Lagged => {
                let revision = self.replica.catalog.ring().newest();
                control.cursor = Cursor::new(revision, Key::from("/registry/"));
                news.push(HostEvent::Resync);
            }
        }
        let news = news.into_iter().map(|event| Inner::Hosts { epoch, event: Box::new(event) });
        self.inbox.extend(news);
    }

    /// The loops of an epoch, if it is not over, and what they see.
    fn loops(&mut self, ctx: &Ctx<'_>, epoch: u64) -> Option<(&mut Control, SnapshotWorld)> {
        let snapshot = self.replica.snapshot();
        let control = self.control.as_mut().filter(|control| control.epoch.0 == epoch)?;
        let world = control.view(ctx, snapshot);
        Some((control, world))
    }

    /// Hands an event to all loops, one after the other.
    pub(super) fn handle_hosts(&mut self, ctx: &mut Ctx<'_>, epoch: u64, event: &HostEvent) {
        let Some((control, world)) = self.loops(ctx, epoch) else { return };
        let mut wishes = Vec::new();
        for (host, hosted) in control.hosts.iter_mut().enumerate() {
            let wanted = hosted.handle(ctx, &world, LoopEvent::Common(event.clone()));
            wishes.extend(wanted.into_iter().map(|wish| (host, wish)));
        }
        for (host, wish) in wishes {
            self.carry_out_host(ctx, (epoch, host), [wish]);
        }
    }

    /// Hands an event to one loop.
    pub(super) fn handle_host(
        &mut self,
        ctx: &mut Ctx<'_>,
        (epoch, host): (u64, usize),
        event: LoopEvent,
    ) {
        let Some((control, world)) = self.loops(ctx, epoch) else { return };
        let Some(hosted) = control.hosts.get_mut(host) else { return };
        let wishes = hosted.handle(ctx, &world, event);
        self.carry_out_host(ctx, (epoch, host), wishes);
    }

    fn carry_out_host(
        &mut self,
        ctx: &mut Ctx<'_>,
        (epoch, host): (u64, usize),
        wishes: impl IntoIterator<Item = HostEffect>,
    ) {
        for wish in wishes {
            match wish {
                HostEffect::SetTimer { at } => ctx.at(at, Local::LoopTimer { epoch, host }),
                HostEffect::Notice(HostNotice::Undeclared { key, item }) => {
                    let what = format!("a controller planned {item} for {key}, undeclared");
                    ctx.record.violation(Invariant::DeclaredWrites, what);
                }
                HostEffect::Notice(HostNotice::Parked { key, plan }) => {
                    ctx.record.parked(&key.to_string(), &plan);
                }
                HostEffect::Notice(HostNotice::Overflow) => {}
                HostEffect::Apply { plan, id, .. } => self.begin_plan(ctx, (epoch, host), id, plan),
            }
        }
    }

    /// Sends all items of a plan to the door; each has its own verdict.
    fn begin_plan(
        &mut self,
        ctx: &mut Ctx<'_>,
        (epoch, host): (u64, usize),
        id: Correlation,
        plan: Plan,
    ) {
        ctx.record.counts.plans += 1;
        let Some(control) = &mut self.control else { return };
        let Some(hosted) = control.hosts.get(host) else { return };
        let mut verdicts = Vec::with_capacity(plan.items.len());
        for (item, planned) in plan.items.iter().enumerate() {
            let request = requests::of_item(planned, &hosted.identity, &ctx.shared.registry);
            verdicts.push(match request {
                Ok(request) => {
                    let revision = plan.revision;
                    let origin = Origin::Plan { epoch, host, plan: id, item, revision };
                    let request = Box::new(request);
                    self.inbox.push_back(Inner::Ask { origin, request });
                    None
                }
                Err(refusal) => Some(Verdict::Refused(refusal)),
            });
        }
        control.plans.insert((host, id), InFlight { items: plan.items, verdicts });
        self.end_plan(ctx, host, id);
    }

    /// Tells the host if all items of a plan have come back.
    fn end_plan(&mut self, ctx: &Ctx<'_>, host: usize, id: Correlation) {
        let Some(control) = &mut self.control else { return };
        let open = |plan: &InFlight| plan.verdicts.iter().any(Option::is_none);
        if control.plans.get(&(host, id)).is_none_or(open) {
            return;
        }
        let Some(plan) = control.plans.remove(&(host, id)) else { return };
        let mut verdicts: Vec<Verdict> = plan.verdicts.into_iter().flatten().collect();
        if ctx.shared.config.has(Planted::StaleReadDuplicate) {
            for verdict in &mut verdicts {
                if let Verdict::Done { revision } = verdict {
                    *revision = 0;
                }
            }
        }
        let done = LoopEvent::Common(HostEvent::PlanDone { id, verdicts });
        let (epoch, event) = (control.epoch.0, Box::new(done));
        self.inbox.push_back(Inner::Host { epoch, host, event });
    }

    /// The door answered one of the loops.
    pub(super) fn control_answer(
        &mut self,
        ctx: &mut Ctx<'_>,
        origin: Origin,
        response: &Response,
    ) {
        let shown_from = self.replica.snapshot().revision().0;
        let Some(control) = &mut self.control else { return };
        match origin {
            Origin::Plan { epoch, host, plan, item, .. } if epoch == control.epoch.0 => {
                if let Some(open) = control.plans.get_mut(&(host, plan)) {
                    open.verdicts[item] =
                        Some(requests::verdict(&open.items[item], response, shown_from));
                    self.end_plan(ctx, host, plan);
                }
            }
            Origin::Bootstrap { epoch } if epoch == control.epoch.0 => {
                control.bootstrapping = false;
                let refused = match &response.body {
                    ResponseBody::Error(error) if !error.is_already_exists() => Some(error),
                    _ => None,
                };
                match refused {
                    Some(error) if error.code < 500 => {
                        let what = format!("bootstrap was refused: {}", error.message);
                        ctx.record.violation(Invariant::AnswersMakeSense, what);
                        control.bootstrap.pop_front();
                    }
                    // Tried again with the next sweep.
                    Some(_) => {}
                    None => {
                        control.bootstrap.pop_front();
                        self.bootstrap_next();
                    }
                }
            }
            _ => {}
        }
    }

    /// Makes sure of the next object that every cluster has.
    fn bootstrap_next(&mut self) {
        let Some(control) = &mut self.control else { return };
        if control.bootstrapping {
            return;
        }
        if let Some(request) = control.bootstrap.front() {
            control.bootstrapping = true;
            let origin = Origin::Bootstrap { epoch: control.epoch.0 };
            let request = Box::new(request.clone());
            self.inbox.push_back(Inner::Ask { origin, request });
        }
    }
}

/// What a server of a new cluster makes sure of, in order: namespaces, roles, bindings.
fn bootstrap_requests(shared: &Shared) -> VecDeque<Request> {
    let identity = Identity::new("system:starling:bootstrap", &["system:masters"]);
    let roles = shared.controllers.iter().flat_map(|one| roles_of(one.as_ref(), &shared.registry));
    let own: Vec<_> = roles.chain(health::roles(&shared.registry)).collect();
    let is_own = |object: &actors_object::Object| {
        own.iter().any(|role| role.kind() == object.kind() && role.name() == object.name())
    };
    let general =
        bootstrap_objects().into_iter().filter(|object| !is_own(object)).collect::<Vec<_>>();
    let all = general.iter().chain(&own);
    let request = |object: &actors_object::Object| {
        let facts = shared.registry.kind(&object.gvk())?;
        let target = Target {
            group: facts.gvk.group.clone(),
            version: facts.gvk.version.clone(),
            resource: facts.plural.clone(),
            subresource: None,
            namespace: facts.namespaced.then(|| object.namespace().to_owned()),
            name: None,
        };
        Some(Request {
            identity: identity.clone(),
            verb: Verb::Create,
            target,
            options: Options::default(),
            body: Body { media: Media::Json, bytes: actors_object::json::to_vec(&object.0).into() },
            user_agent: "bootstrap".to_owned(),
        })
    };
    all.filter_map(request).collect()
}
