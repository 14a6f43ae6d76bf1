//! The parts of a pod's specification that its machine decides by, read once per change.
//!
//! Way in: [`PodSpec::read`].  Never: a default that the door has already written, but for absent
//! fields.

use std::{sync::Arc, time::Duration};

use actors_core::Wall;
use actors_object::{Object, Value, timefmt};
use serde::{Deserialize, Serialize};

use crate::probe_spec::{Action, ProbeSpec, whole_seconds};

/// The grace period of a pod that names none.
const GRACE_DEFAULT_S: i64 = 30;

/// A pod as its machine sees it.
#[derive(Debug, Clone)]
pub struct PodSpec {
    /// The whole object.
    pub object: Arc<Object>,
    /// Init containers and sidecars first, in order, then the others, ephemeral ones last.
    pub containers: Vec<ContainerSpec>,
    /// What happens to containers that end.
    pub restart: RestartPolicy,
    /// From the request to stop to the kill.
    pub grace: Duration,
    /// The longest time that the pod may be active.
    pub active_deadline: Option<Duration>,
    /// Condition types that must be true before the pod is ready.
    pub readiness_gates: Vec<String>,
    /// Set while the pod is being deleted: the grace period of the deletion.
    pub deletion_grace: Option<Duration>,
    /// Set while the pod is being deleted: when it should be gone, by the server's clock.
    pub deletion_until: Option<Wall>,
}

/// A container as its pod's machine sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub role: ContainerRole,
    /// The image's reference.
    pub image: String,
    /// What to do if the image is not here.
    pub pull: PullPolicy,
    /// Holds the other probes back.
    pub startup: Option<ProbeSpec>,
    /// Restarts the container.
    pub liveness: Option<ProbeSpec>,
    /// Takes the container out of Services.
    pub readiness: Option<ProbeSpec>,
    /// Runs after the start.
    pub post_start: Option<Action>,
    /// Runs before the stop.
    pub pre_stop: Option<Action>,
    /// `targetContainerName`: an ephemeral container sees this one's processes.
    pub target: Option<String>,
    /// `resources`: what it wants.
    pub resources: Value,
    /// Which of its resources only a new life can have changed.
    pub restarted_for: Vec<String>,
}

/// When a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ContainerRole {
    /// Runs to its end before the next one starts.
    Init,
    /// Starts in the order of init containers, runs beside the others, stops last.
    Sidecar,
    /// What the pod is for.
    App,
    /// Looks at a pod that runs: started once, at any time, and never again.
    Ephemeral,
}

/// `spec.restartPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartPolicy {
    /// Whatever the exit code.
    Always,
    /// Unless the exit code is 0.
    OnFailure,
    /// Not at all.
    Never,
}

/// `imagePullPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PullPolicy {
    /// Ask the registry each time.
    Always,
    /// Ask only if it is not here.
    IfNotPresent,
    /// Never ask.
    Never,
}

impl PodSpec {
    /// Reads a pod.
    #[must_use]
    pub fn read(object: Arc<Object>) -> Self {
        let spec = object.0.at("spec");
        let init = spec.list_at(&["initContainers"]).iter().map(|container| {
            let sidecar = container.at("restartPolicy").as_str() == Some("Always");
            ContainerSpec::read(
                container,
                if sidecar { ContainerRole::Sidecar } else { ContainerRole::Init },
            )
        });
        let apps = spec.list_at(&["containers"]).iter();
        let ephemeral = spec.list_at(&["ephemeralContainers"]).iter();
        let containers = init
            .chain(apps.map(|app| ContainerSpec::read(app, ContainerRole::App)))
            .chain(ephemeral.map(|one| ContainerSpec::read(one, ContainerRole::Ephemeral)))
            .collect();
        let grace = spec.at("terminationGracePeriodSeconds").as_i64().unwrap_or(GRACE_DEFAULT_S);
        let metadata = object.0.at("metadata");
        let deletion_grace = metadata.at("deletionTimestamp").as_str().map(|_| {
            whole_seconds(metadata.at("deletionGracePeriodSeconds").as_i64().unwrap_or(grace))
        });
        let gates = spec.list_at(&["readinessGates"]).iter();
        Self {
            containers,
            restart: match spec.at("restartPolicy").as_str() {
                Some("Never") => RestartPolicy::Never,
                Some("OnFailure") => RestartPolicy::OnFailure,
                _ => RestartPolicy::Always,
            },
            grace: whole_seconds(grace),
            active_deadline: spec.at("activeDeadlineSeconds").as_i64().map(whole_seconds),
            readiness_gates: gates
                .filter_map(|gate| gate.at("conditionType").as_str().map(str::to_owned))
                .collect(),
            deletion_grace,
            deletion_until: metadata.at("deletionTimestamp").as_str().and_then(timefmt::parse),
            object,
        }
    }
}

impl ContainerSpec {
    fn read(container: &Value, role: ContainerRole) -> Self {
        let text = |field: &str| container.at(field).as_str().unwrap_or_default().to_owned();
        let hook = |name: &str| Action::read(container.path(&["lifecycle", name])?, container);
        // Init containers that run to their end have neither probes nor hooks; nor have ephemeral ones.
        let lasting = matches!(role, ContainerRole::Sidecar | ContainerRole::App);
        let probe = |field: &str| lasting.then(|| ProbeSpec::read(container, field)).flatten();
        Self {
            name: text("name"),
            role,
            image: text("image"),
            pull: match container.at("imagePullPolicy").as_str() {
                Some("Always") => PullPolicy::Always,
                Some("Never") => PullPolicy::Never,
                _ => PullPolicy::IfNotPresent,
            },
            startup: probe("startupProbe"),
            liveness: probe("livenessProbe"),
            readiness: probe("readinessProbe"),
            post_start: hook("postStart").filter(|_| lasting),
            pre_stop: hook("preStop").filter(|_| lasting),
            target: Some(text("targetContainerName")).filter(|name| !name.is_empty()),
            resources: container.at("resources").clone(),
            restarted_for: restarted_for(container),
        }
    }

    /// The path of this container in its pod, as `involvedObject.fieldPath` has it.
    #[must_use]
    pub fn field_path(&self) -> String {
        match self.role {
            ContainerRole::App => format!("spec.containers{{{}}}", self.name),
            ContainerRole::Init | ContainerRole::Sidecar => {
                format!("spec.initContainers{{{}}}", self.name)
            }
            ContainerRole::Ephemeral => format!("spec.ephemeralContainers{{{}}}", self.name),
        }
    }
}

/// The resources whose `resizePolicy` is `RestartContainer`.
fn restarted_for(container: &Value) -> Vec<String> {
    let policies = container.list_at(&["resizePolicy"]).iter();
    let strict =
        policies.filter(|one| one.at("restartPolicy").as_str() == Some("RestartContainer"));
    strict.filter_map(|one| one.at("resourceName").as_str().map(str::to_owned)).collect()
}
