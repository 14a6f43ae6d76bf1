//! The agent's process on a machine that runs pods: registers its node, watches its pods, drives
//! their machines, reports their statuses, renews the leases of those with a fence.
//!
//! Way in: [`Agent::handle_local`], [`Agent::handle_message`], [`Agent::handle_pod`].  Owns: a pod
//! machine for each pod bound here.
//! Never: a container; starts, probes and ends are timers (`agent/hollow.rs`), and what runs
//! outlives this process (`crate::hollow`). What the pod machine decides is real.

mod hollow;
mod lease;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_core::{Effects, Machine, Mono, Now, Turn};
use actors_object::{Object, Value, value};
use actors_sim::NodeId;
use nodes_door::{Identity, PatchKind, Request, Response, ResponseBody};
use nodes_pods::{FenceEvent, PodConfig, PodEffect, PodEvent, PodMachine};

use self::lease::Leases;
use crate::{
    ask::{Asker, NODES, PODS, of_status},
    config::ClusterConfig,
    event::{Local, Message, Shown},
    hollow::Site,
    mesh::{Mesh, name_of},
    server::Ctx,
    watcher::{Listening, News, Watcher},
};

/// An agent that is up.
pub(crate) struct Agent {
    me: NodeId,
    name: String,
    asker: Asker,
    server: u32,
    next_ask: u64,
    asks: BTreeMap<u64, (Purpose, Mono)>,
    watcher: Watcher,
    registration: Registration,
    /// The node's object is not written before this time.
    registers_from: Mono,
    pods: BTreeMap<String, Slot>,
    mesh: Mesh,
    leases: Leases,
}

