//! Turns a container of a pod into what the runtime is told: pure, but for the paths it names.
//!
//! Way in: [`build`].  Spec: Kubernetes API reference, Container, SecurityContext,
//! PodSecurityContext.

use std::path::PathBuf;

use actors_object::{Object, Value};
use nodes_oci::{Capabilities, ContainerSpec, Image, MountSpec, ProcMount, UserSpec};
use nodes_pods::{ContainerRef, expand};

use crate::{
    pods::{resources, sandbox::container_id},
    shared::{PodKey, Shared},
    streams,
    volumes::Volume,
};

/// What a container is made of.
pub(crate) struct Parts<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) pod: &'a Object,
    pub(crate) container: &'a Value,
    pub(crate) life: &'a ContainerRef,
    /// The life of the container whose processes it sees.
    pub(crate) target: Option<&'a ContainerRef>,
    pub(crate) image: &'a Image,
    /// The pod's part of the environment.
    pub(crate) env: &'a [(String, String)],
    pub(crate) volumes: &'a [Volume],
}

/// Why a container cannot be described. The author of the pod mends it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpecError {
    /// A mount names a volume that the pod does not have.
    #[error("volumeMounts: the pod has no volume {0:?}")]
    Volume(String),
    /// Mounts of the container cannot be passed to the node.
    #[error("volumeMounts: mountPropagation Bidirectional of {0:?} is not supported on this node")]
    Propagation(String),
    /// There is nothing to run.
    #[error("neither the pod nor the image {0:?} names a command")]
    Command(String),
}

/// The container for the runtime.
pub(crate) fn build(parts: &Parts<'_>) -> Result<ContainerSpec, SpecError> {
    let Parts { shared, pod, container, life, image, env, .. } = parts;
    let key = PodKey::of(pod);
    let texts = |field: &str| -> Vec<String> {
        let words = container.list_at(&[field]).iter().filter_map(Value::as_str);
        words.map(|word| expand(word, &|name| lookup(env, name))).collect()
    };
    let args = image.config.command_line(&texts("command"), &texts("args"));
    if args.is_empty() {
        return Err(SpecError::Command(
            container.at("image").as_str().unwrap_or_default().to_owned(),
        ));
    }
    let own = container.at("securityContext");
    let is = |field: &str| own.at(field).as_bool() == Some(true);
    let given = container.at("workingDir").as_str().filter(|folder| !folder.is_empty());
    let memory = node_memory(shared);
    Ok(ContainerSpec {
        id: container_id(&key, life),
        layers: image.layers.clone(),
        args,
        env: merged_env(parts),
        cwd: given.unwrap_or(&image.config.working_dir).to_owned(),
        user: user(pod, own, image),
        mounts: mounts(parts)?,
        capabilities: capabilities(own),
        privileged: is("privileged"),
        read_only_root: is("readOnlyRootFilesystem"),
        no_new_privileges: own.at("allowPrivilegeEscalation").as_bool() == Some(false),
        proc_mount: match own.at("procMount").as_str() {
            Some("Unmasked") => ProcMount::Unmasked,
            _ => ProcMount::Default,
        },
        resources: resources::of_container(container),
        oom_score_adj: resources::oom_score(pod, container, memory),
        terminal: container.at("tty").as_bool() == Some(true),
        stdin: container.at("stdin").as_bool() == Some(true),
        stdin_once: container.at("stdinOnce").as_bool() == Some(true),
        log_path: Some(streams::log_path(
            &shared.paths.pod_logs(&key.namespace, &key.name, &key.uid),
            life,
        )),
        processes_of: parts.target.map(|target| container_id(&key, target)),
    })
}

fn lookup(env: &[(String, String)], name: &str) -> Option<String> {
    env.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone())
}

fn node_memory(shared: &Shared) -> i64 {
    let found = shared.facts.allocatable.iter().find(|(name, _)| name == "memory");
    found
        .and_then(|(_, text)| actors_object::Quantity::parse(text).ok())
        .map_or(1, |memory| memory.value())
}

