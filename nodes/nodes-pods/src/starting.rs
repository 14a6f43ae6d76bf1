//! Decides what a pod that is wanted needs next: volumes, sandbox, images, containers in their
//! order, restarts.
//!
//! Way in: [`PodMachine::plan_start`].
//! Invariants: 1. an init container starts only when those before it have done their part.
//! 2. a container that ended waits as `restart_backoff` says.
//! Spec: Kubernetes documentation, "Init Containers", "Sidecar Containers", "Pod Lifecycle".

use actors_core::{Effects, Now};

use crate::{
    container::{Container, Life, Wait},
    effect::PodEffect,
    event::ContainerRef,
    machine::{Belonging, PodMachine, Sandbox, Volumes},
    pod_spec::{ContainerRole, RestartPolicy},
    probing::warning,
    stopping,
};

impl PodMachine {
    /// Asks for everything that can be started now.
    pub(crate) fn plan_start(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        self.plan_volumes(now, out);
        self.plan_sandbox(now, out);
        if !self.initialized {
            self.initialized = self.plan_init(now, out);
        }
        for index in 0..self.containers.len() {
            let wanted = match self.containers[index].spec.role {
                ContainerRole::Init => false,
                ContainerRole::Sidecar | ContainerRole::App => self.initialized,
                // It may be there to find out why the others do not start.
                ContainerRole::Ephemeral => self.has_target(index),
            };
            if wanted {
                self.plan_container(index, now, out);
            }
        }
    }

    /// Whether the container that an ephemeral one wants to look at runs; until then it waits.
    fn has_target(&mut self, index: usize) -> bool {
        let Some(target) = self.containers[index].spec.target.clone() else { return true };
        let runs = self.reference_of(&target).is_some();
        let container = &mut self.containers[index];
        if !runs && matches!(container.life, Life::Waiting(_) | Life::Imaged) {
            let message = format!("the container {target} that it looks at does not run");
            container.hold(Wait { message, ..Wait::default() });
        }
        runs
    }

    /// The current life of the container with this name, if it runs.
    fn reference_of(&self, name: &str) -> Option<ContainerRef> {
        let found = self.containers.iter().find(|one| one.spec.name == name);
        found.filter(|one| one.running().is_some()).map(Container::reference)
    }

    fn plan_volumes(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        let due = match self.volumes {
            Volumes::Unknown | Volumes::Absent => true,
            Volumes::Failed(until) => until <= now.mono,
            Volumes::SettingUp | Volumes::Ready | Volumes::TearingDown => false,
        };
        if due {
            self.volumes = Volumes::SettingUp;
            out.push(PodEffect::SetUpVolumes);
        }
    }

    fn plan_sandbox(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        if let Sandbox::Absent(until) = self.sandbox
            && self.belonging == Belonging::Known
            && until.is_none_or(|until| until <= now.mono)
        {
            self.sandbox = Sandbox::Creating;
            out.push(PodEffect::CreateSandbox { attempt: self.sandbox_attempt });
        }
    }

    /// Brings init containers and sidecars up one after the other; whether all have done their
    /// part.
    fn plan_init(&mut self, now: Now, out: &mut Effects<PodEffect>) -> bool {
        for index in 0..self.containers.len() {
            let role = self.containers[index].spec.role;
            let done = |container: &Container| match role {
                ContainerRole::Init => container.is_ready(),
                ContainerRole::Sidecar => container.is_started(),
                ContainerRole::App | ContainerRole::Ephemeral => true,
            };
            if matches!(role, ContainerRole::App | ContainerRole::Ephemeral) {
                break;
            }
            let is_done = done(&self.containers[index]);
            // A sidecar that stands is kept up while its successors start.
            if !is_done || role == ContainerRole::Sidecar {
                self.plan_container(index, now, out);
            }
            if !is_done {
                return false;
            }
        }
        true
    }

    fn plan_container(&mut self, index: usize, now: Now, out: &mut Effects<PodEffect>) {
        let policy = self.policy();
        let placed = self.volumes == Volumes::Ready && matches!(self.sandbox, Sandbox::Ready(_));
        let pod = self.spec.as_ref().map(|spec| spec.object.clone());
        let target = self.containers[index].spec.target.clone();
        let target = target.and_then(|name| self.reference_of(&name));
        let container = &mut self.containers[index];
        if matches!(container.life, Life::Ended(_)) && !container.is_finished(policy) {
            let title = pod.map(|pod| format!("{}/{}", pod.namespace(), pod.name()));
            plan_restart(container, now, &title.unwrap_or_default(), out);
        }
        match &container.life {
            Life::Waiting(wait) if wait.until.is_none_or(|until| until <= now.mono) => {
                container.life = Life::Checking;
                out.push(PodEffect::CheckImage {
                    container: container.spec.name.clone(),
                    image: container.spec.image.clone(),
                    policy: container.spec.pull,
                });
            }
            Life::Imaged if placed => {
                container.begin();
                out.push(PodEffect::StartContainer {
                    container: container.reference(),
                    image_id: container.image_id.clone(),
                    resources: container.granted.clone(),
                    target,
                });
            }
            Life::Running(running) if running.stop.is_some() => {
                stopping::step_stop(container, now, out);
            }
            _ => {}
        }
    }

    /// Whether no app container will run again, or an init container has failed for good.
    pub(crate) fn is_over(&self, policy: RestartPolicy) -> bool {
        let mut apps =
            self.containers.iter().filter(|one| one.spec.role == ContainerRole::App).peekable();
        let apps_over = apps.peek().is_some() && apps.all(|app| app.is_finished(policy));
        let mut inits = self.containers.iter().filter(|one| one.spec.role == ContainerRole::Init);
        apps_over || inits.any(|init| init.is_finished(policy) && !init.is_ready())
    }
}

/// Lets a container that ended wait for its next life.
fn plan_restart(container: &mut Container, now: Now, pod: &str, out: &mut Effects<PodEffect>) {
    let ran_for = container.newest_end().map_or(std::time::Duration::ZERO, |ended| {
        ended.started.map_or(std::time::Duration::ZERO, |started| ended.exit.at.since(started))
    });
    if container.replaced {
        container.replaced = false;
        container.wait(Wait::default());
        return;
    }
    let wait = container.restarts.next_wait(ran_for);
    if wait.is_zero() {
        container.wait(Wait::default());
        return;
    }
    let message = format!(
        "back-off {}s restarting failed container={} pod={pod}",
        wait.as_secs(),
        container.spec.name
    );
    out.push(warning(container, "BackOff", message.clone()));
    let until = Some(now.mono.after(wait));
    container.wait(Wait { reason: Some("CrashLoopBackOff"), message, until });
}
