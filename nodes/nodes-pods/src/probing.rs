//! Runs a container's probes and judges their results.
//!
//! Way in: [`Probes`] (one container's memory), [`PodMachine::plan_probes`].
//! Invariants: 1. a probe is in flight at most once.  2. liveness and readiness wait for the
//! startup probe.
//! Spec: Kubernetes documentation, "Liveness, Readiness, and Startup Probes".

use actors_core::{Effects, Mono, Now};

use crate::{
    container::Container,
    effect::{EventKind, PodEffect},
    event::{ContainerRef, ProbeKind, ProbeOutcome},
    machine::PodMachine,
    pod_spec::ContainerSpec,
    probe_spec::ProbeSpec,
    stopping,
};

/// The probes of one life of a container.
#[derive(Debug, Clone)]
pub(crate) struct Probes {
    startup: Option<Probe>,
    liveness: Option<Probe>,
    readiness: Option<Probe>,
}

/// The memory of one probe.
#[derive(Debug, Clone)]
struct Probe {
    spec: ProbeSpec,
    next_at: Mono,
    in_flight: bool,
    successes: u32,
    failures: u32,
    /// Whether its threshold of successes was reached, and not since that of failures.
    good: bool,
}

/// What a result changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing yet.
    Open,
    /// The threshold of failures is reached.
    Failed,
}

impl Probes {
    /// Probes of a container that was started at `since`.
    pub(crate) fn new(spec: &ContainerSpec, since: Mono) -> Self {
        let probe = |spec: &Option<ProbeSpec>, good: bool| {
            let next_at = |spec: &ProbeSpec| since.after(spec.initial_delay);
            spec.clone().map(|spec| Probe {
                next_at: next_at(&spec),
                spec,
                in_flight: false,
                successes: 0,
                failures: 0,
                good,
            })
        };
        Self {
            startup: probe(&spec.startup, false),
            liveness: probe(&spec.liveness, true),
            readiness: probe(&spec.readiness, false),
        }
    }

    /// Takes over what an earlier agent knew, so that a restart of the agent changes no pod's
    /// readiness.
    pub(crate) fn resume(&mut self, started: bool, ready: bool) {
        if let Some(startup) = &mut self.startup {
            startup.good = started;
        }
        if let Some(readiness) = &mut self.readiness {
            readiness.good = ready;
        }
    }

    /// Whether the startup probe has passed, or there is none.
    pub(crate) fn is_started(&self) -> bool {
        self.startup.as_ref().is_none_or(|startup| startup.good)
    }

    /// Whether the readiness probe passes, or there is none.
    pub(crate) fn is_ready(&self) -> bool {
        self.readiness.as_ref().is_none_or(|readiness| readiness.good)
    }

    /// The next time at which a probe is due.
    pub(crate) fn next_at(&self) -> Option<Mono> {
        self.due_kinds()
            .filter_map(|kind| self.get(kind))
            .filter(|probe| !probe.in_flight)
            .map(|probe| probe.next_at)
            .min()
    }

    fn due_kinds(&self) -> impl Iterator<Item = ProbeKind> + use<> {
        let started = self.is_started();
        [ProbeKind::Startup, ProbeKind::Liveness, ProbeKind::Readiness]
            .into_iter()
            .filter(move |kind| (*kind == ProbeKind::Startup) != started)
    }

    fn get(&self, kind: ProbeKind) -> Option<&Probe> {
        match kind {
            ProbeKind::Startup => self.startup.as_ref(),
            ProbeKind::Liveness => self.liveness.as_ref(),
            ProbeKind::Readiness => self.readiness.as_ref(),
        }
    }

    fn get_mut(&mut self, kind: ProbeKind) -> Option<&mut Probe> {
        match kind {
            ProbeKind::Startup => self.startup.as_mut(),
            ProbeKind::Liveness => self.liveness.as_mut(),
            ProbeKind::Readiness => self.readiness.as_mut(),
        }
    }
}

impl Probe {
    fn judge(&mut self, outcome: &ProbeOutcome) -> Verdict {
        match outcome {
            ProbeOutcome::Unknown(_) => Verdict::Open,
            ProbeOutcome::Success => {
                self.failures = 0;
                self.successes += 1;
                self.good |= self.successes >= self.spec.success_threshold;
                Verdict::Open
            }
            ProbeOutcome::Failure(_) => {
                self.successes = 0;
                self.failures += 1;
                if self.failures < self.spec.failure_threshold {
                    return Verdict::Open;
                }
                self.good = false;
                Verdict::Failed
            }
        }
    }
}

impl PodMachine {
    /// Starts every probe that is due.
    pub(crate) fn plan_probes(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        let ending = self.is_ending();
        for container in &mut self.containers {
            let reference = container.reference();
            let Some(running) = container.running_mut() else { continue };
            for kind in running.probes.due_kinds() {
                // A pod that ends is no longer restarted, but it may still be serving.
                let wanted = running.stop.is_none() || kind == ProbeKind::Readiness;
                if !wanted || (ending && kind != ProbeKind::Readiness) {
                    continue;
                }
                let Some(probe) = running.probes.get_mut(kind) else { continue };
                if probe.in_flight || probe.next_at > now.mono {
                    continue;
                }
                probe.in_flight = true;
                probe.next_at = now.mono.after(probe.spec.period);
                out.push(PodEffect::RunProbe {
                    container: reference.clone(),
                    probe: kind,
                    action: probe.spec.action.clone(),
                    timeout: probe.spec.timeout,
                });
            }
        }
    }

    /// Takes one result.
    pub(crate) fn handle_probed(
        &mut self,
        now: Now,
        (reference, kind): (&ContainerRef, ProbeKind),
        outcome: &ProbeOutcome,
        out: &mut Effects<PodEffect>,
    ) {
        let ending = self.is_ending();
        let grace = self.grace();
        let Some(container) = self.containers.iter_mut().find(|container| container.is(reference))
        else {
            return;
        };
        let Some(running) = container.running_mut() else { return };
        let stopping = running.stop.is_some();
        let Some(probe) = running.probes.get_mut(kind) else { return };
        probe.in_flight = false;
        let verdict = probe.judge(outcome);
        let kill_grace = probe.spec.grace.unwrap_or(grace);
        let complaint = match outcome {
            ProbeOutcome::Success => None,
            ProbeOutcome::Failure(text) => Some(format!("{} probe failed: {text}", kind.title())),
            ProbeOutcome::Unknown(text) => {
                Some(format!("{} probe could not be run: {text}", kind.title()))
            }
        };
        if let Some(message) = complaint.filter(|_| !stopping) {
            out.push(warning(container, "Unhealthy", message));
        }
        if verdict == Verdict::Failed && kind != ProbeKind::Readiness && !stopping && !ending {
            let message = format!(
                "container {} failed its {} probe and is restarted",
                reference.name,
                kind.word()
            );
            out.push(normal(container, "Killing", message));
            stopping::stop_container(container, now, (kill_grace, now.mono), out);
        }
    }
}

impl ProbeKind {
    fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }
}

/// A warning about one container.
pub(crate) fn warning(container: &Container, reason: &str, message: String) -> PodEffect {
    container_event(container, EventKind::Warning, reason, message)
}

/// Good news about one container.
pub(crate) fn normal(container: &Container, reason: &str, message: String) -> PodEffect {
    container_event(container, EventKind::Normal, reason, message)
}

fn container_event(
    container: &Container,
    kind: EventKind,
    reason: &str,
    message: String,
) -> PodEffect {
    PodEffect::Event {
        kind,
        reason: reason.to_owned(),
        message,
        field_path: Some(container.spec.field_path()),
    }
}
