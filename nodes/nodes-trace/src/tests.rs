//! Spans of three machines, gathered and told.

use std::time::Duration;

use actors_core::Wall;
use actors_object::{Object, value};
use expect_test::{Expect, expect};

use super::*;

/// What one test records.
struct Scene {
    rings: Vec<Ring>,
    next: u8,
}

impl Scene {
    fn new() -> Self {
        Self { rings: vec![Ring::new(64); 3], next: 1 }
    }

    /// Records a step; `at` in milliseconds.
    fn add(&mut self, ring: usize, parent: Parent, words: [&str; 3], at: i64) -> SpanId {
        let [who, name, object] = words;
        let id = SpanId([0, 0, 0, 0, 0, 0, 0, self.next]);
        let trace = if parent == Parent::None { [self.next; 16] } else { [0; 16] };
        self.next += 1;
        let (kind, object) = object.split_once('/').expect("kind and name");
        self.rings[ring].push(Span {
            trace,
            id,
            parent,
            name: name.to_owned(),
            who: who.to_owned(),
            thing: Thing::new(kind, "default", object),
            start: Wall(at * 1_000_000),
            took: Duration::from_micros(1_500),
            cause: String::new(),
            outcome: String::new(),
            wrote: Vec::new(),
        });
        id
    }

    /// The same, of a write.
    fn write(&mut self, ring: usize, parent: Parent, words: [&str; 3], at: (i64, u64)) -> SpanId {
        let id = self.add(ring, parent, words, at.0);
        let question = Question { spans: [id].into(), ..Question::default() };
        let mut span = self.rings[ring].answer(&question).pop().expect("just pushed");
        span.wrote = vec![at.1];
        span.outcome = format!("done at {}", at.1);
        self.rings[ring].push(span);
        id
    }

    /// A Deployment of two pods; the second one's agent has not said anything.
    fn deployment(&mut self) {
        let client = self.add(0, Parent::None, ["client kubectl", "create", "Deployment/web"], 0);
        let api = ["api@s1", "create", "Deployment/web"];
        let api = self.write(0, Parent::Span(client), api, (1, 10));
        self.add(0, Parent::Span(api), ["store@s1", "store", "Deployment/web"], 2);
        let run = ["deployment@s2", "reconcile", "Deployment/web"];
        let run = self.add(1, Parent::Revision(10), run, 4);
        self.write(1, Parent::Span(run), ["api@s2", "create", "ReplicaSet/web-1"], (5, 11));
        let run = ["replicaset@s2", "reconcile", "ReplicaSet/web-1"];
        let run = self.add(1, Parent::Revision(11), run, 7);
        for (pod, revision) in [("Pod/web-1-a", 12), ("Pod/web-1-b", 13)] {
            self.write(1, Parent::Span(run), ["api@s2", "create", pod], (8, revision));
            let schedule = ["scheduler@s2", "schedule", pod];
            self.add(1, Parent::Revision(revision), schedule, 9);
        }
        let bind = Parent::Span(SpanId([0, 0, 0, 0, 0, 0, 0, 8]));
        self.write(1, bind, ["api@s2", "create", "Pod/web-1-a"], (10, 14));
        let sandbox = ["agent@a1", "sandbox", "Pod/web-1-a"];
        let sandbox = self.add(2, Parent::Revision(14), sandbox, 12);
        let report = ["agent@a1", "report", "Pod/web-1-a"];
        let report = self.add(2, Parent::Span(sandbox), report, 30);
        self.write(0, Parent::Span(report), ["api@s1", "patch", "Pod/web-1-a"], (31, 15));
    }

    fn why(&self, kind: &str, name: &str, all: bool) -> String {
        let mut gathering = Gathering::new(Thing::new(kind, "default", name));
        let mut questions = 0;
        while let Some(question) = gathering.question() {
            questions += 1;
            self.rings.iter().for_each(|ring| gathering.take(ring.answer(&question)));
        }
        assert!(questions <= 20, "{questions} questions");
        gathering.report(all).to_string()
    }
}

#[track_caller]
fn check(kind: &str, name: &str, all: bool, expected: Expect) {
    let mut scene = Scene::new();
    scene.deployment();
    expected.assert_eq(&scene.why(kind, name, all));
}

