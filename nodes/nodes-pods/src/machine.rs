//! The life of one pod on its node: takes events, keeps what is known, and asks for what is to be
//! done next.
//!
//! Way in: [`PodMachine`].  Owns: the state of the pod's volumes, sandbox and containers.
//! Writes: the pod's status, but for conditions of others.  Never: memory that the runtime and the
//! API could not give back: after a restart of the agent, `Adopted` and `Updated` restore it.
//! Order: each event changes facts first; then everything that the facts allow is started, so that
//! no event is lost by coming early; then the status is reported, and the next wake-up is set.
//! Invariants: 1. nothing is asked for twice while it is in flight.  2. a pod that ends starts
//! nothing.

use std::sync::Arc;

use actors_core::{Effects, Machine, Mono, Now, Turn, Wall};
use actors_object::{Object, Value, timefmt};

use crate::{
    conditions::Conditions,
    container::{Container, Life, Wait},
    echo::{self, Said},
    effect::PodEffect,
    event::{Adopted, ContainerRef, PodEvent},
    pod_spec::{ContainerRole, PodSpec, RestartPolicy},
    probing::normal,
    resizing::Resizing,
    stopping::Ending,
};

mod adoption;
mod belonging;
mod outcomes;

pub(crate) use belonging::Belonging;
pub(crate) use outcomes::pod_event;

use self::belonging::Loss;

/// What a pod's machine knows of its node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodConfig {
    /// The node's addresses, the primary one first.
    pub host_ips: Vec<String>,
}

/// The volumes of the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Volumes {
    /// Nothing was done yet; an earlier agent may have left some.
    Unknown,
    Absent,
    SettingUp,
    Ready,
    /// They are tried again at this time.
    Failed(Mono),
    TearingDown,
}

/// The sandbox of the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// There is none; the next one may be made at this time.
    Absent(Option<Mono>),
    Creating,
    Ready(Vec<String>),
    TearingDown,
}

/// Whether it is known what an earlier agent left.
#[derive(Debug, Clone)]
enum Survey {
    /// Not yet; what the API said meanwhile.
    Pending(Option<Box<PodEvent>>),
    Done,
}

/// One pod on its node.
#[derive(Debug, Clone)]
pub struct PodMachine {
    survey: Survey,
    pub(crate) belonging: Belonging,
    pub(crate) config: PodConfig,
    pub(crate) spec: Option<PodSpec>,
    adopted: Option<Adopted>,
    pub(crate) volumes: Volumes,
    pub(crate) sandbox: Sandbox,
    /// The number of the current or next sandbox.
    pub(crate) sandbox_attempt: u32,
    /// What the sandbox last had, for a status that is written after its end.
    pub(crate) last_ips: Vec<String>,
    pub(crate) containers: Vec<Container>,
    /// Whether all init containers have done their part in this sandbox.
    pub(crate) initialized: bool,
    pub(crate) start_time: Option<Wall>,
    pub(crate) active_until: Option<Mono>,
    pub(crate) ending: Option<Ending>,
    /// Set once the pod's object is being deleted, or is gone.
    pub(crate) deleted: bool,
    /// Set when the API no longer has the pod, or had its final status before this machine began.
    silent: bool,
    pub(crate) finalized: bool,
    pub(crate) withdrawn: bool,
    pub(crate) conditions: Conditions,
    pub(crate) resizing: Resizing,
    pub(crate) last_trouble: String,
    reported: Option<Value>,
    said: Said,
    /// When the status is said again that others overruled while the node was not heard.
    overruled: Option<Mono>,
    armed: Option<Mono>,
}

impl PodMachine {
    /// A machine that knows nothing of its pod yet.
    #[must_use]
    pub fn new(config: PodConfig) -> Self {
        Self {
            survey: Survey::Pending(None),
            belonging: Belonging::Unknown,
            config,
            spec: None,
            adopted: None,
            volumes: Volumes::Unknown,
            sandbox: Sandbox::Absent(None),
            sandbox_attempt: 0,
            last_ips: Vec::new(),
            containers: Vec::new(),
            initialized: false,
            start_time: None,
            active_until: None,
            ending: None,
            deleted: false,
            silent: false,
            finalized: false,
            withdrawn: false,
            conditions: Conditions::default(),
            resizing: Resizing::default(),
            last_trouble: String::new(),
            reported: None,
            said: Said::default(),
            overruled: None,
            armed: None,
        }
    }

    /// Whether the pod is finished, deleted and gone: its machine may be forgotten.
    #[must_use]
    pub fn is_finalized(&self) -> bool {
        self.finalized
    }

