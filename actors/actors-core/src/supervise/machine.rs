//! A supervisor as a machine: decides when a child is started, restarted, stopped, parked, or when to give up.
//!
//! Way in: [`SupervisorMachine`].  Owns: the list of children and their failures.  Never: a task or a handle.
//! Invariants: 1. a child waits for at most one start.  2. no more failures are remembered than the intensity counts.
//! 3. every name has one number, and numbers rise in the order of the starts.
//! Spec: OTP Design Principles, "Supervisor Behaviour" (strategies, intensity, restart types, significant children).
//! Different from OTP: starts wait for a back-off; a start that fails is a failure like any other; under one-for-one a
//! child that ended and is not restarted is forgotten; a supervisor that gives up ends with an error.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{ExitReason, SupervisorEffect, SupervisorEvent, SupervisorNotice};
use crate::{
    AutoShutdown, ChildSpec, Effects, Incarnation, Intensity, Machine, Mono, OnLimit, Restart,
    Strategy, TreeSpec, Turn,
};

/// Decides for one supervisor.
#[derive(Debug, Clone)]
pub struct SupervisorMachine {
    spec: TreeSpec,
    /// By number: in the order of their starts.
    children: BTreeMap<u64, Child>,
    numbers: BTreeMap<String, u64>,
    next: u64,
    /// Times of the restarts of all children, oldest first; used by `Escalate`.
    recent: VecDeque<Mono>,
    /// The restart of several children that is under way.
    group: Option<Group>,
    /// How many such restarts there were.
    groups: Incarnation,
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
    /// Started again alone when its wait is over.
    Waiting,
    /// Asked to stop; forgotten when it has.
    Stopping,
    /// Asked to stop, to be started again with its group.
    Pausing,
    /// Started again with its group, if that ever is.
    Down,
    Parked,
}

/// All children from `first` on stop, last one first; then they start again, in order.
#[derive(Debug, Clone)]
struct Group {
    first: u64,
    /// The child whose failure is the cause.
    cause: String,
    after: Duration,
    /// Set when all have stopped and the wait has begun.
    is_waiting: bool,
}

/// A child that ended.
#[derive(Clone, Copy)]
struct Exit<'a> {
    number: u64,
    name: &'a str,
    reason: &'a ExitReason,
}

impl SupervisorMachine {
    /// A supervisor for a specification that [`TreeSpec::validate`] accepted.
    #[must_use]
    pub fn new(spec: TreeSpec) -> Self {
        Self {
            spec,
            children: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next: 0,
            recent: VecDeque::new(),
            group: None,
            groups: Incarnation(0),
            ending: None,
        }
    }