/// What a request was for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Purpose {
    List,
    Register,
    Ready,
    Status {
        uid: String,
    },
    Finish {
        uid: String,
    },
    /// What the API says of the own node.
    Look,
    /// The same, for a question of the fences.
    Renew {
        round: u64,
    },
    /// And which pods are bound here.
    RenewPods {
        round: u64,
    },
    /// Whether a pod whose fence fell is to run here still.
    Confirm {
        uid: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registration {
    Absent,
    Registered,
    Ready,
}

/// A pod that is bound here.
struct Slot {
    machine: PodMachine,
    object: Arc<Object>,
    /// The newest status that the API does not have yet.
    unsaid: Option<Value>,
    /// The status that is on its way to the API.
    saying: Option<Value>,
    /// Nothing is said of it before this time.
    rests: Mono,
    /// Nothing is left of it here: its object is to go.
    finished: bool,
    /// A request about it is on its way.
    busy: bool,
    wake: Option<Mono>,
}

impl Agent {
    const BEAT: Duration = Duration::from_millis(200);
    /// A request without an answer after this time is made again.
    const PATIENCE: Duration = Duration::from_secs(5);

    pub(crate) fn new(me: NodeId, config: &ClusterConfig, mesh: Mesh, life: u64) -> Self {
        let name = name_of(me, config);
        let user = format!("system:node:{name}");
        let asker = Asker::new(Identity::new(user, &["system:nodes"]));
        let mut list = asker.list(PODS, None);
        list.options.field_selector = Some(format!("spec.nodeName={name}"));
        Self {
            me,
            name,
            asker,
            server: me.0 % u32::from(config.servers.max(1)),
            // Numbers of an earlier life must not be used again.
            next_ask: life << 32,
            asks: BTreeMap::new(),
            watcher: Watcher::new(list),
            registration: Registration::Absent,
            registers_from: Mono::default(),
            pods: BTreeMap::new(),
            mesh,
            leases: Leases::default(),
        }
    }

    /// Something happened to a pod on this machine.
    pub(crate) fn handle_pod(&mut self, ctx: &mut Ctx<'_>, uid: &str, event: PodEvent) {
        self.tell(ctx, uid, event);
        self.go_on(ctx);
    }

    pub(crate) fn handle_message(&mut self, ctx: &mut Ctx<'_>, from: NodeId, message: Message) {
        match message {
            Message::Answer { id, response } => self.take_answer(ctx, id, &response.0),
            Message::Watched { id, batch, events } => {
                let mut news = Vec::new();
                let stream = (from, id, batch);
                let listening = self.watcher.take_batch(stream, &events.0, ctx.now.mono, &mut news);
                if listening == Listening::No {
                    ctx.send(from, Message::Unwatch { id });
                }
                self.take_news(ctx, news);
            }
            Message::Mesh { life, word } => {
                return self.mesh.handle_word(ctx, from, (life, *word));
            }
            _ => {}
        }
        self.go_on(ctx);
    }

    pub(crate) fn handle_local(&mut self, ctx: &mut Ctx<'_>, local: Local) {
        match local {
            Local::Beat => {
                ctx.at(ctx.now.mono.after(Self::BEAT), Local::Beat);
                self.beat(ctx);
            }
            Local::MemberTick | Local::CarrierTick | Local::LinkLook => {
                return self.mesh.handle_local(ctx, &local);
            }
            Local::FenceWake => self.tell_leases(ctx, FenceEvent::Woken),
            Local::PodWake { uid, at } => {
                let slot = self.pods.get_mut(&uid);
                let due = slot.and_then(|slot| slot.wake.take_if(|own| *own == at)).is_some();
                if due {
                    self.tell(ctx, &uid, PodEvent::Woken);
                }
            }
            _ => {}
        }
        self.go_on(ctx);
    }

    /// Gives up what has no answer, and another server may have one.
    fn beat(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        let late: Vec<u64> = self
            .asks
            .iter()
            .filter(|(_, (_, since))| now.since(*since) > Self::PATIENCE)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            if let Some((purpose, _)) = self.asks.remove(&id) {
                self.free(&purpose);
                self.miss_lease(ctx, &purpose);
                self.server = (self.server + 1) % u32::from(ctx.shared.config.servers);
            }
        }
        self.look_at_leases(ctx);
        let server = NodeId(self.server);
        let next = &mut self.next_ask;
        let number = || {
            *next += 1;
            *next
        };
        if let Some((id, request)) = self.watcher.look(now, server, number, ctx.rng) {
            self.asks.insert(id, (Purpose::List, now));
            ctx.send(server, Message::Ask { id, request: Shown(Box::new(request)) });
            // The next stream, if this one dies, is asked of another server.
            self.server = (self.server + 1) % u32::from(ctx.shared.config.servers);
        }
    }

    fn free(&mut self, purpose: &Purpose) {
        if let Purpose::Status { uid } | Purpose::Finish { uid } = purpose
            && let Some(slot) = self.pods.get_mut(uid)
        {
            slot.busy = false;
            // What was not taken is said again, unless there is something newer to say.
            let saying = slot.saying.take();
            slot.unsaid = slot.unsaid.take().or(saying);
        }
    }

    fn ask(&mut self, ctx: &mut Ctx<'_>, purpose: Purpose, request: Request) {
        self.next_ask += 1;
        let id = self.next_ask;
        self.asks.insert(id, (purpose, ctx.now.mono));
        ctx.send(NodeId(self.server), Message::Ask { id, request: Shown(Box::new(request)) });
    }

    fn take_answer(&mut self, ctx: &mut Ctx<'_>, id: u64, response: &Response) {
        let Some((purpose, _)) = self.asks.remove(&id) else { return };
        let error = match &response.body {
            ResponseBody::Error(error) => Some(error),
            _ => None,
        };
        // Of a pod that is gone, or is another one by now, there is nothing more to say.
        let heard = error.is_none_or(|error| error.is_not_found() || error.code == 409);
        if let Purpose::Status { uid } | Purpose::Finish { uid } = &purpose
            && let Some(slot) = self.pods.get_mut(uid)
        {
            slot.saying.take_if(|_| heard);
            slot.rests = ctx.now.mono.after(if heard { Duration::ZERO } else { Self::BEAT });
        }
        self.free(&purpose);
        self.take_lease(ctx, &purpose, response);
        if matches!(purpose, Purpose::Register | Purpose::Ready) && error.is_some() {
            self.registers_from = ctx.now.mono.after(Self::BEAT);
        }
        match purpose {
            Purpose::List => {
                let mut news = Vec::new();
                if self.watcher.awaits(id) {
                    self.watcher.take_answer(response, &mut news);
                }
                self.take_news(ctx, news);
            }
            Purpose::Register if error.is_none_or(actors_object::ApiError::is_already_exists) => {
                self.registration = Registration::Registered;
            }
            Purpose::Ready if error.is_none() => self.registration = Registration::Ready,
            Purpose::Finish { uid } if heard => drop(self.pods.remove(&uid)),
            _ => {}
        }
        if let Some(error) = error.filter(|error| error.code == 403 || error.code == 422) {
            ctx.record.notes.push(format!("{}: {}", self.name, error.message));
        }
    }

    fn take_news(&mut self, ctx: &mut Ctx<'_>, news: Vec<News>) {
        for one in news {
            match one {
                News::Listed(pods) => {
                    let here: Vec<String> = pods.iter().map(|pod| pod.uid().to_owned()).collect();
                    let lost: Vec<String> =
                        self.pods.keys().filter(|uid| !here.contains(uid)).cloned().collect();
                    pods.into_iter().for_each(|pod| self.take_pod(ctx, pod));
                    lost.iter().for_each(|uid| self.lose_pod(ctx, uid));
                    self.end_strangers(ctx);
                    self.leases.is_listed = true;
                }
                News::Put(pod) => self.take_pod(ctx, pod),
                News::Gone(pod) => self.lose_pod(ctx, pod.uid()),
                News::Resumed(_) | News::UpTo(_) => {}
            }
        }
    }

    fn take_pod(&mut self, ctx: &mut Ctx<'_>, pod: Arc<Object>) {
        let uid = pod.uid().to_owned();
        let known = self.pods.contains_key(&uid);
        let slot = self.pods.entry(uid.clone()).or_insert_with(|| Slot {
            machine: PodMachine::new(PodConfig { host_ips: vec![host_ip(self.me)] }),
            object: Arc::clone(&pod),
            unsaid: None,
            saying: None,
            rests: Mono::default(),
            finished: false,
            busy: false,
            wake: None,
        });
        slot.object = Arc::clone(&pod);
        ctx.hollow.know(&uid, &pod);
        if !known {
            let adopted = ctx.hollow.adopted(&uid);
            ctx.record.counts.adopted += u64::from(adopted.sandbox.is_some());
            self.tell(ctx, &uid, PodEvent::Adopted(adopted));
        }
        self.tell(ctx, &uid, PodEvent::Updated(pod));
    }

    /// The API no longer has the pod; what is left of it here goes too.
    fn lose_pod(&mut self, ctx: &mut Ctx<'_>, uid: &str) {
        self.tell(ctx, uid, PodEvent::Vanished);
        if let Some(slot) = self.pods.get_mut(uid) {
            slot.unsaid = None;
            if slot.finished {
                self.pods.remove(uid);
            }
        }
    }

    fn tell(&mut self, ctx: &mut Ctx<'_>, uid: &str, event: PodEvent) {
        let Some(slot) = self.pods.get_mut(uid) else { return };
        let mut out: Effects<PodEffect> = Effects::default();
        let turn = Turn { now: ctx.now, rng: &mut *ctx.rng, view: &() };
        slot.machine.handle(turn, event, &mut out);
        slot.machine.assert_invariants();
        for effect in out.drain() {
            match effect {
                PodEffect::WakeAt(at) => {
                    slot.wake = Some(at);
                    ctx.at(at, Local::PodWake { uid: uid.to_owned(), at });
                }
                PodEffect::ReportStatus(status) => slot.unsaid = Some(status),
                PodEffect::FinalizeDelete => {
                    slot.finished = true;
                    let fences = &mut ctx.record.fences;
                    ctx.hollow.remove(uid, &mut Site { me: self.me, now: ctx.now, fences });
                }
                PodEffect::Event { .. } => {}
                PodEffect::Confirm => drop(self.leases.unconfirmed.insert(uid.to_owned())),
                PodEffect::CreateSandbox { attempt } if !ctx.hollow.may_run(uid, ctx.now.mono) => {
                    self.leases.held.insert(uid.to_owned(), attempt);
                }
                other => hollow::carry_out(ctx, (self.me, uid), other),
            }
        }
    }

    /// Says to the API what is to be said.
    fn go_on(&mut self, ctx: &mut Ctx<'_>) {
        let waits = |purpose: &Purpose| self.asks.values().any(|(open, _)| open == purpose);
        match self.registration {
            _ if ctx.now.mono < self.registers_from => {}
            Registration::Absent if !waits(&Purpose::Register) => {
                let request = self.asker.create(NODES, None, &self.node());
                self.ask(ctx, Purpose::Register, request);
            }
            Registration::Registered if !waits(&Purpose::Ready) && self.may_report() => {
                let status = self.node_status(ctx.now);
                let kind = PatchKind::Strategic;
                let request = self.asker.patch(NODES, (None, &self.name), kind, &status);
                self.ask(ctx, Purpose::Ready, of_status(request));
            }
            _ => {}
        }
        let now = ctx.now.mono;
        let says = |slot: &Slot| slot.finished || slot.unsaid.is_some();
        let idle = |slot: &Slot| !slot.busy && slot.rests <= now && says(slot);
        let uids: Vec<String> =
            self.pods.iter().filter(|(_, slot)| idle(slot)).map(|(uid, _)| uid.clone()).collect();
        for uid in uids {
            self.say(ctx, uid);
        }
    }

    fn say(&mut self, ctx: &mut Ctx<'_>, uid: String) {
        let Some(slot) = self.pods.get_mut(&uid) else { return };
        slot.busy = true;
        let (namespace, name) = (slot.object.namespace().to_owned(), slot.object.name().to_owned());
        let at = (Some(namespace.as_str()), name.as_str());
        slot.saying = slot.unsaid.take();
        match (&slot.saying, slot.finished) {
            (Some(status), _) => {
                let body =
                    value!({ "metadata": { "uid": uid.as_str() }, "status": complete(status) });
                let request = self.asker.patch(PODS, at, PatchKind::Strategic, &body);
                self.ask(ctx, Purpose::Status { uid }, of_status(request));
            }
            (None, true) => {
                let mut request = self.asker.delete(PODS, at.0, at.1);
                request.options.grace_period_seconds = Some(0);
                request.options.precondition_uid = Some(uid.clone());
                self.ask(ctx, Purpose::Finish { uid }, request);
            }
            (None, false) => slot.busy = false,
        }
    }

    fn node(&self) -> Value {
        value!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self.name.as_str(),
                "labels": { "kubernetes.io/hostname": self.name.as_str() },
            },
        })
    }

    fn node_status(&self, now: Now) -> Value {
        let stamp = actors_object::timefmt::seconds(now.wall);
        let room = || value!({ "cpu": "64", "memory": "256Gi", "pods": "200" });
        value!({
            "status": {
                "nodeInfo": { "containerRuntimeVersion": "starling://simulated" },
                "capacity": room(),
                "allocatable": room(),
                "addresses": [{ "type": "InternalIP", "address": host_ip(self.me).as_str() }],
                "conditions": [{
                    "type": "Ready",
                    "status": "True",
                    "reason": "AgentReady",
                    "message": "the agent is ready",
                    "lastHeartbeatTime": stamp.as_str(),
                    "lastTransitionTime": stamp.as_str(),
                }],
            },
        })
    }
}

/// A patch leaves alone what it does not name, and merges lists of addresses; this one says it all.
fn complete(status: &Value) -> Value {
    let mut status = status.clone();
    for name in ["reason", "message", "podIP"] {
        status.make_map().set_default(name, Value::Null);
    }
    for list in ["podIPs", "hostIPs"] {
        if let Some(items) = status.list_at_mut(&[list]) {
            items.push(value!({ "$patch": "replace" }));
        }
    }
    status
}

fn host_ip(me: NodeId) -> String {
    format!("192.0.2.{}", me.0 + 1)
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("name", &self.name).finish_non_exhaustive()
    }
}
