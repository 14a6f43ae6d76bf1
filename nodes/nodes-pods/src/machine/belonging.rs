//! Whether a pod is known to belong to this node still, and what is lost with its sandbox.
//!
//! Way in: [`Belonging`].  Invariant: no sandbox is made while it is not known, for the pod may run
//! elsewhere by now; what runs goes on, for nobody replaces what may still run here.
//! Spec: `actors_controllers::fencing`, by which controllers replace pods of dead nodes.

use std::sync::Arc;

use actors_core::{Effects, Now};
use actors_object::Object;

use super::{PodMachine, Sandbox, pod_event};
use crate::{
    container::{Life, Wait},
    effect::{EventKind, PodEffect},
    event::Exit,
    pod_spec::{ContainerRole, RestartPolicy},
};

/// What is known of whether the pod is this node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belonging {
    /// No server has said so in this life of the agent.
    Unknown,
    /// A server has said so.
    Known,
    /// Its fence has killed it since; only a read that began afterwards can say so.
    Fenced,
}

impl Belonging {
    /// A server speaks of the pod, perhaps of how it was some time ago.
    pub(super) fn hear(&mut self) {
        if *self == Self::Unknown {
            *self = Self::Known;
        }
    }
}

/// How containers were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// With the sandbox, nobody knows why.
    Unknown,
    /// Their pod's fence killed them.
    Fenced,
}

impl Loss {
    fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "ContainerStatusUnknown",
            Self::Fenced => "Fenced",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Unknown => "its sandbox ended, the exit code is not known",
            Self::Fenced => "no server confirmed in time that the pod may run here",
        }
    }
}

impl PodMachine {
    /// Goes on with what runs. Where nothing does, it is waited for a server's word.
    pub(super) fn handle_recalled(
        &mut self,
        now: Now,
        object: Arc<Object>,
        out: &mut Effects<PodEffect>,
    ) {
        let runs = self.adopted.as_ref().is_some_and(|adopted| adopted.sandbox.is_some());
        if self.spec.is_none() && runs {
            self.handle_updated(now, object, out);
        }
    }

    pub(super) fn handle_confirmed(
        &mut self,
        now: Now,
        object: Arc<Object>,
        out: &mut Effects<PodEffect>,
    ) {
        self.belonging = Belonging::Known;
        self.handle_updated(now, object, out);
    }

    pub(super) fn handle_fenced(&mut self, now: Now, attempt: u32, out: &mut Effects<PodEffect>) {
        if attempt != self.sandbox_attempt {
            return;
        }
        let message = Loss::Fenced.message().to_owned();
        out.push(pod_event(EventKind::Warning, "Fenced", message));
        self.belonging = Belonging::Fenced;
        self.sandbox = Sandbox::Absent(None);
        self.sandbox_attempt += 1;
        self.lose_containers(now, self.policy(), Loss::Fenced);
        if !self.is_ending() {
            out.push(PodEffect::Confirm);
        }
    }

    /// The sandbox is gone with everything in it, unasked.
    pub(super) fn lose_containers(&mut self, now: Now, policy: RestartPolicy, loss: Loss) {
        let begun = self.containers.iter().any(|container| container.begun);
        for container in &mut self.containers {
            let lost = container.is_alive()
                || (policy == RestartPolicy::Never && begun && !container.begun);
            if lost {
                let message = loss.message().to_owned();
                let exit =
                    Exit { code: 137, signal: 0, oom: false, started: None, at: now.wall, message };
                container.end(exit, Some(loss.reason()));
                // It did not fail, so it does not wait.
                container.replaced = !container.is_finished(policy);
            }
        }
        self.initialized = false;
        let over = self.is_over(policy);
        for container in self.containers.iter_mut().filter(|_| !over) {
            // In a new sandbox, init containers run again; nothing that they set up is left.
            if container.spec.role == ContainerRole::Init
                && matches!(container.life, Life::Ended(_))
            {
                container.wait(Wait::default());
            }
        }
    }
}
