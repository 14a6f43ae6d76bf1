//! Decides how a pod, or one container of it, is stopped: withdrawn, asked, killed; then taken
//! apart.
//!
//! Way in: [`PodMachine::plan_stop`], [`stop_container`].
//! Order: apps together, then sidecars one by one from the last; hook, then withdrawal, then the
//! stop signal, then SIGKILL when the grace period is over; sandbox and volumes go when nothing is
//! alive.
//! Spec: Kubernetes documentation, "Pod Lifecycle", "Termination of Pods"; "Sidecar Containers".

use std::time::Duration;

use actors_core::{Effects, Mono, Now};

use crate::{
    container::{Container, Life, Running, Stop, StopStage},
    effect::{EventKind, PodEffect, Signal},
    event::HookKind,
    machine::{PodMachine, Sandbox, Volumes},
    pod_spec::ContainerRole,
    probing::normal,
};

/// A container always has this long between the request to stop and the kill.
const GRACE_MIN: Duration = Duration::from_secs(2);
/// Proxies have this long to withdraw a pod that is deleted before it is asked to stop.
const WITHDRAW_MAX: Duration = Duration::from_secs(1);
/// A kill that did not end a container is repeated after this time.
const KILL_AGAIN: Duration = Duration::from_secs(10);

/// A pod of which nothing is started any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Whether it exceeded `activeDeadlineSeconds`.
    pub(crate) deadline_exceeded: bool,
    /// Everything that runs is killed at this time.
    kill_at: Mono,
    /// No stop signal before this time.
    hold_until: Mono,
}

impl Ending {
    /// A pod whose containers all did what they were for.
    pub(crate) fn finished(now: Now) -> Self {
        Self { deadline_exceeded: false, kill_at: now.mono, hold_until: now.mono }
    }
}

impl PodMachine {
    /// Ends the pod if its containers are done or its time is up.
    pub(crate) fn check_end(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        let kill_at = now.mono.after(self.grace());
        let exceeded = self.active_until.is_some_and(|until| until <= now.mono);
        if self.is_over(self.policy()) {
            self.ending = Some(Ending { kill_at, ..Ending::finished(now) });
        } else if exceeded {
            self.ending = Some(Ending { deadline_exceeded: true, kill_at, hold_until: now.mono });
            let message = "the pod was active for longer than its activeDeadlineSeconds".to_owned();
            out.push(crate::machine::pod_event(EventKind::Normal, "DeadlineExceeded", message));
        }
    }

    /// A deletion begins, or its grace period gets shorter.
    pub(crate) fn begin_deletion(&mut self, now: Now, grace: Duration) {
        let first = !self.deleted;
        self.deleted = true;
        let kill_at = now.mono.after(grace.max(GRACE_MIN));
        // Half of a short grace period belongs to the container.
        let hold = if self.withdrawn { Duration::ZERO } else { WITHDRAW_MAX.min(grace / 2) };
        match &mut self.ending {
            None => {
                let hold_until = now.mono.after(hold);
                self.ending = Some(Ending { deadline_exceeded: false, kill_at, hold_until });
            }
            Some(ending) if first || kill_at < ending.kill_at => {
                ending.kill_at = ending.kill_at.min(kill_at)
            }
            Some(_) => {}
        }
        let kill_at = self.ending.map_or(kill_at, |ending| ending.kill_at);
        for stop in self.containers.iter_mut().filter_map(|one| one.running_mut()?.stop.as_mut()) {
            if stop.stage < StopStage::Killed {
                stop.kill_at = stop.kill_at.min(kill_at);
            }
        }
    }

    /// No proxy sends new connections any more.
    pub(crate) fn handle_withdrawn(&mut self, now: Now) {
        self.withdrawn = true;
        if let Some(ending) = &mut self.ending {
            ending.hold_until = now.mono;
        }
        for stop in self.containers.iter_mut().filter_map(|one| one.running_mut()?.stop.as_mut()) {
            stop.hold_until = now.mono;
        }
    }

    /// Stops what is alive, in order, and takes the rest apart.
    pub(crate) fn plan_stop(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        let Some(ending) = self.ending else { return };
        let overdue = ending.kill_at <= now.mono;
        let mut wave = self.wave(overdue);
        wave.retain(|index| self.containers[*index].is_alive());
        let grace = ending.kill_at.since(now.mono);
        for index in &wave {
            let container = &mut self.containers[*index];
            if container.running().is_some_and(|running| running.stop.is_none()) {
                let message = format!("stopping container {}", container.spec.name);
                out.push(normal(container, "Killing", message));
                stop_container(container, now, (grace, ending.hold_until), out);
            }
            step_stop(container, now, out);
        }
        if wave.is_empty() {
            self.take_apart(out);
        }
    }

