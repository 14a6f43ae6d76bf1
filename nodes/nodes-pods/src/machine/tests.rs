//! Whole lives of pods as text scripts: each line is an event, below it stand all its effects.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use actors_core::{Effects, Machine, Mono, Now, Rng, Turn, Wall};
use actors_object::{Object, Value, json};
use expect_test::ExpectFile;

use crate::{
    Adopted, AdoptedContainer, AdoptedSandbox, ContainerRef, Exit, HookKind, ImageAnswer,
    PodConfig, PodEffect, PodEvent, PodMachine, ProbeKind, ProbeOutcome, RoomRefusal, Signal,
    StartFailure,
};

mod changes;
mod endings;
mod lives;
mod outages;

/// 2026-01-01T00:00:00Z.
const EPOCH_S: i64 = 1_767_225_600;

/// Runs a script against a pod whose `spec` is given and compares the whole trace.
fn check(spec: &str, script: &str, wanted: &ExpectFile) {
    let mut scene = Scene::new(spec);
    if !script.trim_start().starts_with("adopt") && !script.trim_start().starts_with("early") {
        scene.play("adopt -");
        scene.trace.clear();
    }
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        scene.play(line);
    }
    wanted.assert_eq(&scene.trace);
}

struct Scene {
    machine: PodMachine,
    pod: Value,
    seconds: u64,
    trace: String,
    /// The newest life of each container that was asked for.
    lives: Vec<ContainerRef>,
    sandbox: u32,
}

