//! Keeps the pod's conditions, so that a time of transition changes only with its status.
//!
//! Way in: [`Conditions::set`].  Writes: PodScheduled, PodReadyToStartContainers, Initialized,
//! ContainersReady, Ready; PodResizePending and PodResizeInProgress while they are true.
//! Spec: Kubernetes documentation, "Pod Lifecycle", "Pod conditions", "Pod readiness".

use actors_core::Wall;
use actors_object::{Map, Value, timefmt};

use crate::{
    container::Container,
    machine::{PodMachine, Sandbox},
    pod_spec::ContainerRole,
    resizing::{self, ResizeCondition},
};

/// Status and transition time of each condition that the agent writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    known: Vec<(String, bool, Wall)>,
}

/// One condition as it is now.
struct Condition {
    kind: &'static str,
    met: bool,
    reason: &'static str,
    message: String,
}

impl Conditions {
    /// What the API remembers.
    pub(crate) fn restored(status: &Value) -> Self {
        let read = |condition: &Value| {
            let since = condition.at("lastTransitionTime").as_str().and_then(timefmt::parse)?;
            let met = condition.at("status").as_str() == Some("True");
            Some((condition.at("type").as_str()?.to_owned(), met, since))
        };
        Self { known: status.list_at(&["conditions"]).iter().filter_map(read).collect() }
    }

    /// Those of a resize are there only while they are true: the next time is another one.
    fn forget_but(&mut self, resizes: &[ResizeCondition]) {
        let is_there = |name: &str| resizes.iter().any(|one| one.kind == name);
        self.known.retain(|(name, _, _)| {
            !resizing::CONDITIONS.contains(&name.as_str()) || is_there(name)
        });
    }

    fn set(&mut self, condition: Condition, generation: i64, now: Wall) -> Value {
        let Condition { kind, met, reason, message } = condition;
        let known = self.known.iter_mut().find(|(name, _, _)| name == kind);
        let since = match known {
            Some((_, before, since)) => {
                if *before != met {
                    *before = met;
                    *since = now;
                }
                *since
            }
            None => {
                self.known.push((kind.to_owned(), met, now));
                now
            }
        };
        let mut map = Map::default();
        map.insert("type", kind);
        if generation > 0 {
            map.insert("observedGeneration", generation);
        }
        map.insert("status", if met { "True" } else { "False" });
        map.insert("lastProbeTime", Value::Null);
        map.insert("lastTransitionTime", timefmt::seconds(since));
        if !met {
            map.insert("reason", reason);
            if !message.is_empty() {
                map.insert("message", message);
            }
        }
        Value::Map(map)
    }
}

impl PodMachine {
    /// The conditions that the agent writes, in their usual order.
    pub(crate) fn condition_values(&mut self, phase: &str, now: Wall) -> Value {
        let generation = self.spec.as_ref().map_or(0, |spec| spec.object.generation());
        let over = matches!(phase, "Succeeded" | "Failed");
        let sandbox = matches!(self.sandbox, Sandbox::Ready(_));
        let initialized = self.initialized_condition(over);
        let ready_containers = self.containers_ready(phase);
        let ready = self.ready(&ready_containers);
        let plain = |kind, met| Condition { kind, met, reason: "", message: String::new() };
        let mut all = vec![
            plain("PodReadyToStartContainers", sandbox),
            initialized,
            ready,
            ready_containers,
            plain("PodScheduled", true),
        ];
        if !sandbox {
            all[0].reason = "SandboxNotReady";
        }
        let mut values: Vec<Value> = all
            .into_iter()
            .map(|condition| self.conditions.set(condition, generation, now))
            .collect();
        let resizes = self.resize_conditions();
        self.conditions.forget_but(&resizes);
        for ResizeCondition { kind, reason, message } in resizes {
            let mut value = self.conditions.set(plain(kind, true), generation, now);
            for (field, text) in [("reason", reason.to_owned()), ("message", message)] {
                if !text.is_empty() {
                    value.set_path(&[field], text);
                }
            }
            values.push(value);
        }
        Value::List(values)
    }

    fn initialized_condition(&self, over: bool) -> Condition {
        let done = |one: &&Container| match one.spec.role {
            ContainerRole::Init => !one.is_ready(),
            ContainerRole::Sidecar => !one.is_started(),
            ContainerRole::App | ContainerRole::Ephemeral => false,
        };
        let missing = names(self.containers.iter().filter(done));
        let apps_begun =
            self.containers.iter().any(|one| one.spec.role == ContainerRole::App && one.begun);
        let met = self.initialized || missing.is_empty() || (over && apps_begun);
        let message = format!("containers with incomplete status: {missing}");
        Condition { kind: "Initialized", met, reason: "ContainersNotInitialized", message }
    }

    fn containers_ready(&self, phase: &str) -> Condition {
        let lasting =
            |one: &&Container| matches!(one.spec.role, ContainerRole::Sidecar | ContainerRole::App);
        let unready = names(self.containers.iter().filter(lasting).filter(|one| !one.is_ready()));
        let met = unready.is_empty() && !matches!(phase, "Succeeded" | "Failed");
        let (reason, message) = match phase {
            "Succeeded" => ("PodCompleted", String::new()),
            "Failed" => ("PodFailed", String::new()),
            _ => ("ContainersNotReady", format!("containers with unready status: {unready}")),
        };
        Condition { kind: "ContainersReady", met, reason, message }
    }

    fn ready(&self, containers: &Condition) -> Condition {
        let Some(spec) = &self.spec else {
            return Condition { kind: "Ready", met: false, reason: "", message: String::new() };
        };
        if !containers.met {
            let message = containers.message.clone();
            return Condition { kind: "Ready", met: false, reason: containers.reason, message };
        }
        let conditions = spec.object.0.list_at(&["status", "conditions"]);
        let is_true = |gate: &str| {
            let found = conditions.iter().find(|one| one.at("type").as_str() == Some(gate));
            found.is_some_and(|one| one.at("status").as_str() == Some("True"))
        };
        let missing: Vec<&str> =
            spec.readiness_gates.iter().map(String::as_str).filter(|gate| !is_true(gate)).collect();
        let message = format!("readiness gates that are not true: {}", missing.join(", "));
        Condition {
            kind: "Ready",
            met: missing.is_empty(),
            reason: "ReadinessGatesNotReady",
            message,
        }
    }
}

/// `[a b]`, or nothing.
fn names<'a>(containers: impl Iterator<Item = &'a Container>) -> String {
    let all: Vec<&str> = containers.map(|container| container.spec.name.as_str()).collect();
    if all.is_empty() { String::new() } else { format!("[{}]", all.join(" ")) }
}
