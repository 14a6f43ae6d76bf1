//! What words about nodes do to nodes and pods.

mod deaths;
mod fences;

use std::time::Duration;

use actors_controller::{Change, Controller, Key, Kind, Verdict, World, testing::Scene};
use actors_controllers::{
    NodeLifecycleController, PodGcController, ReplicaSetController, TaintEvictionController,
    kinds::{NODE, POD},
};
use actors_core::{Effects, Machine, Mono, Rng, Turn};
use actors_object::{Object, Value, value};

use super::{HealthEffect, HealthEvent, HealthMachine, NodeWord, Words};

/// The machine on a scene, whose controllers come to rest after each of its writes.
struct Stage {
    scene: Scene,
    machine: HealthMachine,
    words: Words,
    timer: Option<Mono>,
    rng: Rng,
    seen: usize,
}

impl Stage {
    /// A leader of a cluster of `nodes` living nodes, `n1`, `n2`…
    fn new(nodes: usize) -> Self {
        let mut scene = Scene::new();
        let mut words = Words { majority: true, ..Words::default() };
        for number in 1..=nodes {
            let name = format!("n{number}");
            scene.world.put(Object(node(&name)));
            words.nodes.insert(name, NodeWord::Alive.into());
        }
        let seen = scene.world.changes.len();
        let (machine, rng) = (HealthMachine::default(), Rng::from_number(1));
        let mut stage = Self { scene, machine, words, timer: None, rng, seen };
        stage.tell(HealthEvent::Leading(true));
        stage.speak();
        stage
    }

    fn with(mut self, object: Object) -> Self {
        self.scene.world.put(object);
        self.rest();
        self
    }

    /// Membership says this of these nodes.
    fn say(&mut self, names: &[&str], word: NodeWord) {
        for name in names {
            self.words.nodes.insert((*name).to_owned(), word.into());
        }
        self.speak();
    }

    fn speak(&mut self) {
        self.tell(HealthEvent::Words(self.words.clone()));
        self.rest();
    }

    /// The agent of a node reports.
    fn report(&mut self, name: &str) {
        self.scene.change(&NODE, name, |object| {
            object.set_status(node(name).at("status").clone());
        });
        self.rest();
    }

    /// Lets time pass; the timers that fall into it fire.
    fn pass(&mut self, span: Duration) {
        let end = self.scene.now.mono.after(span);
        while let Some(at) = self.timer.filter(|at| *at <= end) {
            self.timer = None;
            self.scene.pass(at.since(self.scene.now.mono));
            self.tell(HealthEvent::Timer);
            self.rest();
        }
        self.scene.pass(end.since(self.scene.now.mono));
        self.rest();
    }

