//! One look at one key: ask the controller, check its plan, send what is left of it.
//!
//! Way in: [`ControllerHost::run`].  Never: an item that was not declared, or that would change
//! nothing.

use std::time::Duration;

use actors_core::{Correlation, Effects, Rng, Turn};
use actors_object::{Object, names};

use super::{
    ControllerHost, HostEffect, HostNotice, Trace,
    entry::{After, Matters, Running, Stage},
};
use crate::{EventType, Happening, Item, Key, Plan, Recorded, Target, World, record::event_item};

/// A plan that is ready to be sent, with a line of text for each item.
pub(super) struct Outgoing {
    pub(super) key: Key,
    pub(super) plan: Plan,
    pub(super) lines: Vec<String>,
    pub(super) stage: Stage,
    pub(super) trace: Trace,
}

/// A plan may not ask to be looked at again sooner.
const REQUEUE_MIN: Duration = Duration::from_millis(10);

impl ControllerHost {
    pub(super) fn run(
        &mut self,
        turn: &mut Turn<'_, dyn World>,
        key: Key,
        out: &mut Effects<HostEffect>,
    ) {
        let causes = self.queue.take_causes(&key);
        let world = Recorded::new(turn.view, &self.access);
        let object = turn.view.get(&key.kind, &key.namespace, &key.name);
        let mut plan = match &object {
            Some(object) => self.controller.reconcile(object, &world, turn.now),
            None => self.controller.reconcile_gone(&key, &world, turn.now),
        };
        plan.reads = world.into_reads();
        plan.revision = turn.view.revision();
        self.tidy(&mut plan, (&key, object.as_deref()), turn, out);
        let lines: Vec<String> = plan.items.iter().map(Item::to_string).collect();
        // A plan that is not sent needs them no longer.
        let reads = match lines.is_empty() {
            true => std::mem::take(&mut plan.reads),
            false => plan.reads.clone(),
        };
        let trace = Trace {
            at: turn.now.wall,
            key: key.clone(),
            causes,
            revision: plan.revision,
            reads,
            plan: lines.iter().take(Trace::LINES_MAX).cloned().collect(),
            outcome: Vec::new(),
        };
        if lines.is_empty() {
            return self.rest(turn, key, plan.requeue_after, trace);
        }
        if self.heat.is_hot(&key, lines.iter().map(String::as_str), turn.now.mono) {
            return self.park(turn, (key, object.as_deref()), trace, out);
        }
        let outgoing = Outgoing { key, plan, lines, stage: Stage::First, trace };
        self.send(turn, outgoing, out);
    }

    /// Leaves out what was not declared or would change nothing, and names what has no name.
    fn tidy(
        &self,
        plan: &mut Plan,
        (key, object): (&Key, Option<&Object>),
        turn: &Turn<'_, dyn World>,
        out: &mut Effects<HostEffect>,
    ) {
        if let (Some(rejection), Some(object)) = (&plan.rejection, object) {
            let message = format!("{}: {}", rejection.path, rejection.why);
            plan.event(object, EventType::Warning, "Rejected", message);
        }
        plan.items.retain(|item| {
            let declared = item.verb().is_none_or(|verb| self.access.allows(&item.kind(), verb));
            if !declared {
                let (key, item) = (key.clone(), item.to_string());
                out.push(HostEffect::Notice(HostNotice::Undeclared { key, item }));
            }
            declared && !item.is_idle(turn.view)
        });
        if plan.items.len() > Plan::ITEMS_MAX {
            plan.items.truncate(Plan::ITEMS_MAX);
            plan.requeue(REQUEUE_MIN);
        }
    }

    /// Ends a look that changes nothing.
    fn rest(
        &mut self,
        turn: &Turn<'_, dyn World>,
        key: Key,
        requeue_after: Option<Duration>,
        trace: Trace,
    ) {
        let now = turn.now.mono;
        let after = requeue_after
            .map_or(After::Sleep, |wait| After::Requeue(now.after(wait.max(REQUEUE_MIN))));
        self.trace.push(Trace { outcome: vec!["nothing to do".to_owned()], ..trace });
        self.queue.count_failure(&key, false);
        self.queue.finish(key, after, (0, 0), now);
    }

    /// Ends a look whose plan was made too often.
    fn park(
        &mut self,
        turn: &mut Turn<'_, dyn World>,
        (key, object): (Key, Option<&Object>),
        trace: Trace,
        out: &mut Effects<HostEffect>,
    ) {
        let plan = trace.plan.join("; ");
        out.push(HostEffect::Notice(HostNotice::Parked { key: key.clone(), plan: plan.clone() }));
        self.trace.push(Trace { outcome: vec!["parked: a hot loop".to_owned()], ..trace });
        if let Some(object) = object {
            let happening = Happening {
                regarding: Target::of(object),
                kind: EventType::Warning,
                reason: "HotLoop".to_owned(),
                message: format!("{} makes the same changes again and again: {plan}", self.name()),
            };
            let item = event_item(&happening, &self.reporter(), turn.view, turn.now.wall);
            self.tell(key.clone(), item, out);
        }
        let due = turn.now.mono.after(self.limits.parked_for);
        self.queue.park(key, due, object.map_or(0, Object::generation));
    }

    /// Sends an event that nothing waits for: its verdict finds nobody.
    fn tell(&mut self, key: Key, item: Item, out: &mut Effects<HostEffect>) {
        let plan = Plan { items: vec![item], ..Plan::default() };
        let (controller, id) = (self.name().to_owned(), self.next_id.take());
        out.push(HostEffect::Apply { controller, key, plan, id });
    }

    /// Sends a plan, its events turned into writes and its objects named.
    pub(super) fn send(
        &mut self,
        turn: &mut Turn<'_, dyn World>,
        outgoing: Outgoing,
        out: &mut Effects<HostEffect>,
    ) {
        let Outgoing { key, mut plan, lines, stage, trace } = outgoing;
        plan.causes.clone_from(&trace.causes);
        let reporter = self.reporter();
        let mut items = Vec::with_capacity(lines.len());
        for (item, line) in plan.items.iter_mut().zip(lines) {
            let matters = if matches!(item, Item::Event(_)) { Matters::No } else { Matters::Yes };
            items.push((line, matters));
            match item {
                Item::Event(happening) => {
                    *item = event_item(happening, &reporter, turn.view, turn.now.wall);
                }
                Item::Create(object) => complete_name(object, turn.rng),
                _ => {}
            }
        }
        let id: Correlation = self.next_id.take();
        let requeue_after = plan.requeue_after;
        let running = Running { key: key.clone(), items, requeue_after, stage, trace };
        self.running.insert(id, running);
        out.push(HostEffect::Apply { controller: self.name().to_owned(), key, plan, id });
    }

    /// The component's name in events.
    fn reporter(&self) -> String {
        format!("{}-controller", self.name())
    }
}

/// Gives an object with a `generateName` its name.
fn complete_name(object: &mut Object, rng: &mut Rng) {
    if object.name().is_empty() && !object.generate_name().is_empty() {
        let name = names::generate(object.generate_name(), rng);
        object.set_name(&name);
    }
}
