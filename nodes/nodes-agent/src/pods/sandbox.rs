//! Makes a pod's sandbox, follows it, finds it again, takes it down.
//!
//! Way in: [`create`], [`adopt`], [`tear_down`].  Owns: the pod's shim, its address.
//! Invariant: whoever follows a sandbox tells of its end, unless its end was asked for; so the end
//! is told once.
//! Order: a sandbox is ready when its network is; it is gone when its address is free.

use std::sync::Arc;

use actors_core::Wall;
use actors_object::{Object, Value};
use nodes_oci::paths::PodPaths;
use nodes_pods::{
    Adopted, AdoptedContainer, AdoptedSandbox, ContainerRef, Exit, PodEvent, QosClass, qos_class,
};
use nodes_shim::{
    PodSpec,
    wire::{ContainerStatus, Event, EventKind, Phase, Reply, Request},
};
use tokio::sync::Notify;

use crate::{
    blocking::{off_loop, try_off_loop},
    pods::{
        container::LifeRecord,
        etc_files, fences, resources,
        shim::{Connection, ShimError, call},
        slab::PodInbox,
        termination, traces,
    },
    shared::{PodKey, PodRecord, Shared},
};

impl Shared {
    /// Where the shim's files of a pod lie.
    pub(crate) fn pod_paths(&self, key: &PodKey) -> PodPaths {
        PodPaths::new(&self.paths.pod_run(&key.uid), &self.paths.pod_data(&key.uid))
    }
}

/// Makes the sandbox and follows it to its end.
pub(crate) async fn create(
    shared: &Arc<Shared>,
    record: &Arc<PodRecord>,
    attempt: u32,
    inbox: &PodInbox,
) -> PodEvent {
    record.set_tearing_down(false);
    let follower = record.next_follower();
    let turn = record.turn().await;
    record.set_occupied(true);
    let step = traces::begin(shared, record, "sandbox");
    match make(shared, record).await {
        Ok((ips, connection)) => {
            record.set_ips(ips.clone());
            drop(turn);
            shared.ports_changed.notify_one();
            let ready = PodEvent::SandboxReady { attempt, ips };
            traces::finish(shared, record, step, &ready);
            inbox.send(ready);
            let cause = watch(shared, record, (connection, &follower), inbox).await;
            let gone = end(shared, record, &follower, (attempt, cause)).await;
            traces::note(shared, record, "sandbox", &gone);
            gone
        }
        Err(message) => {
            release(shared, record).await;
            let failed = PodEvent::SandboxFailed { attempt, message };
            traces::finish(shared, record, step, &failed);
            failed
        }
    }
}

/// Why a sandbox is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Something ended that it cannot be without.
    Lost,
    /// The deadline of the pod's fence passed.
    Fenced,
}

/// What happens when the shim's events have ended.
async fn end(
    shared: &Arc<Shared>,
    record: &PodRecord,
    follower: &Arc<Notify>,
    (attempt, cause): (u32, Cause),
) -> PodEvent {
    let _turn = record.turn().await;
    if !record.is_current(follower) || record.is_tearing_down() {
        // The pod is another life's, or whoever asked for its end tells of it.
        return PodEvent::Woken;
    }
    release(shared, record).await;
    match cause {
        Cause::Lost => PodEvent::SandboxGone { attempt },
        Cause::Fenced => PodEvent::Fenced { attempt },
    }
}

async fn make(
    shared: &Arc<Shared>,
    record: &PodRecord,
) -> Result<(Vec<String>, Connection), String> {
    let pod = record.object().ok_or("the pod is not known any more")?;
    let spec = shim_spec(shared, &pod);
    let (paths, program) = (spec.paths(), shared.config.program.clone());
    let host_network = spec.host_network;
    let uid = record.key.uid.clone();
    let deadline = fences::grant(shared, &pod).await?;
    let info = try_off_loop(move || {
        if let Some(mut old) = nodes_shim::find(&paths)? {
            // Of an attempt that failed after this step.
            old.shutdown()?;
        }
        nodes_shim::bury(&paths)?;
        let mut shim = nodes_shim::launch(&program, &spec)?;
        if deadline.is_some() {
            shim.set_deadline(deadline)?;
        }
        Ok::<_, nodes_shim::LaunchError>(shim.info()?)
    })
    .await?;
    let own = vec![shared.config.address.to_string()];
    let ips = match info.network.filter(|_| !host_network) {
        Some(netns) => {
            let network = Arc::clone(&shared.network);
            let attached = try_off_loop(move || network.attach(&uid, netns.as_ref())).await?;
            vec![attached.to_string()]
        }
        None => own,
    };
    let (files, ips_now) = (shared.clone(), ips.clone());
    try_off_loop(move || etc_files::write(&files, &pod, &ips_now)).await?;
    let socket = shared.pod_paths(&record.key).socket();
    let mut connection = Connection::open(&socket, Request::Subscribe { after: 0 })
        .await
        .map_err(|error| error.text())?;
    connection.reader.next().await.map_err(|error| error.text())?;
    Ok((ips, connection))
}