    fn tell(&mut self, event: HealthEvent) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut out = Effects::default();
            let view: &dyn World = &self.scene.world;
            let turn = Turn { now: self.scene.now, rng: &mut self.rng, view };
            self.machine.handle(turn, event, &mut out);
            for effect in out.drain() {
                match effect {
                    HealthEffect::SetTimer { at } => self.timer = Some(at),
                    HealthEffect::Apply { plan, id } => {
                        let access = super::access();
                        let is_event = |kind: &Kind| kind.kind() == "Event";
                        for item in &plan.items {
                            let verb = item.verb().expect("events have become writes");
                            let allowed = access.allows(&item.kind(), verb);
                            assert!(allowed || is_event(&item.kind()), "undeclared: {item}");
                        }
                        let verdicts: Vec<Verdict> = self.scene.apply(plan);
                        events.push(HealthEvent::PlanDone { id, verdicts });
                    }
                }
            }
        }
    }

    /// Controllers and the machine look until nothing changes any longer.
    fn rest(&mut self) {
        let controllers: [&dyn Controller; 4] = [
            &NodeLifecycleController,
            &TaintEvictionController,
            &PodGcController,
            &ReplicaSetController,
        ];
        loop {
            self.scene.settle(&controllers).expect("rest");
            let changes: Vec<Change> = self.scene.world.changes[self.seen..].to_vec();
            if changes.is_empty() {
                return;
            }
            self.seen = self.scene.world.changes.len();
            changes.into_iter().for_each(|change| self.tell(HealthEvent::Changed(change)));
        }
    }

    /// `Ready`, its reason, and the keys of the taints of a node.
    fn node(&self, name: &str) -> String {
        let node = self.scene.get(&NODE, name).expect("the node");
        let mut text = super::marks::ready(&node).unwrap_or("-").to_owned();
        for taint in node.list_at(&["spec", "taints"]) {
            let key = taint.str_at(&["key"]).unwrap_or_default();
            let key = key.rsplit('/').next().unwrap_or_default();
            let effect = taint.str_at(&["effect"]).unwrap_or_default();
            text.push_str(&format!(" {key}:{effect}"));
        }
        text
    }

    /// The reasons of the events about nodes, as often as they were told.
    fn told(&self) -> Vec<String> {
        let events = self.scene.world.iter().filter(|(key, _)| key.kind.kind() == "Event");
        let line = |event: &Object| {
            let node = event.str_at(&["involvedObject", "name"]).unwrap_or_default();
            format!("{node} {}", event.str_at(&["reason"]).unwrap_or_default())
        };
        let mut told: Vec<_> = events
            .filter(|(_, event)| event.str_at(&["involvedObject", "kind"]) == Some("Node"))
            .map(|(_, event)| line(event))
            .collect();
        told.sort();
        told
    }

    /// The pods: name or owner's prefix, node, and whether they end.
    fn pods(&self) -> Vec<String> {
        let pods = self.scene.world.iter().filter(|(key, _)| key.kind == POD);
        let line = |pod: &Object| {
            let node = pod.str_at(&["spec", "nodeName"]).unwrap_or("-");
            let end = if pod.is_terminating() { " ending" } else { "" };
            let name = if node == "-" { "new" } else { pod.name() };
            format!("{name} {node}{end}")
        };
        pods.map(|(_, pod)| line(pod)).collect()
    }

    fn remove(&mut self, kind: &Kind, namespace: &str, name: &str) {
        self.scene.world.remove(&Key::new(kind, namespace, name));
        self.rest();
    }
}

const DEAD: &str = "Unknown node-dead:NoExecute unreachable:NoSchedule unreachable:NoExecute";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn node(name: &str) -> Value {
    value!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": name },
        "status": {
            "conditions": [
                { "type": "MemoryPressure", "status": "False" },
                { "type": "Ready", "status": "True", "reason": "KubeletReady" },
            ],
            "nodeInfo": { "containerRuntimeVersion": "starling://1" },
        },
    })
}

/// A set of one replica whose only pod runs on `n1`.
fn set_and_pod(fence: Option<&str>) -> [Object; 2] {
    let mut template = value!({
        "metadata": { "labels": { "app": "web" } },
        "spec": {
            "containers": [{ "name": "main", "image": "v1" }],
            "tolerations": [{
                "key": "node.kubernetes.io/unreachable", "operator": "Exists",
                "effect": "NoExecute", "tolerationSeconds": 300,
            }],
        },
    });
    if let Some(fence) = fence {
        template.set_path(&["metadata", "annotations", "starling.dev/fence-after"], fence);
    }
    let set = Object(value!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": { "name": "web", "namespace": "d", "uid": "rs-web" },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": { "app": "web" } },
            "template": template.clone(),
        },
    }));
    let mut pod = Object(template);
    pod.set_path(&["apiVersion"], "v1");
    pod.set_path(&["kind"], "Pod");
    pod.set_path(&["metadata", "name"], "old");
    pod.set_path(&["metadata", "namespace"], "d");
    pod.set_path(&["spec", "nodeName"], "n1");
    pod.set_owners(&[actors_object::OwnerRef::controller(&set)]);
    pod.set_status(value!({
        "phase": "Running",
        "conditions": [
            { "type": "Ready", "status": "True", "lastTransitionTime": "2025-12-31T00:00:00Z" },
        ],
    }));
    [set, pod]
}
