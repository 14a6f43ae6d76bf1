//! What the agent asks of the API about itself: whether its node is held to be alive, which pods
//! are its own.
//!
//! Way in: [`Agent::look_at_leases`].  Owns: the machine of the fences, and what waits for its
//! word.
//! Order: a question is answered by two consistent reads that begin after it was sent; the node's
//! first, so that a death that is committed later finds every confirmed deadline in front of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actors_controllers::{dead_nodes, fencing};
use actors_core::{Effects, Machine, Mono, Turn};
use actors_object::Object;
use nodes_door::{Entry, Response, ResponseBody};
use nodes_pods::{FenceEffect, FenceEvent, FenceMachine, PodEffect, PodEvent};

use super::{Agent, Purpose, Registration, hollow};
use crate::{
    ask::{NODES, PODS},
    event::{Effect, Local},
    hollow::Site,
    server::Ctx,
    watcher::revision_of,
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Leases {
    machine: FenceMachine,
    /// The fenced pods as the machine knows them.
    pods: BTreeMap<String, Duration>,
    /// Sandboxes that are not made before a deadline lets them.
    pub(super) held: BTreeMap<String, u32>,
    /// Pods whose fence fell, of which nobody has said whether they are to run.
    pub(super) unconfirmed: BTreeSet<String>,
    /// The pods were listed in this life.
    pub(super) is_listed: bool,
    /// When the own node is looked at next.
    next_look: Mono,
    /// The revision of the node when somebody had marked it: pods must be known as of then.
    marked_at: u64,
}

impl Agent {
    const LOOK: Duration = Duration::from_secs(2);

    /// Asks what is to be asked.
    pub(super) fn look_at_leases(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        if self.leases.next_look <= now && self.registration != Registration::Absent {
            self.leases.next_look = now.after(Self::LOOK);
            let request = self.asker.get(NODES, None, &self.name);
            self.ask(ctx, Purpose::Look, request);
        }
        for uid in std::mem::take(&mut self.leases.unconfirmed) {
            let Some(slot) = self.pods.get(&uid) else { continue };
            let (namespace, name) = (slot.object.namespace(), slot.object.name());
            let request = self.asker.get(PODS, Some(namespace), name);
            self.ask(ctx, Purpose::Confirm { uid }, request);
        }
        let fenced = |uid: &String| {
            let slot = self.pods.get(uid).filter(|slot| !slot.finished)?;
            Some((uid.clone(), fencing::fence_after(&slot.object)?))
        };
        let pods: BTreeMap<String, Duration> = self.pods.keys().filter_map(fenced).collect();
        if pods != self.leases.pods {
            self.leases.pods.clone_from(&pods);
            self.tell_leases(ctx, FenceEvent::Pods(pods));
        }
    }

    pub(super) fn tell_leases(&mut self, ctx: &mut Ctx<'_>, event: FenceEvent) {
        let mut out = Effects::default();
        let turn = Turn { now: ctx.now, rng: &mut *ctx.rng, view: &() };
        self.leases.machine.handle(turn, event, &mut out);
        for effect in out.drain() {
            match effect {
                FenceEffect::Ask { round } => {
                    let request = self.asker.get(NODES, None, &self.name);
                    self.ask(ctx, Purpose::Renew { round }, request);
                }
                FenceEffect::SetDeadline { pod, at } => {
                    ctx.hollow.set_deadline(&pod, at);
                    ctx.out.push(Effect::FenceAt { at, uid: pod.clone() });
                    if at > ctx.now.mono
                        && let Some(attempt) = self.leases.held.remove(&pod)
                    {
                        let effect = PodEffect::CreateSandbox { attempt };
                        hollow::carry_out(ctx, (self.me, &pod), effect);
                    }
                }
                FenceEffect::WakeAt(at) => ctx.at(at, Local::FenceWake),
            }
        }
    }

    /// No answer came in time.
    pub(super) fn miss_lease(&mut self, ctx: &mut Ctx<'_>, purpose: &Purpose) {
        match purpose {
            Purpose::Renew { round } | Purpose::RenewPods { round } => {
                self.tell_leases(ctx, FenceEvent::Denied { round: *round });
                // Who waits for a sandbox must be free to end.
                for (uid, attempt) in std::mem::take(&mut self.leases.held) {
                    let message = "no server has confirmed that the pod may run here".to_owned();
                    self.tell(ctx, &uid, PodEvent::SandboxFailed { attempt, message });
                }
            }
            Purpose::Confirm { uid } => drop(self.leases.unconfirmed.insert(uid.clone())),
            _ => {}
        }
    }

    pub(super) fn take_lease(&mut self, ctx: &mut Ctx<'_>, purpose: &Purpose, response: &Response) {
        let object = match &response.body {
            ResponseBody::Entry(entry) => Some(entry.object()),
            _ => None,
        };
        let is_gone = matches!(&response.body, ResponseBody::Error(error) if error.is_not_found());
        match (purpose, object) {
            (Purpose::Look, Some(node)) => self.take_look(&node),
            (Purpose::Look, None) if is_gone => self.registration = Registration::Absent,
            (Purpose::Renew { round }, Some(node)) if !dead_nodes::is_dead(&node) => {
                let mut request = self.asker.list(PODS, None);
                request.options.field_selector = Some(format!("spec.nodeName={}", self.name));
                self.ask(ctx, Purpose::RenewPods { round: *round }, request);
            }
            (Purpose::RenewPods { round }, None) => match &response.body {
                ResponseBody::List(list) => {
                    let pods = list.entries.iter().map(Entry::object);
                    let pods = pods.map(|pod| pod.uid().to_owned()).collect();
                    self.tell_leases(ctx, FenceEvent::Confirmed { round: *round, pods });
                }
                _ => self.miss_lease(ctx, purpose),
            },
            (Purpose::Confirm { uid }, Some(pod)) if pod.uid() == uid => {
                self.tell(ctx, uid, PodEvent::Confirmed(pod));
            }
            (Purpose::Confirm { uid }, object) if object.is_some() || is_gone => {
                self.lose_pod(ctx, uid);
            }
            _ => self.miss_lease(ctx, purpose),
        }
    }

    fn take_look(&mut self, node: &Object) {
        let conditions = node.list_at(&["status", "conditions"]);
        let ready = conditions.iter().find(|one| one.at("type").as_str() == Some("Ready"));
        let is_ready = ready.and_then(|ready| ready.at("status").as_str()) == Some("True");
        if !is_ready && self.registration == Registration::Ready {
            self.registration = Registration::Registered;
            self.leases.marked_at = revision_of(node);
        }
    }

    /// Whether all that was to end here has ended, as far as the API knew when the node was marked.
    pub(super) fn may_report(&self) -> bool {
        self.leases.is_listed
            && self.watcher.after.is_some_and(|after| after >= self.leases.marked_at)
            && self.pods.values().all(|slot| !slot.object.is_terminating())
    }

    /// Ends what runs here of pods that the API does not have.
    pub(super) fn end_strangers(&mut self, ctx: &mut Ctx<'_>) {
        let strange = |uid: &&String| !self.pods.contains_key(*uid);
        let strangers: Vec<String> = ctx.hollow.uids().filter(strange).cloned().collect();
        for uid in strangers {
            let fences = &mut ctx.record.fences;
            ctx.hollow.remove(&uid, &mut Site { me: self.me, now: ctx.now, fences });
        }
    }
}
