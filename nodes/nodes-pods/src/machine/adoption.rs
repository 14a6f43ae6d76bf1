//! Restores a pod's past after a restart of the agent or of the machine: from the runtime, then
//! from the status.
//!
//! Way in: [`adopt`].  Never: an effect.

use actors_core::{Now, Wall};
use actors_object::{Value, timefmt};

use super::{PodMachine, Sandbox};
use crate::{
    container::{Container, Ended, Life, Running},
    event::{Adopted, AdoptedContainer, Exit},
    pod_spec::ContainerRole,
    probing::Probes,
    resizing,
    restart_backoff::RestartBackoff,
};

/// The number of SIGKILL.
const KILLED: i32 = 9;

/// Gives every container its past.
pub(super) fn adopt(machine: &mut PodMachine, now: Now, status: &Value, adopted: &Adopted) {
    if let Some(sandbox) = &adopted.sandbox {
        machine.sandbox_attempt = sandbox.attempt;
        machine.sandbox = Sandbox::Ready(sandbox.ips.clone());
        machine.last_ips.clone_from(&sandbox.ips);
    }
    for container in &mut machine.containers {
        let recorded = recorded_status(status, &container.spec.name);
        restore(container, recorded);
        resizing::restore(container, recorded);
        let lives =
            adopted.containers.iter().filter(|life| life.container.name == container.spec.name);
        // Without the sandbox nothing of it can still run, whatever an old record says.
        if let Some(newest) = lives.max_by_key(|life| life.container.attempt)
            && (adopted.sandbox.is_some() || newest.exit.is_some())
        {
            take(container, now, recorded, (newest, adopted.fenced));
        } else if adopted.sandbox.is_some() && container.is_alive() {
            let message = "the runtime does not know it any more".to_owned();
            let exit =
                Exit { code: 137, signal: 0, oom: false, started: None, at: now.wall, message };
            container.end(exit, Some("ContainerStatusUnknown"));
        }
    }
    let apps_begun =
        machine.containers.iter().any(|one| one.spec.role == ContainerRole::App && one.begun);
    machine.initialized = apps_begun && adopted.sandbox.is_some();
}

fn recorded_status<'a>(status: &'a Value, name: &str) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    let lists = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
    let mut all = lists.into_iter().flat_map(|list| status.list_at(&[list]));
    all.find(|recorded| recorded.at("name").as_str() == Some(name)).unwrap_or(NOTHING)
}

/// What the API remembers of a container whose runtime forgot it.
fn restore(container: &mut Container, recorded: &Value) {
    let restarts = recorded
        .at("restartCount")
        .as_i64()
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or(0);
    let ended = read_terminated(recorded.at("state").at("terminated"));
    let last = read_terminated(recorded.at("lastState").at("terminated"));
    let ran = recorded.at("state").get("running").is_some();
    container.attempt = restarts;
    container.begun = ran || ended.is_some() || last.is_some() || restarts > 0;
    container.restarts = RestartBackoff::resumed(restarts);
    container.image_id = recorded.at("imageID").as_str().unwrap_or_default().to_owned();
    match ended {
        Some(ended) => {
            container.last = last;
            container.life = Life::Ended(ended);
        }
        // It ran when it was last heard of: whoever calls decides whether it still does.
        None if ran => {
            container.last = last;
            container.life = Life::Starting;
        }
        None => match last {
            Some(last) => container.life = Life::Ended(last),
            None => container.last = None,
        },
    }
}

/// What the runtime knows counts more than what the API remembers.
fn take(
    container: &mut Container,
    now: Now,
    recorded: &Value,
    (found, fenced): (&AdoptedContainer, Option<Wall>),
) {
    let same_life = container.begun && container.attempt == found.container.attempt;
    if !same_life && let Life::Ended(before) = &container.life {
        container.last = Some(before.clone());
    }
    container.attempt = found.container.attempt;
    container.begun = true;
    container.image_id.clone_from(&found.image_id);
    let lasts = container.spec.role != ContainerRole::Ephemeral;
    container.replaced = lasts && found.image != container.spec.image;
    let ran_ns = u64::try_from(now.wall.since(found.started).as_nanos()).unwrap_or(u64::MAX);
    let since =
        Now { mono: actors_core::Mono(now.mono.0.saturating_sub(ran_ns)), wall: found.started };
    let mut probes = Probes::new(&container.spec, since.mono);
    let was = |field: &str| same_life && recorded.at(field).as_bool() == Some(true);
    probes.resume(was("started"), was("ready"));
    let running = Running { id: found.id.clone(), since, post_started: true, probes, stop: None };
    container.life = Life::Running(Box::new(running));
    if let Some(exit) = &found.exit {
        // The shim kills; whatever else ends at that moment ended by itself.
        let is_fenced = fenced.is_some_and(|at| exit.at >= at && exit.signal == KILLED);
        container.end(exit.clone(), is_fenced.then_some("Fenced"));
    }
}

fn read_terminated(terminated: &Value) -> Option<Ended> {
    let code = terminated.at("exitCode").as_i64()?;
    let text = |field: &str| terminated.at(field).as_str().unwrap_or_default().to_owned();
    let reason = match terminated.at("reason").as_str() {
        Some("Completed") => "Completed",
        Some("OOMKilled") => "OOMKilled",
        Some("StartError") => "StartError",
        Some("ContainerStatusUnknown") => "ContainerStatusUnknown",
        Some("Fenced") => "Fenced",
        _ => "Error",
    };
    let id = text("containerID");
    Some(Ended {
        id: id.split_once("://").map_or(id.clone(), |(_, id)| id.to_owned()),
        reason,
        started: terminated.at("startedAt").as_str().and_then(timefmt::parse),
        exit: Exit {
            code: i32::try_from(code).unwrap_or(i32::MAX),
            signal: terminated
                .at("signal")
                .as_i64()
                .and_then(|signal| i32::try_from(signal).ok())
                .unwrap_or(0),
            oom: reason == "OOMKilled",
            started: None,
            at: terminated.at("finishedAt").as_str().and_then(timefmt::parse).unwrap_or_default(),
            message: text("message"),
        },
    })
}
