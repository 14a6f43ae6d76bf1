//! Starts a container, and sends it signals.
//!
//! Way in: [`start`], [`signal`].  Owns: the record of each life, from which an agent that comes
//! later knows it.
//! Order: the record is written before the runtime learns of the container.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use actors_object::Value;
use nodes_oci::{Digest, Image, ImageConfig, ProgramError, ResolveError};
use nodes_pods::{ContainerRef, PodEvent, Signal, StartFailure};
use nodes_shim::{
    RuntimeKind,
    wire::{KillScope, Phase, Reply, Request},
};
use serde::{Deserialize, Serialize};

use crate::{
    Paths,
    blocking::try_off_loop,
    pods::{
        container_spec::{self, Parts},
        environment,
        sandbox::container_id,
        shim::call,
        termination::spec_of,
    },
    shared::{PodRecord, Shared},
    volumes,
};

/// One life of a container, as the agent wrote it down before it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LifeRecord {
    pub(crate) container: ContainerRef,
    pub(crate) image: String,
    pub(crate) image_id: String,
    /// The image's stop signal; empty for SIGTERM.
    pub(crate) stop_signal: String,
}

impl LifeRecord {
    /// The record of the container that the shim calls `id`.
    pub(crate) fn read(paths: &Paths, uid: &str, id: &str) -> Option<Self> {
        serde_json::from_slice(&fs::read(paths.life(uid, id)).ok()?).ok()
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, serde_json::to_vec(self)?)
    }
}

/// Why a container was not started, and at which step.
struct Stop(StartFailure, String);

fn stop<E: std::error::Error>(failure: StartFailure) -> impl Fn(E) -> Stop {
    move |error| Stop(failure, nodes_oci::chain(&error))
}

/// A life that is to begin.
pub(crate) struct Beginning {
    pub(crate) life: ContainerRef,
    pub(crate) image_id: String,
    /// What the node has granted, instead of what the specification asks for.
    pub(crate) resources: Value,
    /// Whose processes it sees, if not its own alone.
    pub(crate) target: Option<ContainerRef>,
}

/// Makes the container and lets it run.
pub(crate) async fn start(
    shared: &Arc<Shared>,
    record: &PodRecord,
    beginning: Beginning,
) -> PodEvent {
    let started = try_start(shared, record, &beginning).await;
    let container = beginning.life;
    match started {
        Ok(id) => PodEvent::Started { container, id },
        Err(Stop(failure, message)) => PodEvent::Failed { container, failure, message },
    }
}

/// The image of a reference or id. Without isolation programs are this machine's own: an image that is not here is an
/// empty one, and the container must name its command.
pub(crate) fn find_image(shared: &Shared, text: &str) -> Result<Image, ResolveError> {
    let found = shared.images.resolve(text);
    if shared.config.runtime != RuntimeKind::Process {
        return found;
    }
    match found {
        Err(ResolveError::NotPresent { .. }) => {
            let digest = Digest::of(b"");
            let (references, config, layers) = (Vec::new(), ImageConfig::default(), Vec::new());
            Ok(Image { references, id: digest.clone(), digest, size_bytes: 0, config, layers })
        }
        found => found,
    }
}