    /// Whether nothing is started any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    pub(crate) fn policy(&self) -> RestartPolicy {
        self.spec.as_ref().map_or(RestartPolicy::Always, |spec| spec.restart)
    }

    pub(crate) fn grace(&self) -> std::time::Duration {
        self.spec.as_ref().map_or(std::time::Duration::ZERO, |spec| spec.grace)
    }

    pub(crate) fn container_mut(&mut self, reference: &ContainerRef) -> Option<&mut Container> {
        self.containers.iter_mut().find(|container| container.is(reference))
    }

    fn handle_updated(&mut self, now: Now, object: Arc<Object>, out: &mut Effects<PodEffect>) {
        let spec = PodSpec::read(object);
        if self.spec.is_none() {
            self.take_over(now, &spec);
        } else {
            self.change_containers(now, &spec, out);
        }
        let start = *self.start_time.get_or_insert(now.wall);
        let active = now.wall.since(start);
        self.active_until =
            spec.active_deadline.map(|deadline| now.mono.after(deadline.saturating_sub(active)));
        if !self.said.expects(spec.object.0.at("status")) {
            // An older status was applied behind the newest one: it is said again.
            self.reported = None;
        }
        self.overruled = echo::is_overruled(spec.object.0.at("status"))
            .then(|| self.overruled.unwrap_or(now.mono.after(echo::OVERRULED_FOR)));
        let deletion = spec.deletion_grace.map(|grace| match spec.deletion_until {
            // It should have been gone long ago, and may have been replaced meanwhile.
            Some(until) if !self.deleted && until <= now.wall => std::time::Duration::ZERO,
            _ => grace,
        });
        self.spec = Some(spec);
        if let Some(grace) = deletion {
            self.begin_deletion(now, grace);
        }
    }

    /// The first sight of the pod: containers from its specification, their past from runtime and
    /// status.
    fn take_over(&mut self, now: Now, spec: &PodSpec) {
        self.containers = spec.containers.iter().cloned().map(Container::new).collect();
        let status = spec.object.0.at("status");
        self.start_time = status.at("startTime").as_str().and_then(timefmt::parse);
        self.conditions = Conditions::restored(status);
        let terminal = matches!(status.at("phase").as_str(), Some("Succeeded" | "Failed"));
        let adopted = self.adopted.take().unwrap_or_default();
        if terminal && adopted.sandbox.is_none() {
            self.silent = true;
            self.ending = Some(Ending::finished(now));
            return;
        }
        adoption::adopt(self, now, status, &adopted);
        if self.sandbox == Sandbox::Absent(None)
            && self.containers.iter().any(|container| container.begun)
        {
            self.sandbox_attempt = 1;
            let loss = if adopted.fenced.is_some() { Loss::Fenced } else { Loss::Unknown };
            self.lose_containers(now, spec.restart, loss);
        }
    }

    /// Holds back what comes before it is known what an earlier agent left; the newest counts.
    fn surveyed(&mut self, event: PodEvent) -> Option<(PodEvent, Option<PodEvent>)> {
        let adopting = matches!(event, PodEvent::Adopted(_));
        match &mut self.survey {
            Survey::Done => Some((event, None)),
            Survey::Pending(held) if adopting => {
                let held = held.take().map(|held| *held);
                self.survey = Survey::Done;
                Some((event, held))
            }
            Survey::Pending(held) => {
                if matches!(
                    event,
                    PodEvent::Updated(_)
                        | PodEvent::Recalled(_)
                        | PodEvent::Confirmed(_)
                        | PodEvent::Vanished
                ) {
                    *held = Some(Box::new(event));
                }
                None
            }
        }
    }

    fn handle_vanished(&mut self, now: Now) {
        self.silent = true;
        self.begin_deletion(now, std::time::Duration::ZERO);
        if self.spec.is_none() {
            self.take_orphan();
        }
    }

    fn take(&mut self, now: Now, event: PodEvent, out: &mut Effects<PodEffect>) {
        match event {
            PodEvent::Updated(object) => {
                self.belonging.hear();
                self.handle_updated(now, object, out);
            }
            PodEvent::Recalled(object) => self.handle_recalled(now, object, out),
            PodEvent::Confirmed(object) => self.handle_confirmed(now, object, out),
            PodEvent::Fenced { attempt } => self.handle_fenced(now, attempt, out),
            PodEvent::Adopted(adopted) => self.adopted = Some(adopted),
            PodEvent::Vanished => self.handle_vanished(now),
            PodEvent::Woken => self.armed = None,
            PodEvent::Withdrawn => self.handle_withdrawn(now),
            PodEvent::VolumesReady | PodEvent::VolumesFailed { .. } | PodEvent::VolumesGone => {
                self.handle_volumes(now, event, out);
            }
            PodEvent::SandboxReady { .. }
            | PodEvent::SandboxFailed { .. }
            | PodEvent::SandboxGone { .. } => {
                self.handle_sandbox(now, event, out);
            }
            PodEvent::Image { container, answer } => {
                self.handle_image(now, &container, answer, out)
            }
            PodEvent::ImagesChanged => self.handle_images_changed(),
            PodEvent::Room { refusal } => self.handle_room(now, refusal),
            PodEvent::Resized { failure } => self.handle_resized(now, failure),
            PodEvent::Started { container, id } => self.handle_started(now, &container, id, out),
            PodEvent::Failed { container, failure, message } => {
                self.handle_failed(now, &container, (failure, message), out);
            }
            PodEvent::Exited { container, id, exit } => self.handle_exited(&container, id, exit),
            PodEvent::Probed { container, probe, outcome } => {
                self.handle_probed(now, (&container, probe), &outcome, out);
            }
            PodEvent::HookDone { container, hook, failure } => {
                self.handle_hook(now, (&container, hook), failure, out);
            }
        }
    }

    /// What an earlier agent left of a pod that the API no longer has.
    fn take_orphan(&mut self) {
        if let Some(sandbox) = self.adopted.take().and_then(|adopted| adopted.sandbox) {
            self.sandbox_attempt = sandbox.attempt;
            self.sandbox = Sandbox::Ready(sandbox.ips);
        }
    }

    /// An image may change while the pod runs: that container is replaced. Ephemeral containers may be added.
    fn change_containers(&mut self, now: Now, spec: &PodSpec, out: &mut Effects<PodEffect>) {
        for changed in &spec.containers {
            let Some(container) =
                self.containers.iter_mut().find(|container| container.spec.name == changed.name)
            else {
                if changed.role == ContainerRole::Ephemeral {
                    self.containers.push(Container::new(changed.clone()));
                }
                continue;
            };
            if container.spec == *changed {
                continue;
            }
            let replaced = container.spec.image != changed.image;
            container.spec = changed.clone();
            if !replaced || self.ending.is_some() {
                continue;
            }
            match container.life {
                Life::Waiting(_) | Life::Checking | Life::Imaged => container.wait(Wait::default()),
                Life::Starting | Life::Running(_) => {
                    container.replaced = true;
                    let message =
                        format!("the image of container {} changed, it is restarted", changed.name);
                    out.push(normal(container, "Killing", message));
                    crate::stopping::stop_container(container, now, (spec.grace, now.mono), out);
                }
                Life::Ended(_) => {}
            }
        }
    }

    fn advance(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        if self.spec.is_none() {
            if self.deleted {
                self.take_apart(out);
                self.finalize(out);
            }
            return;
        }
        if self.ending.is_none() {
            self.check_end(now, out);
        }
        if self.ending.is_none() {
            self.plan_start(now, out);
            self.plan_resize(now, out);
        } else {
            self.plan_stop(now, out);
        }
        self.plan_probes(now, out);
        self.report(now, out);
        self.finalize(out);
        self.arm(now, out);
    }

    fn report(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        if self.silent {
            return;
        }
        if self.overruled.take_if(|due| *due <= now.mono).is_some() {
            self.reported = None;
        }
        let status = self.status(now.wall);
        if self.reported.as_ref() != Some(&status) {
            out.push(PodEffect::ReportStatus(status.clone()));
            self.said.add(&status);
            self.reported = Some(status);
        }
    }

    /// The last effect of all, behind the last status.
    fn finalize(&mut self, out: &mut Effects<PodEffect>) {
        if self.deleted && self.is_gone() && !self.finalized {
            self.finalized = true;
            out.push(PodEffect::FinalizeDelete);
        }
    }

    /// Asks for one wake-up at the next time at which anything is due.
    fn arm(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        let containers = self.containers.iter().flat_map(Container::wake_times);
        let volumes = match self.volumes {
            Volumes::Failed(until) => Some(until),
            _ => None,
        };
        let sandbox = match self.sandbox {
            Sandbox::Absent(until) => until,
            _ => None,
        };
        let ending = self.ending.is_some();
        let active = self.active_until.filter(|_| !ending);
        let next = containers
            .chain(volumes)
            .chain(sandbox)
            .chain(active)
            .chain(self.overruled)
            .chain(self.resizing.wake_times())
            .filter(|at| *at > now.mono)
            .min();
        if let Some(at) = next.filter(|_| next != self.armed) {
            out.push(PodEffect::WakeAt(at));
        }
        self.armed = next;
    }
}

impl Machine for PodMachine {
    type Event = PodEvent;
    type Effect = PodEffect;
    type View = ();

    fn handle(&mut self, turn: Turn<'_>, event: PodEvent, out: &mut Effects<PodEffect>) {
        let now = turn.now;
        match self.surveyed(event) {
            Some((first, None)) => self.take(now, first, out),
            Some((first, Some(held))) => {
                self.take(now, first, out);
                self.take(now, held, out);
            }
            None => return,
        }
        self.advance(now, out);
    }

    fn assert_invariants(&self) {
        let twins =
            |name: &str| self.containers.iter().filter(|other| other.spec.name == name).count();
        for container in &self.containers {
            assert_eq!(twins(&container.spec.name), 1, "two containers share a name");
            let in_sandbox = !matches!(self.sandbox, Sandbox::Absent(_) | Sandbox::Creating);
            assert!(
                !container.is_alive() || in_sandbox,
                "{} runs without a sandbox",
                container.spec.name
            );
        }
        assert!(!self.finalized || self.is_gone(), "finalized while something is left");
    }
}

#[cfg(test)]
mod tests;
