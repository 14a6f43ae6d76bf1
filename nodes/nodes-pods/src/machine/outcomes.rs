//! What the ends of effects change in a pod's machine.

use actors_core::{Effects, Mono, Now};

use super::{PodMachine, Sandbox, Volumes, belonging::Loss};
use crate::{
    container::{Container, Life, Running, Wait},
    effect::{EventKind, PodEffect},
    event::{ContainerRef, Exit, HookKind, ImageAnswer, PodEvent, StartFailure},
    pod_spec::PullPolicy,
    probing::{Probes, normal, warning},
    pull_backoff::PullBackoff,
    stopping,
};

/// Volumes and sandboxes that failed are tried again after this time.
const RETRY: std::time::Duration = std::time::Duration::from_secs(2);
/// Containers that could not be made are tried again after this time.
const CREATE_RETRY: std::time::Duration = std::time::Duration::from_secs(5);
/// At most so many references stand in the message about a missing image.
const REFERENCES_MAX: usize = 20;

impl PodMachine {
    pub(super) fn handle_volumes(
        &mut self,
        now: Now,
        event: PodEvent,
        out: &mut Effects<PodEffect>,
    ) {
        match event {
            PodEvent::VolumesReady if self.volumes == Volumes::SettingUp => {
                self.volumes = Volumes::Ready
            }
            PodEvent::VolumesFailed { message } if self.volumes == Volumes::SettingUp => {
                self.volumes = Volumes::Failed(now.mono.after(RETRY));
                self.trouble("FailedMount", message, out);
            }
            PodEvent::VolumesGone => self.volumes = Volumes::Absent,
            _ => {}
        }
    }

    pub(super) fn handle_sandbox(
        &mut self,
        now: Now,
        event: PodEvent,
        out: &mut Effects<PodEffect>,
    ) {
        match event {
            PodEvent::SandboxReady { attempt, ips }
                if attempt == self.sandbox_attempt && self.sandbox == Sandbox::Creating =>
            {
                self.last_ips.clone_from(&ips);
                self.sandbox = Sandbox::Ready(ips);
            }
            PodEvent::SandboxFailed { attempt, message } if attempt == self.sandbox_attempt => {
                self.sandbox = Sandbox::Absent(Some(now.mono.after(RETRY)));
                self.trouble("FailedCreatePodSandBox", message, out);
            }
            PodEvent::SandboxGone { attempt } if attempt == self.sandbox_attempt => {
                if self.sandbox != Sandbox::TearingDown && self.ending.is_none() {
                    let message = "the pod's sandbox is gone and is made again".to_owned();
                    out.push(pod_event(EventKind::Normal, "SandboxChanged", message));
                }
                self.sandbox = Sandbox::Absent(None);
                self.sandbox_attempt += 1;
                self.lose_containers(now, self.policy(), Loss::Unknown);
            }
            _ => {}
        }
    }

    /// Says once what keeps the pod from being set up, however often it is tried.
    fn trouble(&mut self, reason: &str, message: String, out: &mut Effects<PodEffect>) {
        if self.last_trouble != message {
            self.last_trouble.clone_from(&message);
            out.push(pod_event(EventKind::Warning, reason, message));
        }
    }

    pub(super) fn handle_image(
        &mut self,
        now: Now,
        name: &str,
        answer: ImageAnswer,
        out: &mut Effects<PodEffect>,
    ) {
        let Some(container) =
            self.containers.iter_mut().find(|container| container.spec.name == name)
        else {
            return;
        };
        if !matches!(container.life, Life::Checking) {
            return;
        }
        let image = container.spec.image.clone();
        let is_here = matches!(answer, ImageAnswer::Present { .. });
        let text = match answer {
            ImageAnswer::Present { id } | ImageAnswer::Unneeded { id } => {
                if is_here && container.image_id != id {
                    let message = format!("image {image:?} is present on this node");
                    out.push(normal(container, "Pulled", message));
                }
                container.image_id = id;
                container.pulls = PullBackoff::default();
                container.life = Life::Imaged;
                return;
            }
            ImageAnswer::Missing { present } => missing_image(&image, &present),
            ImageAnswer::Unreadable { message } => {
                format!("image {image:?} cannot be looked for: {message}")
            }
        };
        let first = container.pulls == PullBackoff::default();
        let wait = container.pulls.next_wait();
        let reason = match (container.spec.pull, first) {
            (PullPolicy::Never, _) => "ErrImageNeverPull",
            (_, true) => "ErrImagePull",
            (_, false) => "ImagePullBackOff",
        };
        let event = if container.spec.pull == PullPolicy::Never { reason } else { "Failed" };
        out.push(warning(container, event, text.clone()));
        let until = Some(now.mono.after(wait));
        container.hold(Wait { reason: Some(reason), message: text, until });
    }