/// Tells of ends of containers, until the shim is gone or someone else follows it.
async fn watch(
    shared: &Arc<Shared>,
    record: &PodRecord,
    (mut connection, follower): (Connection, &Notify),
    inbox: &PodInbox,
) -> Cause {
    loop {
        let next = tokio::select! {
            () = follower.notified() => return Cause::Lost,
            next = connection.reader.next() => next,
        };
        match next {
            Ok(Reply::Event(Event { kind: EventKind::Exited(status), .. })) => {
                if let Some(event) = exited(shared, record, &status).await {
                    traces::note(shared, record, "exit", &event);
                    inbox.send(event);
                }
            }
            Ok(Reply::Event(Event { kind: EventKind::DeadlinePassed, .. })) => {
                return Cause::Fenced;
            }
            // Without its namespaces the pod cannot go on; `end` removes the rest.
            Ok(Reply::Event(Event { kind: EventKind::PauseExited, .. })) | Err(_) => {
                return Cause::Lost;
            }
            Ok(_) => {}
        }
    }
}

async fn exited(
    shared: &Arc<Shared>,
    record: &PodRecord,
    status: &ContainerStatus,
) -> Option<PodEvent> {
    let (shared, pod) = (Arc::clone(shared), record.object());
    let (key, status) = (record.key.clone(), status.clone());
    let told = off_loop(move || {
        let life = LifeRecord::read(&shared.paths, &key.uid, &status.id)?;
        let exit = exit_of(&shared, (&key, pod.as_deref()), &life, &status)?;
        Some(PodEvent::Exited { container: life.container, id: status.id, exit })
    });
    told.await.ok().flatten()
}

fn exit_of(
    shared: &Shared,
    (key, pod): (&PodKey, Option<&Object>),
    life: &LifeRecord,
    status: &ContainerStatus,
) -> Option<Exit> {
    let code = status.exit_code?;
    Some(Exit {
        code,
        signal: status.signal.unwrap_or(0),
        oom: status.oom_killed,
        started: status.started_at,
        at: status.finished_at.unwrap_or_else(|| shared.clock.now().wall),
        message: termination::message(&shared.paths, (key, pod), &life.container, code),
    })
}

/// Finds what an earlier agent left of the pod, and follows it.
pub(crate) async fn adopt(
    shared: &Arc<Shared>,
    record: &Arc<PodRecord>,
    inbox: &PodInbox,
) -> PodEvent {
    record.set_tearing_down(false);
    let socket = shared.pod_paths(&record.key).socket();
    // The one that follows on behalf of an earlier life of the machine tells nobody any more.
    let follower = record.next_follower();
    let turn = record.turn().await;
    let opened = match Connection::open(&socket, Request::Subscribe { after: 0 }).await {
        Ok(mut connection) => connection.reader.next().await.map(|reply| (connection, reply)),
        Err(error) => Err(error),
    };
    match opened {
        Ok((mut connection, Reply::Status(status))) => {
            let fenced = fenced_at(&mut connection, status.last_event).await;
            if fenced.is_some() {
                let containers = lives(shared, record, status.containers).await;
                release(shared, record).await;
                return PodEvent::Adopted(Adopted { sandbox: None, containers, fenced });
            }
            if let Some(pod) = record.object() {
                fences::guard(shared, &pod);
            }
            let ips = ips_of(shared, record);
            record.set_ips(ips.clone());
            shared.ports_changed.notify_one();
            let containers = lives(shared, record, status.containers).await;
            drop(turn);
            let sandbox = Some(AdoptedSandbox { attempt: 0, ips });
            inbox.send(PodEvent::Adopted(Adopted { sandbox, containers, fenced: None }));
            let cause = watch(shared, record, (connection, &follower), inbox).await;
            end(shared, record, &follower, (0, cause)).await
        }
        Ok(_) | Err(_) => PodEvent::Adopted(remains(shared, record).await),
    }
}

/// When the pod's fence killed it, if it did: among the events that its shim remembers up to `last`,
/// which the status behind them includes.
async fn fenced_at(connection: &mut Connection, last: u64) -> Option<Wall> {
    let mut fenced = None;
    let mut seen = 0;
    while seen < last {
        let Ok(Reply::Event(Event { number, at, kind })) = connection.reader.next().await else {
            break;
        };
        seen = number;
        if kind == EventKind::DeadlinePassed {
            fenced = Some(at);
        }
    }
    fenced
}

fn ips_of(shared: &Shared, record: &PodRecord) -> Vec<String> {
    let pod = record.object();
    let on_host = pod.is_some_and(|pod| pod.0.at("spec").at("hostNetwork").as_bool() == Some(true));
    let own = shared.config.address;
    let address = if on_host { None } else { shared.network.address_of(&record.key.uid) };
    vec![address.unwrap_or(own).to_string()]
}

