//! The door, driven: requests are decided on the local replica, proposed through the leader,
//! settled and answered.
//!
//! Way in: [`Server::submit`], [`Server::settle`].  Owns: open requests, by number.
//! Order: 1. a read that must be fresh waits for a read index. 2. what the door answers to a user
//! without writing is answered only from a fresh state, else it may contradict what that user was
//! told elsewhere. 3. a proposal whose end is unknown is proposed again under the same token, so
//! that it happens once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actors_core::{Correlation, Mono, Turn};
use actors_object::ApiError;
use actors_sim::NodeId;
use chaos_judges::Call;
use nodes_door::{Pending, Request, Response, Step, Verb};
use store_mvcc::{Outcome, Proposal, ShardId, Token, Writer};
use store_raft::{Proposed, RaftEvent, Refusal};

use super::{Ctx, Inner, Origin, Server, replica::node_id};
use crate::{
    config::Planted,
    event::{Bytes, Message, Shown},
    record::is_register,
};

/// Open requests.
#[derive(Debug, Default)]
pub(super) struct Gate {
    asks: BTreeMap<u64, Ask>,
    next: u64,
    by_token: BTreeMap<Token, u64>,
    reads: BTreeMap<Correlation, u64>,
    /// Requests that wait until the replica has applied an index.
    behind: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Ask {
    origin: Origin,
    request: Request,
    /// Whether the replica was confirmed to be newest since the request came.
    fresh: bool,
    deadline: Option<Mono>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// It waits for a read index, which is asked for again at this time.
    Reading(Mono),
    /// It waits until the replica has caught up.
    CatchingUp,
    /// Its proposal is on its way; it is sent again at this time.
    Proposed { token: Token, data: Vec<u8>, pending: Box<Pending>, again: Mono },
}

impl Gate {
    /// How long a remote caller's request may take.
    const PATIENCE: Duration = Duration::from_secs(4);
    /// After this time without an end a proposal is sent again.
    const AGAIN: Duration = Duration::from_millis(900);
    /// After this time without an end a read index is asked for again.
    const READ_AGAIN: Duration = Duration::from_millis(2_500);

    /// What was on its way to the old leader is sent to the new one.
    pub(super) fn leader_changed(&mut self, now: Mono) {
        for ask in self.asks.values_mut() {
            if let Stage::Proposed { again, .. } = &mut ask.stage {
                *again = now;
            }
        }
    }

    /// A proposal was not made; it is tried again with the next sweep.
    pub(super) fn retry_soon(&mut self, token: Token, now: Mono) {
        let ask = self.by_token.get(&token).and_then(|number| self.asks.get_mut(number));
        if let Some(Stage::Proposed { again, .. }) = ask.map(|ask| &mut ask.stage) {
            *again = now;
        }
    }

    fn drop_ask(&mut self, number: u64) -> Option<Ask> {
        let ask = self.asks.remove(&number)?;
        if let Stage::Proposed { token, .. } = &ask.stage {
            self.by_token.remove(token);
        }
        Some(ask)
    }
}

impl Server {
    /// Takes a request.
    pub(super) fn submit(&mut self, ctx: &mut Ctx<'_>, origin: Origin, request: Request) {
        let number = self.gate.next;
        self.gate.next += 1;
        let remote = matches!(origin, Origin::Remote { .. });
        let deadline = remote.then(|| ctx.now.mono.after(Gate::PATIENCE));
        let reads = matches!(request.verb, Verb::Get | Verb::List | Verb::Watch);
        let any = request.options.resource_version.as_deref().is_some_and(|text| !text.is_empty());
        let stage = Stage::CatchingUp;
        // A read that names a revision says how old its answer may be.
        let fresh = reads && any;
        self.gate.asks.insert(number, Ask { origin, request, fresh, deadline, stage });
        if reads && !any && remote { self.read(ctx, number) } else { self.decide(ctx, number) }
    }

    /// Asks for a read index.
    fn read(&mut self, ctx: &mut Ctx<'_>, number: u64) {
        let Some(ask) = self.gate.asks.get_mut(&number) else { return };
        ask.stage = Stage::Reading(ctx.now.mono.after(Gate::READ_AGAIN));
        let id = self.replica.next_id.take();
        self.gate.reads.insert(id, number);
        self.inbox.push_back(Inner::Raft(RaftEvent::Read { id }));
    }

    pub(super) fn read_ready(&mut self, ctx: &mut Ctx<'_>, id: Correlation, index: u64) {
        let Some(number) = self.gate.reads.remove(&id) else { return };
        let Some(ask) = self.gate.asks.get_mut(&number) else { return };
        if matches!(ask.stage, Stage::Reading(_)) {
            ask.stage = Stage::CatchingUp;
            ask.fresh = true;
            self.gate.behind.insert((index, number));
            self.go_on_reading(ctx);
        }
    }

