//! A container's environment, and the one before it when no server answers.
//!
//! Way in: [`resolve`].  Owns: a file for each container, beside the pod's volumes in memory.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use actors_object::{ApiError, Object, Value};
use nodes_door::Target;
use nodes_pods::{
    DataSources, EnvError, Keys, PodFacts, referenced_data, resolve_env, service_links,
};
use nodes_shim::RuntimeKind;

use crate::{
    Paths,
    shared::{PodRecord, Shared, lock, target},
    volumes,
};

/// So long a container waits for the names of Services when the agent has just started.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long if it had an environment before.
const AGAIN: Duration = Duration::from_millis(500);

/// Names and values, in their order.
type Env = Vec<(String, String)>;

/// Why a container has no environment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvironmentError {
    /// What it is made of cannot be read.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It cannot be put together.
    #[error(transparent)]
    Env(#[from] EnvError),
}

/// The container's environment as it is now; in an outage, as it last was.
pub(crate) async fn resolve(
    shared: &Shared,
    record: &PodRecord,
    pod: &Object,
    container: &Value,
) -> Result<Env, EnvironmentError> {
    let name = container.at("name").as_str().unwrap_or_default();
    let before = || recall(&shared.paths, pod.uid(), name);
    let mut sources = match data_sources(shared, pod, container).await {
        Err(error) if error.code >= 500 || error.code == 429 => {
            return before().ok_or(error.into());
        }
        sources => sources?,
    };
    // What serves again need not wait long for what may never come.
    let patience = if file(&shared.paths, pod.uid(), name).exists() { AGAIN } else { PATIENCE };
    let links = links(shared, pod, patience).await;
    if links.is_none()
        && let Some(env) = before()
    {
        return Ok(env);
    }
    // Without an answer in time the container starts without them, rather than not at all.
    sources.links = links.unwrap_or_default();
    let facts = PodFacts { ips: record.ips(), node: shared.facts.clone() };
    let env = resolve_env(pod, container, &sources, &facts)?;
    if let Err(error) = keep(&shared.paths, pod.uid(), name, &env) {
        tracing::debug!(%error, pod = %record.key, "an environment is not kept for an outage");
    }
    Ok(env)
}

async fn data_sources(
    shared: &Shared,
    pod: &Object,
    container: &Value,
) -> Result<DataSources, ApiError> {
    let (maps, secrets) = referenced_data(container);
    let mut sources = DataSources::default();
    for (resource, names, found) in
        [("configmaps", maps, &mut sources.config_maps), ("secrets", secrets, &mut sources.secrets)]
    {
        for name in names {
            let place = target("", "v1", resource, Some(pod.namespace()), Some(&name));
            if let Some(keys) = get_keys(shared, place).await? {
                found.insert(name, keys);
            }
        }
    }
    Ok(sources)
}

async fn get_keys(shared: &Shared, place: Target) -> Result<Option<Keys>, ApiError> {
    match shared.calls.get(place).await {
        Ok(object) => Ok(Some(volumes::keys_of(&object))),
        Err(error) if error.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Variables for the Services of the pod's namespace, and for the API itself; `None` while Services
/// are not known.
async fn links(shared: &Shared, pod: &Object, patience: Duration) -> Option<Env> {
    if shared.config.runtime == RuntimeKind::Oci {
        let mut known = shared.services_known.subscribe();
        tokio::time::timeout(patience, known.wait_for(|known| *known)).await.ok()?.ok()?;
    }
    let services = lock(&shared.services);
    let own = pod.namespace();
    let is_meant = |service: &&Arc<Object>| {
        service.namespace() == own
            || (service.namespace() == "default" && service.name() == "kubernetes")
    };
    let all: Vec<&Object> = services.values().filter(is_meant).map(|service| &**service).collect();
    Some(service_links(&all))
}

fn file(paths: &Paths, uid: &str, container: &str) -> PathBuf {
    paths.volumes_run(uid).join(".env").join(container)
}

fn keep(paths: &Paths, uid: &str, container: &str, env: &Env) -> io::Result<()> {
    let file = file(paths, uid, container);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, serde_json::to_vec(env)?)
}

fn recall(paths: &Paths, uid: &str, container: &str) -> Option<Env> {
    serde_json::from_slice(&fs::read(file(paths, uid, container)).ok()?).ok()
}
