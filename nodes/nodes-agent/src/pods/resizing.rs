//! Looks whether this node has room for other resources of a pod, and gives its groups other limits.
//!
//! Way in: [`check_room`], [`resize`].  Order: while containers change, the pod as a whole is not limited, for with
//! version 1 of control groups the kernel takes no child's share of processors above its parent's; each container stays
//! limited by its own group meanwhile.
//! Spec: KEP-1287; Kubernetes documentation, "Resize CPU and Memory Resources assigned to Containers".

use std::sync::Arc;

use actors_object::{Object, Value};
use nodes_oci::{
    Resources,
    cgroup::{CgroupError, Hierarchies},
};
use nodes_pods::{ContainerRef, PodEvent, room_for};
use nodes_shim::RuntimeKind;

use crate::{
    blocking::try_off_loop,
    pods::{
        resources,
        sandbox::{cgroup_of, container_id},
        termination::spec_of,
    },
    shared::{PodKey, PodRecord, Shared},
};

/// Containers' `resources` by name.
pub(crate) type Amounts = Vec<(String, Value)>;

/// Why a pod's limits could not be changed.
#[derive(Debug, thiserror::Error)]
enum ResizeError {
    /// It uses more than it is to have; the kernel would kill it.
    #[error("container {name} uses {used} bytes of memory, more than its new limit of {limit}")]
    InUse { name: String, used: u64, limit: i64 },
    /// The kernel refuses.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

/// Whether the node can give the pod's containers what is wanted.
pub(crate) fn check_room(shared: &Shared, record: &PodRecord, wanted: &Amounts) -> PodEvent {
    let Some(pod) = record.object() else { return PodEvent::Room { refusal: None } };
    let is_over = |pod: &Arc<Object>| {
        matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"))
    };
    let others = shared.pods.all().into_iter();
    let others: Vec<Arc<Object>> = others
        .filter(|other| other.key != record.key && !other.is_finalized())
        .filter_map(|other| other.object())
        .filter(|pod| !is_over(pod))
        .collect();
    let others = others.iter().map(|pod| &**pod);
    PodEvent::Room { refusal: room_for((&pod, wanted), others, &shared.facts.allocatable) }
}

/// Gives the pod's group, and the groups of these lives, the limits that follow from what was granted.
pub(crate) async fn resize(
    shared: &Arc<Shared>,
    record: &PodRecord,
    granted: Amounts,
    lives: Vec<ContainerRef>,
) -> PodEvent {
    // Without isolation no container has limits, neither from its start nor later.
    let limited = shared.config.runtime == RuntimeKind::Oci;
    let Some(pod) = record.object().filter(|_| limited) else {
        return PodEvent::Resized { failure: None };
    };
    let cgroup = cgroup_of(shared, &pod);
    let done = try_off_loop(move || limit(&cgroup, &granted_pod(&pod, &granted), &lives)).await;
    PodEvent::Resized { failure: done.err() }
}

/// The pod with the resources that were granted to its containers.
fn granted_pod(pod: &Object, granted: &Amounts) -> Object {
    let mut pod = pod.clone();
    for list in ["containers", "initContainers"] {
        for container in pod.0.list_at_mut(&["spec", list]).into_iter().flatten() {
            let own = granted.iter().find(|(name, _)| container.str_at(&["name"]) == Some(name));
            if let Some((_, amounts)) = own {
                container.set_path(&["resources"], amounts.clone());
            }
        }
    }
    pod
}

fn limit(cgroup: &str, pod: &Object, lives: &[ContainerRef]) -> Result<(), ResizeError> {
    let groups = Hierarchies::discover()?;
    let key = PodKey::of(pod);
    let mut planned = Vec::new();
    for life in lives {
        let group = format!("{cgroup}/{}", container_id(&key, life));
        let Some(container) = spec_of(pod, &life.name).filter(|_| groups.exists(&group)) else {
            // It has ended meanwhile.
            continue;
        };
        let limits = resources::of_container(container);
        let used = groups.usage(&group).memory_bytes;
        if let Some(limit) = limits.memory_limit_bytes
            && u64::try_from(limit).is_ok_and(|limit| limit < used)
        {
            return Err(ResizeError::InUse { name: life.name.clone(), used, limit });
        }
        planned.push((group, limits));
    }
    let whole = resources::of_pod(pod);
    let open = Resources {
        cpu_quota_us: Some(-1),
        cpu_period_us: None,
        memory_limit_bytes: Some(-1),
        ..whole
    };
    groups.limit(cgroup, &open)?;
    for (group, limits) in &planned {
        groups.limit(group, limits)?;
    }
    Ok(groups.limit(cgroup, &whole)?)
}
