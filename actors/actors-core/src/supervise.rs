//! A supervisor as a machine: decides when a child is started, restarted, stopped, parked, or when to give up.
//!
//! Way in: [`SupervisorMachine`].  Owns: the list of children and their failures.  Never: a task or a handle.
//! Invariants: 1. a child waits for at most one start.  2. no more failures are remembered than the intensity counts.
//! Spec: OTP Design Principles, "Supervisor Behaviour" (one-for-one, intensity, restart types).

use std::{collections::VecDeque, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    ChildSpec, Effects, Incarnation, Intensity, Machine, Mono, OnLimit, Restart, TreeSpec, Turn,
};

/// Why an actor ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitReason {
    /// It had nothing more to do.
    Normal,
    /// Its supervisor asked it to stop.
    Shutdown,
    /// It returned an error.
    Error(String),
    /// It panicked; the text is the panic's message.
    Panic(String),
    /// An operator or a chaos experiment killed it. Does not count toward the intensity.
    Killed,
    /// The machine or process that it ran on is gone.
    Lost(String),
}

impl fmt::Display for ExitReason {
    /// A clause about the actor, as events and tables show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("ended normally"),
            Self::Shutdown => f.write_str("was stopped"),
            Self::Error(text) => write!(f, "failed: {text}"),
            Self::Panic(text) => write!(f, "panicked: {text}"),
            Self::Killed => f.write_str("was killed by an operator"),
            Self::Lost(text) => write!(f, "was lost: {text}"),
        }
    }
}

/// What a supervisor is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SupervisorEvent {
    /// Starts all children of the specification.
    Start,
    /// Adds and starts one child; replaces nothing: a known name is ignored.
    Add(ChildSpec),
    /// Stops one child and forgets it.
    Remove(String),
    /// A child ended.
    Exited {
        /// Its name.
        name: String,
        /// Which of its lives.
        incarnation: Incarnation,
        /// Why.
        reason: ExitReason,
    },
    /// A wait that [`SupervisorEffect::Wait`] asked for is over.
    Waited {
        /// The child that is to be started.
        name: String,
        /// The life that is to begin.
        incarnation: Incarnation,
    },
    /// An operator starts a parked child again.
    Unpark(String),
    /// Stops all children, last started first, then ends.
    Shutdown,
}

/// What a supervisor wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SupervisorEffect {
    /// Start this child.
    Start {
        /// Which.
        spec: ChildSpec,
        /// The number of its new life.
        incarnation: Incarnation,
    },
    /// Ask this child to stop; kill it when `within` has passed.
    Stop {
        /// Which.
        name: String,
        /// Its time to stop.
        within: Duration,
    },
    /// Deliver [`SupervisorEvent::Waited`] at `at`.
    Wait {
        /// For which child.
        name: String,
        /// For which life.
        incarnation: Incarnation,
        /// When.
        at: Mono,
    },
    /// Tell whoever watches (an event object, a log line, a metric).
    Notify(SupervisorNotice),
    /// All children have ended: end with this reason.
    End(ExitReason),
}

/// What people should know of a supervisor's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SupervisorNotice {
    /// A child failed and is started again after a wait.
    Restarting {
        /// Which.
        name: String,
        /// Why it ended.
        reason: ExitReason,
        /// The wait before its next start.
        after: Duration,
    },
    /// A child failed too often and is left stopped.
    Parked {
        /// Which.
        name: String,
        /// Its last reason.
        reason: ExitReason,
    },
    /// What is never started again failed: a temporary child, or a part of a service.
    Ended {
        /// Which.
        name: String,
        /// Why it ended.
        reason: ExitReason,
    },
    /// Children failed too often: this supervisor fails.
    Escalated {
        /// The child that failed last.
        name: String,
        /// Its reason.
        reason: ExitReason,
    },
}

/// Decides for one supervisor, one-for-one.
#[derive(Debug, Clone)]
pub struct SupervisorMachine {
    spec: TreeSpec,
    children: Vec<Child>,
    /// Times of the restarts of all children, oldest first; used by `Escalate`.
    recent: VecDeque<Mono>,
    /// Set once this supervisor is ending.
    ending: Option<ExitReason>,
}

#[derive(Debug, Clone)]
struct Child {
    spec: ChildSpec,
    incarnation: Incarnation,
    phase: Phase,
    /// Times of this child's failures within the period, oldest first.
    failures: VecDeque<Mono>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Waiting,
    Stopping,
    Parked,
}

