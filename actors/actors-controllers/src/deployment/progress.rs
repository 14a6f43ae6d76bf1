//! Whether an update moves on, is done, or is stuck.
//!
//! Way in: [`Rollout::sync_progress`].  Spec: Kubernetes documentation, "Deployments", deployment
//! status and `progressDeadlineSeconds`: the clock starts at the last progress, a new set, or a
//! resume.

use std::time::Duration;

use actors_core::Wall;
use actors_object::timefmt;

use super::rollout::Rollout;
use crate::conditions::Says;

const PROGRESSING: &str = "Progressing";
const AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";

impl Rollout<'_> {
    /// The deadline; `None` if the Deployment has none.
    fn deadline(&self) -> Option<Duration> {
        let seconds = self.deployment.spec().at("progressDeadlineSeconds").as_i64()?;
        let seconds = u64::try_from(seconds).ok().filter(|_| seconds != i64::from(i32::MAX))?;
        Some(Duration::from_secs(seconds))
    }

    fn say(&mut self, status: &str, reason: &str, message: &str) {
        self.conditions.set_updated(PROGRESSING, Says { status, reason, message });
    }

    /// Says that the update is paused, or goes on; the clock does not run meanwhile.
    pub(super) fn sync_paused_condition(&mut self) {
        let reason = self.conditions.reason(PROGRESSING);
        if self.deadline().is_none() || reason == TIMED_OUT {
            return;
        }
        match (self.is_paused(), reason == PAUSED) {
            (true, false) => self.say("Unknown", PAUSED, "The update is paused."),
            (false, true) => self.say("Unknown", "DeploymentResumed", "The update goes on."),
            _ => {}
        }
    }

    pub(super) fn note_made_set(&mut self, name: &str) {
        if self.deadline().is_some() {
            let message = format!("Replica set \"{name}\" was created.");
            self.say("True", "NewReplicaSetCreated", &message);
            self.conditions.touch(PROGRESSING);
        }
    }

    pub(super) fn note_found_set(&mut self) {
        let name = self.new.as_ref().map(|set| set.object.name().to_owned());
        if let (Some(name), Some(_), None) =
            (name, self.deadline(), self.conditions.get(PROGRESSING))
        {
            let message = format!("Replica set \"{name}\" exists already.");
            self.say("True", "FoundNewReplicaSet", &message);
        }
    }

    /// Sets the `Progressing` condition, and asks for a look when the deadline passes.
    pub(super) fn sync_progress(&mut self) {
        let Some(deadline) = self.deadline() else {
            self.conditions.remove(PROGRESSING);
            return;
        };
        let (before, counts) = (self.counts_before(), self.counts());
        let reason = self.conditions.reason(PROGRESSING).to_owned();
        let rests = counts.total == counts.updated && reason == AVAILABLE;
        if self.deployment.is_terminating() || self.is_paused() || rests {
            return;
        }
        let name = self.new.as_ref().map_or("", |set| set.object.name()).to_owned();
        let moved = counts.updated > before.updated
            || counts.total - counts.updated < before.total - before.updated
            || counts.ready > before.ready
            || counts.available > before.available;
        if self.is_complete() {
            let message = format!("Replica set \"{name}\" has all its pods available.");
            self.say("True", AVAILABLE, &message);
        } else if moved || reason == AVAILABLE {
            let message = format!("Replica set \"{name}\" is progressing.");
            self.say("True", "ReplicaSetUpdated", &message);
            self.conditions.touch(PROGRESSING);
        } else if self.rest_of(deadline).is_some_and(|rest| rest.is_zero()) {
            let message = format!("Replica set \"{name}\" has not progressed in time.");
            self.say("False", TIMED_OUT, &message);
        }
        let waits = ![AVAILABLE, TIMED_OUT].contains(&self.conditions.reason(PROGRESSING));
        if let Some(rest) = self.rest_of(deadline).filter(|_| waits) {
            self.requeue = Some(rest + Duration::from_secs(1));
        }
    }

    /// How much of the deadline is left; zero if it has passed.
    fn rest_of(&self, deadline: Duration) -> Option<Duration> {
        let condition = self.conditions.get(PROGRESSING)?;
        let stamp = ["lastUpdateTime", "lastTransitionTime"]
            .iter()
            .find_map(|field| condition.at(field).as_str().and_then(timefmt::parse));
        let from: Wall = stamp?;
        Some(deadline.saturating_sub(self.now.wall.since(from)))
    }
}