/// What a dead shim, or a reboot, has left: ends of containers.
async fn remains(shared: &Arc<Shared>, record: &PodRecord) -> Adopted {
    let statuses = release(shared, record).await;
    let containers = lives(shared, record, statuses).await;
    Adopted { sandbox: None, containers, fenced: None }
}

async fn lives(
    shared: &Arc<Shared>,
    record: &PodRecord,
    statuses: Vec<ContainerStatus>,
) -> Vec<AdoptedContainer> {
    let (shared, pod, key) = (Arc::clone(shared), record.object(), record.key.clone());
    let read = move || {
        let life = |status: &ContainerStatus| {
            let life = LifeRecord::read(&shared.paths, &key.uid, &status.id)?;
            let exit = match status.phase {
                Phase::Running => None,
                // A start that nobody waits for any more.
                Phase::Creating | Phase::Created => return None,
                Phase::Exited => Some(exit_of(&shared, (&key, pod.as_deref()), &life, status)?),
            };
            Some(AdoptedContainer {
                container: life.container,
                id: status.id.clone(),
                image: life.image,
                image_id: life.image_id,
                started: status.started_at.unwrap_or(status.created_at),
                exit,
            })
        };
        statuses.iter().filter_map(life).collect()
    };
    off_loop(read).await.unwrap_or_default()
}

/// Ends the sandbox and tells of it.
pub(crate) async fn tear_down(shared: &Arc<Shared>, record: &PodRecord, attempt: u32) -> PodEvent {
    record.set_tearing_down(true);
    let _turn = record.turn().await;
    let socket = shared.pod_paths(&record.key).socket();
    match call(&socket, Request::Shutdown).await {
        Ok(_) | Err(ShimError::Gone(_)) => {}
        Err(error) => {
            tracing::warn!(pod = %record.key, error = error.text(), "shutting a pod's shim down")
        }
    }
    release(shared, record).await;
    PodEvent::SandboxGone { attempt }
}

/// Kills what is left of a sandbox and frees its address; ends of containers as they were last
/// known.
async fn release(shared: &Arc<Shared>, record: &PodRecord) -> Vec<ContainerStatus> {
    let (paths, key) = (shared.pod_paths(&record.key), record.key.clone());
    let network = Arc::clone(&shared.network);
    record.set_ips(Vec::new());
    let released = off_loop(move || {
        let left = nodes_shim::bury(&paths);
        if let Err(error) = network.detach(&key.uid) {
            tracing::warn!(pod = %key, error = nodes_oci::chain(&error), "a pod's network");
        }
        left.inspect_err(|error| {
            let error = nodes_oci::chain(error);
            tracing::warn!(pod = %key, error, "what is left of a pod's sandbox");
        })
        .unwrap_or_default()
    });
    let left = released.await.unwrap_or_default();
    fences::release(shared, &record.key.uid);
    record.set_occupied(false);
    shared.released.notify_waiters();
    shared.ports_changed.notify_one();
    left
}

/// The pod as its shim needs it.
fn shim_spec(shared: &Shared, pod: &Object) -> PodSpec {
    let spec = pod.0.at("spec");
    let is = |field: &str| spec.at(field).as_bool() == Some(true);
    let paths = shared.pod_paths(&PodKey::of(pod));
    let sysctl = |one: &Value| {
        Some((one.at("name").as_str()?.to_owned(), one.at("value").as_str()?.to_owned()))
    };
    PodSpec {
        uid: pod.uid().to_owned(),
        name: format!("{}/{}", pod.namespace(), pod.name()),
        runtime: shared.config.runtime,
        run: paths.run().to_owned(),
        data: paths.data().to_owned(),
        cgroup: cgroup_of(shared, pod),
        shim_cgroup: shared.config.system_cgroup(),
        hostname: if is("hostNetwork") { String::new() } else { etc_files::hostname(pod) },
        sysctls: spec.list_at(&["securityContext", "sysctls"]).iter().filter_map(sysctl).collect(),
        host_network: is("hostNetwork"),
        host_pid: is("hostPID"),
        host_ipc: is("hostIPC"),
        share_processes: is("shareProcessNamespace"),
        resources: resources::of_pod(pod),
    }
}

/// The pod's group, below that of its class.
pub(crate) fn cgroup_of(shared: &Shared, pod: &Object) -> String {
    let root = shared.config.cgroup();
    let class = match qos_class(pod) {
        QosClass::Guaranteed => "",
        QosClass::Burstable => "/burstable",
        QosClass::BestEffort => "/besteffort",
    };
    format!("{root}{class}/pod{}", pod.uid())
}

/// One life of one container, as the shim names it.
pub(crate) fn container_id(key: &PodKey, container: &ContainerRef) -> String {
    format!("{}_{}_{}", key.uid, container.name, container.attempt)
}
