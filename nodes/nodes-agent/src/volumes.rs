//! The volumes of a pod: where each lies, setting them up, keeping them up to date, removing them.
//!
//! Way in: [`set_up`], [`paths`], [`tear_down`]; [`refresh`] is the service that keeps them up to
//! date.
//! Owns: two folders for each pod, one in memory, one on disk.  Never: content of the API on a
//! disk.
//! Spec: Kubernetes documentation, "Volumes", "Projected Volumes".

mod atomic_writer;
mod content;
mod places;
mod tokens;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_object::{ApiError, Object, Value};
use actors_runtime::{Failure, Service};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use nodes_pods::{Keys, PodEvent};

use self::atomic_writer::Owner;
pub(crate) use self::{
    places::{Volume, paths},
    tokens::Token,
};
use crate::{
    blocking::try_off_loop,
    mirror::pause,
    shared::{PodRecord, Shared},
};
pub(crate) use places::remove;

/// From one look at the API to the next; changes show within this time. Kubernetes promises about a
/// minute.
const REFRESH: Duration = Duration::from_secs(15);

/// Why a volume cannot be set up. It is tried again; the message says who has to act.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VolumeError {
    /// What it is made of is absent, or cannot be read.
    #[error("volume {volume:?}: {what}")]
    Content {
        /// Its name.
        volume: String,
        /// What is wrong.
        what: String,
    },
    /// No server answers; what was written before serves on.
    #[error("volume {volume:?}")]
    Outage {
        /// Its name.
        volume: String,
        /// What was answered instead.
        #[source]
        source: ApiError,
    },
    /// A file or mount.
    #[error("volume {volume:?}")]
    File {
        /// Its name.
        volume: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl VolumeError {
    fn content(volume: &str, what: impl Into<String>) -> Self {
        Self::Content { volume: volume.to_owned(), what: what.into() }
    }

    /// What an error of the API means for a volume.
    fn of_api(volume: &str, source: ApiError) -> Self {
        match source.code {
            500.. | 429 => Self::Outage { volume: volume.to_owned(), source },
            _ => Self::content(volume, source.to_string()),
        }
    }
}

/// Sets up all volumes of the pod.
pub(crate) async fn set_up(shared: &Arc<Shared>, record: &Arc<PodRecord>) -> PodEvent {
    let Some(pod) = record.object() else {
        return PodEvent::VolumesFailed { message: "the pod is not known any more".to_owned() };
    };
    let (kept, its) = (Arc::clone(shared), Arc::clone(&pod));
    let done = match try_off_loop(move || places::make(&kept, &its)).await {
        Ok(()) => write_contents(shared, record, &pod).await,
        Err(message) => Err(message),
    };
    match done {
        Ok(()) => {
            record.set_live_volumes(true);
            PodEvent::VolumesReady
        }
        Err(message) => PodEvent::VolumesFailed { message },
    }
}

/// Removes all volumes of the pod.
pub(crate) async fn tear_down(shared: &Arc<Shared>, record: &PodRecord) -> PodEvent {
    record.set_live_volumes(false);
    let (kept, uid) = (Arc::clone(shared), record.key.uid.clone());
    if let Err(message) = try_off_loop(move || remove(&kept.paths, &uid)).await {
        tracing::warn!(pod = %record.key, message, "removing volumes");
    }
    PodEvent::VolumesGone
}

/// Writes what comes from the API into every volume that has such content.
async fn write_contents(
    shared: &Arc<Shared>,
    record: &PodRecord,
    pod: &Arc<Object>,
) -> Result<(), String> {
    for volume in
        pod.0.list_at(&["spec", "volumes"]).iter().filter(|volume| content::is_written(volume))
    {
        let name = volume.at("name").as_str().unwrap_or_default().to_owned();
        let folder = shared.paths.volumes_run(pod.uid()).join(&name);
        let files = match content::gather(shared, record, pod, volume).await {
            Err(VolumeError::Outage { .. }) if atomic_writer::is_written(&folder) => continue,
            files => files.map_err(|error| nodes_oci::chain(&error))?,
        };
        let owner = Owner { group: fs_group(pod) };
        let written = move || {
            let result = atomic_writer::write(&folder, &files, owner);
            result.map_err(|source| VolumeError::File { volume: name, source })
        };
        try_off_loop(written).await?;
    }
    Ok(())
}

fn fs_group(pod: &Object) -> Option<u32> {
    pod.0
        .i64_at(&["spec", "securityContext", "fsGroup"])
        .and_then(|group| u32::try_from(group).ok())
}

/// The service: looks again at what volumes are made of, and renews tokens.
pub(crate) async fn refresh(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    while !pause(&service, REFRESH).await {
        for record in shared.pods.all() {
            let Some(pod) = record.object().filter(|_| record.has_live_volumes()) else { continue };
            if let Err(message) = write_contents(&shared, &record, &pod).await {
                // What is there stays; the pod goes on with it.
                tracing::debug!(pod = %record.key, message, "volumes are not up to date");
            }
        }
    }
    Ok(())
}

/// The entries of a ConfigMap or Secret, decoded.
pub(crate) fn keys_of(object: &Object) -> Keys {
    let is_secret = object.kind() == "Secret" || object.0.at("type").as_str().is_some();
    let mut keys: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let decoded = |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default()).ok();
    for (name, value) in object.0.map_at(&["data"]).iter() {
        let bytes = if is_secret {
            decoded(value)
        } else {
            value.as_str().map(|text| text.as_bytes().to_vec())
        };
        keys.extend(bytes.map(|bytes| (name.to_string(), bytes)));
    }
    for (name, value) in object.0.map_at(&["binaryData"]).iter() {
        keys.extend(decoded(value).map(|bytes| (name.to_string(), bytes)));
    }
    keys
}