    /// How often each child was started again, with its name.
    pub fn restarts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.children
            .values()
            .map(|child| (child.spec.name.as_str(), child.incarnation.0.saturating_sub(1)))
    }

    /// Names of all children that it knows, whatever their phase, in the order of their starts.
    pub fn children(&self) -> impl Iterator<Item = &str> {
        self.children.values().map(|child| child.spec.name.as_str())
    }

    /// Names of the children that failed too often.
    pub fn parked(&self) -> impl Iterator<Item = &str> {
        let parked = self.children.values().filter(|child| child.phase == Phase::Parked);
        parked.map(|child| child.spec.name.as_str())
    }

    fn find(&mut self, name: &str) -> Option<&mut Child> {
        let number = self.numbers.get(name)?;
        self.children.get_mut(number)
    }

    fn add(&mut self, spec: ChildSpec, out: &mut Effects<SupervisorEffect>) {
        let refused = self.spec.validate_child(&spec, &self.spec.name).is_err();
        if self.ending.is_some() || self.numbers.contains_key(&spec.name) || refused {
            return;
        }
        let number = self.next;
        self.next += 1;
        self.numbers.insert(spec.name.clone(), number);
        // A group that is being restarted takes it along.
        let waits = self.group.is_some();
        let (incarnation, phase) = match waits {
            true => (Incarnation(0), Phase::Down),
            false => (Incarnation(1), Phase::Running),
        };
        if !waits {
            out.push(SupervisorEffect::Start { spec: spec.clone(), incarnation });
        }
        self.children.insert(number, Child { spec, incarnation, phase, failures: VecDeque::new() });
    }

    fn remove(&mut self, turn: &Turn<'_>, name: &str, out: &mut Effects<SupervisorEffect>) {
        let Some(number) = self.numbers.get(name).copied() else { return };
        if self.halt(number, Phase::Stopping, out) {
            self.forget(number, out);
            self.go_on(turn, out);
        }
    }

    /// Stops a child for what `phase` says. True if nothing of it runs.
    fn halt(&mut self, number: u64, phase: Phase, out: &mut Effects<SupervisorEffect>) -> bool {
        let Some(child) = self.children.get_mut(&number) else { return true };
        match child.phase {
            Phase::Running => {
                let (name, within) = (child.spec.name.clone(), child.spec.shutdown);
                out.push(SupervisorEffect::Stop { name, within });
                child.phase = phase;
            }
            Phase::Stopping => {}
            Phase::Pausing => child.phase = phase,
            Phase::Waiting | Phase::Down | Phase::Parked => return true,
        }
        false
    }

    fn forget(&mut self, number: u64, out: &mut Effects<SupervisorEffect>) {
        if let Some(child) = self.children.remove(&number) {
            self.numbers.remove(&child.spec.name);
            out.push(SupervisorEffect::Forget { name: child.spec.name });
        }
    }

    /// Continues what waits for an end: this supervisor's own, or a group's restart.
    fn go_on(&mut self, turn: &Turn<'_>, out: &mut Effects<SupervisorEffect>) {
        if self.ending.is_some() {
            self.stop_all(out);
        } else {
            self.stop_group(turn, out);
        }
    }

    /// Stops the last child, or ends when there is none: reverse start order, one at a time.
    fn stop_all(&mut self, out: &mut Effects<SupervisorEffect>) {
        while let Some(number) = self.children.last_key_value().map(|(number, _)| *number) {
            if !self.halt(number, Phase::Stopping, out) {
                return;
            }
            self.forget(number, out);
        }
        if let Some(reason) = self.ending.clone() {
            out.push(SupervisorEffect::End(reason));
        }
    }

    fn end(&mut self, reason: ExitReason, out: &mut Effects<SupervisorEffect>) {
        if self.ending.is_none() {
            self.ending = Some(reason);
            self.group = None;
            self.stop_all(out);
        }
    }

    fn exited(&mut self, turn: &mut Turn<'_>, exit: Exit<'_>, out: &mut Effects<SupervisorEffect>) {
        let Some(child) = self.children.get_mut(&exit.number) else { return };
        let is_temporary = child.spec.restart == Restart::Temporary;
        match child.phase {
            Phase::Pausing if self.ending.is_none() && !is_temporary => {
                child.phase = Phase::Down;
                return self.go_on(turn, out);
            }
            Phase::Running if self.ending.is_none() => {}
            _ => {
                self.forget(exit.number, out);
                return self.go_on(turn, out);
            }
        }
        if !is_restarted(child.spec.restart, exit.reason) {
            return self.retire(exit, out);
        }
        if *exit.reason == ExitReason::Killed {
            return self.restart(turn, exit, Duration::ZERO, out);
        }
        let (now, intensity) = (turn.now.mono, self.spec.intensity);
        let is_passed = match self.spec.on_limit {
            OnLimit::Escalate => passes(&mut self.recent, now, intensity),
            OnLimit::Park => passes(&mut child.failures, now, intensity),
        };
        match (is_passed, self.spec.on_limit) {
            (true, OnLimit::Escalate) => self.escalate(exit, out),
            (true, OnLimit::Park) => self.park(exit, out),
            (false, _) => {
                let wait = self.wait_for(turn, exit.number);
                self.restart(turn, exit, wait, out);
            }
        }
    }

    /// A child ended that is not started again by its own end.
    fn retire(&mut self, exit: Exit<'_>, out: &mut Effects<SupervisorEffect>) {
        let Some(child) = self.children.get_mut(&exit.number) else { return };
        let is_significant = child.spec.significant;
        let is_kept =
            self.spec.strategy != Strategy::OneForOne && child.spec.restart != Restart::Temporary;
        if !exit.reason.is_clean() {
            let (name, reason) = (exit.name.to_owned(), exit.reason.clone());
            out.push(SupervisorEffect::Notify(SupervisorNotice::Ended { name, reason }));
        }
        match is_kept {
            true => child.phase = Phase::Down,
            false => self.forget(exit.number, out),
        }
        let is_active = |child: &Child| child.spec.significant && child.phase != Phase::Down;
        let ends = match self.spec.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => is_significant,
            AutoShutdown::AllSignificant => {
                is_significant && !self.children.values().any(is_active)
            }
        };
        if ends {
            self.end(ExitReason::Shutdown, out);
        }
    }

    /// The wait before the next start; failures older than the intensity's period are forgotten.
    fn wait_for(&mut self, turn: &mut Turn<'_>, number: u64) -> Duration {
        let (now, intensity) = (turn.now.mono, self.spec.intensity);
        let Some(child) = self.children.get_mut(&number) else { return Duration::ZERO };
        if self.spec.on_limit == OnLimit::Escalate {
            passes(&mut child.failures, now, intensity);
        }
        let failures = u32::try_from(child.failures.len()).unwrap_or(u32::MAX);
        child.spec.backoff.wait(failures, turn.rng)
    }

    fn restart(
        &mut self,
        turn: &Turn<'_>,
        exit: Exit<'_>,
        after: Duration,
        out: &mut Effects<SupervisorEffect>,
    ) {
        let Some(child) = self.children.get_mut(&exit.number) else { return };
        let name = exit.name.to_owned();
        let notice =
            SupervisorNotice::Restarting { name: name.clone(), reason: exit.reason.clone(), after };
        out.push(SupervisorEffect::Notify(notice));
        let first = match self.spec.strategy {
            Strategy::OneForOne => {
                child.incarnation.0 += 1;
                child.phase = Phase::Waiting;
                let (incarnation, at) = (child.incarnation, turn.now.mono.after(after));
                return out.push(SupervisorEffect::Wait { name, incarnation, at });
            }
            Strategy::OneForAll => 0,
            Strategy::RestForOne => exit.number,
        };
        child.phase = Phase::Down;
        // Another one may have failed while the group of the first one was stopping.
        let first = self.group.as_ref().map_or(first, |group| group.first.min(first));
        self.groups.0 += 1;
        self.group = Some(Group { first, cause: name, after, is_waiting: false });
        self.stop_group(turn, out);
    }

    /// Stops the last child of the group that runs, or begins the wait when there is none.
    fn stop_group(&mut self, turn: &Turn<'_>, out: &mut Effects<SupervisorEffect>) {
        let Some(group) = self.group.as_ref().filter(|group| !group.is_waiting) else { return };
        let runs = |child: &Child| child.phase != Phase::Down;
        let mut last = self.children.range(group.first..).rev();
        if let Some(number) = last.find(|(_, child)| runs(child)).map(|(number, _)| *number) {
            self.halt(number, Phase::Pausing, out);
            return;
        }
        let Some(group) = &mut self.group else { return };
        group.is_waiting = true;
        let (name, at) = (group.cause.clone(), turn.now.mono.after(group.after));
        out.push(SupervisorEffect::Wait { name, incarnation: self.groups, at });
    }

    fn start_group(&mut self, out: &mut Effects<SupervisorEffect>) {
        let Some(group) = self.group.take() else { return };
        for child in self.children.range_mut(group.first..).map(|(_, child)| child) {
            start(child, out);
        }
    }

    fn park(&mut self, exit: Exit<'_>, out: &mut Effects<SupervisorEffect>) {
        if let Some(child) = self.children.get_mut(&exit.number) {
            child.phase = Phase::Parked;
        }
        let (name, reason) = (exit.name.to_owned(), exit.reason.clone());
        out.push(SupervisorEffect::Notify(SupervisorNotice::Parked { name, reason }));
    }

    fn escalate(&mut self, exit: Exit<'_>, out: &mut Effects<SupervisorEffect>) {
        let (name, reason) = (exit.name.to_owned(), exit.reason.clone());
        out.push(SupervisorEffect::Notify(SupervisorNotice::Escalated { name, reason }));
        self.forget(exit.number, out);
        self.end(ExitReason::Error(format!("{} failed too often", exit.name)), out);
    }

    fn unpark(&mut self, name: &str, out: &mut Effects<SupervisorEffect>) {
        if let Some(child) = self.find(name).filter(|child| child.phase == Phase::Parked) {
            child.failures.clear();
            start(child, out);
        }
    }

    fn waited(
        &mut self,
        name: &str,
        incarnation: Incarnation,
        out: &mut Effects<SupervisorEffect>,
    ) {
        if self.spec.strategy != Strategy::OneForOne {
            let is_due = |group: &Group| group.is_waiting && group.cause == name;
            if self.groups == incarnation && self.group.as_ref().is_some_and(is_due) {
                self.start_group(out);
            }
            return;
        }
        let is_due =
            |child: &&mut Child| child.phase == Phase::Waiting && child.incarnation == incarnation;
        if let Some(child) = self.find(name).filter(is_due) {
            child.phase = Phase::Running;
            out.push(SupervisorEffect::Start { spec: child.spec.clone(), incarnation });
        }
    }
}