/// The image's variables, replaced and followed by the pod's; the host name is part of every
/// environment.
fn merged_env(parts: &Parts<'_>) -> Vec<String> {
    let name_of = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    let mut all = vec![format!("HOSTNAME={}", super::etc_files::hostname(parts.pod))];
    let own = parts.env.iter().map(|(name, value)| format!("{name}={value}"));
    for variable in parts.image.config.env.iter().cloned().chain(own) {
        let name = name_of(&variable);
        match all.iter_mut().find(|known| name_of(known) == name) {
            Some(known) => *known = variable,
            None => all.push(variable),
        }
    }
    all
}

fn user(pod: &Object, own: &Value, image: &Image) -> UserSpec {
    let whole = pod.0.at("spec").at("securityContext");
    let number = |value: &Value| value.as_i64().and_then(|number| u32::try_from(number).ok());
    let either = |field: &str| number(own.at(field)).or_else(|| number(whole.at(field)));
    let mut groups: Vec<u32> =
        whole.list_at(&["supplementalGroups"]).iter().filter_map(number).collect();
    groups.extend(number(whole.at("fsGroup")));
    let non_root = own.at("runAsNonRoot").as_bool().or_else(|| whole.at("runAsNonRoot").as_bool());
    UserSpec {
        image_user: image.config.user.clone(),
        run_as_user: either("runAsUser"),
        run_as_group: either("runAsGroup"),
        supplemental_groups: groups,
        must_be_non_root: non_root == Some(true),
    }
}

fn capabilities(own: &Value) -> Capabilities {
    let names = |list: &str| {
        let words = own.list_at(&["capabilities", list]).iter().filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    };
    Capabilities { add: names("add"), drop: names("drop") }
}

/// The pod's volumes, then what every container gets unless the pod mounts something there itself.
fn mounts(parts: &Parts<'_>) -> Result<Vec<MountSpec>, SpecError> {
    let mut all = Vec::new();
    for mount in parts.container.list_at(&["volumeMounts"]) {
        let name = mount.at("name").as_str().unwrap_or_default();
        let volume = parts.volumes.iter().find(|volume| volume.name == name);
        let volume = volume.ok_or_else(|| SpecError::Volume(name.to_owned()))?;
        let propagation = mount.at("mountPropagation").as_str();
        if propagation == Some("Bidirectional") {
            return Err(SpecError::Propagation(name.to_owned()));
        }
        let expanded = mount
            .at("subPathExpr")
            .as_str()
            .map(|path| expand(path, &|name| lookup(parts.env, name)));
        let plain = mount.at("subPath").as_str().map(str::to_owned);
        all.push(MountSpec {
            source: volume.path.clone(),
            sub_path: expanded.or(plain).filter(|path| !path.is_empty()),
            destination: mount.at("mountPath").as_str().unwrap_or_default().to_owned(),
            read_only: volume.read_only || mount.at("readOnly").as_bool() == Some(true),
            follow_host: propagation == Some("HostToContainer"),
        });
    }
    let etc = parts.shared.paths.etc(parts.pod.uid());
    let usual =
        ["hosts", "hostname", "resolv.conf"].map(|name| (etc.join(name), format!("/etc/{name}")));
    for (source, destination) in usual {
        add_file(&mut all, source, destination);
    }
    let message =
        parts.container.at("terminationMessagePath").as_str().unwrap_or("/dev/termination-log");
    let file =
        parts.shared.paths.termination(parts.pod.uid(), &parts.life.name, parts.life.attempt);
    add_file(&mut all, file, message.to_owned());
    // Outer mounts first, so that none hides another.
    all.sort_by_key(|mount| mount.destination.trim_end_matches('/').matches('/').count());
    Ok(all)
}

fn add_file(all: &mut Vec<MountSpec>, source: PathBuf, destination: String) {
    let taken = all.iter().any(|mount| mount.destination.trim_end_matches('/') == destination);
    if !taken && !destination.is_empty() {
        all.push(MountSpec { source, destination, ..MountSpec::default() });
    }
}
