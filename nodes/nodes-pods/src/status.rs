//! Writes the pod's status: everything that the agent knows of it, as the API has it.
//!
//! Way in: [`PodMachine::status`].  Never: conditions of others; whoever applies the status keeps
//! them.
//! Spec: Kubernetes API reference, PodStatus, ContainerStatus.

use actors_core::Wall;
use actors_object::{Map, Value, timefmt};

use crate::{
    container::{Container, Ended, Life},
    machine::{PodMachine, Sandbox},
    pod_spec::ContainerRole,
    qos::qos_class,
    resizing,
};

/// The scheme of container ids in a status.
const RUNTIME: &str = "starling";

impl PodMachine {
    /// The status as it is now.
    pub(crate) fn status(&mut self, now: Wall) -> Value {
        let phase = self.phase();
        let mut status = Map::default();
        let Some(spec) = &self.spec else { return Value::Map(status) };
        let generation = spec.object.generation();
        let qos = qos_class(&spec.object).as_str();
        if generation > 0 {
            status.insert("observedGeneration", generation);
        }
        status.insert("phase", phase);
        status.insert("conditions", self.condition_values(phase, now));
        if self.ending.is_some_and(|ending| ending.deadline_exceeded) {
            status.insert("reason", "DeadlineExceeded");
            status
                .insert("message", "the pod was active for longer than its activeDeadlineSeconds");
        }
        self.insert_addresses(&mut status);
        if let Some(start) = self.start_time {
            status.insert("startTime", timefmt::seconds(start));
        }
        let inits = self.statuses_of(&[ContainerRole::Init, ContainerRole::Sidecar]);
        if !inits.is_empty() {
            status.insert("initContainerStatuses", inits);
        }
        status.insert("containerStatuses", self.statuses_of(&[ContainerRole::App]));
        status.insert("qosClass", qos);
        let ephemeral = self.statuses_of(&[ContainerRole::Ephemeral]);
        if !ephemeral.is_empty() {
            status.insert("ephemeralContainerStatuses", ephemeral);
        }
        Value::Map(status)
    }

    fn statuses_of(&self, roles: &[ContainerRole]) -> Vec<Value> {
        let all = self.containers.iter().filter(|one| roles.contains(&one.spec.role));
        all.map(|one| self.container_status(one)).collect()
    }

    fn insert_addresses(&self, status: &mut Map) {
        let list = |ips: &[String]| {
            let item = |ip: &String| {
                let mut map = Map::default();
                map.insert("ip", ip.as_str());
                Value::Map(map)
            };
            ips.iter().map(item).collect::<Vec<_>>()
        };
        if let Some(first) = self.config.host_ips.first() {
            status.insert("hostIP", first.as_str());
            status.insert("hostIPs", list(&self.config.host_ips));
        }
        let ips = match &self.sandbox {
            Sandbox::Ready(ips) => ips,
            Sandbox::Absent(_) | Sandbox::Creating | Sandbox::TearingDown => &self.last_ips,
        };
        if let Some(first) = ips.first() {
            status.insert("podIP", first.as_str());
            status.insert("podIPs", list(ips));
        }
    }

    fn container_status(&self, container: &Container) -> Value {
        let mut map = Map::default();
        map.insert("name", container.spec.name.as_str());
        map.insert("state", self.state(container));
        let last =
            container.last.as_ref().map(terminated).unwrap_or_else(|| Value::Map(Map::default()));
        map.insert("lastState", last);
        map.insert("ready", container.is_ready());
        let on_its_way = matches!(container.life, Life::Starting);
        map.insert(
            "restartCount",
            i64::from(container.attempt) - i64::from(on_its_way && container.attempt > 0),
        );
        map.insert("image", container.spec.image.as_str());
        let begun = container.begun && !(on_its_way && container.attempt == 0);
        map.insert("imageID", if begun { container.image_id.as_str() } else { "" });
        let id = match &container.life {
            Life::Running(running) => Some(running.id.as_str()),
            _ => container.newest_end().map(|ended| ended.id.as_str()),
        };
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            map.insert("containerID", format!("{RUNTIME}://{id}"));
        }
        if container.spec.role != ContainerRole::Ephemeral {
            let lasting = container.spec.role != ContainerRole::Init;
            map.insert("started", lasting && container.is_started());
            resizing::show(container, &mut map);
        }
        Value::Map(map)
    }

    fn state(&self, container: &Container) -> Value {
        let mut inner = Map::default();
        let name = match &container.life {
            Life::Running(running) => {
                inner.insert("startedAt", timefmt::seconds(running.since.wall));
                "running"
            }
            Life::Ended(ended) => return terminated(ended),
            Life::Waiting(_) | Life::Checking | Life::Imaged | Life::Starting => {
                match (container.shown.reason, &container.last) {
                    (Some(reason), _) => inner.insert("reason", reason),
                    // It is on its way to its next life.
                    (None, Some(last)) => return terminated(last),
                    (None, None) => inner.insert("reason", self.waiting_reason(container)),
                };
                if !container.shown.message.is_empty() {
                    inner.insert("message", container.shown.message.as_str());
                }
                "waiting"
            }
        };
        let mut state = Map::default();
        state.insert(name, inner);
        Value::Map(state)
    }

    /// Why a container that nothing keeps back does not run yet.
    fn waiting_reason(&self, container: &Container) -> &'static str {
        let is_init =
            |one: &Container| matches!(one.spec.role, ContainerRole::Init | ContainerRole::Sidecar);
        let has_inits = self.containers.iter().any(is_init);
        if is_init(container) || (has_inits && !self.initialized) {
            "PodInitializing"
        } else {
            "ContainerCreating"
        }
    }
}

fn terminated(ended: &Ended) -> Value {
    let mut inner = Map::default();
    inner.insert("exitCode", i64::from(ended.exit.code));
    if ended.exit.signal != 0 {
        inner.insert("signal", i64::from(ended.exit.signal));
    }
    inner.insert("reason", ended.reason);
    if !ended.exit.message.is_empty() {
        inner.insert("message", ended.exit.message.as_str());
    }
    let started = ended.started.unwrap_or(ended.exit.at);
    inner.insert("startedAt", timefmt::seconds(started));
    inner.insert("finishedAt", timefmt::seconds(ended.exit.at));
    if !ended.id.is_empty() {
        inner.insert("containerID", format!("{RUNTIME}://{}", ended.id));
    }
    let mut state = Map::default();
    state.insert("terminated", inner);
    Value::Map(state)
}