impl SupervisorMachine {
    /// A supervisor for a specification that [`TreeSpec::validate`] accepted.
    #[must_use]
    pub fn new(spec: TreeSpec) -> Self {
        Self { spec, children: Vec::new(), recent: VecDeque::new(), ending: None }
    }

    /// How often each child was started again, with its name.
    pub fn restarts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.children
            .iter()
            .map(|child| (child.spec.name.as_str(), child.incarnation.0.saturating_sub(1)))
    }

    /// Names of all children that it knows, whatever their phase, in the order of their starts.
    pub fn children(&self) -> impl Iterator<Item = &str> {
        self.children.iter().map(|child| child.spec.name.as_str())
    }

    /// Names of the children that failed too often.
    pub fn parked(&self) -> impl Iterator<Item = &str> {
        self.children
            .iter()
            .filter(|child| child.phase == Phase::Parked)
            .map(|child| child.spec.name.as_str())
    }

    fn find(&mut self, name: &str) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.spec.name == name)
    }

    fn add(&mut self, spec: ChildSpec, out: &mut Effects<SupervisorEffect>) {
        if self.ending.is_some()
            || self.find(&spec.name).is_some()
            || spec.validate(&self.spec.name).is_err()
        {
            return;
        }
        let incarnation = Incarnation(1);
        out.push(SupervisorEffect::Start { spec: spec.clone(), incarnation });
        self.children.push(Child {
            spec,
            incarnation,
            phase: Phase::Running,
            failures: VecDeque::new(),
        });
    }

    fn remove(&mut self, name: &str, out: &mut Effects<SupervisorEffect>) {
        let Some(child) = self.find(name) else { return };
        match child.phase {
            Phase::Running => {
                child.phase = Phase::Stopping;
                let within = child.spec.shutdown;
                out.push(SupervisorEffect::Stop { name: name.to_owned(), within });
            }
            Phase::Stopping => {}
            Phase::Waiting | Phase::Parked => self.forget(name, out),
        }
    }

    fn forget(&mut self, name: &str, out: &mut Effects<SupervisorEffect>) {
        self.children.retain(|child| child.spec.name != name);
        if self.ending.is_some() {
            self.stop_last(out);
        }
    }

    /// Stops the last child, or ends when there is none: reverse start order, one at a time.
    fn stop_last(&mut self, out: &mut Effects<SupervisorEffect>) {
        match (self.children.last().map(|child| child.spec.name.clone()), self.ending.clone()) {
            (Some(name), _) => self.remove(&name, out),
            (None, Some(reason)) => out.push(SupervisorEffect::End(reason)),
            (None, None) => {}
        }
    }

    fn end(&mut self, reason: ExitReason, out: &mut Effects<SupervisorEffect>) {
        if self.ending.is_none() {
            self.ending = Some(reason);
            self.stop_last(out);
        }
    }

    fn exited(
        &mut self,
        turn: &mut Turn<'_>,
        exit: (&str, &ExitReason),
        out: &mut Effects<SupervisorEffect>,
    ) {
        let (name, reason) = exit;
        let ending = self.ending.is_some();
        let Some(child) = self.find(name) else { return };
        let clean = matches!(reason, ExitReason::Normal | ExitReason::Shutdown);
        let ends = match child.spec.restart {
            Restart::Permanent => false,
            Restart::Transient => clean,
            Restart::Temporary => true,
        };
        if ending || ends || child.phase == Phase::Stopping {
            return self.forget(name, out);
        }
        if *reason == ExitReason::Killed {
            return self.restart(turn, exit, Duration::ZERO, out);
        }
        let now = turn.now.mono;
        let intensity = self.spec.intensity;
        let passed = match self.spec.on_limit {
            OnLimit::Escalate => passes(&mut self.recent, now, intensity),
            OnLimit::Park => {
                self.find(name).is_some_and(|child| passes(&mut child.failures, now, intensity))
            }
        };
        match (passed, self.spec.on_limit) {
            (true, OnLimit::Escalate) => self.escalate(exit, out),
            (true, OnLimit::Park) => self.park(exit, out),
            (false, _) => {
                let wait = self.wait_for(turn, name);
                self.restart(turn, exit, wait, out);
            }
        }
    }

    /// The wait before the next start; failures older than the intensity's period are forgotten.
    fn wait_for(&mut self, turn: &mut Turn<'_>, name: &str) -> Duration {
        let now = turn.now.mono;
        let intensity = self.spec.intensity;
        let on_limit = self.spec.on_limit;
        let Some(child) = self.find(name) else { return Duration::ZERO };
        if on_limit == OnLimit::Escalate {
            passes(&mut child.failures, now, intensity);
        }
        let failures = u32::try_from(child.failures.len()).unwrap_or(u32::MAX);
        child.spec.backoff.wait(failures, turn.rng)
    }

    fn restart(
        &mut self,
        turn: &Turn<'_>,
        exit: (&str, &ExitReason),
        after: Duration,
        out: &mut Effects<SupervisorEffect>,
    ) {
        let (name, reason) = exit;
        let at = turn.now.mono.after(after);
        let Some(child) = self.find(name) else { return };
        child.incarnation.0 += 1;
        child.phase = Phase::Waiting;
        let incarnation = child.incarnation;
        let notice =
            SupervisorNotice::Restarting { name: name.to_owned(), reason: reason.clone(), after };
        out.push(SupervisorEffect::Notify(notice));
        out.push(SupervisorEffect::Wait { name: name.to_owned(), incarnation, at });
    }

    fn park(&mut self, (name, reason): (&str, &ExitReason), out: &mut Effects<SupervisorEffect>) {
        if let Some(child) = self.find(name) {
            child.phase = Phase::Parked;
        }
        let notice = SupervisorNotice::Parked { name: name.to_owned(), reason: reason.clone() };
        out.push(SupervisorEffect::Notify(notice));
    }

    fn escalate(
        &mut self,
        (name, reason): (&str, &ExitReason),
        out: &mut Effects<SupervisorEffect>,
    ) {
        let notice = SupervisorNotice::Escalated { name: name.to_owned(), reason: reason.clone() };
        out.push(SupervisorEffect::Notify(notice));
        self.children.retain(|child| child.spec.name != name);
        self.end(ExitReason::Error(format!("{name} failed too often")), out);
    }

    fn unpark(&mut self, name: &str, out: &mut Effects<SupervisorEffect>) {
        if let Some(child) = self.find(name).filter(|child| child.phase == Phase::Parked) {
            child.failures.clear();
            child.incarnation.0 += 1;
            child.phase = Phase::Running;
            out.push(SupervisorEffect::Start {
                spec: child.spec.clone(),
                incarnation: child.incarnation,
            });
        }
    }

    fn waited(
        &mut self,
        name: &str,
        incarnation: Incarnation,
        out: &mut Effects<SupervisorEffect>,
    ) {
        let due =
            |child: &&mut Child| child.phase == Phase::Waiting && child.incarnation == incarnation;
        if let Some(child) = self.find(name).filter(due) {
            child.phase = Phase::Running;
            out.push(SupervisorEffect::Start { spec: child.spec.clone(), incarnation });
        }
    }
}

