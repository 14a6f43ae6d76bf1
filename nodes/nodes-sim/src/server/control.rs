//! The control loops of the leader: every controller on its host, fed by the catalog, its plans
//! sent through the door.
//!
//! Way in: [`Server::feed_control`], [`Server::handle_host`].  Owns: loops, plans on their way, what
//! is left to be founded.
//! Invariant: loops of an epoch that is over hear nothing and their answers are dropped.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use actors_controller::{HostEffect, HostEvent, HostNotice, Item, Plan, Verdict};
use actors_core::{Correlation, Mono};
use nodes_control::{
    SnapshotWorld, change_of,
    health::{HealthEvent, HealthMachine, Words},
    requests,
};
use nodes_door::Response;
use store_catalog::{Cursor, Event, Polled, Snapshot};
use store_mvcc::{Epoch, Key};

use super::{
    Ctx, Inner, Origin, Server,
    loops::{Hosted, LoopEvent},
};
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
    /// Which of the objects that every cluster has this epoch has not made sure of yet.
    pub(super) unfounded: Range<usize>,
    /// The first of them is being made.
    pub(super) is_founding: bool,
    /// What the loops see if a bug is planted: the state as it was.
    past: VecDeque<(Mono, Snapshot)>,
}

/// What all loops may want to hear.
pub(super) enum News {
    /// An object changed.
    Changed(Arc<Event>),
    /// Changes were missed.
    Resync,
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
        let registry = &shared.registry;
        let controllers = shared.controllers.iter().map(|one| Hosted::controller(one, registry));
        let others = [Hosted::scheduler(registry), Hosted::health(health, registry)];
        let cursor = Cursor::new(snapshot.revision(), Key::from("/registry/"));
        Self {
            term,
            epoch,
            hosts: controllers.chain(others).collect(),
            cursor,
            plans: BTreeMap::new(),
            unfounded: 0..shared.foundation.len(),
            is_founding: false,
            past: VecDeque::new(),
        }
    }

    /// Health outlives a reign.
    pub(super) fn into_health(self) -> Box<HealthMachine> {
        self.hosts.into_iter().find_map(Hosted::into_health).unwrap_or_default()
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.unfounded.is_empty()
            && self.plans.is_empty()
            && self.hosts.iter().all(Hosted::is_quiet)
    }

    /// What the controllers last did and why, for who looks at a run that failed.
    pub(super) fn recent(&self) -> Vec<String> {
        self.hosts.iter().flat_map(Hosted::recent).collect()
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

impl Server {
    /// Lets the loops of a new epoch look at everything.
    pub(super) fn start_control(&mut self, ctx: &Ctx<'_>) {
        let Some(control) = &self.control else { return };
        let epoch = control.epoch.0;
        for host in 0..control.hosts.len() {
            let event = Box::new(LoopEvent::Common(HostEvent::Resync));
            self.inbox.push_back(Inner::Host { epoch, host, event });
        }
        let host = control.hosts.len() - 1;
        let words = Words::of(self.mesh.me(), &self.mesh.view(ctx.now));
        for event in [HealthEvent::Words(words), HealthEvent::Leading(true)] {
            let event = Box::new(LoopEvent::Health(event));
            self.inbox.push_back(Inner::Host { epoch, host, event });
        }
        self.found_next(ctx);
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
        self.found_next(ctx);
        self.compact(ctx);
    }

    /// Tells the loops what was published.
    pub(super) fn feed_control(&mut self) {
        let Some(control) = &mut self.control else { return };
        let epoch = control.epoch.0;
        match control.cursor.poll(self.replica.catalog.ring(), usize::MAX) {
            Polled::Batch { events, .. } => {
                let news = events.into_iter().map(News::Changed);
                self.inbox.extend(news.map(|news| Inner::Hosts { epoch, news }));
            }
            Polled::Lagged => {
                let revision = self.replica.catalog.ring().newest();
                control.cursor = Cursor::new(revision, Key::from("/registry/"));
                self.inbox.push_back(Inner::Hosts { epoch, news: News::Resync });
            }
        }
    }

    /// The loops of an epoch, if it is not over, and what they see.
    fn loops(&mut self, ctx: &Ctx<'_>, epoch: u64) -> Option<(&mut Control, SnapshotWorld)> {
        let snapshot = self.replica.snapshot();
        let control = self.control.as_mut().filter(|control| control.epoch.0 == epoch)?;
        let world = control.view(ctx, snapshot);
        Some((control, world))
    }

    /// Tells all loops that hear of it, one after the other.
    pub(super) fn handle_hosts(&mut self, ctx: &mut Ctx<'_>, epoch: u64, news: &News) {
        let Some((control, world)) = self.loops(ctx, epoch) else { return };
        let (mut wishes, mut told) = (Vec::new(), None);
        for (host, hosted) in control.hosts.iter_mut().enumerate() {
            let event = match news {
                News::Resync => HostEvent::Resync,
                News::Changed(event) if hosted.hears(event) => {
                    HostEvent::Changed(told.get_or_insert_with(|| change_of(event)).clone())
                }
                News::Changed(_) => continue,
            };
            let wanted = hosted.handle(ctx, &world, LoopEvent::Common(event));
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
            Origin::Bootstrap { epoch } if epoch == control.epoch.0 => self.founded(ctx, response),
            _ => {}
        }
    }
}
