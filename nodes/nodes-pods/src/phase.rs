//! Decides the pod's phase from its containers.
//!
//! Way in: [`PodMachine::phase`].
//! Spec: Kubernetes documentation, "Pod Lifecycle", "Pod phase"; a terminal phase only when nothing
//! runs any more.

use crate::{
    container::{Container, Life},
    machine::PodMachine,
    pod_spec::ContainerRole,
};

impl PodMachine {
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    pub(crate) fn phase(&self) -> &'static str {
        let alive = self.containers.iter().any(Container::is_alive);
        if self.is_ending() && !alive {
            let exceeded = self.ending.is_some_and(|ending| ending.deadline_exceeded);
            return if !exceeded && self.apps().all(succeeded) { "Succeeded" } else { "Failed" };
        }
        let waits = |app: &Container| {
            !app.begun || (app.attempt == 0 && matches!(app.life, Life::Starting))
        };
        if !self.is_ending() && self.apps().any(waits) { "Pending" } else { "Running" }
    }

    fn apps(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| container.spec.role == ContainerRole::App)
    }
}

fn succeeded(app: &Container) -> bool {
    matches!(&app.life, Life::Ended(ended) if ended.exit.code == 0)
}