impl Scene {
    fn new(spec: &str) -> Self {
        let pod = r#"{"metadata":{"name":"web","namespace":"shop","uid":"u1","generation":1},
            "spec":SPEC}"#;
        let pod = json::from_slice(pod.replace("SPEC", spec).as_bytes()).expect("a pod");
        let machine = PodMachine::new(PodConfig { host_ips: vec!["192.0.2.1".into()] });
        Self { machine, pod, seconds: 0, trace: String::new(), lives: Vec::new(), sandbox: 0 }
    }

    fn now(&self) -> Now {
        let wall = Wall((EPOCH_S + i64::try_from(self.seconds).expect("small")) * 1_000_000_000);
        Now { mono: Mono::default().after(Duration::from_secs(1_000_000 + self.seconds)), wall }
    }

    fn play(&mut self, line: &str) {
        let mut words = line.split_whitespace().peekable();
        if let Some(seconds) = words.peek().and_then(|word| word.strip_prefix('+')) {
            self.seconds += seconds.parse::<u64>().expect("seconds");
            words.next();
        }
        let words: Vec<&str> = words.collect();
        writeln!(self.trace, "{}s {}", self.seconds, words.join(" ")).expect("text");
        if words[0] == "restart-agent" {
            self.machine = PodMachine::new(PodConfig { host_ips: vec!["192.0.2.1".into()] });
            return;
        }
        let event = self.event(&words);
        let mut out = Effects::default();
        let mut rng = Rng::from_number(1);
        self.machine.handle(Turn { now: self.now(), rng: &mut rng, view: &() }, event, &mut out);
        self.machine.assert_invariants();
        for effect in out.drain() {
            let text = self.describe(&effect);
            writeln!(self.trace, "    {text}").expect("text");
        }
    }

    fn event(&mut self, words: &[&str]) -> PodEvent {
        let attempt = self.sandbox;
        match words {
            ["update"] | ["early", "update"] => self.updated(),
            ["delete", grace] => {
                let grace: i64 = grace.parse().expect("seconds");
                let until = self.now().wall.after(Duration::from_secs(grace.unsigned_abs()));
                let until = actors_object::timefmt::seconds(until);
                self.pod.set_path(&["metadata", "deletionTimestamp"], until);
                self.pod.set_path(&["metadata", "deletionGracePeriodSeconds"], grace);
                self.updated()
            }
            ["set-image", image] => {
                let containers = self.pod.list_at_mut(&["spec", "containers"]).expect("containers");
                containers[0].set_path(&["image"], *image);
                self.updated()
            }
            ["debug", name, target @ ..] => {
                self.debug(name, target.first().copied());
                self.updated()
            }
            ["resize", amounts @ ..] => {
                self.resize(amounts);
                self.updated()
            }
            ["room"] => PodEvent::Room { refusal: None },
            ["no-room-now", why] => {
                PodEvent::Room { refusal: Some(RoomRefusal::Deferred((*why).into())) }
            }
            ["never-room", why] => {
                PodEvent::Room { refusal: Some(RoomRefusal::Infeasible((*why).into())) }
            }
            ["resized"] => PodEvent::Resized { failure: None },
            ["resize-failed", why] => PodEvent::Resized { failure: Some((*why).into()) },
            ["delete-overdue"] => {
                self.pod.set_path(&["metadata", "deletionTimestamp"], "2025-12-31T23:59:00Z");
                self.pod.set_path(&["metadata", "deletionGracePeriodSeconds"], 30);
                self.updated()
            }
            ["recall"] => PodEvent::Recalled(Arc::new(Object(self.pod.clone()))),
            ["confirmed"] => PodEvent::Confirmed(Arc::new(Object(self.pod.clone()))),
            ["fenced"] => PodEvent::Fenced { attempt },
            ["vanished"] => PodEvent::Vanished,
            ["volumes"] => PodEvent::VolumesReady,
            ["volumes-failed", message] => PodEvent::VolumesFailed { message: (*message).into() },
            ["volumes-gone"] => PodEvent::VolumesGone,
            ["sandbox"] => PodEvent::SandboxReady { attempt, ips: vec!["10.42.0.5".into()] },
            ["sandbox-failed", message] => {
                PodEvent::SandboxFailed { attempt, message: (*message).into() }
            }
            ["sandbox-gone"] => PodEvent::SandboxGone { attempt },
            ["image", name] => PodEvent::Image {
                container: (*name).into(),
                answer: ImageAnswer::Present { id: "sha256:1".into() },
            },
            ["missing", name, present @ ..] => {
                let present = present.iter().map(|reference| (*reference).to_owned()).collect();
                PodEvent::Image {
                    container: (*name).into(),
                    answer: ImageAnswer::Missing { present },
                }
            }
            ["images-changed"] => PodEvent::ImagesChanged,
            ["withdrawn"] => PodEvent::Withdrawn,
            ["woken"] => PodEvent::Woken,
            ["adopt", lives @ ..] => PodEvent::Adopted(self.adopted(lives)),
            [verb, name, rest @ ..] => self.container_event(verb, name, rest),
            _ => panic!("unknown event {words:?}"),
        }
    }

    /// Adds an ephemeral container.
    fn debug(&mut self, name: &str, target: Option<&str>) {
        let mut container = Value::Map(Default::default());
        container.set_path(&["name"], name);
        container.set_path(&["image"], "tools:1");
        if let Some(target) = target {
            container.set_path(&["targetContainerName"], target);
        }
        let spec = self.pod.path_mut(&["spec"]).expect("a specification").make_map();
        let list = spec.entry("ephemeralContainers", || Value::List(Vec::new()));
        list.make_list().push(container);
    }

    /// Gives the first container other requests: `cpu=2`.
    fn resize(&mut self, amounts: &[&str]) {
        let containers = self.pod.list_at_mut(&["spec", "containers"]).expect("containers");
        for (name, amount) in amounts.iter().filter_map(|text| text.split_once('=')) {
            containers[0].set_path(&["resources", "requests", name], amount);
        }
    }

    fn updated(&self) -> PodEvent {
        PodEvent::Updated(Arc::new(Object(self.pod.clone())))
    }

    fn container_event(&self, verb: &str, name: &str, rest: &[&str]) -> PodEvent {
        let container = self.lives.iter().rev().find(|life| life.name == name).cloned();
        let container = container.unwrap_or_else(|| ContainerRef { name: name.into(), attempt: 0 });
        let probe = |kind: &str| match kind {
            "startup" => ProbeKind::Startup,
            "liveness" => ProbeKind::Liveness,
            _ => ProbeKind::Readiness,
        };
        match (verb, rest) {
            ("started", []) => {
                PodEvent::Started { id: format!("{name}-{}", container.attempt), container }
            }
            ("exited", [code]) => PodEvent::Exited {
                id: format!("{name}-{}", container.attempt),
                container,
                exit: self.exit(code),
            },
            ("failed", [stage, message]) => {
                let failure = match *stage {
                    "config" => StartFailure::Config,
                    "create" => StartFailure::Create,
                    _ => StartFailure::Start,
                };
                PodEvent::Failed { container, failure, message: (*message).into() }
            }
            ("ok", [kind]) => {
                PodEvent::Probed { container, probe: probe(kind), outcome: ProbeOutcome::Success }
            }
            ("bad", [kind]) => {
                let outcome = ProbeOutcome::Failure("refused".into());
                PodEvent::Probed { container, probe: probe(kind), outcome }
            }
            ("hook-done", [kind]) => {
                let hook =
                    if *kind == "pre-stop" { HookKind::PreStop } else { HookKind::PostStart };
                PodEvent::HookDone { container, hook, failure: None }
            }
            _ => panic!("unknown event {verb} {rest:?}"),
        }
    }

    fn exit(&self, code: &str) -> Exit {
        let (code, oom) = code.strip_suffix("oom").map_or((code, false), |code| (code, true));
        let code: i32 = code.parse().expect("a code");
        let signal = if code > 128 { code - 128 } else { 0 };
        Exit { code, signal, oom, started: None, at: self.now().wall, message: String::new() }
    }

    /// Lives as `name#attempt` (running) or `name#attempt=code`; `-` stands for a sandbox that is
    /// gone.
    fn adopted(&mut self, lives: &[&str]) -> Adopted {
        let fenced = lives.contains(&"fenced").then(|| self.now().wall);
        let sandbox = (!lives.contains(&"-") && fenced.is_none())
            .then(|| AdoptedSandbox { attempt: self.sandbox, ips: vec!["10.42.0.5".into()] });
        let life = |text: &&&str| {
            let (life, code) =
                text.split_once('=').map_or((**text, None), |(life, code)| (life, Some(code)));
            let (name, attempt) = life.split_once('#')?;
            let attempt = attempt.parse().expect("an attempt");
            Some(AdoptedContainer {
                container: ContainerRef { name: name.into(), attempt },
                id: format!("{name}-{attempt}"),
                image: "web:1".into(),
                image_id: "sha256:1".into(),
                started: Wall(EPOCH_S * 1_000_000_000),
                exit: code.map(|code| self.exit(code)),
            })
        };
        let containers: Vec<AdoptedContainer> =
            lives.iter().filter_map(|text| life(&text)).collect();
        self.lives.extend(containers.iter().map(|one| one.container.clone()));
        Adopted { sandbox, containers, fenced }
    }

    fn describe(&mut self, effect: &PodEffect) -> String {
        let life = |one: &ContainerRef| format!("{}#{}", one.name, one.attempt);
        match effect {
            PodEffect::SetUpVolumes => "set up volumes".into(),
            PodEffect::TearDownVolumes => "tear down volumes".into(),
            PodEffect::CreateSandbox { attempt } => {
                self.sandbox = *attempt;
                format!("create sandbox {attempt}")
            }
            PodEffect::TearDownSandbox { attempt } => format!("tear down sandbox {attempt}"),
            PodEffect::CheckImage { container, image, policy } => {
                format!("check image {image} {policy:?} for {container}")
            }
            PodEffect::StartContainer { container, resources, target, .. } => {
                self.lives.push(container.clone());
                let with = resources.as_map().map(|_| format!(" with {}", told(resources)));
                let sees = target.as_ref().map(|target| format!(" seeing {}", life(target)));
                let more = [with, sees].into_iter().flatten().collect::<String>();
                format!("start {}{more}", life(container))
            }
            PodEffect::CheckRoom { wanted } => format!("check room {}", amounts(wanted)),
            PodEffect::Resize { granted, containers } => {
                let lives: Vec<String> = containers.iter().map(life).collect();
                format!("resize to {} now [{}]", amounts(granted), lives.join(" "))
            }
            PodEffect::Signal { container, signal: Signal::Stop } => {
                format!("stop {}", life(container))
            }
            PodEffect::Signal { container, signal: Signal::Kill } => {
                format!("kill {}", life(container))
            }
            PodEffect::RunProbe { container, probe, .. } => {
                format!("probe {probe:?} {}", life(container))
            }
            PodEffect::RunHook { container, hook, .. } => {
                format!("hook {hook:?} {}", life(container))
            }
            PodEffect::WakeAt(at) => format!("wake at {}s", at.as_millis() / 1_000 - 1_000_000),
            PodEffect::ReportStatus(status) => {
                self.pod.set_path(&["status"], status.clone());
                describe_status(status)
            }
            PodEffect::Event { kind, reason, message, .. } => {
                format!("event {} {reason}: {message}", kind.as_str())
            }
            PodEffect::Confirm => "confirm".into(),
            PodEffect::FinalizeDelete => "finalize".into(),
        }
    }
}