async fn try_start(
    shared: &Arc<Shared>,
    record: &PodRecord,
    beginning: &Beginning,
) -> Result<String, Stop> {
    let Beginning { life, image_id, resources, target } = beginning;
    let gone = || {
        Stop(StartFailure::Config, format!("container {} is not in the pod any more", life.name))
    };
    let pod = record.object().ok_or_else(gone)?;
    let mut spec = spec_of(&pod, &life.name).ok_or_else(gone)?.clone();
    spec.set_path(&["resources"], resources.clone());
    let env = environment::resolve(shared, record, &pod, &spec).await;
    let env = env.map_err(stop(StartFailure::Config))?;
    let (kept, wanted, life_now) = (Arc::clone(shared), image_id.clone(), life.clone());
    let target = target.clone();
    let made = try_off_loop(move || {
        let image = find_image(&kept, &wanted).map_err(PrepareError::Image)?;
        let volumes = volumes::paths(&kept, &pod);
        let parts = Parts {
            shared: &kept,
            pod: &pod,
            container: &spec,
            life: &life_now,
            target: target.as_ref(),
            image: &image,
            env: &env,
            volumes: &volumes,
        };
        let built = container_spec::build(&parts).map_err(PrepareError::Spec)?;
        prepare(&parts, &built.id).map_err(PrepareError::Files)?;
        Ok::<_, PrepareError>(built)
    });
    let built = made.await.map_err(|message| Stop(StartFailure::Create, message))?;
    let socket = shared.pod_paths(&record.key).socket();
    forget_earlier(&socket, record, life).await;
    let id = built.id.clone();
    let created = call(&socket, Request::Create(Box::new(built))).await;
    if let Err(error) = created {
        // Begun by an earlier life of the pod's machine, which did not hear of it.
        return match is_running(&socket, &id).await {
            true => Ok(id),
            // Without a program the container is there, and has ended before it began.
            false => match ProgramError::exit_code_in(&error.text()) {
                Some(_) => Err(Stop(StartFailure::Start, error.text())),
                None => Err(Stop(StartFailure::Create, error.text())),
            },
        };
    }
    let started = call(&socket, Request::Start { container: id.clone() }).await;
    started.map_err(|error| Stop(StartFailure::Start, error.text()))?;
    Ok(id)
}

async fn is_running(socket: &Path, id: &str) -> bool {
    let Ok(Reply::Status(status)) = call(socket, Request::Status).await else { return false };
    status.containers.iter().any(|one| one.id == id && one.phase == Phase::Running)
}

/// Why a container could not be prepared.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error(transparent)]
    Image(ResolveError),
    #[error(transparent)]
    Spec(container_spec::SpecError),
    #[error("cannot write the container's files")]
    Files(#[source] io::Error),
}

/// The record, and the file for the termination message.
fn prepare(parts: &Parts<'_>, id: &str) -> io::Result<()> {
    let Parts { shared, pod, life, image, container, .. } = parts;
    let message = shared.paths.termination(pod.uid(), &life.name, life.attempt);
    if let Some(folder) = message.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&message, "")?;
    // Whoever the container runs as may write it.
    fs::set_permissions(&message, fs::Permissions::from_mode(0o666))?;
    let Image { id: image_id, config, .. } = image;
    let record = LifeRecord {
        container: (*life).clone(),
        image: container.at("image").as_str().unwrap_or_default().to_owned(),
        image_id: image_id.to_string(),
        stop_signal: config.stop_signal.clone(),
    };
    record.write(&shared.paths.life(pod.uid(), id))
}

/// The writable layer of the life before this one is not needed any more; its log stays.
async fn forget_earlier(socket: &Path, record: &PodRecord, life: &ContainerRef) {
    let before =
        life.attempt.checked_sub(1).map(|attempt| ContainerRef { attempt, ..life.clone() });
    // Also what a start of this very life left that failed.
    for one in before.iter().chain([life]) {
        let container = container_id(&record.key, one);
        if let Err(error) = call(socket, Request::Delete { container }).await {
            tracing::trace!(error = error.text(), "an earlier life");
        }
    }
}

/// Asks a container to stop, or kills it.
pub(crate) async fn signal(
    shared: &Shared,
    record: &PodRecord,
    container: &ContainerRef,
    signal: Signal,
) {
    let id = container_id(&record.key, container);
    let (number, scope) = match signal {
        Signal::Kill => (nix::libc::SIGKILL, KillScope::All),
        Signal::Stop => {
            let life = LifeRecord::read(&shared.paths, &record.key.uid, &id);
            (
                life.map_or(nix::libc::SIGTERM, |life| signal_number(&life.stop_signal)),
                KillScope::First,
            )
        }
    };
    let socket = shared.pod_paths(&record.key).socket();
    let request = Request::Kill { container: id, signal: number, scope };
    if let Err(error) = call(&socket, request).await {
        tracing::debug!(pod = %record.key, error = error.text(), "a signal");
    }
}

/// `SIGQUIT`, `QUIT` or `3`; SIGTERM for what is none.
fn signal_number(text: &str) -> i32 {
    if let Ok(number) = text.parse() {
        return number;
    }
    let name = if text.starts_with("SIG") { text.to_owned() } else { format!("SIG{text}") };
    name.parse::<nix::sys::signal::Signal>().map_or(nix::libc::SIGTERM, |signal| signal as i32)
}