    pub(super) fn handle_images_changed(&mut self) {
        for container in &mut self.containers {
            if let Life::Waiting(wait) = &mut container.life
                && matches!(
                    wait.reason,
                    Some("ErrImageNeverPull" | "ErrImagePull" | "ImagePullBackOff")
                )
            {
                wait.until = None;
            }
        }
    }

    pub(super) fn handle_started(
        &mut self,
        now: Now,
        reference: &ContainerRef,
        id: String,
        out: &mut Effects<PodEffect>,
    ) {
        let grace = self.grace();
        let Some(container) = self.container_mut(reference) else { return };
        if !matches!(container.life, Life::Starting) {
            return;
        }
        let probes = Probes::new(&container.spec, now.mono);
        let hook = container.spec.post_start.clone();
        let post_started = hook.is_none();
        container.life =
            Life::Running(Box::new(Running { id, since: now, post_started, probes, stop: None }));
        out.push(normal(container, "Started", format!("started container {}", reference.name)));
        if let Some(action) = hook {
            // A hook has no time limit of its own; the kill of its container ends it.
            let timeout = std::time::Duration::from_secs(3_600);
            let container = reference.clone();
            out.push(PodEffect::RunHook { container, hook: HookKind::PostStart, action, timeout });
        }
        let Some(container) = self.container_mut(reference).filter(|container| container.replaced)
        else {
            return;
        };
        stopping::stop_container(container, now, (grace, now.mono), out);
    }

    pub(super) fn handle_failed(
        &mut self,
        now: Now,
        reference: &ContainerRef,
        (failure, message): (StartFailure, String),
        out: &mut Effects<PodEffect>,
    ) {
        let Some(container) = self.container_mut(reference) else { return };
        if !matches!(container.life, Life::Starting) {
            return;
        }
        out.push(warning(container, "Failed", format!("container {}: {message}", reference.name)));
        let reason = match failure {
            StartFailure::Config => "CreateContainerConfigError",
            StartFailure::Create => "CreateContainerError",
            StartFailure::Start => {
                let exit =
                    Exit { code: 128, signal: 0, oom: false, started: None, at: now.wall, message };
                container.end(exit, Some("StartError"));
                return;
            }
        };
        let until = Some(now.mono.after(CREATE_RETRY));
        container.unbegin(Wait { reason: Some(reason), message, until });
    }

    pub(super) fn handle_exited(&mut self, reference: &ContainerRef, id: String, exit: Exit) {
        let alive = self.container_mut(reference).filter(|container| container.is_alive());
        let Some(container) = alive else { return };
        container.end(exit, None);
        // The end of a very short life may come before the news of its start.
        if let Life::Ended(ended) = &mut container.life {
            ended.id = id;
        }
    }

    pub(super) fn handle_hook(
        &mut self,
        now: Now,
        (reference, hook): (&ContainerRef, HookKind),
        failure: Option<String>,
        out: &mut Effects<PodEffect>,
    ) {
        let grace = self.grace();
        let Some(container) = self.container_mut(reference) else { return };
        if let Some(text) = &failure {
            let reason = match hook {
                HookKind::PostStart => "FailedPostStartHook",
                HookKind::PreStop => "FailedPreStopHook",
            };
            out.push(warning(container, reason, text.clone()));
        }
        let Some(running) = container.running_mut() else { return };
        match (hook, failure) {
            (HookKind::PostStart, None) => running.post_started = true,
            (HookKind::PostStart, Some(_)) => {
                stopping::stop_container(container, now, (grace, now.mono), out)
            }
            (HookKind::PreStop, _) => stopping::end_pre_stop(running),
        }
    }
}

impl Container {
    /// Times at which something of this container is due.
    pub(super) fn wake_times(&self) -> Vec<Mono> {
        match &self.life {
            Life::Waiting(wait) => wait.until.into_iter().collect(),
            Life::Running(running) => {
                let stop = running.stop.iter().flat_map(|stop| [stop.hold_until, stop.kill_at]);
                running.probes.next_at().into_iter().chain(stop).collect()
            }
            Life::Checking | Life::Imaged | Life::Starting | Life::Ended(_) => Vec::new(),
        }
    }
}

fn missing_image(image: &str, present: &[String]) -> String {
    let start = format!(
        "image {image:?} is not on this node, and images are not pulled from registries; \
         import it with `starling image import`"
    );
    if present.is_empty() {
        return format!("{start}; no image is present");
    }
    let shown = present.iter().take(REFERENCES_MAX).cloned().collect::<Vec<_>>().join(", ");
    match present.len().saturating_sub(REFERENCES_MAX) {
        0 => format!("{start}; present are: {shown}"),
        more => format!("{start}; present are: {shown} and {more} more"),
    }
}

/// An event about the whole pod.
pub(crate) fn pod_event(kind: EventKind, reason: &str, message: String) -> PodEffect {
    PodEffect::Event { kind, reason: reason.to_owned(), message, field_path: None }
}