/// Begins the next life of a child that is down.
fn start(child: &mut Child, out: &mut Effects<SupervisorEffect>) {
    child.incarnation.0 += 1;
    child.phase = Phase::Running;
    let (spec, incarnation) = (child.spec.clone(), child.incarnation);
    out.push(SupervisorEffect::Start { spec, incarnation });
}

/// Whether the end of a child is followed by its next life.
fn is_restarted(restart: Restart, reason: &ExitReason) -> bool {
    match restart {
        Restart::Permanent => true,
        Restart::Transient => !reason.is_clean(),
        Restart::Temporary => false,
    }
}

/// Adds `now` to the failures, forgets those before the period, and says whether there are too many.
fn passes(failures: &mut VecDeque<Mono>, now: Mono, intensity: Intensity) -> bool {
    failures.push_back(now);
    while failures.front().is_some_and(|first| now.since(*first) > intensity.period) {
        failures.pop_front();
    }
    let bound = intensity.restarts as usize + 1;
    let is_passed = failures.len() >= bound;
    // More than the bound need not be known.
    while failures.len() > bound {
        failures.pop_front();
    }
    is_passed
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
            SupervisorEvent::Remove(name) => self.remove(&turn, &name, out),
            SupervisorEvent::Exited { name, incarnation, reason } => {
                let Some(number) = self.numbers.get(&name).copied() else { return };
                let lives = |child: &Child| child.incarnation == incarnation;
                if self.children.get(&number).is_some_and(lives) {
                    self.exited(&mut turn, Exit { number, name: &name, reason: &reason }, out);
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
        assert_eq!(self.numbers.len(), self.children.len(), "a name without a child");
        for (number, child) in &self.children {
            let name = &child.spec.name;
            assert!(child.failures.len() <= bound, "{name}: more failures than are counted");
            assert_eq!(self.numbers.get(name), Some(number), "{name}: another number");
        }
    }
}