    /// Goes on with the requests whose index the replica has reached.
    pub(super) fn go_on_reading(&mut self, ctx: &mut Ctx<'_>) {
        let applied = self.replica.mvcc.position().index;
        while let Some((index, number)) = self.gate.behind.first().copied() {
            if index > applied {
                return;
            }
            self.gate.behind.remove(&(index, number));
            self.decide(ctx, number);
        }
    }

    fn decide(&mut self, ctx: &mut Ctx<'_>, number: u64) {
        let Some(ask) = self.gate.asks.get(&number) else { return };
        let snapshot = self.replica.snapshot();
        if ask.request.verb == Verb::Watch {
            return self.open_watch(ctx, number, &snapshot);
        }
        let mut turn = Turn { now: ctx.now, rng: &mut *ctx.rng, view: &snapshot };
        let step = ctx.shared.door.decide(&ask.request, &mut turn);
        self.go_on(ctx, number, step);
    }

    fn open_watch(&mut self, ctx: &mut Ctx<'_>, number: u64, snapshot: &store_catalog::Snapshot) {
        let Some(Ask { origin: Origin::Remote { node, id }, request, .. }) =
            self.gate.drop_ask(number)
        else {
            return;
        };
        match ctx.shared.door.watch(&request, snapshot) {
            Ok(plan) => self.streams.open((node, id), plan),
            Err(error) => {
                ctx.send(node, Message::Answer { id, response: Shown(Box::new(error.into())) })
            }
        }
        self.feed_streams(ctx);
    }

    fn go_on(&mut self, ctx: &mut Ctx<'_>, number: u64, step: Step) {
        match step {
            Step::Reply(mut response) => {
                let revision = self.replica.snapshot().revision();
                response.revision = response.revision.or(Some(revision));
                self.reply(ctx, number, response);
            }
            Step::Sign(ticket) => self.reply(ctx, number, ticket.finish("signed")),
            Step::Verify(question) => {
                let why = Err("nothing is signed in a simulation".to_owned());
                let response = question.finish(why, &self.replica.snapshot());
                self.reply(ctx, number, response);
            }
            Step::Propose { proposal, pending } => self.propose(ctx, number, proposal, pending),
        }
    }

    fn reply(&mut self, ctx: &mut Ctx<'_>, number: u64, response: Response) {
        let Some(ask) = self.gate.asks.get(&number) else { return };
        let remote = matches!(ask.origin, Origin::Remote { .. });
        let confirms = !ctx.shared.config.has(Planted::UnconfirmedRefusal);
        if remote && !ask.fresh && confirms {
            return self.read(ctx, number);
        }
        self.answer(ctx, number, response);
    }

    fn answer(&mut self, ctx: &mut Ctx<'_>, number: u64, response: Response) {
        let Some(ask) = self.gate.drop_ask(number) else { return };
        match ask.origin {
            Origin::Remote { node, id } => {
                ctx.send(node, Message::Answer { id, response: Shown(Box::new(response)) });
            }
            Origin::Plan { .. } | Origin::Bootstrap { .. } => {
                self.control_answer(ctx, ask.origin, &response);
            }
        }
    }

    fn propose(
        &mut self,
        ctx: &mut Ctx<'_>,
        number: u64,
        mut proposal: Proposal,
        pending: Box<Pending>,
    ) {
        let Some(ask) = self.gate.asks.get_mut(&number) else { return };
        let (epoch, planned_at) = match &ask.origin {
            Origin::Remote { .. } => (None, None),
            Origin::Plan { epoch, revision, .. } => (Some(*epoch), Some(*revision)),
            Origin::Bootstrap { epoch } => (Some(*epoch), None),
        };
        if let Some(epoch) = epoch.filter(|_| !ctx.shared.config.has(Planted::NoFence)) {
            let name = std::mem::take(&mut proposal.writer.name);
            let epoch = store_mvcc::Epoch(epoch);
            proposal.writer = Writer { shard: ShardId::ALL, epoch, name };
        }
        // What clients do to their registers is judged as they see it themselves, but for
        // deletions, whose answers do not say when they happened.
        let client = match ask.origin {
            Origin::Remote { node, .. } => ctx.shared.config.client_ids().any(|id| id == node),
            _ => false,
        };
        let seen = |call: &Call| matches!(call, Call::Write { value: Some(_), .. });
        let judged =
            |key: &store_mvcc::Key, call: &Call| !(client && is_register(key) && seen(call));
        ctx.record.pass(&proposal, (self.me, ctx.time), planned_at, judged);
        let token = proposal.token;
        ctx.record.hold(token, pending.tree());
        let data = match proposal.encode() {
            Ok(data) => data,
            Err(error) => return self.answer(ctx, number, ApiError::too_large(error).into()),
        };
        let again = ctx.now.mono.after(Gate::AGAIN);
        ask.stage = Stage::Proposed { token, data: data.clone(), pending, again };
        self.gate.by_token.insert(token, number);
        self.send_proposal(ctx, token, data);
    }

