//! What a pod's machine remembers of one container.
//!
//! Way in: [`Container`].  Owns: one container's current life, its last end, back-offs, probes.
//! Invariant: `attempt` is the number of the current life, or of the last one while none has begun
//! after it.

use actors_core::{Mono, Now, Wall};
use actors_object::Value;

use crate::{
    event::{ContainerRef, Exit},
    pod_spec::{ContainerRole, ContainerSpec, RestartPolicy},
    probing::Probes,
    pull_backoff::PullBackoff,
    restart_backoff::RestartBackoff,
};

/// One container of a pod.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) spec: ContainerSpec,
    pub(crate) attempt: u32,
    /// Whether life `attempt` has begun.
    pub(crate) begun: bool,
    pub(crate) life: Life,
    /// How the life before the current one ended.
    pub(crate) last: Option<Ended>,
    pub(crate) image_id: String,
    pub(crate) restarts: RestartBackoff,
    pub(crate) pulls: PullBackoff,
    /// Why it last waited, shown until it runs: what comes between takes milliseconds.
    pub(crate) shown: Wait,
    /// Set when its specification changed while it ran: it is started again whatever the policy.
    pub(crate) replaced: bool,
    /// The resources that the node has granted; the next life gets these.
    pub(crate) granted: Value,
    /// The resources that the current life has.
    pub(crate) enacted: Value,
}

/// What a container is doing.
#[derive(Debug, Clone)]
pub(crate) enum Life {
    /// Not running: it waits for its turn, or for a time.
    Waiting(Wait),
    /// The image is looked for.
    Checking,
    /// The image is here; the rest of what a start needs is not.
    Imaged,
    /// It is being made.
    Starting,
    /// It runs.
    Running(Box<Running>),
    /// It ended, and nothing has been decided about another life.
    Ended(Ended),
}

/// Why a container waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Kubernetes' word; nothing for the usual words of a pod that is being set up.
    pub(crate) reason: Option<&'static str>,
    pub(crate) message: String,
    /// Not before this time.
    pub(crate) until: Option<Mono>,
}

/// A container that runs.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) id: String,
    pub(crate) since: Now,
    /// Whether the hook after its start has ended, or there is none.
    pub(crate) post_started: bool,
    pub(crate) probes: Probes,
    /// Set while it is being stopped.
    pub(crate) stop: Option<Stop>,
}

/// How far a container's stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) stage: StopStage,
    /// No signal before this time, so that proxies can withdraw the pod.
    pub(crate) hold_until: Mono,
    /// SIGKILL at this time.
    pub(crate) kill_at: Mono,
}

/// The steps of a stop, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StopStage {
    /// The hook before the stop runs.
    PreStop,
    /// Waiting until no traffic comes any more.
    Hold,
    /// It was asked to stop.
    Asked,
    /// It was killed.
    Killed,
}

/// How a life ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) id: String,
    pub(crate) reason: &'static str,
    pub(crate) started: Option<Wall>,
    pub(crate) exit: Exit,
}

impl Container {
    pub(crate) fn new(spec: ContainerSpec) -> Self {
        Self {
            granted: spec.resources.clone(),
            enacted: spec.resources.clone(),
            spec,
            attempt: 0,
            begun: false,
            life: Life::Waiting(Wait::default()),
            last: None,
            image_id: String::new(),
            restarts: RestartBackoff::default(),
            pulls: PullBackoff::default(),
            shown: Wait::default(),
            replaced: false,
        }
    }

    pub(crate) fn reference(&self) -> ContainerRef {
        ContainerRef { name: self.spec.name.clone(), attempt: self.attempt }
    }

    pub(crate) fn is(&self, container: &ContainerRef) -> bool {
        self.spec.name == container.name && self.attempt == container.attempt && self.begun
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        match &self.life {
            Life::Running(running) => Some(running),
            _ => None,
        }
    }

    pub(crate) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.life {
            Life::Running(running) => Some(running),
            _ => None,
        }
    }

    /// Whether there is, or may be at any moment, a process.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.life, Life::Running(_) | Life::Starting)
    }

    /// Whether it runs and its neighbours may count on it: hook done, startup probe passed.
    pub(crate) fn is_started(&self) -> bool {
        self.running().is_some_and(|running| running.post_started && running.probes.is_started())
    }

    /// Whether it takes traffic; for an init container, whether it is done.
    pub(crate) fn is_ready(&self) -> bool {
        match (&self.life, self.spec.role) {
            (Life::Ended(ended), ContainerRole::Init) => ended.exit.code == 0,
            (Life::Running(running), ContainerRole::App | ContainerRole::Sidecar) => {
                self.is_started() && running.probes.is_ready()
            }
            _ => false,
        }
    }

    /// How its newest finished life ended.
    pub(crate) fn newest_end(&self) -> Option<&Ended> {
        match &self.life {
            Life::Ended(ended) => Some(ended),
            _ => self.last.as_ref(),
        }
    }

    /// Whether it ended and its pod's policy does not start it again.
    pub(crate) fn is_finished(&self, policy: RestartPolicy) -> bool {
        match &self.life {
            Life::Ended(ended) => {
                !self.replaced && !restarts(self.spec.role, policy, ended.exit.code)
            }
            _ => false,
        }
    }

    /// Records an end.
    pub(crate) fn end(&mut self, exit: Exit, reason: Option<&'static str>) {
        let (id, started) = match self.running() {
            Some(running) => (running.id.clone(), Some(running.since.wall)),
            None => (String::new(), exit.started),
        };
        let reason = reason.unwrap_or(match (&exit, exit.code) {
            (Exit { oom: true, .. }, _) => "OOMKilled",
            (_, 0) => "Completed",
            _ => "Error",
        });
        if let Life::Ended(before) = &self.life {
            self.last = Some(before.clone());
        }
        self.life = Life::Ended(Ended { id, reason, started, exit });
    }

    /// Leaves the ended life behind, so that the next one can be prepared.
    pub(crate) fn wait(&mut self, wait: Wait) {
        if let Life::Ended(ended) = &self.life {
            self.last = Some(ended.clone());
        }
        self.hold(wait);
    }

    /// Keeps it from starting, and says why.
    pub(crate) fn hold(&mut self, wait: Wait) {
        self.shown.clone_from(&wait);
        self.life = Life::Waiting(wait);
    }

    /// Counts the next life.
    pub(crate) fn begin(&mut self) {
        if self.begun {
            self.attempt += 1;
        }
        self.begun = true;
        self.replaced = false;
        self.enacted = self.granted.clone();
        self.life = Life::Starting;
    }

    /// Takes back a life that did not come to be.
    pub(crate) fn unbegin(&mut self, wait: Wait) {
        self.begun = self.attempt > 0;
        self.attempt = self.attempt.saturating_sub(1);
        self.hold(wait);
    }
}

/// Whether a container that ended with `code` is started again.
fn restarts(role: ContainerRole, policy: RestartPolicy, code: i32) -> bool {
    match (role, policy) {
        (ContainerRole::Ephemeral, _) => false,
        (ContainerRole::Sidecar, _) | (ContainerRole::App, RestartPolicy::Always) => true,
        (ContainerRole::App, RestartPolicy::OnFailure) => code != 0,
        (ContainerRole::App | ContainerRole::Init, RestartPolicy::Never) => false,
        (ContainerRole::Init, RestartPolicy::Always | RestartPolicy::OnFailure) => code != 0,
    }
}