    /// The containers whose turn to stop it is.
    fn wave(&self, overdue: bool) -> Vec<usize> {
        let alive = |index: &usize| self.containers[*index].is_alive();
        let first = (0..self.containers.len()).filter(alive);
        if overdue {
            return first.collect();
        }
        let is_sidecar =
            |index: &usize| self.containers[*index].spec.role == ContainerRole::Sidecar;
        let (sidecars, others): (Vec<usize>, Vec<usize>) = first.partition(is_sidecar);
        if others.is_empty() { sidecars.last().copied().into_iter().collect() } else { others }
    }

    pub(crate) fn take_apart(&mut self, out: &mut Effects<PodEffect>) {
        match self.sandbox {
            Sandbox::Ready(_) => {
                self.sandbox = Sandbox::TearingDown;
                out.push(PodEffect::TearDownSandbox { attempt: self.sandbox_attempt });
            }
            Sandbox::Absent(_)
                if matches!(
                    self.volumes,
                    Volumes::Unknown | Volumes::Ready | Volumes::Failed(_)
                ) =>
            {
                self.volumes = Volumes::TearingDown;
                out.push(PodEffect::TearDownVolumes);
            }
            // What is being made is taken apart when it stands.
            Sandbox::Absent(_) | Sandbox::Creating | Sandbox::TearingDown => {}
        }
    }

    /// Whether nothing of the pod is left on the node.
    pub(crate) fn is_gone(&self) -> bool {
        let alive = self.containers.iter().any(Container::is_alive);
        let sandbox = matches!(self.sandbox, Sandbox::Absent(_));
        self.ending.is_some() && !alive && sandbox && self.volumes == Volumes::Absent
    }
}

/// Begins to stop one container; `hold_until` is the earliest time of the stop signal.
pub(crate) fn stop_container(
    container: &mut Container,
    now: Now,
    (grace, hold_until): (Duration, Mono),
    out: &mut Effects<PodEffect>,
) {
    let hook = container.spec.pre_stop.clone().filter(|_| !grace.is_zero());
    let reference = container.reference();
    let Some(running) = container.running_mut().filter(|running| running.stop.is_none()) else {
        return;
    };
    let stage = if hook.is_some() { StopStage::PreStop } else { StopStage::Hold };
    running.stop = Some(Stop { stage, hold_until, kill_at: now.mono.after(grace.max(GRACE_MIN)) });
    if let Some(action) = hook {
        let hook = HookKind::PreStop;
        out.push(PodEffect::RunHook { container: reference, hook, action, timeout: grace });
    }
    step_stop(container, now, out);
}

/// The hook before the stop has ended.
pub(crate) fn end_pre_stop(running: &mut Running) {
    if let Some(stop) = running.stop.as_mut().filter(|stop| stop.stage == StopStage::PreStop) {
        stop.stage = StopStage::Hold;
    }
}

/// Takes the next step of a stop, if it is due.
pub(crate) fn step_stop(container: &mut Container, now: Now, out: &mut Effects<PodEffect>) {
    let reference = container.reference();
    let Life::Running(running) = &mut container.life else { return };
    let Some(stop) = &mut running.stop else { return };
    let overdue = stop.kill_at <= now.mono;
    if stop.stage == StopStage::PreStop && overdue {
        // A hook that used up the grace period leaves the container a last moment.
        stop.stage = StopStage::Hold;
        stop.hold_until = now.mono;
        stop.kill_at = now.mono.after(GRACE_MIN);
    }
    if stop.stage == StopStage::Hold && stop.hold_until <= now.mono {
        stop.stage = StopStage::Asked;
        stop.kill_at = stop.kill_at.max(now.mono.after(GRACE_MIN));
        out.push(PodEffect::Signal { container: reference, signal: Signal::Stop });
    } else if stop.stage >= StopStage::Asked && overdue {
        stop.stage = StopStage::Killed;
        stop.kill_at = now.mono.after(KILL_AGAIN);
        out.push(PodEffect::Signal { container: reference, signal: Signal::Kill });
    }
}