    /// Proposes here, or through the leader; without one the next sweep tries again.
    fn send_proposal(&mut self, ctx: &mut Ctx<'_>, token: Token, data: Vec<u8>) {
        if self.replica.is_leader() {
            return self.propose_here(token, None, data);
        }
        let leader = self.replica.role().leader.map(node_id).filter(|leader| *leader != self.me);
        if let Some(leader) = leader {
            ctx.send(leader, Message::Propose { token, data: Bytes(data) });
        }
    }

    pub(super) fn propose_here(&mut self, token: Token, asked_by: Option<NodeId>, data: Vec<u8>) {
        let id = self.replica.next_id.take();
        self.replica.proposed.insert(id, (token, asked_by));
        let item = Proposed { id, data };
        // What is proposed at the same instant is written together: an append that can tear.
        if let Some(Inner::Raft(RaftEvent::Propose { items })) = self.inbox.back_mut() {
            return items.push(item);
        }
        self.inbox.push_back(Inner::Raft(RaftEvent::Propose { items: vec![item] }));
    }

    pub(super) fn propose_for(&mut self, node: NodeId, token: Token, data: Vec<u8>) {
        self.propose_here(token, Some(node), data);
    }

    /// A proposal or a read that this server's group member will not finish.
    pub(super) fn refused(&mut self, ctx: &mut Ctx<'_>, id: Correlation, refusal: Refusal) {
        if let Some((token, asked_by)) = self.replica.proposed.remove(&id) {
            let lost = !matches!(refusal, Refusal::Unknown);
            match asked_by {
                Some(node) => ctx.send(node, Message::NotProposed { token }),
                None if lost => self.gate.retry_soon(token, ctx.now.mono),
                None => {}
            }
        }
        // A read index that was refused is asked for again when its time has come.
        if let Some(number) = self.gate.reads.remove(&id)
            && let Some(Stage::Reading(again)) =
                self.gate.asks.get_mut(&number).map(|ask| &mut ask.stage)
        {
            *again = ctx.now.mono.after(Duration::from_millis(50));
        }
    }

    /// A proposal was applied here; if it is of an open request, that goes on.
    pub(super) fn settle(&mut self, ctx: &mut Ctx<'_>, token: Token, outcome: &Outcome) {
        let Some(number) = self.gate.by_token.remove(&token) else { return };
        ctx.record.settle(token, outcome, ctx.time);
        let Some(ask) = self.gate.asks.get_mut(&number) else { return };
        let Stage::Proposed { pending, .. } = std::mem::replace(&mut ask.stage, Stage::CatchingUp)
        else {
            return;
        };
        let snapshot = self.replica.snapshot();
        // Applied here, so what is answered now is as new as it can be.
        ask.fresh = true;
        let mut turn = Turn { now: ctx.now, rng: &mut *ctx.rng, view: &snapshot };
        let step = ctx.shared.door.settle(*pending, outcome, &mut turn);
        self.go_on(ctx, number, step);
    }

    /// Sends again what is late, and gives up what is too late.
    pub(super) fn sweep_asks(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        let late = |ask: &Ask| ask.deadline.is_some_and(|deadline| deadline <= now);
        let over: Vec<u64> =
            self.gate.asks.iter().filter(|(_, ask)| late(ask)).map(|(number, _)| *number).collect();
        for number in over {
            let error = ApiError::timeout("the outcome of the request is unknown", 1);
            self.answer(ctx, number, error.into());
        }
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for (number, ask) in &mut self.gate.asks {
            match &mut ask.stage {
                Stage::Reading(again) if *again <= now => reads.push(*number),
                Stage::Proposed { token, data, again, .. } if *again <= now => {
                    *again = now.after(Gate::AGAIN);
                    writes.push((*token, data.clone()));
                }
                _ => {}
            }
        }
        reads.into_iter().for_each(|number| self.read(ctx, number));
        writes.into_iter().for_each(|(token, data)| self.send_proposal(ctx, token, data));
    }
}