/// What is requested of each resource.
fn told(resources: &Value) -> String {
    json::to_string(resources.at("requests"))
}

fn amounts(all: &[(String, Value)]) -> String {
    let all: Vec<String> = all.iter().map(|(name, one)| format!("{name}={}", told(one))).collect();
    all.join(" ")
}

/// Phase, conditions that are true, and each container's state with its restarts.
fn describe_status(status: &Value) -> String {
    let mut text = format!("status {}", status.at("phase").as_str().unwrap_or_default());
    if let Some(reason) = status.at("reason").as_str() {
        write!(text, " ({reason})").expect("text");
    }
    let is_met = |one: &&Value| {
        one.at("status").as_str() == Some("True") && one.at("type").as_str() != Some("PodScheduled")
    };
    let met = status.list_at(&["conditions"]).iter().filter(is_met);
    let short = |kind: &str| match kind {
        "PodReadyToStartContainers" => "Sandbox".to_owned(),
        other => other.to_owned(),
    };
    let met: Vec<String> = met.filter_map(|one| one.at("type").as_str().map(short)).collect();
    write!(text, " [{}]", met.join(" ")).expect("text");
    let lists = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
    for container in lists.into_iter().flat_map(|list| status.list_at(&[list])) {
        let (kind, state) = container.map_at(&["state"]).iter().next().expect("a state");
        let word = match kind.as_str() {
            "running" if container.at("ready").as_bool() == Some(true) => "ready".to_owned(),
            "running" => "running".to_owned(),
            "terminated" => format!(
                "{}:{}",
                state.at("reason").as_str().unwrap_or_default(),
                state.at("exitCode").as_i64().unwrap_or(-1)
            ),
            _ => state.at("reason").as_str().unwrap_or_default().to_owned(),
        };
        let name = container.at("name").as_str().unwrap_or_default();
        let restarts = container.at("restartCount").as_i64().unwrap_or(-1);
        write!(text, " {name}#{restarts}={word}").expect("text");
        if let Some(resources) = container.get("resources") {
            let granted = json::to_string(container.at("allocatedResources"));
            write!(text, " has {} of {granted}", told(resources)).expect("text");
        }
    }
    text
}
