//! Pods: the one word that says how a pod is, out of its phase, its containers and its deletion.

use actors_core::{Now, Wall};
use actors_object::{Object, Value, timefmt};

use super::{AGE, Layout, NAME, age, human_duration, or_none, string, text, wide};

pub(super) const LAYOUTS: &[Layout] = &[Layout {
    group: "",
    kind: "Pod",
    columns: &[
        NAME,
        text("Ready"),
        text("Status"),
        text("Restarts"),
        AGE,
        wide("IP"),
        wide("Node"),
        wide("Nominated Node"),
        wide("Readiness Gates"),
    ],
    cells,
}];

fn cells(pod: &Object, now: Now) -> Vec<Value> {
    let summary = Summary::of(pod);
    let ip = pod
        .list_at(&["status", "podIPs"])
        .first()
        .map_or_else(|| string(pod, &["status", "podIP"]), |first| string(first, &["ip"]));
    vec![
        pod.name().into(),
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.word.as_str().into(),
        summary.restarts.shown(now).into(),
        age(pod, now),
        or_none(ip),
        or_none(string(pod, &["spec", "nodeName"])),
        or_none(string(pod, &["status", "nominatedNodeName"])),
        readiness_gates(pod),
    ]
}

/// How many of the pod's own conditions are true, of those it waits for.
fn readiness_gates(pod: &Object) -> Value {
    let gates = pod.list_at(&["spec", "readinessGates"]);
    if gates.is_empty() {
        return "<none>".into();
    }
    let is_true = |gate: &&Value| condition(pod, string(gate, &["conditionType"])) == Some("True");
    format!("{}/{}", gates.iter().filter(is_true).count(), gates.len()).into()
}

/// The status of one of the pod's conditions.
fn condition<'a>(pod: &'a Object, sort: &str) -> Option<&'a str> {
    let mut all = pod.list_at(&["status", "conditions"]).iter();
    all.find(|one| string(one, &["type"]) == sort).map(|one| string(one, &["status"]))
}

/// How often containers ended, and when last.
#[derive(Debug, Clone, Copy, Default)]
struct Restarts {
    count: i64,
    last: Option<Wall>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        let count = status.i64_at(&["restartCount"]).unwrap_or(0);
        self.count = self.count.saturating_add(count);
        let ended = string(status, &["lastState", "terminated", "finishedAt"]);
        self.last = self.last.max(timefmt::parse(ended));
    }

    fn shown(self, now: Now) -> String {
        match self.last {
            Some(last) if self.count > 0 => {
                let seconds = now.wall.0.saturating_sub(last.0).div_euclid(1_000_000_000);
                format!("{} ({} ago)", self.count, human_duration(seconds))
            }
            _ => self.count.to_string(),
        }
    }
}

/// What the table says of a pod.
struct Summary {
    word: String,
    ready: usize,
    total: usize,
    restarts: Restarts,
}

impl Summary {
    fn of(pod: &Object) -> Self {
        let sidecars = sidecar_names(pod);
        let mut summary = Self {
            word: first_word(pod).to_owned(),
            ready: 0,
            total: pod.list_at(&["spec", "containers"]).len() + sidecars.len(),
            restarts: Restarts::default(),
        };
        let (is_initializing, of_sidecars) = summary.read_init(pod, &sidecars);
        if !is_initializing || condition(pod, "Initialized") == Some("True") {
            // Once the pod runs, what its init containers did before is history.
            summary.restarts = of_sidecars;
            summary.read_containers(pod);
        }
        if pod.is_terminating() {
            let phase = string(pod, &["status", "phase"]);
            if string(pod, &["status", "reason"]) == "NodeLost" {
                summary.word = "Unknown".to_owned();
            } else if !matches!(phase, "Failed" | "Succeeded") {
                summary.word = "Terminating".to_owned();
            }
        }
        summary
    }

    /// Reads the init containers up to the one that holds the pod up; says whether there is one, and how often
    /// the sidecars among them ended.
    fn read_init(&mut self, pod: &Object, sidecars: &[&str]) -> (bool, Restarts) {
        let mut of_sidecars = Restarts::default();
        let statuses = pod.list_at(&["status", "initContainerStatuses"]);
        for (index, status) in statuses.iter().enumerate() {
            self.restarts.add(status);
            let is_sidecar = sidecars.contains(&string(status, &["name"]));
            if is_sidecar {
                of_sidecars.add(status);
            }
            let terminated = status.path(&["state", "terminated"]);
            if terminated.is_some_and(|end| end.i64_at(&["exitCode"]).unwrap_or(0) == 0) {
                continue;
            }
            if is_sidecar && status.bool_at(&["started"]) == Some(true) {
                self.ready += usize::from(status.bool_at(&["ready"]) == Some(true));
                continue;
            }
            let waiting = string(status, &["state", "waiting", "reason"]);
            self.word = match terminated {
                Some(end) => format!("Init:{}", end_word(end)),
                None if !matches!(waiting, "" | "PodInitializing") => format!("Init:{waiting}"),
                None => {
                    format!("Init:{index}/{}", pod.list_at(&["spec", "initContainers"]).len())
                }
            };
            return (true, of_sidecars);
        }
        (false, of_sidecars)
    }

    fn read_containers(&mut self, pod: &Object) {
        let mut is_running = false;
        // The first container has the last word.
        for status in pod.list_at(&["status", "containerStatuses"]).iter().rev() {
            self.restarts.add(status);
            let waiting = string(status, &["state", "waiting", "reason"]);
            if !waiting.is_empty() {
                self.word = waiting.to_owned();
            } else if let Some(end) = status.path(&["state", "terminated"]) {
                self.word = end_word(end);
            } else if status.bool_at(&["ready"]) == Some(true)
                && status.path(&["state", "running"]).is_some()
            {
                is_running = true;
                self.ready += 1;
            }
        }
        // One container is done and another runs: the pod is not completed.
        if self.word == "Completed" && is_running {
            let is_ready = condition(pod, "Ready") == Some("True");
            self.word = if is_ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
}

/// The word before containers are looked at: the phase, or a reason that stands for it.
fn first_word(pod: &Object) -> &str {
    let is_gated = |one: &Value| {
        string(one, &["type"]) == "PodScheduled" && string(one, &["reason"]) == "SchedulingGated"
    };
    let reason = string(pod, &["status", "reason"]);
    if pod.list_at(&["status", "conditions"]).iter().any(is_gated) {
        "SchedulingGated"
    } else if reason.is_empty() {
        string(pod, &["status", "phase"])
    } else {
        reason
    }
}

/// How a container ended.
fn end_word(end: &Value) -> String {
    let reason = string(end, &["reason"]);
    let signal = end.i64_at(&["signal"]).unwrap_or(0);
    if !reason.is_empty() {
        reason.to_owned()
    } else if signal != 0 {
        format!("Signal:{signal}")
    } else {
        format!("ExitCode:{}", end.i64_at(&["exitCode"]).unwrap_or(0))
    }
}

/// Init containers that keep running beside the others.
fn sidecar_names(pod: &Object) -> Vec<&str> {
    let all = pod.list_at(&["spec", "initContainers"]).iter();
    let sidecars = all.filter(|one| string(one, &["restartPolicy"]) == "Always");
    sidecars.map(|one| string(one, &["name"])).collect()
}