/// Adds `now` to the failures, forgets those before the period, and says whether there are too many.
fn passes(failures: &mut VecDeque<Mono>, now: Mono, intensity: Intensity) -> bool {
    failures.push_back(now);
    while failures.front().is_some_and(|first| now.since(*first) > intensity.period) {
        failures.pop_front();
    }
    failures.len() > intensity.restarts as usize
}

impl Machine for SupervisorMachine {
    type Event = SupervisorEvent;
    type Effect = SupervisorEffect;
    type View = ();

    fn handle(
        &mut self,
        mut turn: Turn<'_>,
        event: SupervisorEvent,
        out: &mut Effects<SupervisorEffect>,
    ) {
        match event {
            SupervisorEvent::Start => {
                for spec in self.spec.children.clone() {
                    self.add(spec, out);
                }
            }
            SupervisorEvent::Add(spec) => self.add(spec, out),
            SupervisorEvent::Remove(name) => self.remove(&name, out),
            SupervisorEvent::Exited { name, incarnation, reason } => {
                if self.find(&name).is_some_and(|child| child.incarnation == incarnation) {
                    self.exited(&mut turn, (&name, &reason), out);
                }
            }
            SupervisorEvent::Waited { name, incarnation } => self.waited(&name, incarnation, out),
            SupervisorEvent::Unpark(name) => self.unpark(&name, out),
            SupervisorEvent::Shutdown => self.end(ExitReason::Shutdown, out),
        }
    }

    fn assert_invariants(&self) {
        let bound = self.spec.intensity.restarts as usize + 1;
        assert!(self.recent.len() <= bound, "more restarts remembered than are counted");
        for child in &self.children {
            assert!(
                child.failures.len() <= bound,
                "{}: more failures than are counted",
                child.spec.name
            );
        }
    }
}

#[cfg(test)]
mod tests;
