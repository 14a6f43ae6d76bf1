//! Moves every Deployment's pods from one template to the next, through one ReplicaSet for each
//! template.
//!
//! Way in: [`DeploymentController`].  Writes: ReplicaSets (create, delete, `spec.replicas`,
//! `spec.minReadySeconds`, annotations, owner references), the Deployment's revision annotation and
//! status.  Never: a pod.
//! Invariant: a rolling update never plans fewer than `replicas - maxUnavailable` available pods,
//! nor more than `replicas + maxSurge` pods in all (see `availability_tests`).
//! Spec: Kubernetes documentation, "Deployments".

mod history;
mod new_set;
mod progress;
mod rolling;
mod rollout;
mod scaling;
mod status;

use actors_controller::{Access, Controller, Plan, Primary, Relations, World, WriteVerb};
use actors_core::Now;
use actors_object::Object;

use self::rollout::{Rollout, Strategy};
use crate::{
    claims::{claim, selector_of},
    kinds::{DEPLOYMENT, POD, REPLICA_SET},
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeploymentController;

/// Numbers the templates of a Deployment, on it and on its sets.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// Earlier numbers of a set whose template came back.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The Deployment's `replicas` when the set was last scaled.
const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// The most pods that the Deployment allowed when the set was last scaled.
const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// Tells the sets of a Deployment apart.
pub(crate) const TEMPLATE_HASH: &str = "pod-template-hash";

impl Controller for DeploymentController {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn primary(&self) -> Primary {
        Primary::Of(DEPLOYMENT)
    }

    fn relations(&self) -> Relations {
        Relations::default()
            .owns(&REPLICA_SET)
            .watches(&REPLICA_SET, rollout::deployments_that_may_adopt)
            .watches(&POD, rollout::recreating_deployment_of)
    }

    fn access(&self) -> Access {
        let scale = &["spec.replicas", "spec.minReadySeconds", "metadata.annotations"];
        Access::reads(&[&DEPLOYMENT, &REPLICA_SET, &POD])
            .writes(&REPLICA_SET, WriteVerb::Create, &[])
            .writes(&REPLICA_SET, WriteVerb::Delete, &[])
            .writes(&REPLICA_SET, WriteVerb::Patch, scale)
            .writes(&REPLICA_SET, WriteVerb::Patch, &["metadata.ownerReferences"])
            .writes(&DEPLOYMENT, WriteVerb::Patch, &["metadata.annotations"])
            .writes(&DEPLOYMENT, WriteVerb::Status, &["status"])
    }

    fn reconcile(&self, deployment: &Object, world: &dyn World, now: Now) -> Plan {
        let Some(selector) = selector_of(deployment) else {
            return Plan::reject("spec.selector", "must be a selector that is not empty");
        };
        let mut plan = Plan::default();
        let sets = claim(deployment, &selector, &REPLICA_SET, world, &mut plan);
        let mut rollout = Rollout::new(deployment, &sets, world, now);
        if !deployment.is_terminating() {
            decide(&mut rollout);
        }
        rollout.finish(plan)
    }
}

fn decide(rollout: &mut Rollout<'_>) {
    rollout.sync_paused_condition();
    rollout.sync_new_set();
    if rollout.is_paused() || rollout.is_scaling_event() {
        rollout.scale();
        if rollout.is_paused() {
            rollout.clean_up_history();
        }
        return;
    }
    match rollout.strategy() {
        Strategy::Recreate => rollout.recreate(),
        Strategy::RollingUpdate => rollout.roll(),
    }
}

#[cfg(test)]
mod availability_tests;
#[cfg(test)]
mod tests;
