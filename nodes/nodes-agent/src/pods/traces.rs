//! What the agent did for a pod and why, for those who ask `starling why`.
//!
//! Way in: [`traced`], [`note`], [`report`].  Owns: of each pod the revision that it acts on.
//! Never: a decision. Probes are told when their result changes, not each time.

use std::{collections::BTreeMap, sync::Mutex};

use actors_object::{Object, Value};
use nodes_client::{Later, Open};
use nodes_pods::{ImageAnswer, PodEvent, ProbeOutcome};
use nodes_trace::{Parent, SpanId, Thing};

use crate::shared::{PodRecord, Shared, lock};

/// What one pod's steps continue.
#[derive(Debug, Default)]
pub(crate) struct Steps(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The write that said what is to be done now: the binding, a change, the deletion.
    revision: Option<u64>,
    /// What that write said, as far as it makes a difference here.
    said: Option<(i64, bool)>,
    last: Option<SpanId>,
    /// The last result of each probe.
    probes: BTreeMap<String, bool>,
}

impl Steps {
    /// The pod was heard of: steps from now on are done for this write, if it asks for something new. Reports of its
    /// own status do not.
    pub(crate) fn heard(&self, pod: &Object) {
        let said = Some((pod.generation(), pod.is_terminating()));
        let mut known = lock(&self.0);
        if known.said != said {
            known.said = said;
            known.revision = pod.resource_version().parse().ok();
            known.last = None;
        }
    }

    fn parent(&self) -> Parent {
        lock(&self.0).revision.map_or(Parent::None, Parent::Revision)
    }

    /// What a report tells of: the last step.
    fn last(&self) -> Parent {
        let last = lock(&self.0).last;
        last.map_or_else(|| self.parent(), Parent::Span)
    }

    /// Whether a probe's result is news.
    fn is_news(&self, probe: String, passed: bool) -> bool {
        lock(&self.0).probes.insert(probe, passed) != Some(passed)
    }
}

fn begin_for(shared: &Shared, record: &PodRecord, name: &str, parent: Parent) -> Open {
    let thing = Thing::new("Pod", &record.key.namespace, &record.key.name);
    shared.calls.tracer().begin(("agent", name), thing, parent)
}

fn end(shared: &Shared, record: &PodRecord, step: Open, outcome: String) {
    lock(&record.steps.0).last = Some(step.id());
    shared.calls.tracer().end(step, outcome);
}

/// Does a step of a pod's life, and remembers it.
pub(crate) async fn traced(
    shared: &Shared,
    record: &PodRecord,
    name: &str,
    work: Later<'_, PodEvent>,
) -> PodEvent {
    let step = begin(shared, record, name);
    let event = work.await;
    finish(shared, record, step, &event);
    event
}

/// Begins a step of a pod's life.
pub(crate) fn begin(shared: &Shared, record: &PodRecord, name: &str) -> Open {
    begin_for(shared, record, name, record.steps.parent())
}

/// Remembers a step that ended so, if that is news.
pub(crate) fn finish(shared: &Shared, record: &PodRecord, step: Open, event: &PodEvent) {
    if let Some(outcome) = outcome_of(record, event) {
        end(shared, record, step, outcome);
    }
}

/// Remembers what happened by itself.
pub(crate) fn note(shared: &Shared, record: &PodRecord, name: &str, event: &PodEvent) {
    finish(shared, record, begin(shared, record, name), event);
}

/// Remembers what was said.
pub(crate) fn say(shared: &Shared, record: &PodRecord, name: &str, outcome: String) {
    end(shared, record, begin(shared, record, name), outcome);
}

/// Begins to tell a server of what was done last.
pub(crate) fn report(shared: &Shared, record: &PodRecord, name: &str) -> Open {
    begin_for(shared, record, name, record.steps.last())
}

/// A status in a few words.
pub(crate) fn summary(status: &Value) -> String {
    let mut words = vec![status.str_at(&["phase"]).unwrap_or("Unknown").to_owned()];
    for condition in status.list_at(&["conditions"]) {
        if condition.str_at(&["type"]) == Some("Ready") {
            let is_ready = condition.str_at(&["status"]) == Some("True");
            words.push(if is_ready { "ready" } else { "not ready" }.to_owned());
        }
    }
    for list in ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"] {
        for container in status.list_at(&[list]) {
            let name = container.str_at(&["name"]).unwrap_or_default();
            for state in ["waiting", "terminated"] {
                if let Some(reason) = container.str_at(&["state", state, "reason"]) {
                    words.push(format!("{name} {state}: {reason}"));
                }
            }
        }
    }
    words.join(", ")
}

/// One sentence; nothing for what is no news.
fn outcome_of(record: &PodRecord, event: &PodEvent) -> Option<String> {
    Some(match event {
        PodEvent::VolumesReady => "all are mounted".to_owned(),
        PodEvent::VolumesFailed { message } => format!("failed: {message}"),
        PodEvent::VolumesGone => "nothing is mounted any more".to_owned(),
        PodEvent::SandboxReady { ips, .. } => format!("ready at {}", ips.join(", ")),
        PodEvent::SandboxFailed { message, .. } => format!("failed: {message}"),
        PodEvent::SandboxGone { .. } => "gone".to_owned(),
        PodEvent::Fenced { .. } => "its deadline passed: everything in it was killed".to_owned(),
        PodEvent::Image { container, answer } => match answer {
            ImageAnswer::Present { .. } => format!("that of {container} is here"),
            ImageAnswer::Unneeded { .. } => format!("{container} needs none"),
            ImageAnswer::Missing { .. } => format!("that of {container} is not on this node"),
            ImageAnswer::Unreadable { message } => format!("that of {container}: {message}"),
        },
        PodEvent::Resized { failure } => match failure {
            Some(why) => format!("failed: {why}"),
            None => "limits are in force".to_owned(),
        },
        PodEvent::Started { container, .. } => {
            format!("{} runs, restarts before: {}", container.name, container.attempt)
        }
        PodEvent::Failed { container, message, .. } => {
            format!("{} could not be started: {message}", container.name)
        }
        PodEvent::Exited { container, exit, .. } => {
            let oom = if exit.oom { ", killed for want of memory" } else { "" };
            let said = if exit.message.is_empty() {
                String::new()
            } else {
                format!(": {}", exit.message.trim())
            };
            format!("{} ended with code {}{oom}{said}", container.name, exit.code)
        }
        PodEvent::Probed { container, probe, outcome } => {
            let what = format!("{probe:?} of {}", container.name).to_lowercase();
            let (passed, told) = match outcome {
                ProbeOutcome::Success => (true, "passes".to_owned()),
                ProbeOutcome::Failure(why) => (false, format!("fails: {why}")),
                ProbeOutcome::Unknown(_) => return None,
            };
            let life = format!("{what} {}", container.attempt);
            return record.steps.is_news(life, passed).then(|| format!("{what} {told}"));
        }
        PodEvent::HookDone { container, hook, failure } => {
            let told = failure.as_deref().unwrap_or("done");
            format!("{hook:?} of {}: {told}", container.name)
        }
        _ => return None,
    })
}
