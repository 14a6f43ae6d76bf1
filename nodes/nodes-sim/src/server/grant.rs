//! The leader holds all shards under a new epoch before its control loops may act.
//!
//! Way in: [`Server::take_role`], [`Server::take_grant`].
//! Invariant: control loops run only while this server leads, under the epoch that was granted in
//! this term.

use actors_core::Mono;
use store_mvcc::{
    Epoch, GroupId, LEVEL_MAX, Op, Outcome, Proposal, Revision, ShardId, Token, Writer,
};
use store_raft::RoleView;

use super::{Ctx, Server};
use crate::report::Invariant;

/// A grant on its way, and when history is given up next.
#[derive(Debug, Default)]
pub(super) struct Grant {
    asked: Option<Asked>,
    compacts_at: Option<Mono>,
    /// When it was last asked that all replicas may use what this build knows.
    raised_at: Option<Mono>,
}

#[derive(Debug)]
struct Asked {
    token: Token,
    term: u64,
    epoch: Epoch,
    at: Mono,
}

impl Server {
    /// A grant that has not been applied after this time is asked for again, under another token.
    const GRANT_PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

    pub(super) fn take_role(&mut self, ctx: &mut Ctx<'_>, role: RoleView) {
        let same = self.control.as_ref().is_some_and(|control| control.term == role.term);
        if !self.replica.is_leader() || !same {
            self.end_control(ctx);
            self.grant.asked = None;
        }
        self.seek_grant(ctx);
        self.gate.leader_changed(ctx.now.mono);
    }

    /// Asks for all shards, if this server leads without them.
    pub(super) fn seek_grant(&mut self, ctx: &mut Ctx<'_>) {
        let late = |asked: &Asked| ctx.now.mono.since(asked.at) > Self::GRANT_PATIENCE;
        let waits = self.grant.asked.as_ref().is_some_and(|asked| !late(asked));
        if !self.replica.is_leader() || self.control.is_some() || waits {
            return;
        }
        let epoch = Epoch(self.replica.mvcc.epoch(ShardId::ALL).0 + 1);
        let token = Token(ctx.rng.uuid());
        let holder = format!("server-{}", self.me.0);
        let op = Op::GrantShard { shard: ShardId::ALL, epoch, holder };
        let term = self.replica.role().term;
        self.grant.asked = Some(Asked { token, term, epoch, at: ctx.now.mono });
        self.propose_own(ctx, token, op);
    }

    /// Gives up history now and then, as long as this server's control loops run.
    pub(super) fn compact(&mut self, ctx: &mut Ctx<'_>) {
        let Some(every) = ctx.shared.knobs.compact_every.filter(|_| self.control.is_some()) else {
            return;
        };
        let now = ctx.now.mono;
        let due = *self.grant.compacts_at.get_or_insert(now.after(every));
        let newest = self.replica.mvcc.position().revision.0;
        let below = Revision(newest.saturating_sub(ctx.shared.knobs.compact_keep));
        if due <= now && below.0 > 0 {
            self.grant.compacts_at = Some(now.after(every));
            let token = Token(ctx.rng.uuid());
            self.propose_own(ctx, token, Op::Compact { below });
        }
    }

    /// Has all replicas agree on what this build knows, if they have not: all are of one build here.
    pub(super) fn raise_level(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        let late = |asked: Mono| now.since(asked) > Self::GRANT_PATIENCE;
        let is_known = self.replica.mvcc.position().level >= LEVEL_MAX;
        if is_known || self.control.is_none() || !self.grant.raised_at.is_none_or(late) {
            return;
        }
        self.grant.raised_at = Some(now);
        let token = Token(ctx.rng.uuid());
        self.propose_own(ctx, token, Op::RaiseLevel(LEVEL_MAX));
    }

    /// Proposes what is the store's own: it changes no object, so it does not pass the door.
    fn propose_own(&mut self, ctx: &mut Ctx<'_>, token: Token, op: Op) {
        let proposal = Proposal {
            group: GroupId::MAIN,
            writer: Writer::unplaced("store"),
            token,
            feature_level: 1,
            at: ctx.now.wall,
            atomic: false,
            ops: vec![op],
        };
        match proposal.encode() {
            Ok(data) => self.propose_here(token, None, data),
            Err(error) => {
                let what = format!("{proposal:?} cannot be encoded: {error}");
                ctx.record.violation(Invariant::EntriesApply, what);
            }
        }
    }

    /// A proposal was applied; if it is the grant that is waited for, the control loops begin.
    pub(super) fn take_grant(&mut self, ctx: &mut Ctx<'_>, token: Token, outcome: &Outcome) {
        let Some(asked) = self.grant.asked.take_if(|asked| asked.token == token) else { return };
        let role = self.replica.role();
        if outcome.is_ok() && self.replica.is_leader() && role.term == asked.term {
            self.begin_control(ctx, asked.term, asked.epoch);
        }
    }
}