#[test]
fn a_pods_trace_goes_back_to_the_client_and_leaves_out_its_sister() {
    check(
        "Pod",
        "web-1-a",
        false,
        expect![[r#"
            Pod default/web-1-a

            trace 01010101010101010101010101010101
                 0.0 ms      1.5 ms  client kubectl: create Deployment default/web
                 1.0 ms      1.5 ms    api@s1: create: done at 10
                 2.0 ms      1.5 ms      store@s1: store
                 4.0 ms      1.5 ms      deployment@s2: reconcile
                 5.0 ms      1.5 ms        api@s2: create ReplicaSet default/web-1: done at 11
                 7.0 ms      1.5 ms          replicaset@s2: reconcile
                 8.0 ms      1.5 ms            api@s2: create Pod default/web-1-a: done at 12
                 9.0 ms      1.5 ms              scheduler@s2: schedule
                10.0 ms      1.5 ms                api@s2: create: done at 14
                12.0 ms      1.5 ms                  agent@a1: sandbox
                30.0 ms      1.5 ms                    agent@a1: report
                31.0 ms      1.5 ms                      api@s1: patch: done at 15
            and 2 other steps of the trace: --all shows them
        "#]],
    );
}

#[test]
fn everything_is_shown_if_asked_for() {
    check(
        "Pod",
        "web-1-b",
        true,
        expect![[r#"
            Pod default/web-1-b

            trace 01010101010101010101010101010101
                 0.0 ms      1.5 ms  client kubectl: create Deployment default/web
                 1.0 ms      1.5 ms    api@s1: create: done at 10
                 2.0 ms      1.5 ms      store@s1: store
                 4.0 ms      1.5 ms      deployment@s2: reconcile
                 5.0 ms      1.5 ms        api@s2: create ReplicaSet default/web-1: done at 11
                 7.0 ms      1.5 ms          replicaset@s2: reconcile
                 8.0 ms      1.5 ms            api@s2: create Pod default/web-1-a: done at 12
                 9.0 ms      1.5 ms              scheduler@s2: schedule
                10.0 ms      1.5 ms                api@s2: create: done at 14
                12.0 ms      1.5 ms                  agent@a1: sandbox
                30.0 ms      1.5 ms                    agent@a1: report
                31.0 ms      1.5 ms                      api@s1: patch: done at 15
                 8.0 ms      1.5 ms            api@s2: create Pod default/web-1-b: done at 13
                 9.0 ms      1.5 ms              scheduler@s2: schedule
        "#]],
    );
}

#[test]
fn what_nobody_remembers_is_said() {
    check(
        "Pod",
        "other",
        false,
        expect![[r#"
        Pod default/other
        no machine remembers what was done to it
    "#]],
    );
}

#[test]
fn of_two_traces_the_last_is_told() {
    let mut scene = Scene::new();
    scene.deployment();
    scene.add(0, Parent::None, ["client kubectl", "patch", "Pod/web-1-a"], 900);
    expect![[r#"
        Pod default/web-1-a

        trace 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
             0.0 ms      1.5 ms  client kubectl: patch Pod default/web-1-a
    "#]]
    .assert_eq(&scene.why("Pod", "web-1-a", false));
}

#[test]
fn a_lost_beginning_is_said_and_a_circle_ends() {
    let mut scene = Scene::new();
    scene.add(2, Parent::Revision(99), ["agent@a1", "sandbox", "Pod/web"], 3_000);
    expect![[r#"
        Pod default/web

        what came before the first step is not remembered
             0.0 ms      1.5 ms  agent@a1: sandbox Pod default/web
    "#]]
    .assert_eq(&scene.why("Pod", "web", false));
    let (one, two) = (SpanId([0, 0, 0, 0, 0, 0, 0, 2]), SpanId([0, 0, 0, 0, 0, 0, 0, 3]));
    scene.add(0, Parent::Span(two), ["a", "x", "Pod/circle"], 1);
    scene.add(0, Parent::Span(one), ["b", "y", "Pod/circle"], 2);
    let told = scene.why("Pod", "circle", false);
    assert_eq!(told.lines().filter(|line| line.contains("Pod default/circle:")).count(), 0);
    assert!(told.contains("a: x") && told.contains("b: y"), "{told}");
}

#[test]
fn a_ring_forgets_its_oldest_and_cuts_long_texts() {
    let mut scene = Scene::new();
    for at in 0..70 {
        scene.add(0, Parent::None, ["api", "create", "Pod/x"], at);
    }
    assert_eq!(scene.rings[0].len(), 64);
    scene.add(1, Parent::None, ["api", &"ä".repeat(999), "Pod/long"], 1);
    let question =
        Question { things: [Thing::new("Pod", "default", "long")].into(), ..Question::default() };
    let found = scene.rings[1].answer(&question);
    assert!(found[0].name.len() <= Span::TEXT_LEN_MAX + 3);
}

#[test]
fn traceparents() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let read = parse_traceparent(good).expect("it is one");
    assert_eq!(trace_text(&read.trace), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(trace_text(&read.span), "00f067aa0ba902b7");
    assert!(parse_traceparent(&format!("cc{}-more", &good[2..])).is_some());
    for bad in [
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    ] {
        assert_eq!(parse_traceparent(bad), None, "{bad}");
    }
}

#[test]
fn how_a_pod_is() {
    let pod = Object(value!({
        "kind": "Pod",
        "spec": { "nodeName": "" },
        "status": {
            "phase": "Pending",
            "conditions": [
                { "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                  "message": "0/1 nodes are available: 1 Insufficient cpu." },
            ],
            "containerStatuses": [
                { "name": "web", "restartCount": 3,
                  "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } },
                  "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } } },
            ],
        },
    }));
    expect![[r#"
        Pending, without a node
        PodScheduled=False: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.
        container web waits: CrashLoopBackOff: back-off 40s; restarted 3 times, the last time after code 1 (Error)"#]].assert_eq(&state_of(&pod).join("\n"));
}
