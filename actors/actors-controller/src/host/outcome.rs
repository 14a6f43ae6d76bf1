//! What follows a plan's verdicts: rest, another look, a back-off, a complaint.
//!
//! Way in: [`ControllerHost::settle`].

use std::time::Duration;

use actors_core::{Correlation, Effects, Turn};

use super::{
    ControllerHost, HostEffect, Trace,
    entry::{After, Matters, Running, Stage},
    run::Outgoing,
};
use crate::{EventType, Item, Key, Plan, Recorded, Refusal, Verdict, World};

/// While a key backs off, changes wake it again after this time at the latest. It is also the
/// longest wait after refusals that have nothing to do with what was asked.
const DEAF_MAX: Duration = Duration::from_secs(1);

impl ControllerHost {
    /// Takes the verdicts of the plan `id`.
    pub(super) fn settle(
        &mut self,
        turn: &mut Turn<'_, dyn World>,
        id: Correlation,
        verdicts: &[Verdict],
        out: &mut Effects<HostEffect>,
    ) {
        let Some(mut running) = self.running.remove(&id) else { return };
        let written = verdicts.iter().filter_map(revision_of).max().unwrap_or(0);
        if let Stage::Complaint { revision } = running.stage {
            return self.finish(turn, running, written.max(revision), Failed::Yes);
        }
        running.trace.outcome = outcome_lines(&running, verdicts);
        let refusals = refusals(&running, verdicts);
        self.trace.push(running.trace.clone());
        let failed = match refusals.as_slice() {
            all if all.iter().all(Refusal::is_pointless) => Failed::No,
            all if all.iter().all(Refusal::is_transient) => Failed::ForNow,
            _ => Failed::Yes,
        };
        let complaint = self.complaint(turn, &running.key, &refusals);
        if complaint.items.is_empty() {
            return self.finish(turn, running, written, failed);
        }
        let lines = complaint.items.iter().map(Item::to_string).collect();
        let stage = Stage::Complaint { revision: written };
        let (key, trace) = (running.key, running.trace);
        self.send(turn, Outgoing { key, plan: complaint, lines, stage, trace }, out);
    }

    fn finish(
        &mut self,
        turn: &mut Turn<'_, dyn World>,
        running: Running,
        written: u64,
        failed: Failed,
    ) {
        let now = turn.now.mono;
        let failures = self.queue.count_failure(&running.key, failed != Failed::No);
        let after = match (failed, running.requeue_after) {
            (Failed::Yes | Failed::ForNow, _) => {
                let wait = self.limits.backoff.wait(failures, turn.rng);
                let wait = if failed == Failed::ForNow { wait.min(DEAF_MAX) } else { wait };
                After::Retry(now.after(wait), now.after(wait.min(DEAF_MAX)))
            }
            (Failed::No, Some(wait)) => After::Requeue(now.after(wait)),
            (Failed::No, None) => After::Sleep,
        };
        self.queue.finish(running.key, after, (written, turn.view.revision()), now);
    }

    /// What is said about refusals that are neither stale nor transient nor pointless: an event for
    /// each sort, and what the controller adds.
    fn complaint(&self, turn: &Turn<'_, dyn World>, key: &Key, refusals: &[Refusal]) -> Plan {
        let told = |refusal: &&Refusal| {
            !refusal.is_stale() && !refusal.is_transient() && !refusal.is_pointless()
        };
        let refusals: Vec<Refusal> = refusals.iter().filter(told).cloned().collect();
        let object = turn.view.get(&key.kind, &key.namespace, &key.name);
        let (Some(object), false) = (object, refusals.is_empty()) else { return Plan::default() };
        let world = Recorded::new(turn.view, &self.access);
        let mut plan = self.controller.refused(&object, &refusals, &world, turn.now);
        plan.items
            .retain(|item| item.verb().is_none_or(|verb| self.access.allows(&item.kind(), verb)));
        for (verb, reason) in
            [("create", "FailedCreate"), ("delete", "FailedDelete"), ("", "FailedUpdate")]
        {
            let fits = |refusal: &&Refusal| match verb {
                "" => !refusal.item.starts_with("create") && !refusal.item.starts_with("delete"),
                verb => refusal.item.starts_with(verb),
            };
            if let Some(first) = refusals.iter().find(fits) {
                let message = format!("{}: {}", first.item, first.message);
                plan.event(&object, EventType::Warning, reason, message);
            }
        }
        plan
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    Yes,
    /// Nothing was wrong with what was asked.
    ForNow,
    No,
}

fn revision_of(verdict: &Verdict) -> Option<u64> {
    match verdict {
        Verdict::Done { revision } => Some(*revision),
        Verdict::Refused(_) => None,
    }
}

/// The refusals that matter. What is already gone counts as deleted; a verdict that is missing as a
/// refusal.
fn refusals(running: &Running, verdicts: &[Verdict]) -> Vec<Refusal> {
    let mut found = Vec::new();
    for (index, (line, matters)) in running.items.iter().enumerate() {
        let refusal = match verdicts.get(index) {
            Some(Verdict::Done { .. }) => continue,
            Some(Verdict::Refused(refusal)) => Refusal { item: line.clone(), ..refusal.clone() },
            None => Refusal {
                item: line.clone(),
                code: 500,
                reason: "InternalError".to_owned(),
                message: "the write has no verdict".to_owned(),
                cause: String::new(),
            },
        };
        let gone = refusal.reason == "NotFound" && line.starts_with("delete ");
        if *matters == Matters::Yes && !gone {
            found.push(refusal);
        }
    }
    found
}

fn outcome_lines(running: &Running, verdicts: &[Verdict]) -> Vec<String> {
    let lines = running.items.iter().zip(verdicts).map(|((line, _), verdict)| match verdict {
        Verdict::Done { revision } => format!("{line}: done at {revision}"),
        Verdict::Refused(refusal) => format!("{line}: {} {}", refusal.reason, refusal.message),
    });
    lines.take(Trace::LINES_MAX).collect()
}
