//! What a Deployment's status says.
//!
//! Way in: [`Rollout::status`].  Counts come from the sets' statuses, never from the pods.

use actors_object::{Value, value};

use super::rollout::{Rollout, Set};
use crate::{
    conditions::Says,
    replica_set::{REPLICA_FAILURE, unless_zero},
};

/// The numbers of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) total: i64,
    pub(super) updated: i64,
    pub(super) ready: i64,
    pub(super) available: i64,
}

impl Rollout<'_> {
    /// The numbers that the sets say now.
    pub(super) fn counts(&self) -> Counts {
        let sum = |field: &str| self.sets().map(|set| set.count(field)).sum();
        Counts {
            total: sum("replicas"),
            updated: self.new.as_ref().map_or(0, |set| set.count("replicas")),
            ready: sum("readyReplicas"),
            available: sum("availableReplicas"),
        }
    }

    /// The numbers that the status said before this run.
    pub(super) fn counts_before(&self) -> Counts {
        let count = |field: &str| self.deployment.status().at(field).as_i64().unwrap_or(0);
        Counts {
            total: count("replicas"),
            updated: count("updatedReplicas"),
            ready: count("readyReplicas"),
            available: count("availableReplicas"),
        }
    }

    /// Whether every pod is of the current template and available.
    pub(super) fn is_complete(&self) -> bool {
        let counts = self.counts();
        [counts.updated, counts.total, counts.available].iter().all(|count| *count == self.replicas)
    }

    /// The whole status, and the conditions that follow from it.
    pub(super) fn status(&mut self) -> Value {
        self.sync_available_condition();
        self.sync_progress();
        self.sync_failure_condition();
        let counts = self.counts();
        let terminating: i64 = self.sets().map(|set| set.count("terminatingReplicas")).sum();
        value!({
            "observedGeneration": self.deployment.generation(),
            "replicas": unless_zero(counts.total),
            "updatedReplicas": unless_zero(counts.updated),
            "readyReplicas": unless_zero(counts.ready),
            "availableReplicas": unless_zero(counts.available),
            "unavailableReplicas": unless_zero((self.total() - counts.available).max(0)),
            "terminatingReplicas": unless_zero(terminating),
            "collisionCount": self.collisions,
            "conditions": self.conditions.clone().into_value(),
        })
    }

    fn sync_available_condition(&mut self) {
        let enough = self.counts().available >= self.replicas - self.unavailable;
        let says = if enough {
            Says {
                status: "True",
                reason: "MinimumReplicasAvailable",
                message: "As many pods are available as the strategy asks for.",
            }
        } else {
            Says {
                status: "False",
                reason: "MinimumReplicasUnavailable",
                message: "Fewer pods are available than the strategy asks for.",
            }
        };
        self.conditions.set_updated("Available", says);
    }

    /// Repeats what a set says about pods that could not be made; the new set's word counts first.
    fn sync_failure_condition(&mut self) {
        let failure = |set: &Set| {
            let all = set.object.list_at(&["status", "conditions"]).iter();
            let mut fits = all.filter(|one| one.at("type").as_str() == Some(REPLICA_FAILURE));
            fits.next().cloned()
        };
        let found = self.new.as_ref().and_then(failure);
        match found.or_else(|| self.old.iter().find_map(failure)) {
            Some(condition) => self.conditions.copy(&condition),
            None => self.conditions.remove(REPLICA_FAILURE),
        }
    }
}
